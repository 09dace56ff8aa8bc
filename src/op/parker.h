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
         * Return: parker->value, so that a direct call can end in this one. */
        fib_value (*park)(struct parker *parker, struct fib_perform *perform);

        /* From any thread.  The parker may be gone when it returns.  With `in_handler` it is
         * async-signal-safe. */
        void (*resume)(struct parker *parker, bool in_handler);

        /* A timer for this performer, and its withdrawal if it has not been fired. */
        void (*add_timer)(struct parker *parker, struct timer *timer, int64_t expiry);
        void (*cancel_timer)(struct parker *parker, struct timer *timer);

        /* Fills in the watch's scheduler, and starts it; and its withdrawal. */
        int (*watch)(struct parker *parker, struct watch *watch);
        void (*forget)(struct parker *parker, struct watch *watch);
};

struct parker {
        const struct parker_ops *ops;
        struct direct *direct;  /* perform.h: for direct calls; NULL: use the stack */
        fib_value value;        /* of what was done; written before resume() */
        struct general *owning; /* perform.c: performs that own memory, the innermost first */
};

struct parker **parker_thread_slot(void);

/* Where it is noted who performs in the calling thread; NULL there: the thread itself. */
static inline struct parker **parker_slot(void)
{
        struct fib_scheduler *scheduler = scheduler_current();

        return likely(scheduler) ? (struct parker **)&scheduler->running : parker_thread_slot();
}

#endif
