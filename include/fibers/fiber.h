/* SPDX-License-Identifier: MIT */
/* fiber.h - a fiber: a function that runs beside others, on a stack of its own. */
#ifndef FIBERS_FIBER_H
#define FIBERS_FIBER_H

#include <fibers/value.h>

FIB_BEGIN

typedef struct fib_spawn_options {
        /* Where to run; NULL: the current scheduler. */
        fib_scheduler *scheduler;

        /* Not there, but on a random member of its peer set, itself among them. */
        bool parallel;

        /* May change kernel threads at each wait; see fib_run_options.migratable, which, when
         * set, makes all fibers so. */
        bool migratable;

        /* Copied.  NULL: none. */
        const char *name;

        /* As in fib_run_options; 0: what the run has. */
        size_t stack_size;
} fib_spawn_options;

/* Starts fn(arg) as a new fiber of the current scheduler, to run in its next turn.
 *
 * It inherits the caller's parameters as they are now.  Fibers spawned on one scheduler begin in
 * the order in which they were spawned; an idle peer may take one that has not begun.
 *
 * Fails: -ESRCH (no scheduler runs in this thread), -EINVAL (no fn), -ENOMEM. */
FIB_API int fib_spawn(fib_fn *fn, void *arg);

/* The same with options (NULL: none).  `ret`, if not NULL, is given one reference, which the
 * caller owns.  Fails further: -EINVAL (a stack size out of its bounds). */
FIB_API int fib_spawn_with(const fib_spawn_options *options, fib_fn *fn, void *arg,
                           fib_fiber **ret);

/* Becomes ready when the fiber has ended; the value is what its function returned.  Performing
 * it gives -ECANCELED when the run ended before the fiber did. */
FIB_API fib_op *fib_join_op(fib_fiber *fiber);
FIB_API int fib_join(fib_fiber *fiber, void **ret);

/* The calling fiber, borrowed; NULL in a plain thread. */
FIB_API fib_fiber *fib_self(void);

FIB_API fib_fiber *fib_fiber_ref(fib_fiber *fiber);
FIB_API void fib_fiber_unref(fib_fiber *fiber);

/* "" when it was given none.  Lives as long as the fiber. */
FIB_API const char *fib_fiber_name(const fib_fiber *fiber);

/* Unique in the process and never used again; not 0. */
FIB_API uint64_t fib_fiber_id(const fib_fiber *fiber);

/* Lets the others go first: the caller goes on in the next turn.  Return: whether it could; from
 * a plain thread it is sched_yield(2) and false. */
FIB_API bool fib_yield(void);

FIB_END

#endif
