/* SPDX-License-Identifier: MIT */
/* mutex.c - eight fibers and one lock. */
#include "workload.h"

#define FIBERS 8

static fib_mutex *mutex;
static long counter;

static void *count_up(void *arg)
{
        for (long i = 0; i < *(long *)arg / FIBERS; i++) {
                fib_mutex_lock(mutex);
                counter++;
                fib_mutex_unlock(mutex);
        }
        return NULL;
}

static void run(long count)
{
        fib_fiber *fibers[FIBERS];

        mutex = fib_mutex_new();
        expect(mutex, "no memory");
        for (int i = 0; i < FIBERS; i++)
                fibers[i] = spawn_joinable(count_up, &count);
        for (int i = 0; i < FIBERS; i++)
                join(fibers[i]);
        expect(counter == count / FIBERS * FIBERS, "a wrong count");
        fib_mutex_unref(mutex);
}

const struct workload workload = { .count = 2000000, .run = run, .steps = once };
