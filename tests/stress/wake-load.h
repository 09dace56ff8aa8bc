/* SPDX-License-Identifier: MIT */
/* wake-load.h - workers that fall asleep and are woken, at every distance in time. */
#ifndef TESTS_STRESS_WAKE_LOAD_H
#define TESTS_STRESS_WAKE_LOAD_H

#include <fibers.h>
#include "tests/harness.h"
#include "tests/stress/delay.h"

/* Pairs on different workers that wait for each other's every step.  Pauses are mostly about as
 * long as a worker watches its inbox before it sleeps, where a wake-up would be lost.  There is
 * no timer: a lost one hangs the run until its time limit, or is a deadlock. */
struct wake_pair {
        fib_channel *to, *back;
        unsigned long count;
};

static inline void wake_pause(void)
{
        uint64_t random = random_word();
        int64_t end;

        if (random % 4)
                return;
        end = fib_now() + (int64_t)(random / 4 % 16 ? random / 64 % 5000 : random / 64 % 60000);
        while (fib_now() < end)
                continue;
}

static inline void *wake_echo(void *arg)
{
        struct wake_pair *pair = arg;

        for (unsigned long i = 0; i < pair->count; i++) {
                fib_value value = fib_get(pair->to);

                wake_pause();
                fib_put(pair->back, value);
        }
        return NULL;
}

static inline void *wake_ask(void *arg)
{
        struct wake_pair *pair = arg;

        for (unsigned long i = 0; i < pair->count; i++) {
                fib_put(pair->to, fib_num((intptr_t)i));
                wake_pause();
                ck_assert_uint_eq((uintptr_t)fib_get(pair->back).num, i);
        }
        return NULL;
}

static inline void *wake_first(void *arg)
{
        fib_scheduler *peers[64];
        size_t n = fib_scheduler_remote_peers(fib_scheduler_current(), peers, 64);
        struct wake_pair pairs[8];
        size_t count = n / 2 < 1 ? 1 : n / 2 > 8 ? 8 : n / 2;
        fib_fiber *fibers[16];

        peers[n] = fib_scheduler_current();
        for (size_t i = 0; i < count; i++) {
                pairs[i] = (struct wake_pair){ fib_channel_new(), fib_channel_new(),
                                               (uintptr_t)arg / count + 1 };
                for (size_t j = 0; j < 2; j++) {
                        fib_spawn_options there = { .scheduler = peers[(2 * i + j) % (n + 1)] };

                        ck_assert_int_eq(fib_spawn_with(&there, j ? wake_echo : wake_ask, &pairs[i],
                                                        &fibers[2 * i + j]),
                                         0);
                }
        }
        for (size_t i = 0; i < 2 * count; i++) {
                ck_assert_int_eq(fib_join(fibers[i], NULL), 0);
                fib_fiber_unref(fibers[i]);
        }
        for (size_t i = 0; i < count; i++) {
                fib_channel_unref(pairs[i].to);
                fib_channel_unref(pairs[i].back);
        }
        return NULL;
}

static inline void wake_load(unsigned workers, unsigned long count)
{
        run_fibers(workers, wake_first, (void *)count);
}

#endif
