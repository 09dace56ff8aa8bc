/* SPDX-License-Identifier: MIT */
/* diagonal.c - of Guile Fibers: fan out, compute, and add up. */
#include "workload.h"
#include <math.h>

#define MESSAGES 20000

static long dimensions;
static fib_channel **dims, **squares;
static fib_channel *integers, *sums, *lengths;

static void *count_up(void *arg)
{
        for (intptr_t n = 0;; n++)
                fib_put(integers, fib_num(n));
        return NULL;
}

static void *broadcast(void *arg)
{
        for (;;) {
                fib_value n = fib_get(integers);

                for (long i = 0; i < dimensions; i++)
                        fib_put(dims[i], n);
        }
        return NULL;
}

static void *square(void *arg)
{
        long i = (fib_channel **)arg - dims;

        for (;;) {
                intptr_t x = fib_get(dims[i]).num;

                fib_put(squares[i], fib_num(x * x));
        }
        return NULL;
}

static void *add_up(void *arg)
{
        for (;;) {
                intptr_t sum = 0;

                for (long i = 0; i < dimensions; i++)
                        sum += fib_get(squares[i]).num;
                fib_put(sums, fib_num(sum));
        }
        return NULL;
}

static void *take_root(void *arg)
{
        for (;;)
                fib_put(lengths, fib_num((intptr_t)sqrt((double)fib_get(sums).num)));
        return NULL;
}

static void run(long count)
{
        dimensions = count;
        dims = allocate((size_t)count, sizeof(fib_channel *));
        squares = allocate((size_t)count, sizeof(fib_channel *));
        integers = new_channel();
        sums = new_channel();
        lengths = new_channel();
        for (long i = 0; i < count; i++) {
                dims[i] = new_channel();
                squares[i] = new_channel();
                spawn(square, &dims[i]);
        }
        spawn(count_up, NULL);
        spawn(broadcast, NULL);
        spawn(add_up, NULL);
        spawn(take_root, NULL);
        for (long i = 0; i < MESSAGES; i++)
                expect(fib_get(lengths).num == (intptr_t)sqrt((double)(count * i * i)),
                       "a wrong length");
}

const struct workload workload = { .count = 10, .run = run };
