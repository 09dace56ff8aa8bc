/* The benchmark program of State Threads: which workloads it has.
 * SPDX-License-Identifier: MIT */
#include "bench.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

long count;

void check(bool ok, const char *what)
{
        if (ok)
                return;
        fprintf(stderr, "state-threads: %s\n", what);
        _exit(1);
}

double ns_now(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec * 1e9 + now.tv_nsec;
}

void print_each(double begin, double n)
{
        printf("%.1f\n", (ns_now() - begin) / n);
}

void print_ms(double begin)
{
        printf("%.1f\n", (ns_now() - begin) / 1e6);
}

enum { STACK_SIZE = 16384 };

st_thread_t spawn(void *(*fn)(void *), void *arg)
{
        st_thread_t thread = st_thread_create(fn, arg, true, STACK_SIZE);

        check(thread, "no thread");
        return thread;
}

void spawn_detached(void *(*fn)(void *), void *arg)
{
        check(st_thread_create(fn, arg, false, STACK_SIZE), "no thread");
}

void join(st_thread_t thread)
{
        check(st_thread_join(thread, NULL) == 0, "no join");
}

static const struct workload {
        const char *name;
        long count;
        void (*run)(void);
} workloads[] = {
        { "pingpong", 1000000, pingpong }, { "spawn", 1000000, spawning },
        { "ring", 2000000, ring },         { "skynet", 1000000, skynet },
        { "sieve", 2000, sieve },          { "select-timeout", 1000000, select_timeout },
        { "yield", 2000000, yield },       { "fib", 24, fib },
        { "mutex", 2000000, mutex },       { "timers", 1000, timers },
        { "sleepers", 1000000, sleepers }, { "idle", 1000000, idle },
        { "speedup", 0, speedup },         { "chain", 100, chain },
        { "diagonal", 10, diagonal },      { "fan-out", 100, fan_out },
        { "ping-pong", 100, ping_pong },
};

int main(int argc, char *argv[])
{
        const size_t n = sizeof(workloads) / sizeof(workloads[0]);

        if (argc == 2 && !strcmp(argv[1], "list")) {
                for (size_t i = 0; i < n; i++)
                        printf("%s 1\n", workloads[i].name);
                return 0;
        }
        if (argc < 3) {
                fprintf(stderr, "usage: %s WORKLOAD WORKERS [COUNT]\n", argv[0]);
                return 2;
        }
        for (size_t i = 0; i < n; i++) {
                if (strcmp(workloads[i].name, argv[1]) || atol(argv[2]) != 1)
                        continue;
                count = argc > 3 ? atol(argv[3]) : workloads[i].count;
                st_set_eventsys(ST_EVENTSYS_POLL); /* the fastest here; see its reference */
                check(st_init() == 0, "cannot begin");
                workloads[i].run();
                return 0;
        }
        fprintf(stderr, "state-threads: no %s with %s workers\n", argv[1], argv[2]);
        return 77;
}
