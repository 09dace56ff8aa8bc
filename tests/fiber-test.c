/* SPDX-License-Identifier: MIT */
/* fiber-test.c - fibers: how they begin, what they are called, in which order they run. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <fibers.h>
#include "tests/harness.h"
#include "tests/stress/fiber-load.h"

static void *spawn_badly(void *arg)
{
        const size_t sizes[] = { 1, FIB_STACK_MIN - 1, FIB_STACK_MAX + 1, (size_t)1 << 40,
                                 SIZE_MAX };
        fib_fiber *fiber = fib_self();

        ck_assert_int_eq(fib_spawn(NULL, NULL), -EINVAL);
        ck_assert_int_eq(fib_spawn_with(NULL, NULL, NULL, &fiber), -EINVAL);
        for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
                ck_assert_int_eq(fib_spawn_with(&(fib_spawn_options){ .stack_size = sizes[i] },
                                                spawn_badly, NULL, &fiber),
                                 -EINVAL);
        ck_assert_ptr_eq(fiber, fib_self()); /* written only on success */
        return NULL;
}

TEST(a_spawn_with_bad_options_is_refused)
{
        run_fibers(1, spawn_badly, NULL);
}

TEST(a_spawn_outside_a_scheduler_is_refused)
{
        fib_fiber *fiber = NULL;

        ck_assert_int_eq(fib_spawn(spawn_badly, NULL), -ESRCH);
        ck_assert_int_eq(fib_spawn_with(NULL, spawn_badly, NULL, &fiber), -ESRCH);
        ck_assert_ptr_null(fiber);
}

static void *give_scheduler(void *arg)
{
        return fib_scheduler_current();
}

/* Spawns it, joins it, and gives its result. */
static void *result_of(const fib_spawn_options *options, fib_fn *fn, void *arg)
{
        fib_fiber *fiber;
        void *ret = NULL;

        ck_assert_int_eq(fib_spawn_with(options, fn, arg, &fiber), 0);
        ck_assert_int_eq(fib_join(fiber, &ret), 0);
        fib_fiber_unref(fiber);
        return ret;
}

/* Long enough that a searching peer does not take it all. */
static void *compute_a_little(void *arg)
{
        const int64_t end = fib_now() + 20 * FIB_MICROSECOND;

        while (fib_now() < end)
                continue;
        return fib_scheduler_current();
}

static void *spawn_on_schedulers(void *arg)
{
        const int64_t end = fib_now() + 10 * FIB_SECOND * slowness();
        fib_scheduler *self = fib_scheduler_current(), *peers[64];
        size_t n = fib_scheduler_remote_peers(self, peers, 64);
        bool seen[64] = { false };
        size_t count = 0;

        peers[n] = self;
        /* An idle peer may take what has not begun; in the end all have had some. */
        while (count < n + 1) {
                fib_fiber *fibers[64];

                ck_assert_msg(fib_now() < end, "%zu of %zu schedulers", count, n + 1);
                for (int i = 0; i < 64; i++)
                        ck_assert_int_eq(fib_spawn_with(&(fib_spawn_options){ .parallel = true },
                                                        compute_a_little, NULL, &fibers[i]),
                                         0);
                for (int i = 0; i < 64; i++) {
                        size_t at = 0;
                        void *found;

                        ck_assert_int_eq(fib_join(fibers[i], &found), 0);
                        fib_fiber_unref(fibers[i]);
                        while (at <= n && peers[at] != found)
                                at++;
                        ck_assert_uint_le(at, n);
                        count += !seen[at];
                        seen[at] = true;
                }
        }
        for (size_t i = 0; i <= n; i++)
                ck_assert_ptr_nonnull(result_of(&(fib_spawn_options){ .scheduler = peers[i] },
                                                give_scheduler, NULL));
        return NULL;
}

TEST_WORKERS(a_parallel_spawn_may_come_to_any_scheduler)
{
        run_fibers(workers, spawn_on_schedulers, NULL);
}

static void *other_scheduler(void *arg)
{
        fib_scheduler *other;

        ck_assert_int_eq(fib_scheduler_new(1, &other), 0);
        ck_assert_int_eq(fib_spawn_with(&(fib_spawn_options){ .scheduler = other }, give_scheduler,
                                        NULL, NULL),
                         0);
        ck_assert(fib_scheduler_work_pending(other));
        fib_scheduler_destroy(other);
        /* The default is where the spawner is, if nobody else is idle. */
        ck_assert_ptr_eq(result_of(NULL, give_scheduler, NULL), fib_scheduler_current());
        return NULL;
}

TEST(a_fiber_runs_on_the_scheduler_it_was_spawned_on)
{
        run_fibers(1, other_scheduler, NULL);
}

static void *use_stack(void *arg)
{
        size_t size = (size_t)arg;
        volatile char *block = __builtin_alloca(size);

        for (size_t i = 0; i < size; i += 1024)
                block[size - 1 - i] = 1;
        return (void *)(uintptr_t)block[0];
}

static void *spawn_with_stacks(void *arg)
{
        for (size_t size = FIB_STACK_MIN; size <= (size_t)16 << 20; size *= 2)
                result_of(&(fib_spawn_options){ .stack_size = size }, use_stack,
                          (void *)(size - 8192));
        return NULL;
}

TEST_WORKERS(a_stack_is_as_large_as_asked_for)
{
        run_fibers(workers, spawn_with_stacks, NULL);
}

static void *expect_name(void *arg)
{
        ck_assert_str_eq(fib_fiber_name(fib_self()), arg);
        fib_yield();
        ck_assert_str_eq(fib_fiber_name(fib_self()), arg);
        return fib_self();
}

static void *name_fibers(void *arg)
{
        char name[] = "a name that will be overwritten";
        char long_name[5000];
        fib_fiber *fiber;
        void *self;

        ck_assert_str_eq(fib_fiber_name(fib_self()), "");
        ck_assert_int_eq(fib_spawn_with(&(fib_spawn_options){ .name = name }, expect_name,
                                        (void *)"a name that will be overwritten", &fiber),
                         0);
        memset(name, 'x', sizeof(name) - 1);
        ck_assert_int_eq(fib_join(fiber, &self), 0);
        ck_assert_ptr_eq(self, fiber);
        ck_assert_str_eq(fib_fiber_name(fiber), "a name that will be overwritten");
        fib_fiber_unref(fiber);

        memset(long_name, 'y', sizeof(long_name));
        long_name[sizeof(long_name) - 1] = '\0';
        result_of(&(fib_spawn_options){ .name = long_name }, expect_name, long_name);
        result_of(&(fib_spawn_options){ .name = "" }, expect_name, (void *)"");
        result_of(NULL, expect_name, (void *)"");
        return NULL;
}

TEST_WORKERS(a_name_is_copied_and_kept)
{
        run_fibers(workers, name_fibers, NULL);
}

#define SPAWNERS 8
#define SPAWNED 3000

static uint64_t ids[2 * SPAWNERS * SPAWNED];
static atomic_uint id_count;

static void note_id(uint64_t id)
{
        ck_assert_uint_ne(id, 0);
        ids[atomic_fetch_add(&id_count, 1)] = id;
}

static void *note_own_id(void *arg)
{
        note_id(fib_fiber_id(fib_self()));
        return NULL;
}

static void *spawn_and_note(void *arg)
{
        for (unsigned long i = 0; i < scaled(SPAWNED); i++) {
                fib_fiber *fiber;

                ck_assert_int_eq(fib_spawn_with(NULL, note_own_id, NULL, &fiber), 0);
                ck_assert_uint_ne(fib_fiber_id(fiber), fib_fiber_id(fib_self()));
                fib_fiber_unref(fiber);
        }
        return NULL;
}

static void *spawn_spawners(void *arg)
{
        for (int i = 0; i < SPAWNERS; i++)
                ck_assert_int_eq(fib_spawn_with(&(fib_spawn_options){ .parallel = true },
                                                spawn_and_note, NULL, NULL),
                                 0);
        return NULL;
}

static int compare_ids(const void *a, const void *b)
{
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return x < y ? -1 : x > y;
}

TEST_WORKERS(ids_are_never_given_twice)
{
        /* Two runs, since the second one's threads take new blocks of numbers. */
        drain_fibers(workers, spawn_spawners, NULL);
        drain_fibers(workers, spawn_spawners, NULL);
        ck_assert_uint_eq(id_count, 2 * SPAWNERS * scaled(SPAWNED));
        qsort(ids, id_count, sizeof(*ids), compare_ids);
        for (unsigned i = 1; i < id_count; i++)
                ck_assert_uint_ne(ids[i - 1], ids[i]);
}

static void task_has_no_fiber(void *arg)
{
        ck_assert_ptr_null(fib_self());
        *(atomic_int *)arg = 1;
}

static void *check_self(void *arg)
{
        atomic_int done = 0;
        fib_fiber *self = fib_self();

        ck_assert_ptr_nonnull(self);
        for (int i = 0; i < 10; i++) {
                fib_yield();
                ck_assert_ptr_eq(fib_self(), self);
                fib_sleep(1);
                ck_assert_ptr_eq(fib_self(), self);
        }
        ck_assert_int_eq(fib_schedule_task(fib_scheduler_current(), task_has_no_fiber, &done), 0);
        while (!atomic_load(&done))
                fib_yield();
        return self;
}

static void *check_selves(void *arg)
{
        fib_fiber *fibers[20];
        void *self;

        for (int i = 0; i < 20; i++)
                ck_assert_int_eq(fib_spawn_with(&(fib_spawn_options){ .parallel = i % 2 },
                                                check_self, NULL, &fibers[i]),
                                 0);
        for (int i = 0; i < 20; i++) {
                ck_assert_int_eq(fib_join(fibers[i], &self), 0);
                ck_assert_ptr_eq(self, fibers[i]);
                fib_fiber_unref(fibers[i]);
        }
        return NULL;
}

TEST_WORKERS(each_fiber_finds_itself)
{
        ck_assert_ptr_null(fib_self());
        run_fibers(workers, check_selves, NULL);
        ck_assert_ptr_null(fib_self());
}

TEST(a_thread_yields_its_processor_only)
{
        ck_assert(!fib_yield());
}

TEST(no_fiber_has_no_name_and_no_id)
{
        fib_fiber_unref(NULL);
        ck_assert_ptr_null(fib_fiber_ref(NULL));
        ck_assert_str_eq(fib_fiber_name(NULL), "");
        ck_assert_uint_eq(fib_fiber_id(NULL), 0);
}

static void *give_arg(void *arg)
{
        return arg;
}

static void *keep_handle(void *arg)
{
        fib_fiber **ret = arg;

        ck_assert_int_eq(fib_spawn_with(&(fib_spawn_options){ .name = "kept" }, give_arg, ret, ret),
                         0);
        for (int i = 0; i < 1000; i++)
                fib_fiber_ref(*ret);
        ck_assert_int_eq(fib_join(*ret, NULL), 0);
        for (int i = 0; i < 1000; i++)
                fib_fiber_unref(*ret);
        return NULL;
}

TEST_WORKERS(a_handle_outlives_its_fiber_and_the_run)
{
        fib_fiber *fiber;
        void *value;

        run_fibers(workers, keep_handle, &fiber);
        ck_assert_str_eq(fib_fiber_name(fiber), "kept");
        ck_assert_uint_ne(fib_fiber_id(fiber), 0);
        ck_assert_int_eq(fib_join(fiber, &value), 0);
        ck_assert_ptr_eq(value, &fiber);
        fib_fiber_unref(fiber);
}

TEST_WORKERS(a_chain_of_fibers_ends_in_the_memory_of_one)
{
        chain_load(workers, scaled(200000), false);
        chain_load(workers, scaled(20000), true);
}

TEST_WORKERS(a_tree_of_fibers_adds_up)
{
        tree_load(workers, slowness() == 1 ? 15 : 9);
}

TEST_WORKERS(a_crowd_waits_for_one_channel)
{
        crowd_load(workers, slowness() == 1 ? 20000 : 1000);
}

TEST_WORKERS(many_sleep_at_once)
{
        dormitory_load(workers, slowness() == 1 ? 20000 : 1000, 50 * FIB_MILLISECOND);
}

TESTS("fiber", a_spawn_with_bad_options_is_refused, a_spawn_outside_a_scheduler_is_refused,
      a_parallel_spawn_may_come_to_any_scheduler, a_fiber_runs_on_the_scheduler_it_was_spawned_on,
      a_stack_is_as_large_as_asked_for, a_name_is_copied_and_kept, ids_are_never_given_twice,
      each_fiber_finds_itself, a_thread_yields_its_processor_only, no_fiber_has_no_name_and_no_id,
      a_handle_outlives_its_fiber_and_the_run, a_chain_of_fibers_ends_in_the_memory_of_one,
      a_tree_of_fibers_adds_up, a_crowd_waits_for_one_channel, many_sleep_at_once)
