/* SPDX-License-Identifier: MIT */
/* crowd-ring.c - what a message costs in a ring of so many fibers. */
#include "workload.h"

#define HOPS 2000000

static fib_channel **channels, *done;
static long members;

static void *pass_on(void *arg)
{
        long i = (fib_channel **)arg - channels;
        fib_channel *next = channels[(i + 1) % members];

        for (;;) {
                intptr_t hops = fib_get(channels[i]).num;

                fib_put(hops > 0 ? next : done, fib_num(hops - 1));
        }
        return NULL;
}

static void run(long count)
{
        members = count;
        channels = allocate((size_t)count, sizeof(fib_channel *));
        done = new_channel();
        for (long i = 0; i < count; i++)
                channels[i] = new_channel();
        for (long i = 0; i < count; i++)
                spawn(pass_on, &channels[i]);
        fib_put(channels[0], fib_num(count)); /* once round, so that all have begun */
        fib_get(done);
        begin_time();
        fib_put(channels[0], fib_num(HOPS));
        fib_get(done);
        end_time();
}

static double hops(long count)
{
        return HOPS;
}

const struct workload workload = { .count = 10, .run = run, .steps = hops };
