/* SPDX-License-Identifier: MIT */
/* mutex-test.c - one holder at a time, in the order of asking, from fibers and threads. */
#include <fibers.h>
#include <pthread.h>
#include "tests/harness.h"

#define FIBERS 16

static fib_mutex *mutex;
static long counter, inside;
static unsigned long rounds;

static void hold_once(bool wait)
{
        fib_mutex_lock(mutex);
        ck_assert_int_eq(inside++, 0);
        if (wait)
                fib_yield();
        counter++;
        ck_assert_int_eq(--inside, 0);
        fib_mutex_unlock(mutex);
}

static void *hold_often(void *arg)
{
        for (unsigned long i = 0; i < rounds; i++)
                hold_once(i % 7 == (uintptr_t)arg % 7);
        return NULL;
}

/* Waits for all: a run that is drained ends when all its fibers wait, though it were for threads. */
static void *join_holders(void *arg)
{
        fib_fiber *fibers[FIBERS];

        for (uintptr_t i = 0; i < FIBERS; i++)
                ck_assert_int_eq(fib_spawn_with(&(fib_spawn_options){ .parallel = true,
                                                                      .migratable = i % 2 },
                                                hold_often, (void *)i, &fibers[i]),
                                 0);
        for (int i = 0; i < FIBERS; i++) {
                ck_assert_int_eq(fib_join(fibers[i], NULL), 0);
                fib_fiber_unref(fibers[i]);
        }
        return NULL;
}

TEST_WORKERS(only_one_is_inside)
{
        mutex = fib_mutex_new();
        rounds = scaled(2000);
        run_fibers(workers, join_holders, NULL);
        ck_assert_int_eq(counter, FIBERS * (long)rounds);
        fib_mutex_unref(mutex);
}

static void *hold_in_thread(void *arg)
{
        for (unsigned long i = 0; i < rounds; i++)
                hold_once(i % 50 == 0);
        return NULL;
}

TEST_WORKERS(threads_and_fibers_share_one)
{
        pthread_t threads[2];

        mutex = fib_mutex_new();
        rounds = scaled(1000);
        for (int i = 0; i < 2; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, hold_in_thread, NULL), 0);
        run_fibers(workers, join_holders, NULL);
        for (int i = 0; i < 2; i++)
                pthread_join(threads[i], NULL);
        ck_assert_int_eq(counter, (FIBERS + 2) * (long)rounds);
        fib_mutex_unref(mutex);
}

/* In the order of asking, and a newcomer does not overtake. */
static unsigned order[FIBERS + 1], order_count;

static void *note_when_held(void *arg)
{
        fib_mutex_lock(mutex);
        order[order_count++] = (unsigned)(uintptr_t)arg;
        fib_mutex_unlock(mutex);
        return NULL;
}

static void *let_them_queue(void *arg)
{
        fib_mutex_lock(mutex);
        for (uintptr_t i = 0; i < FIBERS; i++)
                ck_assert_int_eq(fib_spawn(note_when_held, (void *)i), 0);
        fib_yield();
        ck_assert_uint_eq(order_count, 0);
        fib_mutex_unlock(mutex);
        ck_assert(!fib_mutex_trylock(mutex)); /* it was handed over */
        note_when_held((void *)(uintptr_t)99);
        return NULL;
}

TEST(who_asks_first_is_served_first)
{
        mutex = fib_mutex_new();
        run_fibers(1, let_them_queue, NULL);
        for (unsigned i = 0; i < FIBERS; i++)
                ck_assert_uint_eq(order[i], i);
        ck_assert_uint_eq(order[FIBERS], 99);
        fib_mutex_unref(mutex);
}

static void *try_it(void *arg)
{
        ck_assert(fib_mutex_trylock(mutex));
        ck_assert(!fib_mutex_trylock(mutex));
        ck_assert_int_eq(fib_try(fib_mutex_lock_op(mutex), NULL), -EAGAIN);
        fib_mutex_unlock(mutex);
        ck_assert_int_eq(fib_try(fib_mutex_lock_op(mutex), NULL), 0);
        fib_mutex_unlock(mutex);
        return NULL;
}

TEST(to_try_does_not_wait)
{
        mutex = fib_mutex_new();
        run_fibers(1, try_it, NULL);
        try_it(NULL);
        fib_mutex_unref(mutex);
}

/* A lock that loses a choice holds nothing, and leaves nothing in the queue. */
static void *lock_or_time_out(void *arg)
{
        fib_mutex_lock(mutex);
        for (int i = 0; i < 100; i++)
                ck_assert_int_eq(fib_perform(fib_choice(fib_mutex_lock_op(mutex),
                                                        fib_sleep_op(10 * FIB_MICROSECOND)),
                                             NULL),
                                 1);
        fib_mutex_unlock(mutex);
        ck_assert_int_eq(fib_perform(fib_choice(fib_mutex_lock_op(mutex), fib_sleep_op(FIB_SECOND)),
                                     NULL),
                         0);
        ck_assert(!fib_mutex_trylock(mutex));
        fib_mutex_unlock(mutex);
        return NULL;
}

TEST(a_lock_that_loses_a_choice_is_not_held)
{
        mutex = fib_mutex_new();
        run_fibers(1, lock_or_time_out, NULL);
        lock_or_time_out(NULL);
        ck_assert(fib_mutex_trylock(mutex));
        fib_mutex_unlock(mutex);
        fib_mutex_unref(mutex);
}

static void *lock_either(void *arg)
{
        fib_mutex **both = arg;

        for (unsigned long i = 0; i < rounds; i++) {
                int which = fib_perform(fib_choice(fib_mutex_lock_op(both[0]),
                                                   fib_mutex_lock_op(both[1])),
                                        NULL);

                ck_assert_int_ge(which, 0);
                if (i % 5 == 0)
                        fib_yield();
                fib_mutex_unlock(both[which]);
        }
        return NULL;
}

static void *choose_among_two(void *arg)
{
        for (int i = 0; i < FIBERS; i++)
                ck_assert_int_eq(fib_spawn_with(&(fib_spawn_options){ .parallel = true },
                                                lock_either, arg, NULL),
                                 0);
        return NULL;
}

TEST_WORKERS(a_choice_of_locks_holds_one_of_them)
{
        fib_mutex *both[] = { fib_mutex_new(), fib_mutex_new() };

        rounds = scaled(1000);
        drain_fibers(workers, choose_among_two, both);
        for (int i = 0; i < 2; i++) {
                ck_assert(fib_mutex_trylock(both[i]));
                fib_mutex_unlock(both[i]);
                fib_mutex_unref(both[i]);
        }
}

/* Fibers that wait for it when the run ends are dropped from its queue. */
static void *lock_and_leave(void *arg)
{
        fib_mutex_lock(mutex);
        ck_assert_int_eq(fib_spawn(note_when_held, NULL), 0);
        fib_yield();
        return NULL;
}

TEST(who_waits_when_the_run_ends_waits_no_longer)
{
        mutex = fib_mutex_new();
        run_fibers(1, lock_and_leave, NULL);
        fib_mutex_unlock(mutex);
        ck_assert(fib_mutex_trylock(mutex));
        fib_mutex_unlock(mutex);
        fib_mutex_unref(mutex);
        fib_mutex_unref(NULL);
        ck_assert_ptr_null(fib_mutex_ref(NULL));
        ck_assert_ptr_null(fib_mutex_lock_op(NULL));
}

TESTS_WITHIN(20, "mutex", only_one_is_inside, threads_and_fibers_share_one,
             who_asks_first_is_served_first, to_try_does_not_wait,
             a_lock_that_loses_a_choice_is_not_held, a_choice_of_locks_holds_one_of_them,
             who_waits_when_the_run_ends_waits_no_longer)
