/* SPDX-License-Identifier: MIT */
/* scheduler.h - schedulers and tasks: what fibers are made of ("Schedulers and Tasks" in the
 * manual of Guile Fibers). */
#ifndef FIBERS_SCHEDULER_H
#define FIBERS_SCHEDULER_H

#include <pthread.h>
#include <fibers/value.h>

FIB_BEGIN

typedef void fib_task_fn(void *arg);

/* Makes `parallelism` schedulers (0 counts as 1) that share and steal each other's work, and
 * gives the first one; fib_scheduler_remote_peers() tells the others.  Each is to be run by a
 * thread of the caller's.  Fails: -EINVAL, -ENOMEM, -EMFILE, -ENFILE. */
FIB_API int fib_scheduler_new(unsigned parallelism, fib_scheduler **ret);

/* Frees a scheduler that fib_scheduler_new() gave, and its peers.  None may be running.  Tasks
 * that have not run are dropped; fibers end where they stand, as in fib_run().  Given a peer, or
 * NULL, it does nothing. */
FIB_API void fib_scheduler_destroy(fib_scheduler *scheduler);

/* Runs tasks in the calling thread until finished(arg), asked once a turn, is true.
 * Fails: -EBUSY (it runs already, or this thread runs another one), -EINVAL, -ENOMEM. */
FIB_API int fib_scheduler_run(fib_scheduler *scheduler, bool (*finished)(void *arg), void *arg);

/* The one that runs in this thread, or NULL. */
FIB_API fib_scheduler *fib_scheduler_current(void);

/* Return: whether it is running, with its thread in `ret`. */
FIB_API bool fib_scheduler_kernel_thread(fib_scheduler *scheduler, pthread_t *ret);

/* How many tasks it has run, modulo 2^32; a fiber's each return from a wait counts as one. */
FIB_API uint32_t fib_scheduler_runcount(fib_scheduler *scheduler);

/* What a scheduler has done beside running tasks, since it was made. */
typedef struct fib_stats {
        uint64_t polls;         /* looks at descriptors and timers, sleeps aside */
        uint64_t sleeps;        /* in the kernel, for want of work */
        uint64_t wakes;         /* from those, by other threads */
        uint64_t steals;        /* times that it took tasks from a peer */
        uint64_t stolen;        /* tasks that it took so */
        uint64_t failed_steals; /* times that it looked for some before it slept, and found none */
} fib_stats;

/* Any thread may ask; the figures of a running scheduler are not of one moment.  NULL: zeros. */
FIB_API void fib_scheduler_stats(const fib_scheduler *scheduler, fib_stats *ret);

/* Writes up to n of its peers, itself not among them.  Return: how many there are. */
FIB_API size_t fib_scheduler_remote_peers(fib_scheduler *scheduler, fib_scheduler *ret[], size_t n);

/* Whether it has runnable tasks or pending timers. */
FIB_API bool fib_scheduler_work_pending(fib_scheduler *scheduler);

/* A random one of its peer set, itself among them. */
FIB_API fib_scheduler *fib_scheduler_choose_parallel(fib_scheduler *scheduler);

/* Arranges for fn(arg) to be run in the scheduler's next turn, woken if asleep.  A task is no
 * fiber: if it waits, it blocks the scheduler's thread.  An idle peer may take it.
 * Fails: -EINVAL, -ENOMEM. */
FIB_API int fib_schedule_task(fib_scheduler *scheduler, fib_task_fn *fn, void *arg);

/* The same once the descriptor is readable (writable), is closed by fib_close(), or has an error
 * or hang-up pending.  Fails: -EBADF, -EINVAL, -ENOMEM. */
FIB_API int fib_schedule_task_when_readable(fib_scheduler *scheduler, int fd, fib_task_fn *fn,
                                            void *arg);
FIB_API int fib_schedule_task_when_writable(fib_scheduler *scheduler, int fd, fib_task_fn *fn,
                                            void *arg);

/* The same once fib_now() >= expiry. */
FIB_API int fib_schedule_task_at(fib_scheduler *scheduler, int64_t expiry, fib_task_fn *fn,
                                 void *arg);

/* The rest of a suspended fiber. */
typedef struct fib_continuation fib_continuation;

typedef void fib_after_suspend_fn(fib_scheduler *scheduler, fib_continuation *continuation,
                                  void *arg);

/* Suspends the calling fiber, then calls after(scheduler, continuation, arg) on the scheduler,
 * off the fiber's stack; the continuation is to be given to fib_resume().  Return: the value given there.
 * From a plain thread: `scheduler` is NULL and the thread waits. */
FIB_API fib_value fib_suspend(fib_after_suspend_fn *after, void *arg);

/* Lets a suspended fiber go on, in the next turn of its scheduler.  From any thread, once; not after
 * the run has ended or the scheduler was destroyed, and the fiber with it. */
FIB_API void fib_resume(fib_continuation *continuation, fib_value value);

FIB_END

#endif
