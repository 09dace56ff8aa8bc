/* SPDX-License-Identifier: MIT */
/* fan-out.c - of Guile Fibers: one putter, many getters. */
#include "workload.h"

#define MESSAGES 200000

static void *get_often(void *arg)
{
        for (;;)
                fib_get(arg);
        return NULL;
}

static void run(long count)
{
        fib_channel *channel = new_channel();

        for (long i = 0; i < count; i++)
                spawn(get_often, channel);
        for (intptr_t i = 0; i < MESSAGES; i++)
                fib_put(channel, fib_num(i));
}

const struct workload workload = { .count = 100, .run = run };
