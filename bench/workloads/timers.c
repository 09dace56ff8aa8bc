/* SPDX-License-Identifier: MIT */
/* timers.c - how late fibers wake. */
#include "workload.h"
#include <stdio.h>
#include <stdlib.h>

#define SLEEPS 20

struct sleeper {
        unsigned seed;
        int64_t late[SLEEPS];
};

static struct sleeper *sleepers;

static void *sleep_often(void *arg)
{
        struct sleeper *self = arg;

        for (int i = 0; i < SLEEPS; i++) {
                int64_t ns = FIB_MILLISECOND + rand_r(&self->seed) % (99 * FIB_MILLISECOND);
                int64_t due = fib_now() + ns;

                check(fib_sleep(ns));
                self->late[i] = fib_now() - due;
                expect(self->late[i] >= 0, "woken early");
        }
        return NULL;
}

static void run(long count)
{
        sleepers = allocate((size_t)count, sizeof(sleepers[0]));
        for (long i = 0; i < count; i++) {
                sleepers[i].seed = (unsigned)i + 1;
                spawn(sleep_often, &sleepers[i]);
        }
}

static int compare(const void *a, const void *b)
{
        int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

        return (x > y) - (x < y);
}

static void print(long count)
{
        size_t n = (size_t)count * SLEEPS;
        int64_t *late = allocate(n, sizeof(late[0]));
        const int64_t *half, *last_percent;

        for (size_t i = 0; i < n; i++)
                late[i] = sleepers[i / SLEEPS].late[i % SLEEPS];
        qsort(late, n, sizeof(late[0]), compare);
        half = &late[n / 2];
        last_percent = &late[n * 99 / 100];
        printf("%.1f %.1f\n", (double)*half / 1e3, (double)*last_percent / 1e3);
        free(late);
        free(sleepers);
}

const struct workload workload = { .count = 1000, .drain = true, .run = run, .print = print };
