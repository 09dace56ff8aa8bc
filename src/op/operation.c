/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <string.h>
#include "base/pool.h"
#include "op/operation.h"
#include "platform/compiler.h"

#define CHOICE_MOST (1u << 20)

static void op_init(struct fib_op *op, enum op_kind kind)
{
        op->op_class = NULL;
        atomic_init(&op->refs, 1);
        op->kind = (uint8_t)kind;
        op->guarded = false;
        op->plain = false;
        op->arms = 0;
        op->frames = 0;
}

static size_t op_size(const struct fib_op *op)
{
        switch (op->kind) {
        case OP_BASE: return sizeof(struct op_base) + op->op_class->state_size;
        case OP_WRAP: return sizeof(struct op_wrap);
        case OP_CHOICE:
                return sizeof(struct op_choice) +
                       ((const struct op_choice *)op)->count * sizeof(fib_op *);
        default: return sizeof(struct op_guard);
        }
}

fib_op *fib_op_ref(fib_op *op)
{
        if (op)
                atomic_fetch_add_explicit(&op->refs, 1, memory_order_relaxed);
        return op;
}

/* Return: whether it was the last reference. */
static bool release(struct fib_op *op)
{
        unsigned refs = atomic_load_explicit(&op->refs, memory_order_acquire);

        assert(refs > 0 && "an operation is used after its last reference was given up");
        /* With one owner nobody else can be touching the count. */
        if (refs != 1 && atomic_fetch_sub_explicit(&op->refs, 1, memory_order_acq_rel) != 1)
                return false;
        atomic_store_explicit(&op->refs, 0, memory_order_relaxed);
        return true;
}

void fib_op_unref(fib_op *op)
{
        while (op && release(op)) {
                fib_op *inner = NULL; /* a long chain of wraps is not a deep recursion */

                if (op->kind == OP_WRAP) {
                        inner = ((struct op_wrap *)op)->inner;
                } else if (op->kind == OP_CHOICE) {
                        struct op_choice *choice = (struct op_choice *)op;

                        for (size_t i = 0; i < choice->count; i++)
                                fib_op_unref(choice->arms[i]);
                } else if (op->kind == OP_BASE && op->op_class->destroy) {
                        op->op_class->destroy(op_state(op));
                }
                pool_free(op, op_size(op));
                op = inner;
        }
}

fib_op *fib_op_new(const fib_op_class *op_class, const void *state)
{
        fib_op *op;

        if (!op_class || op_class->state_size > 65536 || !op_class->FIB_TRY_MEMBER ||
            !op_class->block)
                return NULL;
        op = pool_alloc(sizeof(struct op_base) + op_class->state_size);
        if (!op) {
                if (op_class->destroy && state)
                        op_class->destroy((void *)state);
                return NULL;
        }
        op_init(op, OP_BASE);
        op->op_class = op_class;
        op->plain = true;
        op->arms = 1;
        if (state)
                memcpy(op_state(op), state, op_class->state_size);
        else
                memset(op_state(op), 0, op_class->state_size);
        return op;
}

fib_op *fib_wrap(fib_op *inner, fib_wrap_fn *fn, void *arg)
{
        bool fits = inner && fn && inner->frames < CHOICE_MOST;
        struct op_wrap *wrap = fits ? pool_alloc(sizeof(*wrap)) : NULL;

        if (!wrap) {
                fib_op_unref(inner);
                return NULL;
        }
        op_init(&wrap->op, OP_WRAP);
        wrap->op.guarded = inner->guarded;
        wrap->op.arms = inner->arms;
        wrap->op.frames = inner->frames + 1;
        wrap->inner = inner;
        wrap->fn = fn;
        wrap->arg = arg;
        return &wrap->op;
}

/* Adds up what the arms have.  Return: false if one is missing or there are too many. */
static bool add_up(fib_op *const ops[], size_t n, struct fib_op *sum)
{
        for (size_t i = 0; i < n; i++) {
                if (!ops[i] || ops[i]->arms > CHOICE_MOST - sum->arms ||
                    ops[i]->frames > CHOICE_MOST - sum->frames)
                        return false;
                sum->guarded |= ops[i]->guarded;
                sum->plain &= ops[i]->kind == OP_BASE;
                sum->arms += ops[i]->arms;
                sum->frames += ops[i]->frames;
        }
        return true;
}

fib_op *fib_choice_n(fib_op *const ops[], size_t n)
{
        struct op_choice *choice = NULL;
        struct fib_op sum;

        op_init(&sum, OP_CHOICE);
        sum.plain = true;
        if (n <= CHOICE_MOST && (ops || n == 0) && add_up(ops, n, &sum))
                choice = pool_alloc(sizeof(*choice) + n * sizeof(fib_op *));
        if (!choice) {
                for (size_t i = 0; ops && i < n; i++)
                        fib_op_unref(ops[i]);
                return NULL;
        }
        op_init(&choice->op, OP_CHOICE);
        choice->op.guarded = sum.guarded;
        choice->op.plain = sum.plain;
        choice->op.arms = sum.arms;
        choice->op.frames = sum.frames;
        choice->count = n;
        if (n > 0)
                memcpy(choice->arms, ops, n * sizeof(fib_op *));
        return &choice->op;
}

fib_op *fib_never(void)
{
        return fib_choice_n(NULL, 0);
}

static struct op_guard *guard_new(enum op_kind kind, void *arg)
{
        struct op_guard *guard = pool_alloc(sizeof(*guard));

        if (!guard)
                return NULL;
        op_init(&guard->op, kind);
        guard->op.guarded = true;
        guard->arg = arg;
        return guard;
}

fib_op *fib_guard(fib_guard_fn *fn, void *arg)
{
        struct op_guard *guard = fn ? guard_new(OP_GUARD, arg) : NULL;

        if (!guard)
                return NULL;
        guard->guard = fn;
        return &guard->op;
}

fib_op *fib_with_nack(fib_nack_fn *fn, void *arg)
{
        struct op_guard *guard = fn ? guard_new(OP_NACK, arg) : NULL;

        if (!guard)
                return NULL;
        guard->nack = fn;
        return &guard->op;
}

static int always_try(void *state, fib_value *ret)
{
        *ret = *(fib_value *)state;
        return 0;
}

static int always_block(void *state, fib_waiter *waiter)
{
        fib_waiter_commit(waiter, *(fib_value *)state);
        return 0;
}

static const fib_op_class always_class = {
        .state_size = sizeof(fib_value),
        .FIB_TRY_MEMBER = always_try,
        .block = always_block,
        .name = "always",
};

fib_op *fib_always(fib_value value)
{
        return fib_op_new(&always_class, &value);
}
