/* SPDX-License-Identifier: MIT */
/* bench.c - what the library's basic steps cost, in nanoseconds: the median of five runs, with
 * the fastest and the slowest.
 *
 *         bench [NAME...]         those whose name contains one of these; none: all */
#include <fibers.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUNS 5

struct bench {
        const char *name;
        unsigned workers;
        long rounds;
        long steps; /* that a round counts as */
        fib_fn *fn; /* runs `rounds` rounds as the first fiber */
};

static const struct bench *current;
static fib_channel *ping, *pong;

static void check(int r)
{
        if (r >= 0)
                return;
        fprintf(stderr, "bench: %s: %s\n", current->name, strerror(-r));
        exit(1);
}

/* Spawns, with a name so that a failure can be told. */
static fib_fiber *spawn(fib_fn *fn, bool elsewhere)
{
        fib_spawn_options options = { .scheduler = fib_scheduler_current() };
        fib_scheduler *peer;
        fib_fiber *fiber;

        if (elsewhere && fib_scheduler_remote_peers(options.scheduler, &peer, 1) > 0)
                options.scheduler = peer;
        check(fib_spawn_with(&options, fn, NULL, &fiber));
        return fiber;
}

static void join(fib_fiber *fiber)
{
        check(fib_join(fiber, NULL));
        fib_fiber_unref(fiber);
}

static void *yield_often(void *arg)
{
        for (long i = 0; i < current->rounds; i++)
                fib_yield();
        return NULL;
}

static void *bench_yield(void *arg)
{
        fib_fiber *other = spawn(yield_often, false);

        yield_often(NULL);
        join(other);
        return NULL;
}

static void *answer(void *arg)
{
        for (long i = 0; i < current->rounds; i++)
                fib_put(pong, fib_get(ping));
        return NULL;
}

static void *round_trips(bool elsewhere)
{
        fib_fiber *other = spawn(answer, elsewhere);

        for (long i = 0; i < current->rounds; i++) {
                fib_put(ping, fib_num(i));
                if (fib_get(pong).num != i)
                        abort();
        }
        join(other);
        return NULL;
}

static void *bench_round_trip(void *arg)
{
        return round_trips(false);
}

static void *bench_round_trip_across(void *arg)
{
        return round_trips(true);
}

static void *nothing(void *arg)
{
        return NULL;
}

static void *bench_spawn(void *arg)
{
        for (long i = 0; i < current->rounds; i++)
                check(fib_spawn(nothing, NULL));
        /* Fibers begin in the order of their spawning, so this one is the last. */
        join(spawn(nothing, false));
        return NULL;
}

static fib_channel *channels[8];

static void *produce(void *arg)
{
        for (;;)
                fib_put(arg, fib_num(1));
        return NULL;
}

static void *bench_choice(void *arg)
{
        fib_op *gets[8];
        fib_op *choice;

        for (int i = 0; i < 8; i++) {
                gets[i] = fib_get_op(channels[i]);
                check(fib_spawn(produce, channels[i]));
        }
        choice = fib_choice_n(gets, 8);
        for (long i = 0; i < current->rounds; i++)
                check(fib_perform(fib_op_ref(choice), NULL));
        fib_op_unref(choice);
        return NULL;
}

static void *bench_get_or_timeout(void *arg)
{
        fib_op *choice = fib_choice(fib_get_op(channels[0]), fib_sleep_op(FIB_SECOND));

        check(fib_spawn(produce, channels[0]));
        for (long i = 0; i < current->rounds; i++)
                check(fib_perform(fib_op_ref(choice), NULL));
        fib_op_unref(choice);
        return NULL;
}

static const struct bench benches[] = {
        { "yield (a switch)", 1, 2000000, 2, bench_yield },
        { "channel round trip, one scheduler", 1, 1000000, 1, bench_round_trip },
        { "channel round trip, across two", 2, 20000, 1, bench_round_trip_across },
        { "spawn to finish, 1 worker", 1, 1000000, 1, bench_spawn },
        { "spawn to finish, 2 workers", 2, 1000000, 1, bench_spawn },
        { "choice of 8, all ready", 1, 1000000, 1, bench_choice },
        { "get or 1 s", 1, 1000000, 1, bench_get_or_timeout },
};

static int compare(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

static void *timed(void *ret_ns)
{
        int64_t begin = fib_now();

        current->fn(NULL);
        *(double *)ret_ns = (double)(fib_now() - begin) /
                            (double)(current->rounds * current->steps);
        return NULL;
}

static void measure(const struct bench *bench)
{
        fib_run_options options = { .parallelism = bench->workers };
        double ns[RUNS];

        current = bench;
        for (int i = 0; i < RUNS; i++)
                check(fib_run(timed, &ns[i], &options, NULL));
        qsort(ns, RUNS, sizeof(ns[0]), compare);
        printf("%-34s %10.1f ns   (%.1f - %.1f)\n", bench->name, ns[RUNS / 2], ns[0], ns[RUNS - 1]);
        fflush(stdout);
}

static bool is_wanted(const char *name, int argc, char *argv[])
{
        for (int i = 1; i < argc; i++) {
                if (strstr(name, argv[i]))
                        return true;
        }
        return argc == 1;
}

int main(int argc, char *argv[])
{
        ping = fib_channel_new();
        pong = fib_channel_new();
        for (int i = 0; i < 8; i++)
                channels[i] = fib_channel_new();
        for (size_t i = 0; i < sizeof(benches) / sizeof(benches[0]); i++) {
                if (is_wanted(benches[i].name, argc, argv))
                        measure(&benches[i]);
        }
        for (int i = 0; i < 8; i++)
                fib_channel_unref(channels[i]);
        fib_channel_unref(pong);
        fib_channel_unref(ping);
        return 0;
}
