/* SPDX-License-Identifier: MIT */
/* crowd-timers.c - what a time-out costs, set and withdrawn among so many others. */
#include "workload.h"

#define ROUNDS 500000

static void *sleep_long(void *arg)
{
        fib_sleep((1000 + (intptr_t)arg % 1000) * FIB_SECOND);
        return NULL;
}

static void *produce(void *arg)
{
        for (;;)
                fib_put(arg, fib_num(0));
        return NULL;
}

static void run(long count)
{
        fib_channel *channel = new_channel();
        fib_op *either = fib_choice(fib_get_op(channel), fib_sleep_op(FIB_SECOND));

        for (long i = 0; i < count; i++)
                spawn(sleep_long, (void *)i);
        spawn(produce, channel);
        fib_get(channel);
        begin_time();
        for (long i = 0; i < ROUNDS; i++)
                expect(fib_perform(fib_op_ref(either), NULL) == 0, "the timeout won");
        end_time();
        fib_op_unref(either);
}

static double rounds(long count)
{
        return ROUNDS;
}

const struct workload workload = { .count = 10, .run = run, .steps = rounds };
