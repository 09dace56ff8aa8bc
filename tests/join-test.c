/* SPDX-License-Identifier: MIT */
/* join-test.c - waiting for a fiber to end. */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>
#include <fibers.h>
#include "tests/harness.h"

static atomic_bool go;

static void *end_when_told(void *arg)
{
        while (!atomic_load(&go))
                fib_sleep(100 * FIB_MICROSECOND);
        return arg;
}

static void *end_at_once(void *arg)
{
        return arg;
}

static fib_fiber *spawn(fib_fn *fn, void *arg)
{
        fib_fiber *fiber;

        ck_assert_int_eq(fib_spawn_with(&(fib_spawn_options){ .parallel = true }, fn, arg, &fiber),
                         0);
        return fiber;
}

TEST(nothing_is_joined_with_an_error)
{
        int object;
        void *value = &object;

        ck_assert_int_eq(fib_join(NULL, &value), -EINVAL);
        ck_assert_int_lt(fib_perform(fib_join_op(NULL), NULL), 0);
        ck_assert_ptr_eq(value, &object);
}

static void *join_one(void *arg)
{
        int object;
        fib_fiber *fiber = spawn(end_when_told, &object);
        fib_value value = fib_num(5);
        void *ret = NULL;

        ck_assert_int_eq(fib_try(fib_join_op(fiber), &value), -EAGAIN);
        ck_assert_int_eq(value.num, 5);
        atomic_store(&go, true);
        ck_assert_int_eq(fib_join(fiber, &ret), 0);
        ck_assert_ptr_eq(ret, &object);
        /* It stays so, however often and in whatever way it is asked. */
        ck_assert_int_eq(fib_join(fiber, NULL), 0);
        ck_assert_int_eq(fib_try(fib_join_op(fiber), &value), 0);
        ck_assert_ptr_eq(value.ptr, &object);
        ck_assert_int_eq(fib_perform(fib_join_op(fiber), NULL), 0);
        fib_fiber_unref(fiber);
        return NULL;
}

TEST_WORKERS(a_join_gives_what_the_function_returned)
{
        run_fibers(workers, join_one, NULL);
}

static void *join_given(void *arg)
{
        fib_value value;

        ck_assert_int_eq(fib_perform(fib_join_op(arg), &value), 0);
        return value.ptr;
}

static void *join_directly(void *arg)
{
        void *ret;

        ck_assert_int_eq(fib_join(arg, &ret), 0);
        return ret;
}

static void *join_by_many(void *arg)
{
        for (int round = 0; round < 20; round++) {
                int object;
                fib_fiber *fiber, *joiners[20];
                void *ret;

                atomic_store(&go, false);
                fiber = spawn(end_when_told, &object);
                for (int i = 0; i < 20; i++)
                        joiners[i] = spawn(i % 2 ? join_given : join_directly, fiber);
                fib_sleep(round % 2 ? FIB_MILLISECOND : 0);
                atomic_store(&go, true);
                for (int i = 0; i < 20; i++) {
                        ck_assert_int_eq(fib_join(joiners[i], &ret), 0);
                        ck_assert_ptr_eq(ret, &object);
                        fib_fiber_unref(joiners[i]);
                }
                fib_fiber_unref(fiber);
        }
        return NULL;
}

TEST_WORKERS(many_may_join_one_fiber)
{
        run_fibers(workers, join_by_many, NULL);
}

static void *join_or_timeout(void *arg)
{
        int object;
        fib_fiber *fiber = spawn(end_when_told, &object);
        fib_value value;

        for (int i = 0; i < 5; i++)
                ck_assert_int_eq(fib_perform(fib_choice(fib_join_op(fiber),
                                                        fib_sleep_op(FIB_MILLISECOND)),
                                             NULL),
                                 1);
        atomic_store(&go, true);
        ck_assert_int_eq(fib_perform(fib_choice(fib_never(), fib_join_op(fiber),
                                                fib_sleep_op(100 * FIB_SECOND)),
                                     &value),
                         1);
        ck_assert_ptr_eq(value.ptr, &object);
        fib_fiber_unref(fiber);
        return NULL;
}

TEST_WORKERS(a_join_may_be_an_arm_of_a_choice)
{
        run_fibers(workers, join_or_timeout, NULL);
}

static void *end_after(void *arg)
{
        fib_sleep((intptr_t)arg * FIB_MILLISECOND);
        return arg;
}

/* The first of several to end, then the next: each once. */
static void *join_the_first(void *arg)
{
        fib_fiber *fibers[5];
        bool joined[5] = { false };
        fib_value value;

        for (int i = 0; i < 5; i++)
                fibers[i] = spawn(end_after, (void *)(intptr_t)(1 + 3 * i));
        for (int round = 0; round < 5; round++) {
                fib_op *ops[5];
                int index[5];
                size_t n = 0;
                int arm;

                for (int i = 0; i < 5; i++)
                        if (!joined[i]) {
                                index[n] = i;
                                ops[n++] = fib_join_op(fibers[i]);
                        }
                arm = fib_perform(fib_choice_n(ops, n), &value);
                ck_assert_int_ge(arm, 0);
                ck_assert_int_lt(arm, (int)n);
                ck_assert_int_eq(value.num, 1 + 3 * index[arm]);
                joined[index[arm]] = true;
        }
        for (int i = 0; i < 5; i++)
                fib_fiber_unref(fibers[i]);
        return NULL;
}

TEST_WORKERS(a_choice_joins_whichever_ends_first)
{
        run_fibers(workers, join_the_first, NULL);
}

static void *join_ones_that_end(void *arg)
{
        for (unsigned long i = 0; i < scaled(20000); i++) {
                fib_fiber *fiber = spawn(end_at_once, (void *)i);
                void *ret;

                ck_assert_int_eq(fib_join(fiber, &ret), 0);
                ck_assert_uint_eq((uintptr_t)ret, i);
                fib_fiber_unref(fiber);
        }
        return NULL;
}

TEST_WORKERS(a_join_meets_the_end_at_any_moment)
{
        run_fibers(workers, join_ones_that_end, NULL);
}

/*
 * Fibers that the run's end drops.
 */

static fib_fiber *waiting, *never_begun, *joining;

static void *wait_for_ever(void *arg)
{
        fib_perform(fib_never(), NULL);
        return NULL;
}

static void *must_not_begin(void *arg)
{
        ck_abort_msg("a fiber has begun after the end");
}

static void *leave_fibers(void *arg)
{
        waiting = spawn(wait_for_ever, NULL);
        joining = spawn(join_directly, waiting);
        fib_sleep(FIB_MILLISECOND);
        ck_assert_int_eq(fib_spawn_with(NULL, must_not_begin, NULL, &never_begun), 0);
        return NULL;
}

static void *join_in_thread(void *arg)
{
        return (void *)(intptr_t)fib_join(*(fib_fiber **)arg, NULL);
}

static void *join_choice_in_thread(void *arg)
{
        fib_op *op = fib_choice(fib_join_op(*(fib_fiber **)arg), fib_sleep_op(100 * FIB_SECOND));

        return (void *)(intptr_t)fib_perform(op, NULL);
}

static pthread_t threads[4];

static void *leave_fibers_to_threads(void *arg)
{
        waiting = spawn(wait_for_ever, NULL);
        for (int i = 0; i < 4; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL,
                                                i % 2 ? join_in_thread : join_choice_in_thread,
                                                &waiting),
                                 0);
        fib_sleep(20 * FIB_MILLISECOND); /* they have come to their waits, mostly */
        return NULL;
}

TEST_WORKERS(who_joins_a_fiber_that_the_end_dropped_is_told_so)
{
        int object;
        void *value = &object;

        /* A peer that is idle would begin it. */
        if (workers == 1) {
                run_fibers(workers, leave_fibers, NULL);
                ck_assert_int_eq(fib_join(never_begun, &value), -ECANCELED);
                ck_assert_int_eq(fib_join(waiting, &value), -ECANCELED);
                ck_assert_int_eq(fib_join(joining, &value), -ECANCELED);
                ck_assert_int_eq(fib_perform(fib_join_op(waiting), NULL), -ECANCELED);
                ck_assert_int_eq(fib_try(fib_join_op(never_begun), NULL), -ECANCELED);
                ck_assert_ptr_eq(value, &object);
                fib_fiber_unref(never_begun);
                fib_fiber_unref(joining);
                fib_fiber_unref(waiting);
        }
        run_fibers(workers, leave_fibers_to_threads, NULL);
        for (int i = 0; i < 4; i++) {
                void *ret;

                pthread_join(threads[i], &ret);
                ck_assert_int_eq((int)(intptr_t)ret, -ECANCELED);
        }
        fib_fiber_unref(waiting);
}

static fib_fiber *dropped;

static void *join_dropped(void *arg)
{
        void *value;

        ck_assert_int_eq(fib_join(dropped, &value), -ECANCELED);
        ck_assert_int_eq(fib_perform(fib_choice(fib_never(), fib_join_op(dropped)), NULL),
                         -ECANCELED);
        return NULL;
}

static void *leave_one(void *arg)
{
        dropped = spawn(wait_for_ever, NULL);
        fib_sleep(FIB_MILLISECOND);
        return NULL;
}

TEST_WORKERS(a_fiber_of_the_next_run_may_join_one_of_the_last)
{
        run_fibers(workers, leave_one, NULL);
        run_fibers(workers, join_dropped, NULL);
        fib_fiber_unref(dropped);
}

static void *spawn_for_thread(void *arg)
{
        *(fib_fiber **)arg = spawn(end_when_told, arg);
        ck_assert_int_eq(pthread_create(&threads[0], NULL, join_in_thread, arg), 0);
        fib_sleep(5 * FIB_MILLISECOND);
        atomic_store(&go, true);
        fib_join(*(fib_fiber **)arg, NULL);
        return NULL;
}

TEST_WORKERS(a_thread_may_join_a_fiber)
{
        fib_fiber *fiber;
        void *ret;

        run_fibers(workers, spawn_for_thread, &fiber);
        pthread_join(threads[0], &ret);
        ck_assert_int_eq((int)(intptr_t)ret, 0);
        fib_fiber_unref(fiber);
}

TESTS("join", nothing_is_joined_with_an_error, a_join_gives_what_the_function_returned,
      many_may_join_one_fiber, a_join_may_be_an_arm_of_a_choice,
      a_choice_joins_whichever_ends_first, a_join_meets_the_end_at_any_moment,
      who_joins_a_fiber_that_the_end_dropped_is_told_so,
      a_fiber_of_the_next_run_may_join_one_of_the_last, a_thread_may_join_a_fiber)
