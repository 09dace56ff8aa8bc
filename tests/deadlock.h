/* SPDX-License-Identifier: MIT */
/* deadlock.h - runs that end in a deadlock, or do not. */
#ifndef TESTS_DEADLOCK_H
#define TESTS_DEADLOCK_H

#include <fibers.h>
#include "capture.h"
#include "tests/harness.h"

/* For fibers to wait for; made anew for each run. */
static fib_channel *channel;
static fib_condition *condition;
static char text[16384]; /* what was written to stderr */

static inline int run_captured(unsigned workers, fib_fn *fn, void *arg, bool keep_waiting)
{
        const fib_run_options options = { .parallelism = workers, .keep_waiting = keep_waiting };
        struct capture capture = capture_begin();
        int r = fib_run(fn, arg, &options, NULL);

        capture_end(&capture, text, sizeof(text));
        return r;
}

static inline void expect_deadlock(unsigned workers, fib_fn *fn, void *arg)
{
        channel = fib_channel_new();
        condition = fib_condition_new();
        ck_assert_int_eq(run_captured(workers, fn, arg, false), -EDEADLK);
        ck_assert_msg(strstr(text, "deadlock"), "%s", text);
        fib_channel_unref(channel);
        fib_condition_unref(condition);
}

static inline void expect_no_deadlock(unsigned workers, fib_fn *fn, void *arg, bool keep_waiting)
{
        channel = fib_channel_new();
        condition = fib_condition_new();
        ck_assert_int_eq(run_captured(workers, fn, arg, keep_waiting), 0);
        ck_assert_str_eq(text, "");
        fib_channel_unref(channel);
        fib_condition_unref(condition);
}

#endif
