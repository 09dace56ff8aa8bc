/* SPDX-License-Identifier: MIT */
/* operation.h - operations as values: immutable trees with counted references. */
#ifndef OP_OPERATION_H
#define OP_OPERATION_H

#include <stdalign.h>
#include <stdatomic.h>
#include <fibers/operation.h>

enum op_kind { OP_BASE, OP_WRAP, OP_CHOICE, OP_GUARD, OP_NACK };

struct fib_op {
        const fib_op_class *op_class; /* OP_BASE */
        atomic_uint refs;             /* 0: freed, and used after that */
        uint8_t kind;
        bool guarded;    /* has guards or nacks in it: what follows is for the rest */
        bool plain;      /* a base operation, or a choice of nothing else */
        uint32_t arms;   /* base operations in the tree */
        uint32_t frames; /* wraps in the tree */
};

struct op_base {
        struct fib_op op;
        alignas(16) char state[]; /* the class's */
};

static inline void *op_state(fib_op *op)
{
        return ((struct op_base *)op)->state;
}

struct op_wrap {
        struct fib_op op;
        fib_op *inner;
        fib_wrap_fn *fn;
        void *arg;
};

struct op_choice {
        struct fib_op op;
        size_t count;
        fib_op *arms[];
};

struct op_guard {
        struct fib_op op;
        union {
                fib_guard_fn *guard;
                fib_nack_fn *nack;
        };
        void *arg;
};

#endif
