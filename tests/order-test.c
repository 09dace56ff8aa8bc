/* SPDX-License-Identifier: MIT */
/* order-test.c - in which order a scheduler runs its fibers, and what a turn is. */
#include <stdlib.h>
#include <fibers.h>
#include "tests/harness.h"

#define FIBERS 300

static unsigned order[FIBERS * 4];
static unsigned order_count;

static void *note(void *arg)
{
        order[order_count++] = (unsigned)(uintptr_t)arg;
        return NULL;
}

static void *spawn_in_order(void *arg)
{
        for (uintptr_t i = 0; i < FIBERS; i++)
                ck_assert_int_eq(fib_spawn(note, (void *)i), 0);
        ck_assert_uint_eq(order_count, 0); /* a spawn runs nobody by itself */
        ck_assert(fib_yield());
        ck_assert_uint_eq(order_count, FIBERS); /* one turn later, all have begun */
        return NULL;
}

TEST(fibers_run_in_the_order_in_which_they_were_spawned)
{
        run_fibers(1, spawn_in_order, NULL);
        for (unsigned i = 0; i < FIBERS; i++)
                ck_assert_uint_eq(order[i], i);
}

/* The same whatever kind of task is between them: not begun, migratable, pinned, no fiber. */
static void note_task(void *arg)
{
        note(arg);
}

static void *note_twice(void *arg)
{
        note(arg);
        fib_yield();
        note(arg);
        return NULL;
}

static void *spawn_mixed(void *arg)
{
        for (uintptr_t i = 0; i < FIBERS; i++) {
                const fib_spawn_options options = { .migratable = i % 3 == 0 };
                void *number = (void *)i;

                if (i % 4 == 3)
                        fib_schedule_task(fib_scheduler_current(), note_task, number);
                else
                        ck_assert_int_eq(fib_spawn_with(&options, note_twice, number, NULL), 0);
        }
        fib_yield();
        ck_assert_uint_eq(order_count, FIBERS);
        fib_yield();
        ck_assert_uint_eq(order_count, FIBERS + FIBERS * 3 / 4);
        return NULL;
}

TEST(tasks_of_all_kinds_keep_their_order)
{
        unsigned at = FIBERS;

        run_fibers(1, spawn_mixed, NULL);
        for (unsigned i = 0; i < FIBERS; i++)
                ck_assert_uint_eq(order[i], i);
        for (unsigned i = 0; i < FIBERS; i++)
                if (i % 4 != 3)
                        ck_assert_uint_eq(order[at++], i);
}

static unsigned turns[FIBERS]; /* of each fiber */

/* Nobody has had a second turn before everybody has had a first. */
static void *count_turns(void *arg)
{
        unsigned self = (unsigned)(uintptr_t)arg;

        for (unsigned turn = 0; turn < 50; turn++) {
                turns[self]++;
                for (unsigned other = 0; other < FIBERS; other++) {
                        ck_assert_uint_le(turns[other], turns[self] + 1);
                        ck_assert_uint_ge(turns[other] + 1, turns[self]);
                }
                if (self % 5 == 4)
                        fib_sleep(0);
                else
                        ck_assert(fib_yield());
        }
        return NULL;
}

static void *spawn_counting(void *arg)
{
        for (uintptr_t i = 0; i < FIBERS; i++)
                ck_assert_int_eq(fib_spawn_with(&(fib_spawn_options){ .migratable = i % 2 },
                                                count_turns, (void *)i, NULL),
                                 0);
        return NULL;
}

TEST(a_fiber_runs_at_most_once_a_turn)
{
        drain_fibers(1, spawn_counting, NULL);
        for (unsigned i = 0; i < FIBERS; i++)
                ck_assert_uint_eq(turns[i], 50);
}

/* One that is woken, or spawned, in this turn runs in the next. */
static fib_channel *channel;

static void *get_and_note(void *arg)
{
        fib_get(channel);
        return note(arg);
}

static void *wake_in_order(void *arg)
{
        for (uintptr_t i = 0; i < 10; i++)
                ck_assert_int_eq(fib_spawn(get_and_note, (void *)i), 0);
        fib_yield(); /* they wait, in this order */
        for (uintptr_t i = 0; i < 10; i++) {
                fib_put(channel, fib_num(0));
                ck_assert_int_eq(fib_spawn(note, (void *)(100 + i)), 0);
        }
        ck_assert_uint_eq(order_count, 0);
        fib_yield();
        ck_assert_uint_eq(order_count, 20);
        return NULL;
}

TEST(what_becomes_runnable_in_a_turn_runs_in_the_next)
{
        channel = fib_channel_new();
        run_fibers(1, wake_in_order, NULL);
        for (unsigned i = 0; i < 10; i++) {
                ck_assert_uint_eq(order[2 * i], i);
                ck_assert_uint_eq(order[2 * i + 1], 100 + i);
        }
        fib_channel_unref(channel);
}

/* One that always has something to do does not keep timers and descriptors from being seen. */
static bool slept;

static void *sleep_a_little(void *arg)
{
        fib_sleep(FIB_MILLISECOND);
        slept = true;
        return NULL;
}

static void *yield_until_slept(void *arg)
{
        const int64_t end = fib_now() + 2 * FIB_SECOND * slowness();

        ck_assert_int_eq(fib_spawn(sleep_a_little, NULL), 0);
        while (!slept) {
                fib_yield();
                ck_assert_int_lt(fib_now(), end);
        }
        return NULL;
}

TEST(a_fiber_that_only_yields_does_not_hold_up_timers)
{
        run_fibers(1, yield_until_slept, NULL);
}

static void *ended_last(void *arg)
{
        ck_assert_uint_eq(order_count, 0);
        note(arg);
        return NULL;
}

/* Ends that follow each other on one stack, and starts on new ones, make no difference. */
static void *spawn_in_rounds(void *arg)
{
        for (int round = 0; round < 1000; round++) {
                order_count = 0;
                ck_assert_int_eq(fib_spawn(ended_last, (void *)1), 0);
                ck_assert_int_eq(fib_spawn_with(&(fib_spawn_options){ .stack_size = 1 << 20 }, note,
                                                (void *)2, NULL),
                                 0);
                ck_assert_int_eq(fib_spawn(note_twice, (void *)3), 0);
                ck_assert_int_eq(fib_spawn(note, (void *)4), 0);
                fib_yield();
                ck_assert_uint_eq(order_count, 4);
                for (unsigned i = 0; i < 4; i++)
                        ck_assert_uint_eq(order[i], i + 1);
                fib_yield();
                ck_assert_uint_eq(order_count, 5);
        }
        return NULL;
}

TEST(stacks_of_different_sizes_do_not_change_the_order)
{
        run_fibers(1, spawn_in_rounds, NULL);
}

TESTS("order", fibers_run_in_the_order_in_which_they_were_spawned,
      tasks_of_all_kinds_keep_their_order, a_fiber_runs_at_most_once_a_turn,
      what_becomes_runnable_in_a_turn_runs_in_the_next,
      a_fiber_that_only_yields_does_not_hold_up_timers,
      stacks_of_different_sizes_do_not_change_the_order)
