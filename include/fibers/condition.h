/* SPDX-License-Identifier: MIT */
/* condition.h - one bit that goes from unsignalled to signalled, once, and frees who waits. */
#ifndef FIBERS_CONDITION_H
#define FIBERS_CONDITION_H

#include <fibers/value.h>

FIB_BEGIN

typedef struct fib_condition fib_condition;

FIB_API fib_condition *fib_condition_new(void);
FIB_API fib_condition *fib_condition_ref(fib_condition *condition);
FIB_API void fib_condition_unref(fib_condition *condition);

/* Wakes all who wait, and lets nobody wait any more.  What came before it is seen by those who
 * return from a wait.  Return: true the first time, false ever after. */
FIB_API bool fib_condition_signal(fib_condition *condition);

/* The same for signal handlers: async-signal-safe (signal-safety(7)).  A reference must outlast the
 * call: whom it wakes must not give up the last one before the handler has returned. */
FIB_API bool fib_condition_signal_from_handler(fib_condition *condition);

FIB_API bool fib_condition_signalled(const fib_condition *condition);

FIB_API fib_op *fib_condition_wait_op(fib_condition *condition);
FIB_API void fib_condition_wait(fib_condition *condition);

FIB_END

#endif
