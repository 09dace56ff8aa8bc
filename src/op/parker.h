/* SPDX-License-Identifier: MIT */
/* parker.h - how whoever performs waits: the one thing that this floor asks of a fiber, of a
 * plain thread, or of an embedder's continuation. */
#ifndef OP_PARKER_H
#define OP_PARKER_H

#include <fibers/value.h>
#include "sched/descriptor.h"
#include "sched/scheduler.h"

struct fib_perform;
struct parker;
struct direct;
struct general;

struct parker_ops {
        /* Waits until resume() is called, once for each call; before it or meanwhile.
         * Return: parker->value, as a word, so that a direct call can end in this one. */
        intptr_t (*park)(struct parker *parker);

        /* What parker_resume() does, unless that is a push in the parker's own thread. */
        void (*resume)(struct parker *parker, bool in_handler);

        /* A timer for this performer, and its withdrawal if it has not been fired. */
        void (*add_timer)(struct parker *parker, struct timer *timer, int64_t expiry);
        void (*cancel_timer)(struct parker *parker, struct timer *timer);

        /* Fills in the watch's scheduler, and starts it; and its withdrawal. */
        int (*watch)(struct parker *parker, struct watch *watch);
        void (*forget)(struct parker *parker, struct watch *watch);
};

/* What a wait and a wake touch comes first. */
struct parker {
        struct task task;                /* that goes on with it */
        struct fib_scheduler *scheduler; /* whose task that is; NULL: there is none */
        fib_value value;                 /* of what was done; written before parker_resume() */
        const struct parker_ops *ops;
        struct direct *direct;       /* perform.h: for direct calls; NULL: use the stack */
        struct fib_perform *perform; /* that it is parked in, unless that is `direct`; or NULL */
        struct general *owning;      /* perform.c: performs that own memory, the innermost first */
};

/* Ends one park().  From any thread; the parker may be gone when it returns.  With `in_handler`
 * it is async-signal-safe. */
static ALWAYS_INLINE void parker_resume(struct parker *parker, bool in_handler)
{
        struct fib_scheduler *scheduler = parker->scheduler;

        /* A handler may have interrupted the owner in the middle of a push; and a task that peers
         * may take needs more care. */
        if (likely(scheduler && scheduler == scheduler_current() && !in_handler &&
                   !parker->task.stealable))
                scheduler_push(scheduler, &parker->task);
        else
                parker->ops->resume(parker, in_handler);
}

struct parker **parker_thread_slot(void);

/* Where it is noted who performs in the calling thread; NULL there: the thread itself. */
static inline struct parker **parker_slot(void)
{
        struct fib_scheduler *scheduler = scheduler_current();

        return likely(scheduler) ? (struct parker **)&scheduler->running : parker_thread_slot();
}

#endif
