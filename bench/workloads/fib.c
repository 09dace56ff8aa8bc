/* SPDX-License-Identifier: MIT */
/* fib.c - Fibonacci numbers, a fiber and a channel for each call. */
#include "workload.h"

struct call {
        fib_channel *result;
        long n;
};

static void *fibonacci(void *arg)
{
        struct call *call = arg;
        fib_channel *results;
        intptr_t sum;

        if (call->n < 2) {
                fib_put(call->result, fib_num(call->n));
                return NULL;
        }
        results = new_channel();
        struct call one = { results, call->n - 1 };
        struct call two = { results, call->n - 2 };

        spawn(fibonacci, &one);
        spawn(fibonacci, &two);
        sum = fib_get(results).num;
        sum += fib_get(results).num;
        fib_channel_unref(results);
        fib_put(call->result, fib_num(sum));
        return NULL;
}

static intptr_t plainly(long n)
{
        intptr_t a = 0, b = 1;

        for (; n > 0; n--) {
                intptr_t sum = a + b;

                a = b;
                b = sum;
        }
        return a;
}

static void run(long count)
{
        struct call call = { new_channel(), count };

        spawn(fibonacci, &call);
        expect(fib_get(call.result).num == plainly(count), "a wrong result");
        fib_channel_unref(call.result);
}

const struct workload workload = { .count = 24, .run = run };
