/* SPDX-License-Identifier: MIT */
/* biased-lock.h - a spin lock that costs no atomic operation while only one thread takes it.
 *
 * A thread that has a seat may come to own a lock: after it has taken it many times with no other
 * in between, the lock is biased to that seat.  From then on the owner enters by saying so:
 *
 *   owner    inside = lock;          if (lock->seat == mine)  ... inside = NULL;
 *   other    take `held`;            lock->seat = none; fence everywhere;
 *                                    wait while owner's inside == lock; ...
 *
 * The owner's store and load are kept in order by the compiler only; the fence that both sides
 * need between the two is the other's system call (D. Dice, M. Moir and W. Scherer, "Quickly
 * Reacquirable Locks", 2003, with membarrier(2)).  So either the owner sees that the lock is no
 * longer its own, or the other sees the owner inside and waits for it.
 *
 * A bias that is lost has cost two microseconds, as much as 400 entries save.  So the number of
 * entries in a row that earn one, 64 at first, grows by four each time that any is lost, up to
 * 16,384, and is halved each time that one is earned: where locks keep changing hands, losses come
 * to a tenth of a nanosecond for each entry.
 *
 * As with a spinlock: nothing is allocated or called back, and no other lock is taken, while one
 * is held. */
#ifndef BASE_BIASED_LOCK_H
#define BASE_BIASED_LOCK_H

#include <stdalign.h>
#include <stdint.h>
#include "base/spinlock.h"

#define SEATS 256 /* threads beyond that have none */

/* What a thread that may own locks shows of itself.  Seat 0 is nobody's.  A seat that is given up
 * may be taken by another thread, which then owns the locks that were biased to it. */
struct seat {
        alignas(CACHE_LINE) _Atomic(void *) inside; /* the lock that its thread is in by bias */
        atomic_bool taken;
};

extern HIDDEN struct seat seats[SEATS];

struct biased_lock {
        struct spinlock held;       /* by whoever is not its owner */
        atomic_uint_least16_t seat; /* the owner's; 0: none.  Changed under `held` */
        uint16_t last;              /* seat that took `held` last; under it */
        uint32_t streak;            /* how many times in a row; under it */
};

/* Takes a seat for the calling thread.  Return: its number; 0: none is to be had. */
unsigned seat_take(void);

/* Gives it up; the thread is in no lock. */
void seat_give(unsigned seat);

/* Enters a lock that is biased to the caller's seat, which may be 0.  Return: false: it is not. */
static ALWAYS_INLINE bool biased_lock_enter(struct biased_lock *lock, unsigned seat)
{
        if (unlikely(!seat))
                return false;
        atomic_store_explicit(&seats[seat].inside, lock, memory_order_release);
        /* Between the two, everybody's fence in evict().  The load is an acquire since what the
         * lock guards is read after it. */
        atomic_signal_fence(memory_order_seq_cst);
        if (likely(atomic_load_explicit(&lock->seat, memory_order_acquire) == seat))
                return true;
        atomic_store_explicit(&seats[seat].inside, NULL, memory_order_release);
        return false;
}

static ALWAYS_INLINE void biased_lock_leave(unsigned seat)
{
        /* Pairs with the load in evict(). */
        atomic_store_explicit(&seats[seat].inside, NULL, memory_order_release);
}

/* Takes a lock that biased_lock_enter() did not enter, and releases it. */
void biased_lock_take(struct biased_lock *lock, unsigned seat);

static inline void biased_lock_put(struct biased_lock *lock)
{
        spinlock_release(&lock->held);
}

/* Whichever it is.  Return: whether it was entered, for the release. */
static inline bool biased_lock_acquire(struct biased_lock *lock, unsigned seat)
{
        if (biased_lock_enter(lock, seat))
                return true;
        biased_lock_take(lock, seat);
        return false;
}

static inline void biased_lock_release(struct biased_lock *lock, unsigned seat, bool entered)
{
        if (entered)
                biased_lock_leave(seat);
        else
                biased_lock_put(lock);
}

static inline void biased_lock_init(struct biased_lock *lock)
{
        atomic_init(&lock->held.held, 0);
        atomic_init(&lock->seat, 0);
        lock->last = 0;
        lock->streak = 0;
}

#endif
