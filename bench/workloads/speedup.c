/* SPDX-License-Identifier: MIT */
/* speedup.c - computing fibers share the processors. */
#include "workload.h"
#include <stdint.h>

#define STEPS 15000000 /* about 20 ms */

static uint64_t results[64];

static void *compute(void *arg)
{
        uint64_t x = 1;

        for (long i = 0; i < STEPS; i++)
                x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
        *(uint64_t *)arg = x;
        return NULL;
}

static void run(long count)
{
        fib_fiber *fibers[64];

        for (int i = 0; i < 64; i++)
                fibers[i] = spawn_joinable(compute, &results[i]);
        for (int i = 0; i < 64; i++) {
                join(fibers[i]);
                expect(results[i] == results[0], "a wrong result");
        }
}

const struct workload workload = { .count = 1, .run = run };
