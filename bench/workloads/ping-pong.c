/* SPDX-License-Identifier: MIT */
/* ping-pong.c - of Guile Fibers: pairs, each with one channel for both ways. */
#include "workload.h"

#define MESSAGES 10000

static void *answer(void *arg)
{
        for (;;)
                fib_put(arg, fib_get(arg));
        return NULL;
}

static void *play(void *arg)
{
        fib_channel *channel = new_channel();

        spawn(answer, channel);
        for (intptr_t i = 0; i < MESSAGES; i++) {
                fib_put(channel, fib_num(i));
                expect(fib_get(channel).num == i, "a wrong answer");
        }
        fib_put(arg, fib_num(0));
        return NULL;
}

static void run(long count)
{
        fib_channel *done = new_channel();

        for (long i = 0; i < count; i++)
                spawn(play, done);
        for (long i = 0; i < count; i++)
                fib_get(done);
        fib_channel_unref(done);
}

const struct workload workload = { .count = 100, .run = run };
