/* SPDX-License-Identifier: MIT */
/* foreign-test.c - plain threads perform operations like fibers, against fibers. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
#include <fibers.h>
#include "tests/harness.h"
#include "tests/stress/foreign-load.h"

TEST_WORKERS(threads_and_fibers_pass_messages_exactly_once)
{
        foreign_exchange_load(workers, scaled(20000));
}

static fib_channel *channel, *back;

static void *echo_thread(void *arg)
{
        for (;;) {
                fib_value value = fib_get(channel);

                if (value.num < 0)
                        return NULL;
                fib_put(back, fib_num(value.num + 1));
        }
}

static void *ask_thread(void *arg)
{
        for (intptr_t i = 0; i < (intptr_t)scaled(3000); i++) {
                fib_put(channel, fib_num(i));
                ck_assert_int_eq(fib_get(back).num, i + 1);
        }
        fib_put(channel, fib_num(-1));
        return NULL;
}

TEST_WORKERS(a_thread_answers_fibers)
{
        pthread_t thread;

        channel = fib_channel_new();
        back = fib_channel_new();
        ck_assert_int_eq(pthread_create(&thread, NULL, echo_thread, NULL), 0);
        run_fibers(workers, ask_thread, NULL);
        pthread_join(thread, NULL);
        fib_channel_unref(channel);
        fib_channel_unref(back);
}

/* Without any scheduler. */
TEST(threads_meet_each_other_outside_of_any_run)
{
        pthread_t thread;

        channel = fib_channel_new();
        back = fib_channel_new();
        ck_assert_int_eq(pthread_create(&thread, NULL, echo_thread, NULL), 0);
        ask_thread(NULL);
        pthread_join(thread, NULL);
        ck_assert_int_eq(fib_try(fib_get_op(channel), NULL), -EAGAIN);
        fib_channel_unref(channel);
        fib_channel_unref(back);
}

/* A thread chooses among all kinds of arms; each wins in its turn. */
struct arms {
        fib_channel *channel;
        fib_condition *condition;
        int ends[2];
        atomic_int turn;
};

static void *choose_in_thread(void *arg)
{
        struct arms *arms = arg;

        for (int want = 0; want < 4; want++) {
                fib_value value;
                int got = fib_perform(fib_choice(fib_get_op(arms->channel),
                                                 want == 1 ? fib_sleep_op(FIB_MILLISECOND)
                                                           : fib_sleep_op(100 * FIB_SECOND),
                                                 fib_readable_op(arms->ends[0]),
                                                 fib_condition_wait_op(arms->condition)),
                                      &value);

                ck_assert_int_eq(got, want);
                if (want == 0)
                        ck_assert_int_eq(value.num, 42);
                if (want == 2) {
                        char byte;

                        ck_assert_int_eq(fib_read(arms->ends[0], &byte, 1), 1);
                }
                atomic_fetch_add(&arms->turn, 1);
        }
        return NULL;
}

static void wait_for_turn(struct arms *arms, int turn)
{
        while (atomic_load(&arms->turn) < turn)
                fib_sleep(100 * FIB_MICROSECOND);
        fib_sleep(FIB_MILLISECOND); /* until it waits, mostly */
}

static void *serve_arms(void *arg)
{
        struct arms *arms = arg;

        fib_sleep(FIB_MILLISECOND);
        fib_put(arms->channel, fib_num(42));
        wait_for_turn(arms, 2);
        ck_assert_int_eq(write(arms->ends[1], "x", 1), 1);
        wait_for_turn(arms, 3);
        ck_assert(fib_condition_signal(arms->condition));
        wait_for_turn(arms, 4);
        return NULL;
}

TEST_WORKERS(a_thread_chooses_among_all_kinds_of_arms)
{
        struct arms arms = { fib_channel_new(), fib_condition_new(), { -1, -1 }, 0 };
        pthread_t thread;

        ck_assert_int_eq(pipe(arms.ends), 0);
        ck_assert_int_eq(pthread_create(&thread, NULL, choose_in_thread, &arms), 0);
        run_fibers(workers, serve_arms, &arms);
        pthread_join(thread, NULL);
        fib_close(arms.ends[0]);
        fib_close(arms.ends[1]);
        fib_channel_unref(arms.channel);
        fib_condition_unref(arms.condition);
}

TEST_WORKERS(conditions_free_threads_and_fibers)
{
        for (unsigned long i = 0; i < scaled(100); i++)
                foreign_condition_load(workers, i % 3);
}

static void *sleep_in_thread(void *arg)
{
        int64_t before = fib_now();

        ck_assert_int_eq(fib_sleep(20 * FIB_MILLISECOND), 0);
        ck_assert_int_ge(fib_now() - before, 20 * FIB_MILLISECOND);
        ck_assert_int_eq(fib_perform(fib_choice(fib_sleep_op(50 * FIB_SECOND),
                                                fib_sleep_op(5 * FIB_MILLISECOND), fib_never()),
                                     NULL),
                         1);
        ck_assert_int_eq(fib_sleep(0), 0);
        ck_assert_int_eq(fib_sleep(-1), 0);
        return NULL;
}

TEST(a_thread_sleeps_as_a_fiber_does)
{
        pthread_t thread;

        sleep_in_thread(NULL);
        ck_assert_int_eq(pthread_create(&thread, NULL, sleep_in_thread, NULL), 0);
        pthread_join(thread, NULL);
}

/* A wrap that performs, in a thread: its parker is in use by nobody then. */
static int get_more(fib_value *value, void *arg)
{
        value->num += fib_get(back).num;
        return 0;
}

static void *wrap_in_thread(void *arg)
{
        fib_value value;

        for (int i = 0; i < 100; i++) {
                ck_assert_int_eq(fib_perform(fib_choice(fib_wrap(fib_get_op(channel), get_more,
                                                                 NULL),
                                                        fib_sleep_op(100 * FIB_SECOND)),
                                             &value),
                                 0);
                ck_assert_int_eq(value.num, 3);
        }
        return NULL;
}

static void *feed_wrap(void *arg)
{
        for (int i = 0; i < 100; i++) {
                fib_put(channel, fib_num(1));
                fib_put(back, fib_num(2));
        }
        return NULL;
}

TEST_WORKERS(a_wrap_in_a_thread_may_perform)
{
        pthread_t thread;

        channel = fib_channel_new();
        back = fib_channel_new();
        ck_assert_int_eq(pthread_create(&thread, NULL, wrap_in_thread, NULL), 0);
        run_fibers(workers, feed_wrap, NULL);
        pthread_join(thread, NULL);
        fib_channel_unref(channel);
        fib_channel_unref(back);
}

static void *spawned_by_thread(void *arg)
{
        fib_put(channel, fib_num((intptr_t)arg));
        return arg;
}

static fib_scheduler *scheduler;

static void *spawn_from_thread(void *arg)
{
        for (intptr_t i = 0; i < 500; i++) {
                const fib_spawn_options options = { .scheduler = scheduler, .parallel = i % 2 };
                fib_fiber *fiber;
                void *ret;

                ck_assert_int_eq(fib_spawn_with(&options, spawned_by_thread, (void *)i, &fiber), 0);
                ck_assert_int_eq(fib_get(channel).num, i);
                ck_assert_int_eq(fib_join(fiber, &ret), 0);
                ck_assert_int_eq((intptr_t)ret, i);
                fib_fiber_unref(fiber);
        }
        fib_put(back, fib_num(0));
        return NULL;
}

static void *host_spawns(void *arg)
{
        pthread_t thread;

        scheduler = fib_scheduler_current();
        ck_assert_int_eq(pthread_create(&thread, NULL, spawn_from_thread, NULL), 0);
        fib_get(back);
        pthread_join(thread, NULL);
        return NULL;
}

TEST_WORKERS(a_thread_spawns_fibers_on_a_scheduler)
{
        channel = fib_channel_new();
        back = fib_channel_new();
        run_fibers(workers, host_spawns, NULL);
        fib_channel_unref(channel);
        fib_channel_unref(back);
}

/*
 * A scheduler is destroyed while threads wait for its fibers.
 */

static atomic_int waiting;

static void look_again(void *arg) {}

static void *wait_for_lost_fiber(void *arg)
{
        bool put = (intptr_t)arg % 2;
        fib_op *op = put ? fib_put_op(channel, fib_num(1)) : fib_get_op(back);

        atomic_fetch_add(&waiting, 1);
        ck_assert_int_eq(fib_schedule_task(scheduler, look_again, NULL), 0);
        return (void *)(intptr_t)fib_perform(fib_choice(op, fib_sleep_op(100 * FIB_SECOND)), NULL);
}

static void *meet_nobody(void *arg)
{
        fib_perform(fib_choice(fib_condition_wait_op(arg), fib_never()), NULL);
        return NULL;
}

static bool all_threads_wait(void *arg)
{
        return atomic_load(&waiting) == 4;
}

TEST(threads_outlive_the_scheduler_they_wait_for)
{
        fib_condition *condition = fib_condition_new();
        pthread_t threads[4];

        channel = fib_channel_new();
        back = fib_channel_new();
        ck_assert_int_eq(fib_scheduler_new(1, &scheduler), 0);
        ck_assert_int_eq(fib_spawn_with(&(fib_spawn_options){ .scheduler = scheduler }, meet_nobody,
                                        condition, NULL),
                         0);
        for (intptr_t i = 0; i < 4; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, wait_for_lost_fiber, (void *)i),
                                 0);
        ck_assert_int_eq(fib_scheduler_run(scheduler, all_threads_wait, NULL), 0);
        usleep(2000);
        fib_scheduler_destroy(scheduler);
        /* They wait on, and are served by others. */
        for (int i = 0; i < 2; i++) {
                ck_assert_int_eq(fib_get(channel).num, 1);
                fib_put(back, fib_num(2));
        }
        for (int i = 0; i < 4; i++) {
                void *ret;

                pthread_join(threads[i], &ret);
                ck_assert_int_eq((intptr_t)ret, 0);
        }
        fib_condition_signal(condition);
        fib_condition_unref(condition);
        fib_channel_unref(channel);
        fib_channel_unref(back);
}

TESTS("foreign", threads_and_fibers_pass_messages_exactly_once, a_thread_answers_fibers,
      threads_meet_each_other_outside_of_any_run, a_thread_chooses_among_all_kinds_of_arms,
      conditions_free_threads_and_fibers, a_thread_sleeps_as_a_fiber_does,
      a_wrap_in_a_thread_may_perform, a_thread_spawns_fibers_on_a_scheduler,
      threads_outlive_the_scheduler_they_wait_for)
