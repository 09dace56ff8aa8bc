/* SPDX-License-Identifier: MIT */
/* waitq.h - a first-in, first-out queue of waiters, of one word; any of them can leave it.
 *
 * Circular; the word points to the first.  A waiter that is in no queue has next == NULL. */
#ifndef OP_WAITQ_H
#define OP_WAITQ_H

#include <stdatomic.h>
#include <stddef.h>
#include <fibers/operation.h>

struct waitq {
        _Atomic(fib_waiter *) first; /* changed under the queue's lock */
};

/* The first one; without the lock, only a hint whether there is one. */
static inline fib_waiter *waitq_first(const struct waitq *queue)
{
        return atomic_load_explicit(&queue->first, memory_order_relaxed);
}

static inline void waitq_set_first(struct waitq *queue, fib_waiter *waiter)
{
        atomic_store_explicit(&queue->first, waiter, memory_order_relaxed);
}

static inline void waitq_append(struct waitq *queue, fib_waiter *waiter)
{
        fib_waiter *first = waitq_first(queue);

        if (!first) {
                waiter->next = waiter->prev = waiter;
                waitq_set_first(queue, waiter);
                return;
        }
        waiter->next = first;
        waiter->prev = first->prev;
        first->prev->next = waiter;
        first->prev = waiter;
}

static inline void waitq_remove(struct waitq *queue, fib_waiter *waiter)
{
        if (!waiter->next)
                return;
        if (waiter->next == waiter) {
                waitq_set_first(queue, NULL);
        } else {
                waiter->next->prev = waiter->prev;
                waiter->prev->next = waiter->next;
                if (waitq_first(queue) == waiter)
                        waitq_set_first(queue, waiter->next);
        }
        waiter->next = NULL;
}

/* The one after it, in order; NULL after the last. */
static inline fib_waiter *waitq_next(const struct waitq *queue, const fib_waiter *waiter)
{
        return waiter->next == waitq_first(queue) ? NULL : waiter->next;
}

#endif
