/* SPDX-License-Identifier: MIT */
/* crowd-yield.c - what a switch costs among so many fibers. */
#include "workload.h"

#define SWITCHES 2000000

static long fibers, begun, rounds;

/* The time begins when all have. */
static void *yield_often(void *arg)
{
        if (++begun == fibers)
                begin_time();
        for (long i = 0; i < rounds; i++)
                fib_yield();
        return NULL;
}

static void run(long count)
{
        fib_fiber *last = NULL;

        fibers = count;
        rounds = SWITCHES / count + 1;
        for (long i = 1; i < count; i++)
                spawn(yield_often, NULL);
        last = spawn_joinable(yield_often, NULL);
        join(last);
        end_time();
}

static double switches(long count)
{
        return (double)(rounds * count);
}

const struct workload workload = { .count = 10, .run = run, .steps = switches };
