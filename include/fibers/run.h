/* SPDX-License-Identifier: MIT */
/* run.h - running fibers: from the first one until it, or all of them, are done. */
#ifndef FIBERS_RUN_H
#define FIBERS_RUN_H

#include <sched.h>
#include <fibers/value.h>

FIB_BEGIN

/* fib_run_options.hz: fully cooperative scheduling. */
#define FIB_HZ_OFF (~0u)

/* The bounds of a fiber's stack size, in bytes. */
#define FIB_STACK_MIN ((size_t)16 << 10)
#define FIB_STACK_MAX ((size_t)1 << 30)
#define FIB_STACK_DEFAULT ((size_t)256 << 10)

/* Zeroed, each field asks for the default of Guile Fibers' run-fibers. */
typedef struct fib_run_options {
        /* How many schedulers, each with a kernel thread of its own (the first one's is the
         * caller); 0: as many as the processors allowed.  At most FIB_PARALLELISM_MAX. */
        unsigned parallelism;

        /* The processors to run on; NULL: those that the caller may run on.  With as many
         * schedulers as processors, each thread is pinned to one.  The caller's own affinity
         * is as before when fib_run() returns.  (cpu_set_t needs _GNU_SOURCE.) */
#ifdef CPU_SETSIZE
        const cpu_set_t *cpus;
#else
        const void *cpus;
#endif

        /* How often a second, of the processor time of one thread, a fiber that does not wait
         * is asked to let others run; 0: 100; FIB_HZ_OFF: never. */
        unsigned hz;

        /* Go on after the first fiber has ended, until nothing is runnable and no timer is
         * pending.  Fibers that then still wait for each other or for descriptors end there. */
        bool drain;

        /* Run on this scheduler, and leave it in place afterwards.  `parallelism` and `cpus`
         * are not looked at; the user's own threads run its peers. */
        fib_scheduler *scheduler;

        /* The stack of a fiber, in bytes of address space, FIB_STACK_MIN to FIB_STACK_MAX;
         * 0: FIB_STACK_DEFAULT.  Rounded up to a power of two; pages are taken as touched. */
        size_t stack_size;

        /* Fibers may go on on another kernel thread after each wait.  Otherwise a fiber stays
         * on the thread where it began, and errno, thread-locals and mutexes behave in it as
         * they do in a thread. */
        bool migratable;

        /* Not 0: a deterministic run, with one scheduler, whatever `parallelism` says, a clock
         * (fib_now()) that stands still but jumps to the next timer as soon as all wait, and a
         * next fiber that is any of the runnable ones, chosen by the seed.  The same seed gives
         * the same order, as long as nothing from outside comes in.  0: what the environment's
         * FIBERS_SEED says, if anything.  Not with `scheduler` (-EINVAL). */
        uint64_t seed;

        /* Let libc calls that would block suspend the fiber instead; needs libfibers-posix. */
        bool suspendable_posix;

        /* When all fibers wait for each other, wait on instead of returning -EDEADLK: a signal
         * handler will wake one.  (While the process has other threads than the library's own,
         * that is done anyway: one of them may.) */
        bool keep_waiting;
} fib_run_options;

#define FIB_PARALLELISM_MAX 1024u

/* Runs init(arg) as the first fiber, with others that it spawns, until it returns.
 *
 * Other fibers end with it, where they stand: their stacks are freed, what lies on them is not
 * unwound, whoever joins them gets -ECANCELED.  See `drain`.  `ret` is what init returned.
 *
 * Not there yet: `hz` has no effect, scheduling is cooperative; `suspendable_posix` is refused with
 * -ENOTSUP.
 *
 * Fails: -EINVAL (no init, an option out of its bounds, no processor in `cpus`), -EBUSY (called
 * from a fiber, or from a task of a scheduler), -ENOMEM, -EAGAIN (no threads to be had), -EMFILE
 * and -ENFILE (no descriptors), -EDEADLK: all fibers wait, the first one too, with no timer and
 * no descriptor to wake them; each is described on stderr. */
FIB_API int fib_run(fib_fn *init, void *arg, const fib_run_options *options, void **ret);

FIB_END

#endif
