/* SPDX-License-Identifier: MIT */
/* regression-test.c - defects that reviews and stress have found, each named after what it was. */
#include <errno.h>
#include <fibers.h>
#include <sched.h>
#include <unistd.h>
#include "tests/harness.h"

static void spin_for(long rounds)
{
        for (volatile long i = 0; i < rounds; i++) {
                /* nothing */
        }
}

static int never_ready(void *state, fib_value *ret)
{
        return -EAGAIN;
}

static int block_slowly(void *state, fib_waiter *waiter)
{
        spin_for(300);
        return 0;
}

/* Leaves time to be committed between publishing and parking. */
static const fib_op_class slow_class = {
        .try = never_ready,
        .block = block_slowly,
        .name = "slow",
};

static fib_channel *there, *back;

static void *ask(void *arg)
{
        for (unsigned long i = 0; i < scaled(50000); i++) {
                fib_value value;

                fib_put(there, fib_num((intptr_t)i));
                ck_assert_int_eq(fib_perform(fib_choice(fib_get_op(back),
                                                        fib_op_new(&slow_class, NULL)),
                                             &value),
                                 0);
                ck_assert_int_eq(value.num, (intptr_t)i);
        }
        return NULL;
}

static void *answer(void *arg)
{
        for (unsigned long i = 0; i < scaled(50000); i++) {
                fib_value value = fib_get(there);

                spin_for((long)(i * 7919 % 400));
                fib_put(back, value);
        }
        return NULL;
}

static void *ask_from_a_migratable_fiber(void *arg)
{
        fib_fiber *asks;
        struct crew crew = { .count = 0 };

        crew_add_elsewhere(&crew, answer, NULL);
        ck_assert_int_eq(fib_spawn_with(&(fib_spawn_options){ .migratable = true }, ask, NULL,
                                        &asks),
                         0);
        ck_assert_int_eq(fib_join(asks, NULL), 0);
        fib_fiber_unref(asks);
        crew_join(&crew);
        return NULL;
}

TEST_WORKERS(a_migratable_fiber_was_stolen_from_the_stack_it_was_on)
{
        there = fib_channel_new();
        back = fib_channel_new();
        run_fibers(workers, ask_from_a_migratable_fiber, NULL);
        fib_channel_unref(there);
        fib_channel_unref(back);
}

#define WAITERS 50

static int pipes[2];
static atomic_uint waiting;
static atomic_ulong to_close, closed;
static atomic_bool over;

static void *close_at_the_end(void *arg)
{
        for (unsigned long round = 1; !atomic_load(&over); round++) {
                while (atomic_load(&to_close) < round) {
                        if (atomic_load(&over))
                                return NULL;
                        sched_yield();
                }
                spin_for((long)(round * 7919 % 20000));
                fib_close(pipes[0]);
                atomic_store(&closed, round);
        }
        return NULL;
}

static void *wait_for_pipe(void *arg)
{
        atomic_fetch_add(&waiting, 1);
        fib_wait_readable(pipes[0]);
        return NULL;
}

static void *end_while_they_wait(void *arg)
{
        for (int i = 0; i < WAITERS; i++)
                ck_assert_int_eq(fib_spawn(wait_for_pipe, NULL), 0);
        while (atomic_load(&waiting) < WAITERS)
                fib_yield();
        atomic_fetch_add(&to_close, 1);
        return NULL;
}

TEST(a_run_did_not_end_while_a_thread_closed_what_its_fibers_waited_for)
{
        pthread_t closer;

        ck_assert_int_eq(pthread_create(&closer, NULL, close_at_the_end, NULL), 0);
        for (unsigned long round = 1; round <= scaled(1000); round++) {
                ck_assert_int_eq(pipe(pipes), 0);
                atomic_store(&waiting, 0);
                run_fibers(1, end_while_they_wait, NULL);
                while (atomic_load(&closed) < round)
                        sched_yield();
                close(pipes[1]);
        }
        atomic_store(&over, true);
        pthread_join(closer, NULL);
}

static void *signal_it(void *condition)
{
        fib_condition_signal(condition);
        return NULL;
}

static void *wait_and_free(void *arg)
{
        for (unsigned long i = 0; i < scaled(20000); i++) {
                fib_condition *condition = fib_condition_new();

                ck_assert_int_eq(fib_spawn_with(&(fib_spawn_options){ .parallel = true }, signal_it,
                                                condition, NULL),
                                 0);
                fib_condition_wait(condition);
                /* Not to be touched by the signaller any more, but for its own reference. */
                fib_condition_unref(condition);
        }
        return NULL;
}

TEST_WORKERS(a_signaller_touched_a_condition_that_its_waiter_had_freed)
{
        run_fibers(workers, wait_and_free, NULL);
}

static atomic_bool have_timed_out;

static void *connect_often(void *arg)
{
        while (!atomic_load(&have_timed_out)) {
                int fd = fib_connect_tcp("127.0.0.1", (uint16_t)(uintptr_t)arg);

                if (fd >= 0)
                        fib_close(fd);
                fib_sleep(5 * FIB_MILLISECOND);
        }
        return NULL;
}

static void *accept_all(void *listener)
{
        for (;;) {
                int fd = fib_accept((int)(uintptr_t)listener, NULL, NULL, 0);

                if (fd < 0)
                        return NULL;
                fib_close(fd);
        }
}

static void *accept_or_time_out(void *arg)
{
        int listener = fib_listen_tcp("127.0.0.1", 0, NULL);
        struct crew crew = { .count = 0 };
        int64_t begin;
        int arm;

        ck_assert_int_ge(listener, 0);
        crew_add_parallel(&crew, accept_all, (void *)(uintptr_t)listener);
        crew_add_parallel(&crew, accept_all, (void *)(uintptr_t)listener);
        crew_add_parallel(&crew, connect_often, (void *)(uintptr_t)fib_socket_port(listener));
        begin = fib_now();
        do {
                fib_value value = { .num = -1 };

                arm = fib_perform(fib_choice(fib_accept_op(listener, 0),
                                             fib_timer_op(begin + 100 * FIB_MILLISECOND)),
                                  &value);
                ck_assert_int_ge(arm, 0);
                if (arm == 0)
                        fib_close((int)value.num);
        } while (arm == 0);
        atomic_store(&have_timed_out, true);
        ck_assert_int_eq(fib_close(listener), 0);
        crew_join(&crew);
        return NULL;
}

TEST_WORKERS(acceptors_that_race_leave_a_timeout_alone)
{
        run_fibers(workers, accept_or_time_out, NULL);
}

static void *sleep_for_ever(void *arg)
{
        return (void *)(uintptr_t)(fib_sleep(INT64_MAX) == 0);
}

static void *sleep_beside(void *arg)
{
        ck_assert_int_eq(fib_spawn(sleep_for_ever, NULL), 0);
        ck_assert_int_eq(fib_perform(fib_choice(fib_sleep_op(INT64_MAX), fib_timer_op(INT64_MAX),
                                                fib_sleep_op(50 * FIB_MILLISECOND)),
                                     NULL),
                         2);
        return NULL;
}

TEST_WORKERS(a_sleep_to_the_end_of_time_was_no_timer)
{
        run_fibers(workers, sleep_beside, NULL);
}

static int count_wrap(fib_value *value, void *arg)
{
        value->num++;
        return 0;
}

static void *perform_many_wraps(void *arg)
{
        fib_op *op = fib_always(fib_num(0));
        fib_value value;

        for (int i = 0; i < 20000; i++)
                op = fib_wrap(op, count_wrap, NULL);
        ck_assert_int_eq(fib_perform(op, &value), 0);
        ck_assert_int_eq(value.num, 20000);
        return NULL;
}

TEST_WORKERS(a_long_chain_of_wraps_overflowed_a_small_stack)
{
        const fib_run_options options = { .parallelism = workers, .stack_size = FIB_STACK_MIN * 4 };

        ck_assert_int_eq(fib_run(perform_many_wraps, NULL, &options, NULL), 0);
}

static atomic_int destroyed;

static int always_ready(void *state, fib_value *ret)
{
        *ret = fib_num(0);
        return 0;
}

static void count_destroyed(void *state)
{
        atomic_fetch_add(&destroyed, 1);
}

static const fib_op_class counted_class = {
        .try = always_ready,
        .block = block_slowly,
        .destroy = count_destroyed,
};

static int wait_in_wrap(fib_value *value, void *arg)
{
        return fib_perform(fib_choice(fib_op_new(&counted_class, NULL), fib_never()), NULL) < 0 ||
                               fib_perform(fib_wrap(fib_never(), count_wrap, NULL), NULL) < 0
                       ? -EINVAL
                       : 0;
}

static void *wait_in_a_wrap(void *arg)
{
        fib_perform(fib_wrap(fib_op_new(&counted_class, NULL), wait_in_wrap, NULL), NULL);
        return NULL;
}

static void *leave_one_in_its_wrap(void *arg)
{
        ck_assert_int_eq(fib_spawn(wait_in_a_wrap, NULL), 0);
        while (atomic_load(&destroyed) < 1)
                fib_sleep(FIB_MILLISECOND);
        fib_sleep(5 * FIB_MILLISECOND);
        ck_assert_int_eq(atomic_load(&destroyed), 1);
        return NULL;
}

TEST_WORKERS(an_operation_leaked_when_a_run_ended_in_its_wrap)
{
        atomic_store(&destroyed, 0);
        run_fibers(workers, leave_one_in_its_wrap, NULL);
        ck_assert_int_eq(atomic_load(&destroyed), 2);
}

TESTS("regression", a_migratable_fiber_was_stolen_from_the_stack_it_was_on,
      a_run_did_not_end_while_a_thread_closed_what_its_fibers_waited_for,
      a_signaller_touched_a_condition_that_its_waiter_had_freed,
      acceptors_that_race_leave_a_timeout_alone, a_sleep_to_the_end_of_time_was_no_timer,
      a_long_chain_of_wraps_overflowed_a_small_stack,
      an_operation_leaked_when_a_run_ended_in_its_wrap)
