/* SPDX-License-Identifier: MIT */
/* spinlock.h - a lock for a few dozen instructions.
 *
 * Nothing is allocated, no callback is called and no other lock is taken while one is held; so
 * who waits for it waits for the holder's few instructions, or for the kernel to run the holder
 * again: after a while the waiter gives up its processor for that.  The uncontended cost is one
 * atomic exchange; the release is a plain store. */
#ifndef BASE_SPINLOCK_H
#define BASE_SPINLOCK_H

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include "platform/compiler.h"

struct spinlock {
        atomic_uint held;
};

/* One round of waiting for another thread's few instructions. */
static inline void spin(unsigned *rounds)
{
        if (++*rounds % 128)
                cpu_relax();
        else
                sched_yield();
}

static inline bool spinlock_try(struct spinlock *lock)
{
        /* Pairs with the store in spinlock_release. */
        return !atomic_exchange_explicit(&lock->held, 1, memory_order_acquire);
}

static inline void spinlock_acquire(struct spinlock *lock)
{
        unsigned rounds = 0;

        while (unlikely(!spinlock_try(lock))) {
                while (atomic_load_explicit(&lock->held, memory_order_relaxed))
                        spin(&rounds);
        }
}

static inline void spinlock_release(struct spinlock *lock)
{
        /* Pairs with the exchange in spinlock_try. */
        atomic_store_explicit(&lock->held, 0, memory_order_release);
}

#endif
