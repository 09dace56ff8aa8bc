/* SPDX-License-Identifier: MIT */
/* spawn.c - many fibers that return at once. */
#include "workload.h"

static void *nothing(void *arg)
{
        return NULL;
}

static void run(long count)
{
        begin_time();
        for (long i = 0; i < count; i++)
                spawn(nothing, NULL);
}

const struct workload workload = { .count = 1000000, .drain = true, .run = run, .steps = once };
