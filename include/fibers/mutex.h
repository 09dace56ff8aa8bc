/* SPDX-License-Identifier: MIT */
/* mutex.h - a lock that a fiber may hold while it waits for something else. */
#ifndef FIBERS_MUTEX_H
#define FIBERS_MUTEX_H

#include <fibers/value.h>

FIB_BEGIN

typedef struct fib_mutex fib_mutex;

/* Held by one fiber or plain thread at a time.  Not recursive: who locks it twice waits for
 * itself. */
FIB_API fib_mutex *fib_mutex_new(void);
FIB_API fib_mutex *fib_mutex_ref(fib_mutex *mutex);
FIB_API void fib_mutex_unref(fib_mutex *mutex);

/* Waits until nobody holds it.  Among several schedulers, who finds it locked looks again for a few
 * microseconds; who then still waits is served first come, first served, and before any newcomer:
 * an unlock hands the mutex over.  The operation's value is 0; it holds a reference to its mutex. */
FIB_API fib_op *fib_mutex_lock_op(fib_mutex *mutex);
FIB_API void fib_mutex_lock(fib_mutex *mutex);

/* Return: whether the caller holds it now. */
FIB_API bool fib_mutex_trylock(fib_mutex *mutex);

/* Gives it up; any fiber or thread may do that for the one that locked it. */
FIB_API void fib_mutex_unlock(fib_mutex *mutex);

FIB_END

#endif
