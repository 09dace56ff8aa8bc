/* SPDX-License-Identifier: MIT */
/* commit.h - exactly one arm of a choice happens.
 *
 *   WAITING --claim--> CLAIMED --finish--> SYNCHED
 *      ^------release-----'
 *      '------------- sync --------------> SYNCHED
 *
 * All arms of one perform share one commit.  Whoever moves it to SYNCHED, and no one else, wakes
 * the performer.  After J. Reppy, C. Russo and Y. Xiao, "Parallel Concurrent ML" (ICFP 2009),
 * with ordered claims:
 *
 * To join two performs, claim your own, then sync the other's.  If the other is CLAIMED: the
 * commit at the lower address keeps its claim and tries again; the one at the higher address
 * releases, waits until the other is no longer claimed, and begins anew.  Waits for a claim thus
 * go only from lower to higher addresses, so there is no cycle.  A claim is held for a few
 * instructions, under the lock of one queue, and no lock is waited for meanwhile.
 * (Symmetric back-off livelocks, even under weak fairness: a Spin model showed it.)
 *
 *   SOLO: a perform of one arm, whose commit is guarded by the lock of the one queue it waits
 *   in, and so needs no atomic operation: whoever takes the waiter off the queue has won. */
#ifndef OP_COMMIT_H
#define OP_COMMIT_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/spinlock.h"

enum { COMMIT_WAITING, COMMIT_CLAIMED, COMMIT_SYNCHED, COMMIT_SOLO };

struct commit {
        atomic_uint state;
};

static inline void commit_init(struct commit *commit, unsigned state)
{
        atomic_init(&commit->state, state);
}

static inline unsigned commit_state(struct commit *commit)
{
        return atomic_load_explicit(&commit->state, memory_order_acquire);
}

/* One attempt from WAITING to `to`.  Return: the state found; COMMIT_WAITING: it was done.
 * Acquire and release: what the performer wrote before it published is seen by who syncs it, and
 * the other way round, through the lock of the queue between them. */
static inline unsigned commit_move(struct commit *commit, unsigned to)
{
        unsigned found = COMMIT_WAITING;

        atomic_compare_exchange_strong_explicit(&commit->state, &found, to, memory_order_acq_rel,
                                                memory_order_acquire);
        return found;
}

/* Syncs one that is SOLO, under its queue's lock.  Return: whether it is. */
static inline bool commit_solo(struct commit *commit)
{
        if (atomic_load_explicit(&commit->state, memory_order_relaxed) != COMMIT_SOLO)
                return false;
        /* For perform_abandon(), who has held the queue's lock since. */
        atomic_store_explicit(&commit->state, COMMIT_SYNCHED, memory_order_relaxed);
        return true;
}

/* Syncs a perform that is not the caller's.  Return: COMMIT_WAITING: done; COMMIT_CLAIMED: not
 * now; COMMIT_SYNCHED: somebody else did. */
static inline unsigned commit_try(struct commit *commit)
{
        if (commit_solo(commit))
                return COMMIT_WAITING;
        /* A choice that is done, and has not withdrawn yet, is met often. */
        if (commit_state(commit) == COMMIT_SYNCHED)
                return COMMIT_SYNCHED;
        return commit_move(commit, COMMIT_SYNCHED);
}

/* The same, waiting out a claim.  The caller holds no claim, so that nobody waits for it but for
 * its lock, and who holds a claim waits for no lock. */
static inline bool commit_sync(struct commit *commit)
{
        unsigned rounds = 0;
        unsigned found;

        while ((found = commit_try(commit)) == COMMIT_CLAIMED)
                spin(&rounds);
        return found == COMMIT_WAITING;
}

/* Claims the caller's own.  Return: false when it is SYNCHED. */
static inline bool commit_claim(struct commit *commit)
{
        return commit_move(commit, COMMIT_CLAIMED) == COMMIT_WAITING;
}

static inline void commit_release(struct commit *commit)
{
        /* Sequentially consistent for perform_recheck(), who looks after the last release. */
        atomic_store_explicit(&commit->state, COMMIT_WAITING, memory_order_seq_cst);
}

static inline void commit_finish(struct commit *commit)
{
        atomic_store_explicit(&commit->state, COMMIT_SYNCHED, memory_order_release);
}

/* Joins the caller's own perform with another.  Return: 0; -ECANCELED: mine is SYNCHED already;
 * -EAGAIN: theirs is. */
static inline int commit_pair(struct commit *mine, struct commit *theirs)
{
        for (;;) {
                unsigned rounds = 0;
                unsigned found;

                if (!commit_claim(mine))
                        return -ECANCELED;
                while ((found = commit_try(theirs)) == COMMIT_CLAIMED &&
                       (uintptr_t)mine < (uintptr_t)theirs)
                        spin(&rounds);
                if (found == COMMIT_WAITING) {
                        commit_finish(mine);
                        return 0;
                }
                commit_release(mine);
                if (found == COMMIT_SYNCHED)
                        return -EAGAIN;
                while (commit_state(theirs) == COMMIT_CLAIMED &&
                       commit_state(mine) == COMMIT_WAITING)
                        spin(&rounds);
        }
}

#endif
