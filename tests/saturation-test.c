/* SPDX-License-Identifier: MIT */
/* saturation-test.c - what a scheduler does with thousands of tasks: depth first, in order, and
 * fair. */
#include <fibers.h>
#include <stdlib.h>
#include "tests/harness.h"

static unsigned next_one;

static void *expect_order(void *arg)
{
        ck_assert_uint_eq((uintptr_t)arg, next_one);
        next_one++;
        return NULL;
}

static void *spawn_many(void *arg)
{
        const uintptr_t count = scaled(100000);

        for (uintptr_t i = 0; i < count; i++)
                ck_assert_int_eq(fib_spawn(expect_order, (void *)i), 0);
        return NULL;
}

TEST(many_spawned_by_one_run_in_that_order)
{
        drain_fibers(1, spawn_many, NULL);
        ck_assert_uint_eq(next_one, scaled(100000));
}

/* A tree; how many of its fibers live at the same time. */
static unsigned living, most_living, leaves;

static void *grow(void *arg)
{
        uintptr_t level = (uintptr_t)arg;
        fib_fiber *children[10];

        if (++living > most_living)
                most_living = living;
        if (level == 0) {
                leaves++;
        } else {
                for (int i = 0; i < 10; i++)
                        ck_assert_int_eq(fib_spawn_with(NULL, grow, (void *)(level - 1),
                                                        &children[i]),
                                         0);
                for (int i = 0; i < 10; i++) {
                        ck_assert_int_eq(fib_join(children[i], NULL), 0);
                        fib_fiber_unref(children[i]);
                }
        }
        living--;
        return NULL;
}

TEST(a_wide_tree_has_few_living_fibers)
{
        run_fibers(1, grow, (void *)5);
        ck_assert_uint_eq(leaves, 100000);
        ck_assert_uint_lt(most_living, 5000); /* breadth first: 11,111 and more */
}

/* Two that wake each other all the time do not keep thousands of others from running. */
static fib_channel *ping, *pong;
static unsigned turns_of_others;

static void *take_turns(void *arg)
{
        for (int i = 0; i < 10; i++) {
                turns_of_others++;
                fib_yield();
        }
        return NULL;
}

static void *answer(void *arg)
{
        for (;;)
                fib_put(pong, fib_get(ping));
        return NULL;
}

static void *play_among_many(void *arg)
{
        ck_assert_int_eq(fib_spawn(answer, NULL), 0);
        for (int i = 0; i < 2000; i++)
                ck_assert_int_eq(fib_spawn(take_turns, NULL), 0);
        for (long i = 0; turns_of_others < 20000; i++) {
                ck_assert_int_lt(i, 20000000);
                fib_put(ping, fib_num(i));
                ck_assert_int_eq(fib_get(pong).num, i);
        }
        return NULL;
}

TEST(a_pair_that_plays_does_not_starve_the_others)
{
        ping = fib_channel_new();
        pong = fib_channel_new();
        run_fibers(1, play_among_many, NULL);
        fib_channel_unref(ping);
        fib_channel_unref(pong);
}

/* Nor does it keep those from beginning that were spawned together with one of the two. */
static unsigned long played;
static unsigned begun;

static void *play_first(void *arg)
{
        begun++;
        while (!arg && begun < 2000) {
                ck_assert_uint_lt(++played, 20000000);
                fib_put(ping, fib_num(0));
                fib_get(pong);
        }
        return NULL;
}

static void *spawn_family(void *arg)
{
        for (uintptr_t i = 0; (uintptr_t)arg == 600 && i < 2000; i++)
                ck_assert_int_eq(fib_spawn(play_first, (void *)i), 0);
        return NULL;
}

static void *spawn_strangers(void *arg)
{
        ck_assert_int_eq(fib_spawn(answer, NULL), 0);
        for (uintptr_t i = 0; i < 3000; i++)
                ck_assert_int_eq(fib_spawn(spawn_family, (void *)i), 0);
        while (begun < 2000)
                fib_yield();
        return NULL;
}

TEST(who_is_spawned_beside_one_that_plays_begins_too)
{
        ping = fib_channel_new();
        pong = fib_channel_new();
        run_fibers(1, spawn_strangers, NULL);
        fib_channel_unref(ping);
        fib_channel_unref(pong);
}

/* A saturated scheduler shares what it spawns with a peer that has nothing to do. */
static atomic_uint at_home, elsewhere;
static fib_scheduler *home;

static void *compute(void *arg)
{
        int64_t end = fib_now() + 50 * FIB_MICROSECOND;

        while (fib_now() < end)
                ;
        atomic_fetch_add(fib_scheduler_current() == home ? &at_home : &elsewhere, 1);
        return NULL;
}

static void *spawn_work(void *arg)
{
        for (int i = 0; (uintptr_t)arg == 600 && i < 2000; i++)
                ck_assert_int_eq(fib_spawn(compute, NULL), 0);
        return NULL;
}

static void *saturate_and_work(void *arg)
{
        fib_sleep(20 * FIB_MILLISECOND); /* so that the peer sleeps */
        home = fib_scheduler_current();
        for (uintptr_t i = 0; i < 3000; i++)
                ck_assert_int_eq(fib_spawn(spawn_work, (void *)i), 0);
        return NULL;
}

TEST(a_saturated_scheduler_shares_what_it_spawns)
{
        if (processor_count() < 2)
                test_skip("one processor");
        drain_fibers(2, saturate_and_work, NULL);
        ck_assert_uint_eq(at_home + elsewhere, 2000);
        ck_assert_uint_gt(at_home, 200);
        ck_assert_uint_gt(elsewhere, 200);
}

/* Each wakes the next of its own two thousand waiters, and all have their turns. */
static fib_condition *start;
static atomic_uint woken;

static void *wait_for_start(void *arg)
{
        fib_condition_wait(start);
        fib_yield();
        woken++;
        return NULL;
}

static void *wake_many(void *arg)
{
        for (int i = 0; i < 5000; i++)
                ck_assert_int_eq(fib_spawn(wait_for_start, NULL), 0);
        fib_sleep(20 * FIB_MILLISECOND);
        fib_condition_signal(start);
        return NULL;
}

TEST_WORKERS(thousands_that_are_woken_at_once_all_run)
{
        start = fib_condition_new();
        drain_fibers(workers, wake_many, NULL);
        ck_assert_uint_eq(woken, 5000);
        fib_condition_unref(start);
}

static atomic_uint shared_leaves;

static void *grow_shared(void *arg)
{
        uintptr_t level = (uintptr_t)arg;

        if (level == 0)
                shared_leaves++;
        for (int i = 0; level > 0 && i < 10; i++)
                ck_assert_int_eq(fib_spawn(grow_shared, (void *)(level - 1)), 0);
        return NULL;
}

TEST_WORKERS(no_leaf_of_a_wide_tree_is_lost)
{
        drain_fibers(workers, grow_shared, (void *)4);
        ck_assert_uint_eq(shared_leaves, 10000);
}

TESTS_WITHIN(20, "saturation", many_spawned_by_one_run_in_that_order,
             a_wide_tree_has_few_living_fibers, a_pair_that_plays_does_not_starve_the_others,
             who_is_spawned_beside_one_that_plays_begins_too,
             a_saturated_scheduler_shares_what_it_spawns, thousands_that_are_woken_at_once_all_run,
             no_leaf_of_a_wide_tree_is_lost)
