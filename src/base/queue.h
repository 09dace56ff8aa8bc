/* SPDX-License-Identifier: MIT */
/* queue.h - a first-in, first-out queue that lies in its members.  For one thread. */
#ifndef BASE_QUEUE_H
#define BASE_QUEUE_H

#include <stddef.h>

struct link {
        struct link *next;
};

struct queue {
        struct link *head; /* NULL: empty */
        struct link *tail; /* the last one; anything when empty */
};

static inline void queue_push(struct queue *queue, struct link *link)
{
        link->next = NULL;
        if (queue->head)
                queue->tail->next = link;
        else
                queue->head = link;
        queue->tail = link;
}

static inline struct link *queue_pop(struct queue *queue)
{
        struct link *link = queue->head;

        if (link)
                queue->head = link->next;
        return link;
}

/* Moves all of `from` to the end of `queue`. */
static inline void queue_splice(struct queue *queue, struct queue *from)
{
        if (!from->head)
                return;
        if (queue->head)
                queue->tail->next = from->head;
        else
                queue->head = from->head;
        queue->tail = from->tail;
        from->head = NULL;
}

#endif
