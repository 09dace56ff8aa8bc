/* SPDX-License-Identifier: MIT */
/* yield.c - two fibers take turns. */
#include "workload.h"

static long rounds;

static void *yield_often(void *arg)
{
        for (long i = 0; i < rounds; i++)
                fib_yield();
        return NULL;
}

static void run(long count)
{
        fib_fiber *other;

        rounds = count;
        other = spawn_joinable(yield_often, NULL);
        yield_often(NULL);
        join(other);
}

const struct workload workload = { .count = 2000000, .run = run, .steps = twice };
