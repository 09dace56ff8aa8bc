/* SPDX-License-Identifier: MIT */
/* path.h - an operation laid out for one perform: its arms side by side, each with the path of
 * wraps and nacks that leads out of the tree, and its guards called. */
#ifndef OP_PATH_H
#define OP_PATH_H

#include <fibers/condition.h>
#include "op/operation.h"
#include "op/perform.h"

/* A wrap, or the border of a with-nack, around an arm. */
struct path {
        const struct path *outer;
        const struct op_wrap *wrap; /* NULL: it is a border */
        struct forced *forced;      /* the border's */
};

/* What a guard gave, for this perform. */
struct forced {
        struct forced *next; /* in the order of the tree */
        fib_op *op;          /* a reference */
        fib_condition *nack; /* a reference; NULL for a plain guard */
        bool won;            /* the arm that was done lies inside */
};

/* Counts, and memory for them. */
struct layout {
        struct arm *arms;
        struct path *paths;
        size_t arm_count;
        size_t path_count;
        struct forced *forced; /* the first */
        struct forced **end;   /* where the next one goes */
};

/* Calls the guards in `op`, and counts.  Return: 0 or -ENOMEM; in either case, layout_forget()
 * is due. */
int layout_force(struct layout *layout, fib_op *op);

/* Fills layout->arms and layout->paths, which have room for what was counted. */
void layout_expand(struct layout *layout, fib_op *op);

/* Signals all nacks but those around `path`. */
void layout_nack(struct layout *layout, const struct path *path);

/* Frees what the guards gave. */
void layout_forget(struct layout *layout);

#endif
