/* SPDX-License-Identifier: MIT */
/* timers.h - a scheduler's timers: a wheel, and a lock because others cancel too.
 *
 * A fiber that may migrate takes its timer back from wherever it is then; so any thread may add
 * and cancel.  Only the scheduler's own thread fires. */
#ifndef SCHED_TIMERS_H
#define SCHED_TIMERS_H

#include <stdatomic.h>
#include "base/biased-lock.h"
#include "base/wheel.h"

struct timers {
        struct biased_lock lock;
        struct wheel wheel;        /* under the lock */
        atomic_int_least64_t next; /* not after the first; written under the lock, read by anyone */
};

/* The caller's; it lies still from timers_add() until it was fired or timers_cancel() returned. */
struct timer {
        struct wheel_timer wheel;

        /* Asked under the lock when it expires: does it still matter?  Whoever says no cancels
         * it later, and may do so at once.  NULL: it does.  It must not block. */
        bool (*admit)(struct timer *timer);

        /* Called after that, without the lock; the timer is out of the wheel. */
        void (*fire)(struct timer *timer);
};

void timers_init(struct timers *timers);

/* Here and below, `seat` is the calling thread's (base/biased-lock.h).
 * Return: whether it is now the first to expire, so that a sleeping scheduler must be woken. */
bool timers_add(struct timers *timers, unsigned seat, struct timer *timer, int64_t expiry);

void timers_cancel(struct timers *timers, unsigned seat, struct timer *timer);

/* When the first one expires, or before that if an earlier one was cancelled: whoever is about to
 * sleep until then calls timers_update().  CLOCK_NEVER if there is none. */
static inline int64_t timers_next(struct timers *timers)
{
        return atomic_load_explicit(&timers->next, memory_order_relaxed);
}

void timers_update(struct timers *timers, unsigned seat);

/* Fires what has expired by `now`. */
void timers_fire(struct timers *timers, unsigned seat, int64_t now);

#endif
