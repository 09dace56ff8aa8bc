/* SPDX-License-Identifier: MIT */
/* loser-load.h - an arm that loses again and again leaves nothing behind. */
#ifndef TESTS_STRESS_LOSER_LOAD_H
#define TESTS_STRESS_LOSER_LOAD_H

#include <unistd.h>
#include <fibers.h>
#include "tests/harness.h"

struct loser_load {
        fib_op *(*loser)(struct loser_load *load);
        unsigned long rounds;
        fib_channel *busy, *idle;
        fib_condition *never;
        int pipe[2]; /* nobody writes into it */
};

static inline int must_not_win(fib_value *value, void *arg)
{
        ck_abort_msg("the loser won");
}

static inline fib_op *losing_sleep(struct loser_load *load)
{
        return fib_wrap(fib_sleep_op(500 * FIB_SECOND), must_not_win, NULL);
}

static inline fib_op *losing_get(struct loser_load *load)
{
        return fib_get_op(load->idle);
}

static inline fib_op *losing_put(struct loser_load *load)
{
        return fib_put_op(load->idle, fib_num(1));
}

static inline fib_op *losing_wait(struct loser_load *load)
{
        return fib_condition_wait_op(load->never);
}

static inline fib_op *losing_read(struct loser_load *load)
{
        return fib_readable_op(load->pipe[0]);
}

static inline void *loser_putter(void *arg)
{
        struct loser_load *load = arg;

        for (unsigned long i = 0; i < load->rounds; i++)
                fib_put(load->busy, fib_num((intptr_t)i));
        return NULL;
}

/* Others may still be about to end: a moment is allowed. */
static inline void expect_no_work_pending(void)
{
        for (int i = 0; i < 1000 && fib_scheduler_work_pending(fib_scheduler_current()); i++)
                fib_sleep(FIB_MILLISECOND);
        ck_assert(!fib_scheduler_work_pending(fib_scheduler_current()));
}

static inline void *loser_getter(void *arg)
{
        struct loser_load *load = arg;
        size_t before = 0, after;
        fib_value value;

        for (unsigned long i = 0; i < load->rounds; i++) {
                fib_op *op = fib_choice(load->loser(load), fib_get_op(load->busy));

                if (i == load->rounds / 10)
                        before = resident_bytes();
                ck_assert_int_eq(fib_perform(op, &value), 1);
                ck_assert_int_eq(value.num, i);
        }
        after = resident_bytes();
        if (slowness() == 1) /* sanitizers keep what is freed for a while */
                ck_assert_uint_lt(after, before + ((size_t)1 << 20));
        expect_no_work_pending();
        return NULL;
}

static inline void *loser_first(void *arg)
{
        struct loser_load *load = arg;
        struct crew crew = { .count = 0 };

        load->busy = fib_channel_new();
        load->idle = fib_channel_new();
        load->never = fib_condition_new();
        ck_assert_int_eq(pipe(load->pipe), 0);
        crew_add_elsewhere(&crew, loser_putter, load);
        crew_add(&crew, loser_getter, load);
        crew_join(&crew);
        ck_assert_int_eq(fib_try(fib_put_op(load->idle, fib_num(0)), NULL), -EAGAIN);
        ck_assert_int_eq(fib_try(fib_get_op(load->idle), NULL), -EAGAIN);
        ck_assert(fib_condition_signal(load->never));
        fib_channel_unref(load->busy);
        fib_channel_unref(load->idle);
        fib_condition_unref(load->never);
        ck_assert_int_eq(fib_close(load->pipe[0]), 0);
        ck_assert_int_eq(fib_close(load->pipe[1]), 0);
        return NULL;
}

/* Drains: a timer that was left would keep it for 500 seconds. */
static inline void losers_leave_nothing(unsigned workers, unsigned long rounds,
                                        fib_op *(*loser)(struct loser_load *))
{
        struct loser_load load = { .loser = loser, .rounds = rounds };

        drain_fibers(workers, loser_first, &load);
}

#endif
