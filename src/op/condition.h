/* SPDX-License-Identifier: MIT */
/* condition.h - the inside of a condition, for objects that end once (a fiber). */
#ifndef OP_CONDITION_H
#define OP_CONDITION_H

#include <fibers/condition.h>
#include "op/waitq.h"

struct fib_condition {
        atomic_uint word;     /* condition.c */
        atomic_uint refs;     /* of the object that this is, or lies in */
        struct waitq waiting; /* locked by a bit of the word */
};

void condition_init(struct fib_condition *condition);

/* Signals it, as fib_condition_signal(), while the caller has a reference; `in_handler`:
 * async-signal-safe. */
bool condition_signal(struct fib_condition *condition, bool in_handler);

bool condition_signalled(const struct fib_condition *condition);

/* The inside of a wait operation: publishes, and takes back. */
int condition_block(struct fib_condition *condition, fib_waiter *waiter);
void condition_cancel(struct fib_condition *condition, fib_waiter *waiter);

#endif
