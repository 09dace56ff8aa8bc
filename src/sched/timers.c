/* SPDX-License-Identifier: MIT */
#include "sched/timers.h"
#include "platform/clock.h"

/* How many timers fire between two releases of the lock. */
#define BATCH 64

/* A timer after that would look like none: CLOCK_NEVER. */
#define LAST_EXPIRY (CLOCK_NEVER - (4 << WHEEL_TICK_BITS))

void timers_init(struct timers *timers)
{
        biased_lock_init(&timers->lock);
        wheel_init(&timers->wheel, clock_now());
        atomic_init(&timers->next, CLOCK_NEVER);
}

/* Under the lock.  Relaxed: who needs the newest value looks again after having said that it
 * sleeps, and is woken by whoever adds an earlier one. */
static void set_next(struct timers *timers, int64_t next)
{
        atomic_store_explicit(&timers->next, next, memory_order_relaxed);
}

bool timers_add(struct timers *timers, unsigned seat, struct timer *timer, int64_t expiry)
{
        bool entered = biased_lock_acquire(&timers->lock, seat);
        bool first;

        if (expiry > LAST_EXPIRY)
                expiry = LAST_EXPIRY;
        wheel_insert(&timers->wheel, &timer->wheel, expiry);
        first = expiry < timers_next(timers);
        if (first)
                set_next(timers, expiry);
        biased_lock_release(&timers->lock, seat, entered);
        return first;
}

void timers_cancel(struct timers *timers, unsigned seat, struct timer *timer)
{
        bool entered = biased_lock_acquire(&timers->lock, seat);

        if (wheel_cancel(&timers->wheel, &timer->wheel) && timers->wheel.count == 0)
                set_next(timers, CLOCK_NEVER);
        biased_lock_release(&timers->lock, seat, entered);
}

void timers_update(struct timers *timers, unsigned seat)
{
        bool entered;

        if (timers_next(timers) == CLOCK_NEVER)
                return;
        entered = biased_lock_acquire(&timers->lock, seat);
        set_next(timers, wheel_next(&timers->wheel));
        biased_lock_release(&timers->lock, seat, entered);
}

void timers_fire(struct timers *timers, unsigned seat, int64_t now)
{
        struct timer *due[BATCH];
        struct wheel_timer *expired;
        bool entered;
        size_t n;

        do {
                n = 0;
                entered = biased_lock_acquire(&timers->lock, seat);
                wheel_advance(&timers->wheel, now);
                while (n < BATCH && (expired = wheel_pop_expired(&timers->wheel))) {
                        struct timer *timer = container_of(expired, struct timer, wheel);

                        if (!timer->admit || timer->admit(timer))
                                due[n++] = timer;
                }
                set_next(timers, wheel_next(&timers->wheel));
                biased_lock_release(&timers->lock, seat, entered);
                for (size_t i = 0; i < n; i++)
                        due[i]->fire(due[i]);
        } while (n == BATCH);
}
