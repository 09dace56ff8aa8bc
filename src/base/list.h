/* SPDX-License-Identifier: MIT */
/* list.h - a circular, doubly linked list that lies in its members.
 *
 * The list is a node like any other.  A node that is in no list points to itself, so that to
 * remove it twice does no harm. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>

struct list {
        struct list *next;
        struct list *prev;
};

static inline void list_init(struct list *list)
{
        list->next = list;
        list->prev = list;
}

static inline bool list_empty(const struct list *list)
{
        return list->next == list;
}

static inline void list_append(struct list *list, struct list *node)
{
        node->next = list;
        node->prev = list->prev;
        list->prev->next = node;
        list->prev = node;
}

static inline void list_remove(struct list *node)
{
        node->next->prev = node->prev;
        node->prev->next = node->next;
        list_init(node);
}

/* Moves all of `from` to the end of `list`. */
static inline void list_splice(struct list *list, struct list *from)
{
        if (list_empty(from))
                return;
        from->next->prev = list->prev;
        list->prev->next = from->next;
        from->prev->next = list;
        list->prev = from->prev;
        list_init(from);
}

#endif
