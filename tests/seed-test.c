/* SPDX-License-Identifier: MIT */
/* seed-test.c - runs that a seed makes deterministic, with a clock of their own. */
#include <errno.h>
#include <fibers.h>
#include <stdlib.h>
#include <time.h>
#include "tests/harness.h"

#define FIBERS 8
#define STEPS 50

static uint64_t hash;
static fib_channel *channels[2];

static void note(uint64_t what)
{
        hash = (hash ^ what) * UINT64_C(0x100000001b3);
}

/* Yields, sleeps and meets others, and notes each step. */
static void *wander(void *arg)
{
        uint64_t me = (uintptr_t)arg;

        for (uint64_t i = 0; i < STEPS; i++) {
                note(me << 32 | i);
                if (i % 3 == 0)
                        fib_yield();
                else if (i % 3 == 1)
                        fib_sleep((int64_t)(me + i) * FIB_MILLISECOND);
                else
                        note((uint64_t)fib_perform(fib_choice(fib_put_op(channels[0],
                                                                         fib_num((intptr_t)me)),
                                                              fib_get_op(channels[1]),
                                                              fib_put_op(channels[1], fib_num(0)),
                                                              fib_get_op(channels[0]),
                                                              fib_sleep_op(FIB_SECOND)),
                                                   NULL));
        }
        note((uint64_t)fib_now());
        return NULL;
}

static void *wander_all(void *arg)
{
        struct crew crew = { .count = 0 };

        hash = 0;
        for (uintptr_t i = 0; i < FIBERS; i++)
                crew_add(&crew, wander, (void *)i);
        crew_join(&crew);
        return NULL;
}

static uint64_t hash_of(uint64_t seed, unsigned parallelism)
{
        const fib_run_options options = { .seed = seed, .parallelism = parallelism };

        channels[0] = fib_channel_new();
        channels[1] = fib_channel_new();
        ck_assert_int_eq(fib_run(wander_all, NULL, &options, NULL), 0);
        fib_channel_unref(channels[0]);
        fib_channel_unref(channels[1]);
        return hash;
}

TEST(the_same_seed_gives_the_same_order)
{
        for (uint64_t seed = 1; seed <= 20; seed++) {
                uint64_t first = hash_of(seed, 1);

                ck_assert(hash_of(seed, 1) == first);
                ck_assert(hash_of(seed, 4) == first); /* there is one scheduler all the same */
        }
}

TEST(other_seeds_give_other_orders)
{
        uint64_t hashes[20];

        for (uint64_t i = 0; i < 20; i++) {
                hashes[i] = hash_of(i + 1, 1);
                for (uint64_t j = 0; j < i; j++)
                        ck_assert(hashes[i] != hashes[j]);
        }
}

TEST(the_environment_may_give_the_seed)
{
        uint64_t first = hash_of(12345, 1);

        setenv("FIBERS_SEED", "12345", 1);
        ck_assert(hash_of(0, 1) == first);
        ck_assert(hash_of(7, 1) != first);
        unsetenv("FIBERS_SEED");
}

static void *sleep_long(void *arg)
{
        int64_t begin = fib_now();
        fib_value value;

        ck_assert_int_eq(fib_sleep(1000 * 3600 * FIB_SECOND), 0);
        ck_assert(fib_now() >= begin + 1000 * 3600 * FIB_SECOND);
        ck_assert(fib_now() < begin + 1000 * 3600 * FIB_SECOND + 2 * FIB_MICROSECOND);
        begin = fib_now();
        ck_assert_int_eq(fib_perform(fib_choice(fib_sleep_op(3 * FIB_SECOND),
                                                fib_timer_op(begin + 2)),
                                     &value),
                         1);
        ck_assert(fib_now() < begin + FIB_SECOND);
        return NULL;
}

TEST(a_thousand_hours_pass_in_no_time)
{
        const fib_run_options options = { .seed = 1 };
        time_t begin = time(NULL);

        ck_assert_int_eq(fib_run(sleep_long, NULL, &options, NULL), 0);
        ck_assert_int_lt(time(NULL) - begin, 5);
}

static void *count_ten(void *ret)
{
        for (int i = 0; i < 10; i++) {
                ++*(int *)ret;
                fib_sleep(FIB_SECOND);
        }
        return NULL;
}

static void *spawn_counter(void *ret)
{
        ck_assert_int_eq(fib_spawn(count_ten, ret), 0);
        return NULL;
}

TEST(a_seeded_run_drains)
{
        const fib_run_options options = { .seed = 5, .drain = true };
        int count = 0;

        ck_assert_int_eq(fib_run(spawn_counter, &count, &options, NULL), 0);
        ck_assert_int_eq(count, 10);
}

static void *nothing_to_do(void *arg)
{
        return NULL;
}

TEST(a_given_scheduler_cannot_be_seeded)
{
        fib_run_options options = { .seed = 5 };

        ck_assert_int_eq(fib_scheduler_new(1, &options.scheduler), 0);
        ck_assert_int_eq(fib_run(nothing_to_do, NULL, &options, NULL), -EINVAL);
        fib_scheduler_destroy(options.scheduler);
}

TESTS("seed", the_same_seed_gives_the_same_order, other_seeds_give_other_orders,
      the_environment_may_give_the_seed, a_thousand_hours_pass_in_no_time, a_seeded_run_drains,
      a_given_scheduler_cannot_be_seeded)
