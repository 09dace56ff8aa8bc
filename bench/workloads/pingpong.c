/* SPDX-License-Identifier: MIT */
/* pingpong.c - round trips over two channels; of pingpong-x, between two workers. */
#include "workload.h"

static fib_channel *ping, *pong, *hello;
static fib_scheduler *home;
static long rounds;

/* Says first where it runs; at home it is no good to pingpong-x. */
static void *answer(void *arg)
{
        fib_scheduler *here = fib_scheduler_current();

        fib_put(hello, fib_ptr(here));
        if (ACROSS && here == home)
                return NULL;
        for (long i = 0; i < rounds; i++)
                fib_put(pong, fib_get(ping));
        return NULL;
}

static fib_fiber *spawn_answer(void)
{
        fib_fiber *other;

        if (!ACROSS) {
                other = spawn_joinable(answer, NULL);
                fib_get(hello);
                return other;
        }
        /* An idle peer may take one that has not begun: here, ours may. */
        for (;;) {
                other = spawn_elsewhere(answer, NULL);
                if (fib_get(hello).ptr != home)
                        return other;
                join(other);
        }
}

static void run(long count)
{
        fib_fiber *other;

        rounds = count;
        home = fib_scheduler_current();
        ping = new_channel();
        pong = new_channel();
        hello = new_channel();
        other = spawn_answer();
        for (long i = 0; i < count; i++) {
                fib_put(ping, fib_num(i));
                expect(fib_get(pong).num == i, "a wrong answer");
        }
        join(other);
        fib_channel_unref(hello);
        fib_channel_unref(ping);
        fib_channel_unref(pong);
}

const struct workload workload = {
        .count = ACROSS ? 100000 : 1000000,
        .workers = ACROSS ? 2 : 1,
        .run = run,
        .steps = once,
};
