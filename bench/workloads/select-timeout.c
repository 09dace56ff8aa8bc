/* SPDX-License-Identifier: MIT */
/* select-timeout.c - get, or a timeout that never wins. */
#include "workload.h"

static void *produce(void *arg)
{
        for (intptr_t i = 0;; i++)
                fib_put(arg, fib_num(i));
        return NULL;
}

static void run(long count)
{
        fib_channel *channel = new_channel();
        fib_op *either = fib_choice(fib_get_op(channel), fib_sleep_op(FIB_SECOND));
        fib_value value;

        spawn(produce, channel);
        for (long i = 0; i < count; i++) {
                expect(fib_perform(fib_op_ref(either), &value) == 0, "the timeout won");
                expect(value.num == i, "a message was lost");
        }
        fib_op_unref(either);
}

const struct workload workload = { .count = 1000000, .run = run, .steps = once };
