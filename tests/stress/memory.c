/* SPDX-License-Identifier: MIT */
/* memory.c - what a million fibers took is given back while the run goes on. */
#include <fibers.h>
#include "tests/harness.h"

#define MEGABYTE ((size_t)1 << 20)

static unsigned long fibers;
static atomic_ulong ended;

static void *sleep_for_a_while(void *arg)
{
        fib_sleep(FIB_SECOND);
        ended++;
        return NULL;
}

static void *reach_a_peak(void *arg)
{
        const size_t before = resident_bytes();
        size_t peak;

        for (unsigned long i = 0; i < fibers; i++)
                ck_assert_int_eq(fib_spawn(sleep_for_a_while, NULL), 0);
        fib_sleep(FIB_SECOND / 2);
        peak = resident_bytes();
        while (ended < fibers)
                fib_sleep(10 * FIB_MILLISECOND);
        ck_assert_uint_gt(peak, before + 2 * fibers * 1024);
        for (int i = 0; resident_bytes() > before + 64 * MEGABYTE; i++) {
                ck_assert_int_lt(i, 500); /* 5 seconds */
                fib_sleep(10 * FIB_MILLISECOND);
        }
        return NULL;
}

TEST_WORKERS(the_memory_of_a_peak_is_given_back)
{
        if (slowness() > 1)
                test_skip("a sanitizer keeps memory");
        fibers = 1000000;
        run_fibers(workers, reach_a_peak, NULL);
}

TESTS_WITHIN(120, "stress memory", the_memory_of_a_peak_is_given_back)
