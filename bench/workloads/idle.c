/* SPDX-License-Identifier: MIT */
/* idle.c - the memory of fibers that wait. */
#include "workload.h"
#include <stdatomic.h>
#include <stdio.h>

static fib_channel *never_put;
static atomic_long waiting;
static long bytes;

static long resident_bytes(void)
{
        FILE *status = fopen("/proc/self/status", "r");
        char line[256];
        long kilobytes = 0;

        expect(status, "no /proc");
        while (fgets(line, sizeof(line), status)) {
                if (sscanf(line, "VmRSS: %ld", &kilobytes) == 1)
                        break;
        }
        fclose(status);
        return 1024 * kilobytes;
}

static void *wait_forever(void *arg)
{
        waiting++;
        fib_get(never_put);
        return NULL;
}

static void run(long count)
{
        long before = resident_bytes();

        never_put = new_channel();
        for (long i = 0; i < count; i++)
                spawn(wait_forever, NULL);
        while (waiting < count)
                fib_yield();
        fib_sleep(10 * FIB_MILLISECOND); /* until the last one has got to its channel */
        bytes = resident_bytes() - before;
        for (long i = 0; i < count; i++)
                fib_put(never_put, fib_num(0));
        fib_channel_unref(never_put);
}

static void print(long count)
{
        printf("%.1f\n", (double)bytes / (double)count);
}

const struct workload workload = { .count = 1000000, .run = run, .print = print };
