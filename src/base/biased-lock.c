/* SPDX-License-Identifier: MIT */
#include "base/biased-lock.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include "platform/membarrier.h"

#define EARN_FIRST 64
#define EARN_MOST (1u << 14)

struct seat seats[SEATS];

static atomic_uint earn = EARN_FIRST; /* entries in a row that earn a bias; 0: none do */
static pthread_once_t begin_once = PTHREAD_ONCE_INIT;

static void begin(void)
{
        if (!membarrier_begin())
                atomic_store_explicit(&earn, 0, memory_order_relaxed);
}

unsigned seat_take(void)
{
        pthread_once(&begin_once, begin);
        if (!atomic_load_explicit(&earn, memory_order_relaxed))
                return 0;
        for (unsigned i = 1; i < SEATS; i++) {
                /* Pairs with the store in seat_give: what the locks guard. */
                if (!atomic_load_explicit(&seats[i].taken, memory_order_relaxed) &&
                    !atomic_exchange_explicit(&seats[i].taken, true, memory_order_acquire))
                        return i;
        }
        return 0;
}

void seat_give(unsigned seat)
{
        if (seat)
                atomic_store_explicit(&seats[seat].taken, false, memory_order_release);
}

/* Takes the lock, whose `held` the caller has, away from its owner. */
static void evict(struct biased_lock *lock, unsigned owner)
{
        unsigned rounds = 0;
        unsigned most = atomic_load_explicit(&earn, memory_order_relaxed);

        if (most < EARN_MOST)
                atomic_store_explicit(&earn, 4 * most, memory_order_relaxed);
        /* Pairs with the load in biased_lock_enter. */
        atomic_store_explicit(&lock->seat, 0, memory_order_seq_cst);
        while (!membarrier_everywhere()) {
                if (errno != ENOMEM) {
                        /* The owner cannot be excluded, and may be inside. */
                        fputs("fibers: membarrier(2) fails, though it worked when the run began\n",
                              stderr);
                        abort();
                }
                spin(&rounds);
        }
        /* Pairs with the stores in biased_lock_enter and biased_lock_leave. */
        while (atomic_load_explicit(&seats[owner].inside, memory_order_acquire) == lock)
                spin(&rounds);
}

void biased_lock_take(struct biased_lock *lock, unsigned seat)
{
        unsigned owner, needed;

        spinlock_acquire(&lock->held);
        owner = atomic_load_explicit(&lock->seat, memory_order_relaxed);
        if (unlikely(owner))
                evict(lock, owner);
        if (lock->last != seat) {
                lock->last = (uint16_t)seat;
                lock->streak = 0;
                return;
        }
        needed = atomic_load_explicit(&earn, memory_order_relaxed);
        if (seat && ++lock->streak >= needed) {
                lock->streak = 0;
                if (needed > EARN_FIRST)
                        atomic_store_explicit(&earn, needed / 2, memory_order_relaxed);
                /* Ours from the next entry on.  Others must take `held` first, which we have. */
                atomic_store_explicit(&lock->seat, (uint16_t)seat, memory_order_relaxed);
        }
}
