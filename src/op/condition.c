/* SPDX-License-Identifier: MIT */
/* condition.c - one bit, who waits for it, and how a signal handler may set it.
 *
 * The word holds three flags:
 *
 *   SIGNALLED   it has happened; never cleared
 *   LOCKED      somebody works on the queue
 *   WANTED      the queue is to be woken, by whoever holds the lock or takes it next
 *
 * A signaller sets SIGNALLED and WANTED in one step and tries to lock.  If that fails, the
 * holder finds WANTED when it unlocks, which is one compare-and-swap, and wakes the queue in its
 * stead.  So a signaller never waits, and a handler may be one.
 *
 * It must not wait for a claim either: the claim may be held by the very thread that the handler
 * has interrupted.  It marks the perform (`recheck`) and skips it; the performer, when it has
 * given up its claims, finds the mark and wakes the queue again (perform_recheck). */
#include <assert.h>
#include <errno.h>
#include "base/pool.h"
#include "op/condition.h"
#include "op/perform.h"

#define SIGNALLED 1u
#define LOCKED 2u
#define WANTED 4u

/* How many are woken between two releases of the lock. */
#define BATCH 32

void condition_init(struct fib_condition *condition)
{
        atomic_init(&condition->word, 0);
        atomic_init(&condition->refs, 1);
        atomic_init(&condition->waiting.first, NULL);
}

bool condition_signalled(const struct fib_condition *condition)
{
        /* Pairs with the step in condition_signal. */
        return atomic_load_explicit(&condition->word, memory_order_acquire) & SIGNALLED;
}

static bool lock_try(struct fib_condition *condition)
{
        /* Pairs with the step in unlock_try. */
        return !(atomic_fetch_or_explicit(&condition->word, LOCKED, memory_order_acquire) & LOCKED);
}

static void lock(struct fib_condition *condition)
{
        unsigned rounds = 0;

        while (!lock_try(condition))
                spin(&rounds);
}

/* Return: false, still locked, when the queue is to be woken first. */
static bool unlock_try(struct fib_condition *condition)
{
        /* Acquire: who wakes in the signaller's stead passes on what came before the signal. */
        unsigned word = atomic_load_explicit(&condition->word, memory_order_acquire);

        do {
                if (word & WANTED)
                        return false;
        } while (!atomic_compare_exchange_weak_explicit(&condition->word, &word, word & ~LOCKED,
                                                        memory_order_release,
                                                        memory_order_acquire));
        return true;
}

/* Takes up to BATCH waiters that are still waiting off the queue, and all those that are not. */
static size_t take_batch(struct fib_condition *condition, fib_waiter *batch[])
{
        fib_waiter *waiter = waitq_first(&condition->waiting);
        fib_waiter *next;
        size_t n = 0;

        for (; waiter && n < BATCH; waiter = next) {
                struct commit *commit = &waiter->perform->commit;
                unsigned found = commit_try(commit);

                next = waitq_next(&condition->waiting, waiter);
                if (found == COMMIT_CLAIMED) {
                        /* Before the second attempt; pairs with the exchange in
                         * perform_recheck, after the last release. */
                        atomic_store_explicit(&waiter->perform->recheck, true,
                                              memory_order_seq_cst);
                        atomic_thread_fence(memory_order_seq_cst);
                        found = commit_try(commit);
                        if (found == COMMIT_CLAIMED)
                                continue;
                }
                waitq_remove(&condition->waiting, waiter);
                if (found == COMMIT_WAITING)
                        batch[n++] = waiter;
        }
        return n;
}

/* Wakes the queue as long as that is wanted, and unlocks. */
static void unlock(struct fib_condition *condition, bool in_handler)
{
        fib_waiter *batch[BATCH];
        size_t n;

        while (!unlock_try(condition)) {
                n = take_batch(condition, batch);
                if (n < BATCH)
                        atomic_fetch_and_explicit(&condition->word, ~WANTED, memory_order_relaxed);
                for (size_t i = 0; i < n; i++)
                        perform_wake(batch[i]->perform, batch[i], in_handler);
        }
}

bool condition_signal(struct fib_condition *condition, bool in_handler)
{
        unsigned word = atomic_load_explicit(&condition->word, memory_order_relaxed);

        do {
                if (word & SIGNALLED)
                        return false;
                /* Release: what came before is seen by who finds it signalled. */
        } while (!atomic_compare_exchange_weak_explicit(&condition->word, &word,
                                                        word | SIGNALLED | WANTED,
                                                        memory_order_seq_cst,
                                                        memory_order_relaxed));
        if (lock_try(condition))
                unlock(condition, in_handler);
        return true;
}

int condition_block(struct fib_condition *condition, fib_waiter *waiter)
{
        bool late;

        arm_of(waiter)->condition = condition;
        lock(condition);
        late = condition_signalled(condition);
        if (!late)
                waitq_append(&condition->waiting, waiter);
        unlock(condition, false);
        if (late)
                fib_waiter_commit(waiter, fib_num(0));
        return 0;
}

void condition_cancel(struct fib_condition *condition, fib_waiter *waiter)
{
        lock(condition);
        waitq_remove(&condition->waiting, waiter);
        unlock(condition, false);
}

fib_condition *fib_condition_new(void)
{
        fib_condition *condition = pool_alloc(sizeof(*condition));

        if (condition)
                condition_init(condition);
        return condition;
}

fib_condition *fib_condition_ref(fib_condition *condition)
{
        if (condition)
                atomic_fetch_add_explicit(&condition->refs, 1, memory_order_relaxed);
        return condition;
}

void fib_condition_unref(fib_condition *condition)
{
        if (!condition || atomic_fetch_sub_explicit(&condition->refs, 1, memory_order_acq_rel) != 1)
                return;
        assert(!waitq_first(&condition->waiting) &&
               "a condition's last reference is given up while somebody waits");
        pool_free(condition, sizeof(*condition));
}

bool fib_condition_signal(fib_condition *condition)
{
        bool first;

        if (!condition)
                return false;
        /* Whom it wakes may give up the last reference before we are done. */
        fib_condition_ref(condition);
        first = condition_signal(condition, false);
        fib_condition_unref(condition);
        return first;
}

bool fib_condition_signal_from_handler(fib_condition *condition)
{
        return condition && condition_signal(condition, true);
}

bool fib_condition_signalled(const fib_condition *condition)
{
        return condition && condition_signalled(condition);
}

static int wait_try(void *state, fib_value *ret)
{
        if (!condition_signalled(*(fib_condition **)state))
                return -EAGAIN;
        *ret = fib_num(0);
        return 0;
}

static int wait_block(void *state, fib_waiter *waiter)
{
        return condition_block(*(fib_condition **)state, waiter);
}

static void wait_cancel(void *state, fib_waiter *waiter)
{
        condition_cancel(*(fib_condition **)state, waiter);
}

static void wait_destroy(void *state)
{
        fib_condition_unref(*(fib_condition **)state);
}

static const fib_op_class wait_class = {
        .state_size = sizeof(fib_condition *),
        .FIB_TRY_MEMBER = wait_try,
        .block = wait_block,
        .cancel = wait_cancel,
        .destroy = wait_destroy,
        .name = "wait",
};

fib_op *fib_condition_wait_op(fib_condition *condition)
{
        fib_condition_ref(condition);
        return condition ? fib_op_new(&wait_class, &condition) : NULL;
}

void fib_condition_wait(fib_condition *condition)
{
        struct arm arm = { .index = 0 };

        assert(condition);
        if (condition && !condition_signalled(condition))
                perform_alone(&wait_class, &condition, &arm);
}

void perform_recheck(struct fib_perform *perform)
{
        /* After the last release of a claim: pairs with the store in take_batch. */
        if (likely(!atomic_load_explicit(&perform->recheck, memory_order_seq_cst)))
                return;
        for (unsigned i = 0; i < perform->published; i++) {
                fib_condition *condition = perform_arm(perform, i)->condition;

                if (!condition)
                        continue;
                lock(condition);
                if (condition_signalled(condition))
                        atomic_fetch_or_explicit(&condition->word, WANTED, memory_order_relaxed);
                unlock(condition, false);
        }
}
