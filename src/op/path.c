/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include "base/pool.h"
#include "op/path.h"

/* Calls one guard.  What it gives is in `forced` even if it is NULL. */
static int force_one(struct layout *layout, struct op_guard *guard, struct forced **ret)
{
        struct forced *forced = pool_alloc(sizeof(*forced));
        fib_op *nack;

        if (!forced)
                return -ENOMEM;
        *forced = (struct forced){ .next = NULL };
        *layout->end = forced;
        layout->end = &forced->next;
        *ret = forced;
        if (guard->op.kind == OP_GUARD) {
                forced->op = guard->guard(guard->arg);
                return forced->op ? 0 : -ENOMEM;
        }
        forced->nack = fib_condition_new();
        nack = forced->nack ? fib_condition_wait_op(forced->nack) : NULL;
        if (!nack)
                return -ENOMEM;
        forced->op = guard->nack(nack, guard->arg);
        return forced->op ? 0 : -ENOMEM;
}

static int force(struct layout *layout, fib_op *op)
{
        struct forced *forced;
        int r;

        for (; op->kind == OP_WRAP && op->guarded; op = ((struct op_wrap *)op)->inner)
                layout->path_count++;
        if (!op->guarded) {
                layout->arm_count += op->arms;
                layout->path_count += op->frames;
                return 0;
        }
        if (op->kind == OP_CHOICE) {
                struct op_choice *choice = (struct op_choice *)op;

                for (size_t i = 0; i < choice->count; i++) {
                        r = force(layout, choice->arms[i]);
                        if (r < 0)
                                return r;
                }
                return 0;
        }
        layout->path_count += op->kind == OP_NACK;
        r = force_one(layout, (struct op_guard *)op, &forced);
        return r < 0 ? r : force(layout, forced->op);
}

int layout_force(struct layout *layout, fib_op *op)
{
        *layout = (struct layout){ .end = &layout->forced };
        return force(layout, op);
}

/* `outer` leads from `op` out of the tree; arms inside the same wrap share it. */
static void expand(struct layout *layout, fib_op *op, int index, const struct path *outer,
                   struct forced **next)
{
        struct path *path;
        struct forced *forced;
        struct op_choice *choice;

        /* A long chain of wraps is not a deep recursion. */
        for (; op->kind == OP_WRAP; op = ((struct op_wrap *)op)->inner) {
                path = &layout->paths[layout->path_count++];
                *path = (struct path){ .outer = outer, .wrap = (struct op_wrap *)op };
                outer = path;
        }
        switch (op->kind) {
        case OP_BASE:
                layout->arms[layout->arm_count].op = op;
                layout->arms[layout->arm_count].index = index;
                layout->arms[layout->arm_count++].path = outer;
                return;
        case OP_CHOICE:
                choice = (struct op_choice *)op;
                for (size_t i = 0; i < choice->count; i++)
                        expand(layout, choice->arms[i], index < 0 ? (int)i : index, outer, next);
                return;
        default: /* a guard, with a nack or without */
                forced = *next;
                *next = forced->next;
                if (op->kind == OP_NACK) {
                        path = &layout->paths[layout->path_count++];
                        *path = (struct path){ .outer = outer, .forced = forced };
                        outer = path;
                }
                expand(layout, forced->op, index, outer, next);
                return;
        }
}

void layout_expand(struct layout *layout, fib_op *op)
{
        struct forced *next = layout->forced;

        layout->arm_count = layout->path_count = 0;
        expand(layout, op, -1, NULL, &next);
}

void layout_nack(struct layout *layout, const struct path *path)
{
        for (; path; path = path->outer) {
                if (path->forced)
                        path->forced->won = true;
        }
        for (struct forced *forced = layout->forced; forced; forced = forced->next) {
                if (forced->nack && !forced->won)
                        fib_condition_signal(forced->nack);
        }
}

void layout_forget(struct layout *layout)
{
        struct forced *forced, *next;

        for (forced = layout->forced; forced; forced = next) {
                next = forced->next;
                fib_op_unref(forced->op);
                fib_condition_unref(forced->nack);
                pool_free(forced, sizeof(*forced));
        }
        layout->forced = NULL;
}
