/* SPDX-License-Identifier: MIT */
/* delay.h - short random delays, and an operation that puts them between try and publish. */
#ifndef TESTS_STRESS_DELAY_H
#define TESTS_STRESS_DELAY_H

#include <errno.h>
#include <sched.h>
#include <fibers/operation.h>

/* xorshift64, one for each thread. */
static inline uint64_t random_word(void)
{
        static _Thread_local uint64_t state;

        if (!state)
                state = (uintptr_t)&state | 1;
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return state >> 16;
}

/* Mostly nothing to half a microsecond; sometimes the kernel runs another thread. */
static inline void random_delay(void)
{
        uint64_t random = random_word();

        if (random % 1024 == 0)
                sched_yield();
        for (volatile unsigned spins = (random >> 10) % 256; spins > 0;)
                spins = spins - 1;
}

static inline int delay_try(void *state, fib_value *ret)
{
        random_delay();
        return -EAGAIN;
}

static inline int delay_block(void *state, fib_waiter *waiter)
{
        random_delay();
        return 0;
}

/* Never ready, and slow to say so: as an arm among others, it makes the gap between the try of
 * one and its publication, and between the publications of two, wide enough to fall into. */
static inline fib_op *delay_op(void)
{
        static const fib_op_class delay_class = {
                .try = delay_try,
                .block = delay_block,
                .name = "delay",
        };

        return fib_op_new(&delay_class, NULL);
}

#endif
