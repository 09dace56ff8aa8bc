/* SPDX-License-Identifier: MIT */
/* perform.h - one performance of an operation: its arms, its commit, and who waits for it.
 *
 *   1. Try each arm, in a random order.  Done if one is ready.
 *   2. Publish each arm, in that order: `block` leaves the arm's waiter in some queue and looks again.
 *   3. Park until somebody has committed one (unless that was done in 2).
 *   4. Withdraw the others.  They lie on the performer's stack, so at once.
 *
 * A fiber publishes before it has left its stack.  That is safe since whoever commits it can
 * only send it to the inbox of its own scheduler, whose thread is still busy with it. */
#ifndef OP_PERFORM_H
#define OP_PERFORM_H

#include <fibers/operation.h>
#include "op/commit.h"
#include "op/parker.h"
#include "op/thread.h"

struct path;

/* One arm, from its publication on. */
struct arm {
        fib_waiter waiter;
        fib_op *op;                      /* NULL in a direct call */
        int index;                       /* in the outermost choice, or -1 */
        unsigned order;                  /* arms[arms[i].order] comes i-th: perform_arm() */
        const struct path *path;         /* the wraps and nacks around it, the inner first */
        struct fib_condition *condition; /* that it waits for, from condition_block() on; or NULL */
        union {                          /* for the classes of this floor */
                struct {
                        struct timer timer;
                        struct fib_scheduler *scheduler; /* whose timer it is; NULL: a thread's */
                };
                struct watch watch;
        };
};

/* Lies on the performer's stack. */
struct fib_perform {
        atomic_bool recheck; /* see perform_recheck() */
        bool by_self;        /* committed by the performer: nobody resumes it */
        int status;          /* the winner's error; written by who commits */
        fib_waiter *winner;  /* likewise; NULL when none was: an error of a block */
        struct arm *arms;
        unsigned published; /* how many are, in their order */
        unsigned count;
        int64_t began; /* when its first sleep did, also of attempts before this one; 0: none has */
        struct parker *parker;
        struct commit commit;
};

/* A direct call's perform, in a place that lasts: so that the call itself can end in the park and
 * leave nothing to return through.  A fiber has one; only what changes is written each time.
 * What a partner touches is one cache line: perform.parker to arm.waiter. */
struct direct {
        struct fib_perform perform;
        struct arm arm;
};

static inline void direct_init(struct direct *direct, struct parker *parker)
{
        direct->perform = (struct fib_perform){
                .parker = parker,
                .arms = &direct->arm,
                .count = 1,
                .published = 1,
        };
        direct->arm.waiter.perform = &direct->perform;
        direct->arm.condition = NULL;
        direct->arm.index = 0;
        direct->arm.order = 0;
        direct->arm.path = NULL;
        direct->arm.op = NULL;
}

/* Prepares for arms[0 .. count - 1].  `thread`: the parker, if a plain thread performs. */
static inline void perform_begin(struct fib_perform *perform, unsigned state, struct arm *arms,
                                 unsigned count, struct thread_parker *thread)
{
        struct parker **slot = parker_slot();

        *perform = (struct fib_perform){ .parker = *slot, .arms = arms, .count = count };
        commit_init(&perform->commit, state);
        if (unlikely(!perform->parker)) {
                thread_parker_init(thread);
                *slot = perform->parker = &thread->parker;
        }
}

/* The performer goes on; nothing of it is published any more. */
static inline void perform_end(struct fib_perform *perform, struct thread_parker *thread)
{
        if (unlikely(perform->parker == &thread->parker)) {
                *parker_slot() = NULL;
                thread_parker_destroy(thread);
        }
}

static inline intptr_t perform_park(struct fib_perform *perform)
{
        struct parker *parker = perform->parker;
        intptr_t value;

        parker->perform = perform;
        value = parker->ops->park(parker);
        parker->perform = NULL;
        return value;
}

/* Whoever has committed it calls this, last, with the arm that it was.  (A direct call needs no
 * winner: see channel.c.) */
static inline void perform_wake(struct fib_perform *perform, fib_waiter *winner, bool in_handler)
{
        struct parker *parker = perform->parker;

        perform->winner = winner;
        parker->value = winner->value;
        parker_resume(parker, in_handler);
}

/* Before parking: did somebody skip this perform since it was claimed (condition.c)? */
void perform_recheck(struct fib_perform *perform);

/* Notes a commit that the performer made in a `block` of its own. */
static inline void perform_done_by_self(struct fib_perform *perform, fib_waiter *winner)
{
        perform->winner = winner;
        perform->by_self = true;
}

/* The arm that comes i-th. */
static inline struct arm *perform_arm(const struct fib_perform *perform, unsigned i)
{
        return &perform->arms[perform->arms[i].order];
}

static inline struct arm *arm_of(fib_waiter *waiter)
{
        return container_of(waiter, struct arm, waiter);
}

/* Performs one arm that is on the caller's stack, without trying it first.  Its class
 * commits waiters only when it takes them off their queue, under that queue's lock.
 * Return: 0 with the value in arm->waiter.value, or the arm's error. */
int perform_alone(const fib_op_class *op_class, void *state, struct arm *arm);

/* The performer will never go on: frees what its performs own, one inside a wrap of the other. */
void perform_give_up(struct parker *parker);

/* The performer will never go on: withdraws what it has published.  If somebody has committed
 * it already, waits for the resume; `resumed` tells when that has come.  Run by the thread that
 * destroys the performer's scheduler. */
void perform_abandon(struct fib_perform *perform, bool (*resumed)(struct parker *parker));

/* The same when it has been committed and resumed. */
void perform_discard(struct fib_perform *perform);

#endif
