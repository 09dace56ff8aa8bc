/* SPDX-License-Identifier: MIT */
/* fiber.h - fibers: tasks with a stack.
 *
 *   NEW        spawned; no stack yet; in some scheduler's queue
 *   LIVE       begun; its frame lies at the top of its stack.  Running, or in a queue, or parked
 *   DONE       its function has returned (or it was dropped); only the handle is left
 *
 * The handle (struct fib_fiber) is small, for there may be a million that have not begun, and
 * outlives the stack while somebody holds a reference.  What only a live fiber needs is in the
 * frame, on the one page of the stack that is touched anyway. */
#ifndef FIBER_FIBER_H
#define FIBER_FIBER_H

#include <fibers/fiber.h>
#include "fiber/stack.h"
#include "op/condition.h"
#include "op/perform.h"
#include "platform/context.h"
#include "platform/exception.h"
#include "platform/float-control.h"
#include "sched/scheduler.h"

struct environment;

enum fiber_state { FIBER_NEW, FIBER_LIVE, FIBER_DONE };

struct fib_fiber {
        struct task task;
        uint8_t state; /* enum fiber_state; written by the thread it is on */
        uint8_t stack_class;
        bool migratable;
        bool cancelled; /* DONE, but fn did not return */
        union {
                fib_fn *fn;          /* NEW */
                struct frame *frame; /* LIVE */
        };
        void *arg;                       /* then what fn returned: read after `done` */
        struct fib_condition done;       /* its count of references is the fiber's */
        struct environment *environment; /* parameter.c; touched by the fiber itself */
        uint64_t id;
        char *name; /* NULL: none */
};

/* How a suspended flow goes on; see fib_suspend(). */
struct fib_continuation {
        void (*resume)(fib_continuation *continuation, fib_value value);
        fib_value value;
};

/* At the top of a live fiber's stack. */
struct frame {
        struct context context;
        struct parker parker; /* what floor 3 sees of the fiber */
        struct fib_fiber *fiber;
        struct fib_scheduler *scheduler; /* where it runs, or ran last */
        struct stack *stack;
        struct fib_perform *perform; /* that it is parked in, or NULL */
        struct exception_state exceptions;
        struct fib_continuation continuation;
        bool queued;          /* abandon.c: it was in a queue */
        struct direct direct; /* the parker's */
};

/* What a thread needs to run fibers: its scheduler's `worker`.  Touched by that thread only. */
struct worker {
        struct context context; /* of scheduler_run(), while a fiber runs */
        struct sanitizer_stack sanitizer;
        struct exception_state exceptions;
        struct exception_state *exception_globals; /* the thread's; NULL: there is no C++ */
        struct task *handoff;                 /* taken by a fiber, to be run on our own stack */
        void (*after)(struct worker *worker); /* to be called there first */
        fib_after_suspend_fn *after_suspend;
        void *after_arg;
        struct frame *left; /* the fiber that `after` is about */
        struct stack_cache stacks;
        struct stack *dying; /* was left for good; may be reused from now on */
        uint64_t next_id;    /* of fibers: taken from the process in blocks */
        uint64_t end_id;
        struct float_control float_control; /* the thread's: what fibers begin with */
        void *alternate_stack;              /* overflow.h */
        int timer_slack;                    /* the thread's, before */
};

extern const struct task_kind fiber_kind;

static inline struct fib_fiber *fiber_of_task(struct task *task)
{
        return container_of(task, struct fib_fiber, task);
}

/* The frame of the fiber that has this stack. */
static inline struct frame *frame_on(const struct stack *stack)
{
        return (struct frame *)((uintptr_t)(stack->top - sizeof(struct frame)) & ~(uintptr_t)15);
}

static inline struct worker *worker_of(struct fib_scheduler *scheduler)
{
        return scheduler->worker;
}

/* The calling fiber's frame; NULL in a plain thread. */
struct frame *frame_current(void);

/* Leaves the calling fiber for whatever is to run next; returns when its turn has come again, with
 * parker.value.  To be the last thing that its caller does (context_switch_last). */
fib_value fiber_leave(struct frame *frame);

/* The same by way of scheduler_run()'s stack, where after() is called with worker->left set: the
 * fiber is off its own by then. */
fib_value fiber_leave_then(struct frame *frame, void (*after)(struct worker *worker));

/* Makes a parked fiber runnable, from any thread; `in_handler`: async-signal-safe. */
void fiber_ready(struct frame *frame, bool in_handler);

/* Ends a fiber: tells who joins it, and gives up its own reference. */
void fiber_finish(struct fib_fiber *fiber, void *result, bool cancelled);

/* Makes a fiber that inherits the caller's parameters.  Return: NULL without memory. */
struct fib_fiber *fiber_new(fib_fn *fn, void *arg, const fib_spawn_options *options,
                            struct group *group);

/* Runs a scheduler, and its fibers, in the calling thread until finished(arg), if it is given, or
 * group_stop().  Fails: -EBUSY. */
int worker_run(struct fib_scheduler *scheduler, bool (*finished)(void *arg), void *arg);

/* The same when it is attached already; it is detached afterwards. */
void worker_run_attached(struct fib_scheduler *scheduler, bool (*finished)(void *arg), void *arg);

/* Ends every fiber of a group where it stands.  No thread runs the group. */
void fibers_abandon(struct group *group);

#endif
