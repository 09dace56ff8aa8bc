/* SPDX-License-Identifier: MIT */
/* time-test.c - sleeps and timers: never early, however long, gone when they have lost. */
#include <stdatomic.h>
#include <fibers.h>
#include "tests/harness.h"
#include "tests/stress/delay.h"
#include "tests/stress/loser-load.h"

#define CENTURY (FIB_SECOND * 86400 * 365 * 100)

static void sleep_directly(int64_t ns)
{
        ck_assert_int_eq(fib_sleep(ns), 0);
}

static void sleep_by_operation(int64_t ns)
{
        ck_assert_int_eq(fib_perform(fib_sleep_op(ns), NULL), 0);
}

static void sleep_in_choice(int64_t ns)
{
        ck_assert_int_eq(fib_perform(fib_choice(fib_never(), fib_sleep_op(ns)), NULL), 1);
}

static void sleep_by_timer(int64_t ns)
{
        ck_assert_int_eq(fib_perform(fib_timer_op(fib_now() + ns), NULL), 0);
}

static void (*const ways[])(int64_t ns) = {
        sleep_directly,
        sleep_by_operation,
        sleep_in_choice,
        sleep_by_timer,
};

#define WAYS (sizeof(ways) / sizeof(*ways))

static void *sleep_at_random(void *arg)
{
        for (int i = 0; i < 20; i++) {
                int64_t ns = (int64_t)(random_word() % (3 * (uint64_t)FIB_MILLISECOND));
                int64_t begin = fib_now();

                ways[(size_t)i % WAYS](ns);
                ck_assert_int_ge(fib_now() - begin, ns);
        }
        return NULL;
}

static void *many_random_sleepers(void *arg)
{
        struct crew crew = { .count = 0 };

        for (int i = 0; i < 50; i++)
                crew_add_parallel(&crew, sleep_at_random, NULL);
        crew_join(&crew);
        return NULL;
}

TEST_WORKERS(nobody_wakes_early)
{
        run_fibers(workers, many_random_sleepers, NULL);
}

TEST(a_plain_thread_does_not_wake_early)
{
        sleep_at_random(NULL);
}

static void *sleep_short(void *arg)
{
        const int64_t times[] = { 0, -1, -FIB_SECOND, INT64_MIN };
        int64_t begin = fib_now();

        for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
                sleep_directly(times[i]);
                sleep_by_operation(times[i]);
                sleep_in_choice(times[i]);
                ck_assert_int_eq(fib_try(fib_sleep_op(times[i]), NULL), 0);
                ck_assert_int_eq(fib_try(fib_timer_op(times[i]), NULL), 0);
        }
        ck_assert_int_lt(fib_now() - begin, FIB_SECOND);
        return NULL;
}

TEST_WORKERS(a_sleep_of_nothing_or_less_is_over_at_once)
{
        run_fibers(workers, sleep_short, NULL);
}

static void *count_up(void *arg)
{
        ++*(int *)arg;
        return NULL;
}

static void *sleep_yields(void *arg)
{
        int count = 0;

        for (int i = 0; i < 5; i++) {
                ck_assert_int_eq(fib_spawn(count_up, &count), 0);
                sleep_directly(-i);
                ck_assert_int_eq(count, i + 1);
        }
        return NULL;
}

TEST(a_sleep_of_nothing_lets_others_run)
{
        run_fibers(1, sleep_yields, NULL);
}

static void *sleep_long(void *arg)
{
        const int64_t times[] = { 500 * FIB_SECOND, CENTURY, INT64_MAX };
        fib_channel *channel = arg;

        for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
                ck_assert_int_eq(fib_try(fib_sleep_op(times[i]), NULL), -EAGAIN);
                ck_assert_int_eq(fib_try(fib_timer_op(times[i] / 2 + INT64_MAX / 2), NULL),
                                 -EAGAIN);
                ck_assert_int_eq(fib_perform(fib_choice(fib_sleep_op(times[i]),
                                                        fib_timer_op(INT64_MAX - (int64_t)i),
                                                        fib_sleep_op(FIB_MILLISECOND)),
                                             NULL),
                                 2);
        }
        fib_put(channel, fib_num(0));
        sleep_directly(CENTURY);
        ck_abort_msg("a century has passed");
}

static void *long_sleepers(void *arg)
{
        fib_channel *channel = fib_channel_new();

        for (int i = 0; i < 10; i++)
                ck_assert_int_eq(fib_spawn(sleep_long, channel), 0);
        for (int i = 0; i < 10; i++)
                fib_get(channel);
        sleep_directly(FIB_MILLISECOND);
        fib_channel_unref(channel);
        return NULL;
}

TEST_WORKERS(a_sleep_of_a_century_does_not_end_and_the_run_does)
{
        run_fibers(workers, long_sleepers, NULL);
}

static void *sleep_again(void *arg)
{
        fib_op *op = fib_sleep_op(2 * FIB_MILLISECOND);
        int64_t begin;

        /* The time counts from the perform, not from when the operation was made. */
        sleep_directly(4 * FIB_MILLISECOND);
        for (int i = 0; i < 3; i++) {
                begin = fib_now();
                ck_assert_int_eq(fib_perform(fib_op_ref(op), NULL), 0);
                ck_assert_int_ge(fib_now() - begin, 2 * FIB_MILLISECOND);
        }
        fib_op_unref(op);
        op = fib_timer_op(fib_now() + FIB_MILLISECOND);
        ck_assert_int_eq(fib_perform(fib_op_ref(op), NULL), 0);
        ck_assert_int_eq(fib_try(op, NULL), 0);
        return NULL;
}

TEST_WORKERS(a_sleep_begins_when_it_is_performed)
{
        run_fibers(workers, sleep_again, NULL);
}

struct sleeper {
        int64_t expiry;
        int *next;
        int place;
};

static void *wake_in_order(void *arg)
{
        struct sleeper *sleeper = arg;

        ck_assert_int_eq(fib_perform(fib_timer_op(sleeper->expiry), NULL), 0);
        sleeper->place = (*sleeper->next)++;
        return NULL;
}

/* Return: false when it took so long to begin that the first had expired before the last one
 * slept. */
static bool sleep_in_order(int64_t delay)
{
        struct sleeper sleepers[60];
        struct crew crew = { .count = 0 };
        int64_t begin = fib_now() + delay;
        bool in_time;
        int next = 0;

        /* Spawned in another order than that of their expiries, 100 us apart. */
        for (int i = 0; i < 60; i++) {
                struct sleeper *sleeper = &sleepers[i * 37 % 60];

                sleeper->expiry = begin + (sleeper - sleepers) * 100 * FIB_MICROSECOND;
                sleeper->next = &next;
                crew_add(&crew, wake_in_order, sleeper);
        }
        fib_yield();
        in_time = fib_now() < begin;
        crew_join(&crew);
        for (int i = 0; i < 60 && in_time; i++)
                ck_assert_int_eq(sleepers[i].place, i);
        return in_time;
}

static void *sleepers_in_order(void *arg)
{
        int64_t delay = 2 * FIB_MILLISECOND;

        while (!sleep_in_order(delay))
                delay *= 2;
        return NULL;
}

TEST(sleepers_wake_in_the_order_of_their_expiries)
{
        run_fibers(1, sleepers_in_order, NULL);
}

static void *sleep_a_little(void *arg)
{
        sleep_directly(20 * FIB_MILLISECOND);
        atomic_fetch_add((atomic_ulong *)arg, 1);
        return NULL;
}

static void *spawn_sleepers(void *arg)
{
        for (unsigned long i = 0; i < scaled(10000); i++)
                ck_assert_int_eq(fib_spawn(sleep_a_little, arg), 0);
        return NULL;
}

TEST_WORKERS(ten_thousand_sleep_at_the_same_time)
{
        atomic_ulong woken = 0;
        int64_t begin = fib_now();

        drain_fibers(workers, spawn_sleepers, &woken);
        ck_assert_uint_eq(woken, scaled(10000));
        ck_assert_int_lt(fib_now() - begin, 2 * FIB_SECOND * slowness());
}

static void *doze(void *arg)
{
        for (int i = 0; i < 30; i++)
                sleep_directly(FIB_MILLISECOND);
        return NULL;
}

TEST_WORKERS(who_sleeps_takes_no_processor_time)
{
        int64_t begin = cpu_time_ns();

        run_fibers(workers, doze, NULL);
        ck_assert_int_lt(cpu_time_ns() - begin, 20 * FIB_MILLISECOND * slowness());
}

TEST_WORKERS(a_sleep_that_loses_leaves_nothing)
{
        losers_leave_nothing(workers, scaled(50000), losing_sleep);
}

static void *sleep_against_timer(void *arg)
{
        int wins[2] = { 0, 0 };

        /* Both expire at about the same time, in every order. */
        for (int i = 0; i < 200; i++) {
                fib_op *op = fib_choice(fib_sleep_op(10 * FIB_MICROSECOND),
                                        fib_timer_op(fib_now() + (int64_t)(random_word() % 20000)));
                int arm = fib_perform(op, NULL);

                ck_assert(arm == 0 || arm == 1);
                wins[arm]++;
        }
        ck_assert_int_eq(wins[0] + wins[1], 200);
        return NULL;
}

TEST_WORKERS(of_two_timers_one_wins)
{
        run_fibers(workers, sleep_against_timer, NULL);
}

struct race {
        fib_channel *channel;
        unsigned long rounds;
};

static void *put_in_time(void *arg)
{
        struct race *race = arg;

        for (unsigned long i = 0; i < race->rounds; i++) {
                fib_sleep((int64_t)(random_word() % 20000));
                fib_put(race->channel, fib_num((intptr_t)i));
        }
        return NULL;
}

static void *get_or_time_out(void *arg)
{
        struct race race = { fib_channel_new(), scaled(3000) };
        struct crew crew = { .count = 0 };
        fib_value value;

        crew_add_elsewhere(&crew, put_in_time, &race);
        for (unsigned long i = 0; i < race.rounds;) {
                fib_op *get = fib_get_op(race.channel);
                int64_t ns = (int64_t)(random_word() % 20000);

                if (fib_perform(fib_choice(get, fib_sleep_op(ns)), &value) == 0)
                        ck_assert_int_eq(value.num, i++);
        }
        crew_join(&crew);
        fib_channel_unref(race.channel);
        return NULL;
}

TEST_WORKERS(a_message_and_a_timer_that_race_are_not_both_taken)
{
        run_fibers(workers, get_or_time_out, NULL);
}

TESTS("time", nobody_wakes_early, a_plain_thread_does_not_wake_early,
      a_sleep_of_nothing_or_less_is_over_at_once, a_sleep_of_nothing_lets_others_run,
      a_sleep_of_a_century_does_not_end_and_the_run_does, a_sleep_begins_when_it_is_performed,
      sleepers_wake_in_the_order_of_their_expiries, ten_thousand_sleep_at_the_same_time,
      who_sleeps_takes_no_processor_time, a_sleep_that_loses_leaves_nothing, of_two_timers_one_wins,
      a_message_and_a_timer_that_race_are_not_both_taken)
