/* SPDX-License-Identifier: MIT */
/* affinity-test.c - which processors a run's threads run on. */
#include <stdatomic.h>
#include <fibers.h>
#include "tests/harness.h"

static cpu_set_t allowed(void)
{
        cpu_set_t set;

        ck_assert_int_eq(sched_getaffinity(0, sizeof(set), &set), 0);
        return set;
}

/* The index-th of the processors that this process may use. */
static cpu_set_t processor(unsigned index)
{
        cpu_set_t all = allowed(), one;

        CPU_ZERO(&one);
        for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
                if (CPU_ISSET(cpu, &all) && index-- == 0)
                        CPU_SET(cpu, &one);
        ck_assert_int_eq(CPU_COUNT(&one), 1);
        return one;
}

static void skip_unless_there_are_two(void)
{
        if (processor_count() < 2)
                test_skip("there is one processor");
}

/* The affinity of each scheduler's thread, as tasks find it. */
struct threads {
        cpu_set_t sets[64];
        unsigned count;
        atomic_uint seen;
};

static _Thread_local bool looked;

static void *look(void *arg)
{
        struct threads *threads = arg;

        /* An idle peer may have taken it: then once more, until each thread has been seen. */
        if (!looked) {
                looked = true;
                threads->sets[atomic_fetch_add(&threads->seen, 1)] = allowed();
        }
        return NULL;
}

static void *look_everywhere(void *arg)
{
        struct threads *threads = arg;
        fib_scheduler *peers[64];
        size_t n = fib_scheduler_remote_peers(fib_scheduler_current(), peers, 64);

        threads->count = (unsigned)n + 1;
        looked = false; /* the caller's own thread may have been in a run before */
        look(threads);
        while (atomic_load(&threads->seen) < threads->count) {
                for (size_t i = 0; i < n; i++)
                        ck_assert_int_eq(fib_spawn_with(&(fib_spawn_options){ .scheduler =
                                                                                      peers[i] },
                                                        look, threads, NULL),
                                         0);
                fib_sleep(FIB_MILLISECOND);
        }
        return NULL;
}

static void run_and_look(const fib_run_options *options, struct threads *threads)
{
        cpu_set_t before = allowed(), after;

        *threads = (struct threads){ .count = 0 };
        ck_assert_int_eq(fib_run(look_everywhere, threads, options, NULL), 0);
        after = allowed();
        ck_assert(CPU_EQUAL(&before, &after));
}

TEST(with_as_many_threads_as_processors_each_has_its_own)
{
        cpu_set_t all = allowed(), together;
        struct threads threads;

        run_and_look(&(fib_run_options){ 0 }, &threads);
        ck_assert_uint_eq(threads.count, processor_count());
        CPU_ZERO(&together);
        for (unsigned i = 0; i < threads.count; i++) {
                ck_assert_int_eq(CPU_COUNT(&threads.sets[i]), 1);
                CPU_OR(&together, &together, &threads.sets[i]);
        }
        ck_assert(CPU_EQUAL(&together, &all));
}

TEST(with_another_number_all_threads_may_use_all_processors)
{
        cpu_set_t all = allowed();
        const unsigned numbers[] = { processor_count() + 1, 4 * processor_count(),
                                     processor_count() > 1 ? processor_count() - 1 : 2 };

        for (unsigned n = 0; n < 3; n++) {
                struct threads threads;

                run_and_look(&(fib_run_options){ .parallelism = numbers[n] }, &threads);
                ck_assert_uint_eq(threads.count, numbers[n]);
                for (unsigned i = 0; i < threads.count; i++)
                        ck_assert(CPU_EQUAL(&threads.sets[i], &all));
        }
}

TEST(a_run_uses_the_processors_it_is_given)
{
        struct threads threads;
        cpu_set_t mine, one;

        skip_unless_there_are_two();
        mine = processor(0);
        one = processor(1);
        run_and_look(&(fib_run_options){ .cpus = &one }, &threads);
        ck_assert_uint_eq(threads.count, 1);
        ck_assert(CPU_EQUAL(&threads.sets[0], &one));
        run_and_look(&(fib_run_options){ .cpus = &one, .parallelism = 3 }, &threads);
        for (unsigned i = 0; i < 3; i++)
                ck_assert(CPU_EQUAL(&threads.sets[i], &one));
        /* They need not be among the caller's. */
        ck_assert_int_eq(sched_setaffinity(0, sizeof(mine), &mine), 0);
        run_and_look(&(fib_run_options){ .cpus = &one, .parallelism = 2 }, &threads);
        for (unsigned i = 0; i < 2; i++)
                ck_assert(CPU_EQUAL(&threads.sets[i], &one));
}

TEST(the_default_is_what_the_caller_may_use)
{
        struct threads threads;
        cpu_set_t mine;

        skip_unless_there_are_two();
        mine = processor(1);
        ck_assert_int_eq(sched_setaffinity(0, sizeof(mine), &mine), 0);
        run_and_look(&(fib_run_options){ 0 }, &threads);
        ck_assert_uint_eq(threads.count, 1);
        ck_assert(CPU_EQUAL(&threads.sets[0], &mine));
}

TESTS("affinity", with_as_many_threads_as_processors_each_has_its_own,
      with_another_number_all_threads_may_use_all_processors, a_run_uses_the_processors_it_is_given,
      the_default_is_what_the_caller_may_use)
