/* SPDX-License-Identifier: MIT */
/* sleepers.c - many fibers sleep for a second. */
#include "workload.h"

static void *sleep_once(void *arg)
{
        check(fib_sleep(FIB_SECOND));
        return NULL;
}

static void run(long count)
{
        for (long i = 0; i < count; i++)
                spawn(sleep_once, NULL);
}

const struct workload workload = { .count = 1000000, .drain = true, .run = run };
