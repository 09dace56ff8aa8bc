/* SPDX-License-Identifier: MIT */
/* condition-test.c - one bit, set once: before, while and after others wait for it. */
#include <signal.h>
#include <unistd.h>
#include <fibers.h>
#include "tests/harness.h"
#include "tests/stress/condition-load.h"

TEST(a_condition_begins_unsignalled)
{
        fib_condition *condition = fib_condition_new();

        ck_assert(!fib_condition_signalled(condition));
        ck_assert_int_eq(fib_try(fib_condition_wait_op(condition), NULL), -EAGAIN);
        fib_condition_unref(condition);
}

TEST(only_the_first_signal_is_true)
{
        fib_condition *condition = fib_condition_new();

        ck_assert(fib_condition_signal(condition));
        ck_assert(fib_condition_signalled(condition));
        ck_assert(!fib_condition_signal(condition));
        ck_assert(!fib_condition_signal_from_handler(condition));
        fib_condition_unref(condition);
}

static void *signal_first(void *arg)
{
        fib_condition *condition = fib_condition_new();

        fib_condition_signal(condition);
        for (int i = 0; i < 3; i++) {
                fib_condition_wait(condition);
                ck_assert_int_eq(fib_perform(fib_condition_wait_op(condition), NULL), 0);
                ck_assert_int_eq(fib_try(fib_condition_wait_op(condition), NULL), 0);
        }
        fib_condition_unref(condition);
        return NULL;
}

TEST_WORKERS(nobody_waits_after_the_signal)
{
        run_fibers(workers, signal_first, NULL);
}

struct news {
        fib_condition *condition;
        int plain; /* written before the signal, read after the wait: not atomic */
        atomic_int firsts;
};

static void *wait_for_news(void *arg)
{
        struct news *news = arg;

        fib_condition_wait(news->condition);
        ck_assert_int_eq(news->plain, 42);
        return NULL;
}

static void *wait_for_news_by_operation(void *arg)
{
        struct news *news = arg;

        ck_assert_int_eq(fib_perform(fib_choice(fib_never(),
                                                fib_condition_wait_op(news->condition)),
                                     NULL),
                         1);
        ck_assert_int_eq(news->plain, 42);
        return NULL;
}

static void *signal_while_waiting(void *arg)
{
        struct news news = { fib_condition_new() };
        struct crew crew = { .count = 0 };

        for (int i = 0; i < 8; i++) {
                crew_add(&crew, wait_for_news, &news);
                crew_add_parallel(&crew, wait_for_news_by_operation, &news);
                crew_add_elsewhere(&crew, wait_for_news, &news);
        }
        fib_sleep(FIB_MILLISECOND);
        news.plain = 42;
        ck_assert(fib_condition_signal(news.condition));
        for (int i = 0; i < 8; i++)
                crew_add_parallel(&crew, wait_for_news, &news);
        crew_join(&crew);
        fib_condition_unref(news.condition);
        return NULL;
}

TEST_WORKERS(a_signal_wakes_all_who_wait_and_shows_what_came_before)
{
        run_fibers(workers, signal_while_waiting, NULL);
}

static void *race_to_signal(void *arg)
{
        struct news *news = arg;

        atomic_fetch_add(&news->firsts, fib_condition_signal(news->condition));
        fib_condition_wait(news->condition);
        return NULL;
}

static void *many_signallers(void *arg)
{
        for (int round = 0; round < 20; round++) {
                struct news news = { fib_condition_new() };
                struct crew crew = { .count = 0 };

                for (int i = 0; i < 16; i++)
                        crew_add_parallel(&crew, race_to_signal, &news);
                crew_join(&crew);
                ck_assert_int_eq(atomic_load(&news.firsts), 1);
                fib_condition_unref(news.condition);
        }
        return NULL;
}

TEST_WORKERS(of_many_signallers_one_is_first)
{
        run_fibers(workers, many_signallers, NULL);
}

static fib_condition *from_handler;

static void handle(int number)
{
        fib_condition_signal_from_handler(from_handler);
}

static void *raise_signal(void *arg)
{
        fib_sleep(FIB_MILLISECOND);
        kill(getpid(), SIGUSR1); /* raise() would want a thread that takes signals */
        return NULL;
}

static void *wait_for_handler(void *arg)
{
        const struct sigaction action = { .sa_handler = handle };
        struct crew crew = { .count = 0 };

        ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
        for (int i = 0; i < 20; i++) {
                from_handler = fib_condition_new();
                crew_add_elsewhere(&crew, raise_signal, NULL);
                if (i % 2)
                        fib_condition_wait(from_handler);
                else
                        ck_assert_int_eq(fib_perform(fib_choice(fib_condition_wait_op(from_handler),
                                                                fib_sleep_op(100 * FIB_SECOND)),
                                                     NULL),
                                         0);
                crew_join(&crew);
                fib_condition_unref(from_handler);
        }
        return NULL;
}

TEST_WORKERS(a_signal_handler_may_signal)
{
        run_fibers(workers, wait_for_handler, NULL);
}

static void *outlive(void *arg)
{
        fib_condition *condition = fib_condition_new();
        fib_op *op = fib_condition_wait_op(condition);

        ck_assert_ptr_eq(fib_condition_ref(condition), condition);
        fib_condition_unref(condition);
        fib_condition_signal(condition);
        fib_condition_unref(condition);
        ck_assert_int_eq(fib_perform(op, NULL), 0);
        return NULL;
}

TEST_WORKERS(an_operation_holds_its_condition)
{
        run_fibers(workers, outlive, NULL);
}

TEST_WORKERS(no_wake_up_is_lost_in_a_wait)
{
        delayed_signals(workers, scaled(50000), true);
}

TEST_WORKERS(no_wake_up_is_lost_in_a_choice)
{
        delayed_signals(workers, scaled(50000), false);
}

TEST_WORKERS(a_signal_wakes_ten_thousand_fibers)
{
        wake_crowd(workers, scaled(10000), 1);
}

TEST_WORKERS(a_signal_wakes_fibers_that_wait_for_it_with_many_arms)
{
        wake_crowd(workers, 100, scaled(1000));
}

TESTS("condition", a_condition_begins_unsignalled, only_the_first_signal_is_true,
      nobody_waits_after_the_signal, a_signal_wakes_all_who_wait_and_shows_what_came_before,
      of_many_signallers_one_is_first, a_signal_handler_may_signal,
      an_operation_holds_its_condition, no_wake_up_is_lost_in_a_wait,
      no_wake_up_is_lost_in_a_choice, a_signal_wakes_ten_thousand_fibers,
      a_signal_wakes_fibers_that_wait_for_it_with_many_arms)
