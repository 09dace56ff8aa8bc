/* SPDX-License-Identifier: MIT */
/* run-resource-test.c - runs for which there are no threads, descriptors or memory. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <fibers.h>
#include "tests/harness.h"

/* Lowers a limit of this process's; run_limited() puts it back. */
struct limit {
        __rlimit_resource_t resource;
        struct rlimit before;
};

static struct limit limit_begin(__rlimit_resource_t resource, rlim_t most)
{
        struct limit limit = { resource, { 0, 0 } };
        struct rlimit lower;

        ck_assert_int_eq(getrlimit(resource, &limit.before), 0);
        lower = limit.before;
        lower.rlim_cur = most;
        ck_assert_int_eq(setrlimit(resource, &lower), 0);
        return limit;
}

static void limit_end(struct limit *limit)
{
        ck_assert_int_eq(setrlimit(limit->resource, &limit->before), 0);
}

static void *give_back(void *arg)
{
        return arg;
}

static void *spawn_some(void *arg)
{
        for (int i = 0; i < 10; i++)
                ck_assert_int_eq(fib_spawn(give_back, NULL), 0);
        fib_yield();
        return arg;
}

/* Return: what fib_run() gave under the limit. */
static int run_limited(__rlimit_resource_t resource, rlim_t most, const fib_run_options *options)
{
        size_t descriptors = descriptor_count(), threads = thread_count();
        int object;
        void *ret = &object;
        struct limit limit = limit_begin(resource, most);
        int r = fib_run(spawn_some, NULL, options, &ret);

        limit_end(&limit);
        ck_assert_ptr_eq(ret, r < 0 ? &object : NULL);
        for (int i = 0; i < 500 && thread_count() > threads; i++)
                usleep(1000);
        ck_assert_uint_eq(thread_count(), threads);
        ck_assert_uint_eq(descriptor_count(), descriptors);
        return r;
}

/* The limit on threads is not for root. */
static void become_nobody(void)
{
        if (getuid() != 0)
                return;
        ck_assert_int_eq(setresgid(65534, 65534, 65534), 0);
        ck_assert_int_eq(setresuid(65534, 65534, 65534), 0);
        prctl(PR_SET_DUMPABLE, 1); /* otherwise /proc/self becomes root's */
}

TEST(without_threads_a_run_fails)
{
        const fib_run_options four = { .parallelism = 4 }, one = { .parallelism = 1 };
        cpu_set_t before, after;

        become_nobody();
        sched_getaffinity(0, sizeof(before), &before);
        ck_assert_int_eq(run_limited(RLIMIT_NPROC, 1, &four), -EAGAIN);
        sched_getaffinity(0, sizeof(after), &after);
        ck_assert(CPU_EQUAL(&before, &after));
        ck_assert_int_eq(run_limited(RLIMIT_NPROC, 1, &one), 0); /* needs none */
        ck_assert_int_eq(fib_run(spawn_some, NULL, &four, NULL), 0);
}

TEST(with_too_few_threads_a_run_fails_and_those_it_had_are_gone)
{
        const fib_run_options many = { .parallelism = 64 };
        rlim_t most;

        become_nobody();
        /* Others may run as nobody too: look for a limit that lets some threads begin. */
        for (most = 1; most < 4096; most += 40) {
                int r = run_limited(RLIMIT_NPROC, most, &many);

                if (r == 0)
                        return;
                ck_assert_int_eq(r, -EAGAIN);
        }
}

/* The lowest number that no descriptor has: with the limit there, none can be opened. */
static rlim_t next_descriptor(void)
{
        int fd = dup(0);

        ck_assert_int_ge(fd, 0);
        close(fd);
        return (rlim_t)fd;
}

TEST(without_descriptors_a_run_fails)
{
        const fib_run_options four = { .parallelism = 4 };
        rlim_t few = next_descriptor();
        unsigned refused = 0;

        while (run_limited(RLIMIT_NOFILE, few + refused, &four) == -EMFILE)
                refused++;
        ck_assert_uint_gt(refused, 0);
        ck_assert_uint_le(refused, 4 * 4); /* as many as it needs, not more */
        ck_assert_int_eq(run_limited(RLIMIT_NOFILE, few + refused, &four), 0);
        ck_assert_int_eq(fib_run(spawn_some, NULL, &four, NULL), 0);
}

static rlim_t address_space(void)
{
        FILE *file = fopen("/proc/self/statm", "re");
        unsigned long pages;

        ck_assert(file);
        ck_assert_int_eq(fscanf(file, "%lu", &pages), 1);
        fclose(file);
        return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

static void skip_unless_memory_can_be_limited(void)
{
        if (slowness() > 1)
                test_skip("the sanitizers need the address space themselves");
}

TEST(without_memory_for_the_first_stack_a_run_fails)
{
        const fib_run_options big = { .parallelism = 1, .stack_size = FIB_STACK_MAX };

        skip_unless_memory_can_be_limited();
        ck_assert_int_eq(run_limited(RLIMIT_AS, address_space() + (512 << 20), &big), -ENOMEM);
        ck_assert_int_eq(fib_run(spawn_some, NULL, &big, NULL), 0);
}

TEST(with_ever_more_memory_a_run_fails_until_it_works)
{
        const fib_run_options options = { .parallelism = 3, .stack_size = FIB_STACK_MIN };
        rlim_t more;
        int r;

        skip_unless_memory_can_be_limited();
        for (more = 0; more < 1 << 30; more += 1 << 20) {
                r = run_limited(RLIMIT_AS, address_space() + more, &options);
                if (r == 0)
                        break;
                /* -EAGAIN is what pthread_create() says of a stack that cannot be mapped. */
                ck_assert_msg(r == -ENOMEM || r == -EAGAIN, "%d", r);
        }
        ck_assert_int_eq(r, 0);
        ck_assert_uint_gt(more, 0);
}

static void *huge_fiber(void *arg)
{
        return arg;
}

/* A fiber for which there is no stack yet waits until there is, and the others go on. */
static void *spawn_too_big(void *arg)
{
        const fib_spawn_options big = { .stack_size = FIB_STACK_MAX };
        struct limit limit = limit_begin(RLIMIT_AS, address_space() + (512 << 20));
        fib_fiber *fiber;
        void *ret = NULL;
        int r = fib_spawn_with(&big, huge_fiber, arg, &fiber);

        for (int i = 0; i < 1000; i++)
                fib_yield();
        fib_sleep(FIB_MILLISECOND);
        limit_end(&limit);
        if (r == 0) {
                ck_assert_int_eq(fib_join(fiber, &ret), 0);
                ck_assert_ptr_eq(ret, arg);
                fib_fiber_unref(fiber);
        }
        return NULL;
}

TEST(a_fiber_without_memory_for_its_stack_does_not_stop_the_others)
{
        int object;

        skip_unless_memory_can_be_limited();
        run_fibers(1, spawn_too_big, &object);
}

TESTS("run-resource", without_threads_a_run_fails,
      with_too_few_threads_a_run_fails_and_those_it_had_are_gone, without_descriptors_a_run_fails,
      without_memory_for_the_first_stack_a_run_fails,
      with_ever_more_memory_a_run_fails_until_it_works,
      a_fiber_without_memory_for_its_stack_does_not_stop_the_others)
