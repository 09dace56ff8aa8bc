/* SPDX-License-Identifier: MIT */
/* ring.c - a token goes round. */
#include "workload.h"

#define MEMBERS 503

static fib_channel *channels[MEMBERS];
static fib_channel *done;

/* The token is the number of hops that are left. */
static void *pass_on(void *arg)
{
        fib_channel **mine = arg;
        fib_channel *next = mine == &channels[MEMBERS - 1] ? channels[0] : mine[1];

        for (;;) {
                intptr_t hops = fib_get(*mine).num;

                fib_put(hops > 0 ? next : done, fib_num(hops - 1));
        }
        return NULL;
}

/* Who waits for the token at the end is dropped with the run. */
static void run(long count)
{
        done = new_channel();
        for (int i = 0; i < MEMBERS; i++)
                channels[i] = new_channel();
        for (int i = 0; i < MEMBERS; i++)
                spawn(pass_on, &channels[i]);
        fib_put(channels[0], fib_num(count));
        fib_get(done);
}

const struct workload workload = { .count = 2000000, .run = run, .steps = once };
