/* SPDX-License-Identifier: MIT */
/* workload.c - PROGRAM WORKERS [COUNT] runs one workload once, and prints its figures. */
#include "workload.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CANNOT 77

static long count;
static int64_t begin, end; /* end: 0: with the run */

void begin_time(void)
{
        begin = fib_now();
}

void end_time(void)
{
        end = fib_now();
}

void cannot(const char *why)
{
        fprintf(stderr, "%s\n", why);
        exit(CANNOT);
}

double once(long n)
{
        return (double)n;
}

double twice(long n)
{
        return 2.0 * (double)n;
}

void check(int r)
{
        if (r < 0)
                expect(false, strerror(-r));
}

void expect(bool right, const char *what)
{
        if (right)
                return;
        fprintf(stderr, "%s\n", what);
        exit(1);
}

void spawn(fib_fn *fn, void *arg)
{
        check(fib_spawn(fn, arg));
}

static fib_fiber *spawn_on(fib_scheduler *scheduler, fib_fn *fn, void *arg)
{
        fib_spawn_options options = { .scheduler = scheduler };
        fib_fiber *fiber;

        check(fib_spawn_with(&options, fn, arg, &fiber));
        return fiber;
}

fib_fiber *spawn_joinable(fib_fn *fn, void *arg)
{
        return spawn_on(NULL, fn, arg);
}

fib_fiber *spawn_elsewhere(fib_fn *fn, void *arg)
{
        fib_scheduler *peer;

        expect(fib_scheduler_remote_peers(fib_scheduler_current(), &peer, 1) > 0,
               "no other worker");
        return spawn_on(peer, fn, arg);
}

void join(fib_fiber *fiber)
{
        check(fib_join(fiber, NULL));
        fib_fiber_unref(fiber);
}

fib_channel *new_channel(void)
{
        fib_channel *channel = fib_channel_new();

        expect(channel, "no memory");
        return channel;
}

void *allocate(size_t n, size_t size)
{
        void *memory = calloc(n, size);

        expect(memory, "no memory");
        return memory;
}

/* With FIBERS_BENCH_STATS: what the schedulers did meanwhile, on stderr. */
static void print_stats(void)
{
        fib_scheduler *schedulers[64];
        size_t n = fib_scheduler_remote_peers(fib_scheduler_current(), schedulers, 64);
        fib_stats sum, one;

        fib_scheduler_stats(fib_scheduler_current(), &sum);
        for (size_t i = 0; i < n && i < 64; i++) {
                fib_scheduler_stats(schedulers[i], &one);
                sum.polls += one.polls;
                sum.sleeps += one.sleeps;
                sum.wakes += one.wakes;
                sum.steals += one.steals;
                sum.stolen += one.stolen;
                sum.failed_steals += one.failed_steals;
        }
        fprintf(stderr, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
                sum.polls, sum.sleeps, sum.wakes, sum.steals, sum.stolen, sum.failed_steals);
}

static void *first(void *arg)
{
        workload.run(count);
        if (getenv("FIBERS_BENCH_STATS"))
                print_stats();
        return NULL;
}

int main(int argc, char *argv[])
{
        fib_run_options options = { .drain = workload.drain };
        int64_t ns;

        if (argc < 2) {
                fprintf(stderr, "usage: %s WORKERS [COUNT]\n", argv[0]);
                return 2;
        }
        options.parallelism = (unsigned)atoi(argv[1]);
        count = argc > 2 ? atol(argv[2]) : workload.count;
        if (options.parallelism < 1 || count < 1) {
                fprintf(stderr, "%s: WORKERS and COUNT are 1 or more\n", argv[0]);
                return 2;
        }
        if (options.parallelism < workload.workers)
                cannot("for more workers");
        begin_time();
        check(fib_run(first, NULL, &options, NULL));
        ns = (end ? end : fib_now()) - begin;
        if (workload.print)
                workload.print(count);
        else if (workload.steps)
                printf("%.2f\n", (double)ns / workload.steps(count));
        else
                printf("%.2f\n", (double)ns / 1e6);
        return 0;
}
