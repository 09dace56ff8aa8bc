/* SPDX-License-Identifier: MIT */
/* operation.h - operations: things that can be waited for, as values that compose.
 *
 * After John Reppy's Concurrent ML ("Concurrent Programming in ML", 1999).  An operation is
 * immutable.  It may be performed many times, by many fibers at once, or never. */
#ifndef FIBERS_OPERATION_H
#define FIBERS_OPERATION_H

#include <fibers/value.h>

FIB_BEGIN

/* Waits until the operation is done, and does it.
 *
 * Return: the index of the arm that was done in the outermost choice; 0 if there is none; what a
 * wrap returned, if negative; -ENOMEM; -EINVAL for an operation that has no reference left. */
FIB_API int fib_perform(fib_op *op, fib_value *ret);

/* The same, but -EAGAIN at once when nothing is ready (CML's poll). */
FIB_API int fib_try(fib_op *op, fib_value *ret);

FIB_API fib_op *fib_op_ref(fib_op *op);
FIB_API void fib_op_unref(fib_op *op);

/* Runs in the performer after the commit, and only if this arm was done; inner wraps first.  It
 * may change the value, and may perform.  Return: 0 or more to go on, -errno to have the outer
 * wraps skipped and fib_perform() return that. */
typedef int fib_wrap_fn(fib_value *value, void *arg);
FIB_API fib_op *fib_wrap(fib_op *op, fib_wrap_fn *fn, void *arg);

/* Does exactly one of its arms.  If several are ready, each has the same chance.  A choice of
 * none is never ready.  fib_choice(a, b, ...) spells fib_choice_n() for a fixed list.
 * Takes a reference to each of `ops`. */
FIB_API fib_op *fib_choice_n(fib_op *const ops[], size_t n);

/* Made anew each time it is performed: fn(arg) gives the operation (and its reference), in the
 * performer, before anything is tried. */
typedef fib_op *fib_guard_fn(void *arg);
FIB_API fib_op *fib_guard(fib_guard_fn *fn, void *arg);

/* A guard that is also told how it went: fn is given (with its reference) an operation `nack`,
 * which becomes ready once and only if another arm than those that fn returned was done, before
 * that arm's wraps run; so too when the performer gives up (fib_try() with nothing ready, a
 * failure). */
typedef fib_op *fib_nack_fn(fib_op *nack, void *arg);
FIB_API fib_op *fib_with_nack(fib_nack_fn *fn, void *arg);

/* Always ready, with this value. */
FIB_API fib_op *fib_always(fib_value value);
FIB_API fib_op *fib_never(void);

/*
 * Operations of your own (the manual's make-base-operation).
 *
 * When an operation is performed, each arm is first tried.  If none is ready, each arm's `block`
 * is called with a waiter, which it leaves where whoever makes the arm ready will find it; since
 * that may have happened between try and block, it looks once more after it has done so.  At
 * last the arms that were not done are told so by `cancel`.
 *
 * A waiter is committed at most once, and so is the whole perform: fib_waiter_commit() says
 * whether it was this time.  It may be touched from `block` until `cancel` returns or a commit
 * has succeeded, whichever comes first.  So a queue of waiters needs a lock, which is held
 * by `block`, by `cancel`, and by whoever commits; and since the performer is woken by the commit
 * itself and goes on at once, a waiter is taken off its queue before it is committed (and, if that
 * returns -ECANCELED from fib_waiter_commit_both(), put back in its place).
 */

typedef struct fib_waiter fib_waiter;

/* `next` and `prev` are for the class's own queue; the rest is the library's. */
struct fib_waiter {
        fib_waiter *next;
        fib_waiter *prev;
        struct fib_perform *perform;
        const struct fib_op_class *op_class;
        void *state;
        fib_value value;
};

#ifdef __cplusplus
#define FIB_TRY_MEMBER try_
#else
#define FIB_TRY_MEMBER try
#endif

typedef struct fib_op_class {
        /* The size of what fib_op_new() copies into each operation, at most 64 KiB. */
        size_t state_size;

        /* Done now?  Return: 0 with `ret` written; -EAGAIN; or another error, which performing
         * returns.  (In C++ the member is called try_.) */
        int (*FIB_TRY_MEMBER)(void *state, fib_value *ret);

        /* Leave `waiter` to be committed, then look again.  Runs in the performer; it must not
         * wait.  Return: 0; or -errno, with nothing left behind, which performing returns
         * (-EAGAIN: it begins anew with all arms). */
        int (*block)(void *state, fib_waiter *waiter);

        /* Take `waiter` back: another arm was done, or none will be.  Not called for the waiter
         * that was committed: whoever commits one takes it off its queue.  It must not wait, as a
         * fiber that is dropped in the middle would leave the other arms behind.  May be NULL. */
        void (*cancel)(void *state, fib_waiter *waiter);

        /* The operation's last reference is gone.  May be NULL. */
        void (*destroy)(void *state);

        /* For descriptions of what a fiber waits for; a literal, or NULL. */
        const char *name;
} fib_op_class;

/* `class_` must outlive the operation.  `state` is copied; NULL: zeroes.  Without memory,
 * `destroy` is called on the caller's `state`, since the operation would have owned it. */
FIB_API fib_op *fib_op_new(const fib_op_class *class_, const void *state);

/* Done, with this value?  Wakes the performer unless it is the caller (in `block`).  Return:
 * false when another arm was first; the waiter is then to be left in the queue or forgotten. */
FIB_API bool fib_waiter_commit(fib_waiter *waiter, fib_value value);

/* The same, with an error for its performer. */
FIB_API bool fib_waiter_fail(fib_waiter *waiter, int error);

/* Commits two performs as one step, as a rendezvous must: the caller's own, in `block`, and one
 * found in a queue.  Return: 0; -ECANCELED when `mine` is done already (stop looking); -EAGAIN
 * when `theirs` is, or is the same perform's (look at the next). */
FIB_API int fib_waiter_commit_both(fib_waiter *mine, fib_value my_value, fib_waiter *theirs,
                                   fib_value their_value);

FIB_END

#ifdef __cplusplus
template <typename... Ops> static inline fib_op *fib_choice(Ops... ops)
{
        fib_op *const list[] = { nullptr, ops... };

        return fib_choice_n(list + 1, sizeof...(ops));
}
#else
static inline fib_op *fib_choice_after_first(fib_op *const ops[], size_t n)
{
        return n > 1 ? fib_choice_n(ops + 1, n - 1) : fib_never();
}

/* The list begins with a dummy so that it may be empty. */
#define fib_choice(...)                                                                            \
        fib_choice_after_first((fib_op *const[]){ NULL, __VA_ARGS__ },                             \
                               sizeof((fib_op *const[]){ NULL, __VA_ARGS__ }) / sizeof(fib_op *))
#endif

#endif
