/* SPDX-License-Identifier: MIT */
/* sieve.c - primes, a fiber for each; Guile Fibers has it too. */
#include "workload.h"
#include <stdlib.h>

static void *count_up(void *arg)
{
        for (intptr_t n = 2;; n++)
                fib_put(arg, fib_num(n));
        return NULL;
}

struct filter {
        fib_channel *in, *out;
        intptr_t prime;
};

static void *filter(void *arg)
{
        struct filter *filter = arg;

        for (;;) {
                fib_value n = fib_get(filter->in);

                if (n.num % filter->prime != 0)
                        fib_put(filter->out, n);
        }
        return NULL;
}

static bool is_prime(intptr_t n)
{
        for (intptr_t i = 2; i * i <= n; i++) {
                if (n % i == 0)
                        return false;
        }
        return true;
}

/* The filters never end: the run's end drops them. */
static void run(long count)
{
        struct filter *filters = allocate((size_t)count, sizeof(filters[0]));
        fib_channel *numbers = new_channel();
        intptr_t prime = 0;

        spawn(count_up, numbers);
        for (long i = 0; i < count; i++) {
                prime = fib_get(numbers).num;
                filters[i] = (struct filter){ numbers, new_channel(), prime };
                spawn(filter, &filters[i]);
                numbers = filters[i].out;
        }
        expect(is_prime(prime) && (count != 2000 || prime == 17389), "a wrong prime");
}

const struct workload workload = { .count = 2000, .run = run };
