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

#include <string.h>
#include <fibers/fiber.h>
#include "fiber/stack.h"
#include "op/condition.h"
#include "op/perform.h"
#include "platform/context.h"
#include "platform/exception.h"
#include "platform/float-control.h"
#include "sched/scheduler.h"

struct environment;

struct fib_fiber {
        struct task task; /* NEW: that begins it */
        fib_fn *fn;
        void *arg;                       /* then what fn returned: read after `done` */
        struct environment *environment; /* parameter.c; touched by the fiber itself */
        uint64_t id : 48;
        uint64_t stack_class : 8;
        uint64_t migratable : 1;
        uint64_t named : 1;        /* the name lies behind this structure */
        uint64_t cancelled : 1;    /* DONE, but fn did not return */
        struct fib_condition done; /* its count of references is the fiber's */
        char name[];               /* if it is `named` */
};

_Static_assert(sizeof(struct fib_fiber) <= 64, "a million that have not begun fit into 64 MB");

/* Kinds of tasks. */
enum { TASK_BEGIN_FIBER = TASK_DELAYED_CALL + 1, TASK_RESUME_FIBER };

/* How a suspended flow goes on; see fib_suspend(). */
struct fib_continuation {
        void (*resume)(fib_continuation *continuation, fib_value value);
        fib_value value;
};

/* At the top of a live fiber's stack. */
struct frame {
        struct context context;
        struct parker parker; /* what floor 3 sees of the fiber; its scheduler: where it runs */
        struct fib_fiber *fiber;
        struct stack *stack;
        struct exception_state exceptions;
        struct fib_continuation continuation;
        bool suspended;       /* in fib_suspend() */
        bool queued;          /* abandon.c: it was in a queue */
        fib_value unused[2];  /* for the line that `direct` has */
        struct direct direct; /* the parker's */
};

/* The frame begins a cache line; two are all that a message touches of a fiber that waits. */
_Static_assert(offsetof(struct frame, parker.perform) == CACHE_LINE &&
                       offsetof(struct frame, direct.perform.parker) % CACHE_LINE == 0 &&
                       offsetof(struct frame, direct.arm.op) % CACHE_LINE == 0,
               "what is touched together lies together");

/* The perform that a fiber which waits is parked in; NULL: it waits for fib_resume(). */
static inline struct fib_perform *frame_perform(struct frame *frame)
{
        if (frame->parker.perform)
                return frame->parker.perform;
        return frame->suspended ? NULL : &frame->direct.perform;
}

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

/* Tells a group of these kinds. */
void fiber_set_kinds(struct group *group);

/* Of a task that begins a fiber. */
static inline struct fib_fiber *fiber_of_task(struct task *task)
{
        return container_of(task, struct fib_fiber, task);
}

/* Of a task that resumes one. */
static inline struct frame *frame_of_task(struct task *task)
{
        return container_of(task, struct frame, parker.task);
}

/* The frame of the fiber that has this stack. */
static inline struct frame *frame_on(const struct stack *stack)
{
        return (struct frame *)((uintptr_t)(stack->top - sizeof(struct frame)) &
                                ~(uintptr_t)(CACHE_LINE - 1));
}

static inline struct worker *worker_of(struct fib_scheduler *scheduler)
{
        return scheduler->worker;
}

extern HIDDEN const struct parker_ops fiber_parker_ops;

/* The calling fiber's frame; NULL in a plain thread. */
static inline struct frame *frame_current(void)
{
        struct fib_scheduler *scheduler = scheduler_current();
        struct parker *parker = scheduler ? scheduler->running : NULL;

        return likely(parker && parker->ops == &fiber_parker_ops)
                       ? container_of(parker, struct frame, parker)
                       : NULL;
}

/* Leaves the calling fiber for whatever is to run next; returns when its turn has come again, with
 * parker.value, as the word that it is.  To be the last thing that its caller does (context_switch_last). */
intptr_t fiber_leave(struct frame *frame);

/* The same where parker.value is `true`, in the register that returns a bool too. */
bool fiber_leave_true(struct frame *frame) __asm__("fiber_leave") HIDDEN;

/* The same by way of scheduler_run()'s stack, where after() is called with worker->left set: the
 * fiber is off its own by then. */
intptr_t fiber_leave_then(struct frame *frame, void (*after)(struct worker *worker));

/* Ends a fiber: tells who joins it, and gives up its own reference. */
void fiber_finish(struct fib_fiber *fiber, void *result, bool cancelled);

/* Of a handle. */
static inline size_t fiber_size(const char *name)
{
        return sizeof(struct fib_fiber) + (name ? strlen(name) + 1 : 0);
}

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
