/* SPDX-License-Identifier: MIT */
/* probe.h - an operation that counts what is done to it, and is ready when it is told to be. */
#ifndef TESTS_PROBE_H
#define TESTS_PROBE_H

#include <errno.h>
#include <stdatomic.h>
#include <fibers/operation.h>

enum probe_mode {
        PROBE_NEVER,
        PROBE_AT_TRY,
        PROBE_AT_BLOCK, /* not ready when tried, but when looked at again */
        PROBE_FAILS_AT_TRY,
        PROBE_FAILS_AT_BLOCK,
};

struct probe {
        enum probe_mode mode;
        int value; /* or error */
        atomic_int tries, blocks, cancels, destroys;
        fib_waiter *_Atomic waiter; /* the last that was left, to be committed from outside */
};

static inline int probe_try(void *state, fib_value *ret)
{
        struct probe *probe = *(struct probe **)state;

        atomic_fetch_add(&probe->tries, 1);
        if (probe->mode == PROBE_FAILS_AT_TRY)
                return probe->value;
        if (probe->mode != PROBE_AT_TRY)
                return -EAGAIN;
        *ret = fib_num(probe->value);
        return 0;
}

static inline int probe_block(void *state, fib_waiter *waiter)
{
        struct probe *probe = *(struct probe **)state;

        atomic_fetch_add(&probe->blocks, 1);
        if (probe->mode == PROBE_FAILS_AT_BLOCK)
                return probe->value;
        if (probe->mode == PROBE_AT_BLOCK)
                fib_waiter_commit(waiter, fib_num(probe->value));
        else
                atomic_store(&probe->waiter, waiter);
        return 0;
}

static inline void probe_cancel(void *state, fib_waiter *waiter)
{
        struct probe *probe = *(struct probe **)state;

        atomic_fetch_add(&probe->cancels, 1);
        atomic_store(&probe->waiter, NULL);
}

static inline void probe_destroy(void *state)
{
        atomic_fetch_add(&(*(struct probe **)state)->destroys, 1);
}

static inline fib_op *probe_op(struct probe *probe)
{
        static const fib_op_class probe_class = {
                .state_size = sizeof(struct probe *),
                .try = probe_try,
                .block = probe_block,
                .cancel = probe_cancel,
                .destroy = probe_destroy,
                .name = "probe",
        };

        return fib_op_new(&probe_class, &probe);
}

#endif
