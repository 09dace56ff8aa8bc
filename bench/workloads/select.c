/* SPDX-License-Identifier: MIT */
/* select.c - a choice over eight channels, with a producer on each. */
#include "workload.h"

#define PRODUCERS 8

static void *produce(void *arg)
{
        for (intptr_t i = 0;; i++)
                fib_put(arg, fib_num(i));
        return NULL;
}

static void run(long count)
{
        fib_channel *channels[PRODUCERS];
        fib_op *gets[PRODUCERS];
        fib_op *any;
        intptr_t next[PRODUCERS] = { 0 };
        fib_value value;

        for (int i = 0; i < PRODUCERS; i++) {
                channels[i] = new_channel();
                gets[i] = fib_get_op(channels[i]);
                spawn(produce, channels[i]);
        }
        any = fib_choice_n(gets, PRODUCERS);
        for (long i = 0; i < count; i++) {
                int arm = fib_perform(fib_op_ref(any), &value);

                check(arm);
                expect(value.num == next[arm]++, "a message was lost");
        }
        fib_op_unref(any);
}

const struct workload workload = { .count = 1000000, .run = run, .steps = once };
