/* SPDX-License-Identifier: MIT */
/* chain.c - of Guile Fibers: messages pass through many fibers. */
#include "workload.h"

#define MESSAGES 10000

static void *produce(void *arg)
{
        for (intptr_t n = 0;; n++)
                fib_put(arg, fib_num(n));
        return NULL;
}

struct link {
        fib_channel *in, *out;
};

static void *pass_on(void *arg)
{
        struct link *link = arg;

        for (;;)
                fib_put(link->out, fib_get(link->in));
        return NULL;
}

static void run(long count)
{
        struct link *links = allocate((size_t)count, sizeof(links[0]));
        fib_channel *end = new_channel();

        spawn(produce, end);
        for (long i = 0; i < count; i++) {
                links[i] = (struct link){ end, new_channel() };
                end = links[i].out;
                spawn(pass_on, &links[i]);
        }
        for (intptr_t i = 0; i < MESSAGES; i++)
                expect(fib_get(end).num == i, "a message was lost");
}

const struct workload workload = { .count = 100, .run = run };
