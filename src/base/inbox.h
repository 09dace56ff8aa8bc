/* SPDX-License-Identifier: MIT */
/* inbox.h - where other threads leave links for one thread to take: many producers, one consumer.
 *
 * A stack that is only ever pushed to and emptied whole, so that no ABA can arise (R. K. Treiber,
 * 1986; the taker reverses it).  push() is lock-free and async-signal-safe.
 *
 * The orders are sequentially consistent because of what the users do around it: a producer
 * pushes and then looks whether the consumer sleeps; the consumer says that it sleeps and then
 * looks into the inbox (sched/sleep.c). */
#ifndef BASE_INBOX_H
#define BASE_INBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include "base/queue.h"

struct inbox {
        _Atomic(struct link *) newest;
};

static inline void inbox_push(struct inbox *inbox, struct link *link)
{
        struct link *newest = atomic_load_explicit(&inbox->newest, memory_order_relaxed);

        do {
                link->next = newest;
                /* Pairs with the exchange in inbox_take: the link's contents are there with it. */
        } while (!atomic_compare_exchange_weak_explicit(&inbox->newest, &newest, link,
                                                        memory_order_seq_cst,
                                                        memory_order_relaxed));
}

static inline bool inbox_empty(struct inbox *inbox)
{
        return !atomic_load_explicit(&inbox->newest, memory_order_seq_cst);
}

/* Empties it; the consumer only.  Return: the links in the order they came. */
static inline struct queue inbox_take(struct inbox *inbox)
{
        struct queue queue = { NULL, NULL };
        struct link *link, *next;

        /* Pairs with the compare-exchange in inbox_push. */
        link = atomic_exchange_explicit(&inbox->newest, NULL, memory_order_seq_cst);
        queue.tail = link;
        for (; link; link = next) {
                next = link->next;
                link->next = queue.head;
                queue.head = link;
        }
        return queue;
}

#endif
