/* SPDX-License-Identifier: MIT */
#include "sched/timers.h"
#include "platform/clock.h"

/* How many timers fire between two releases of the lock. */
#define BATCH 64

/* A timer after that would look like none: CLOCK_NEVER. */
#define LAST_EXPIRY (CLOCK_NEVER - (4 << WHEEL_TICK_BITS))

void timers_init(struct timers *timers)
{
        atomic_init(&timers->lock.held, 0);
        wheel_init(&timers->wheel, clock_now());
        atomic_init(&timers->next, CLOCK_NEVER);
}

/* Under the lock.  Relaxed: who needs the newest value looks again after having said that it
 * sleeps, and is woken by whoever adds an earlier one. */
static void update_next(struct timers *timers)
{
        atomic_store_explicit(&timers->next, wheel_next(&timers->wheel), memory_order_relaxed);
}

bool timers_add(struct timers *timers, struct timer *timer, int64_t expiry)
{
        int64_t before, after;

        if (expiry > LAST_EXPIRY)
                expiry = LAST_EXPIRY;
        spinlock_acquire(&timers->lock);
        before = timers_next(timers);
        wheel_insert(&timers->wheel, &timer->wheel, expiry);
        update_next(timers);
        after = timers_next(timers);
        spinlock_release(&timers->lock);
        return after < before;
}

void timers_cancel(struct timers *timers, struct timer *timer)
{
        spinlock_acquire(&timers->lock);
        if (wheel_cancel(&timers->wheel, &timer->wheel))
                update_next(timers);
        spinlock_release(&timers->lock);
}

void timers_fire(struct timers *timers, int64_t now)
{
        struct timer *due[BATCH];
        struct wheel_timer *expired;
        size_t n;

        do {
                n = 0;
                spinlock_acquire(&timers->lock);
                wheel_advance(&timers->wheel, now);
                while (n < BATCH && (expired = wheel_pop_expired(&timers->wheel))) {
                        struct timer *timer = container_of(expired, struct timer, wheel);

                        if (!timer->admit || timer->admit(timer))
                                due[n++] = timer;
                }
                update_next(timers);
                spinlock_release(&timers->lock);
                for (size_t i = 0; i < n; i++)
                        due[i]->fire(due[i]);
        } while (n == BATCH);
}
