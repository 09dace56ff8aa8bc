/* SPDX-License-Identifier: MIT */
/* suspend.c - leaving the processor: for a turn, for a while, until somebody says so. */
#include <errno.h>
#include <sched.h>
#include <fibers/time.h>
#include "fiber/fiber.h"
#include "op/thread.h"
#include "op/time.h"
#include "platform/clock.h"

static void push_left(struct worker *worker)
{
        struct frame *frame = worker->left;

        scheduler_push(frame->parker.scheduler, &frame->parker.task);
}

bool fib_yield(void)
{
        struct frame *frame = frame_current();

        if (!frame) {
                sched_yield();
                return false;
        }
        if (frame->parker.task.stealable) {
                /* A peer may take it as soon as it is pushed: off the stack first. */
                fiber_leave_then(frame, push_left);
                return true;
        }
        frame->parker.value = fib_num(true);
        scheduler_push_last(frame->parker.scheduler, &frame->parker.task);
        return fiber_leave_true(frame);
}

int fib_sleep(int64_t ns)
{
        if (ns <= 0)
                fib_yield();
        else
                time_wait(clock_add(fib_now(), ns));
        return 0;
}

static void resume_fiber(fib_continuation *continuation, fib_value value)
{
        continuation->value = value;
        parker_resume(&container_of(continuation, struct frame, continuation)->parker, false);
}

static void call_after(struct worker *worker)
{
        struct frame *frame = worker->left;

        worker->after_suspend(frame->parker.scheduler, &frame->continuation, worker->after_arg);
}

/* A plain thread's, on its stack. */
struct thread_continuation {
        fib_continuation continuation;
        struct thread_parker thread;
};

static void resume_thread(fib_continuation *continuation, fib_value value)
{
        struct parker *parker =
                &container_of(continuation, struct thread_continuation, continuation)
                         ->thread.parker;

        continuation->value = value;
        parker_resume(parker, false);
}

static fib_value suspend_thread(fib_after_suspend_fn *after, void *arg)
{
        struct thread_continuation self = { .continuation.resume = resume_thread };
        struct parker *parker = &self.thread.parker;

        thread_parker_init(&self.thread);
        after(NULL, &self.continuation, arg);
        parker->ops->park(parker);
        thread_parker_destroy(&self.thread);
        return self.continuation.value;
}

fib_value fib_suspend(fib_after_suspend_fn *after, void *arg)
{
        struct frame *frame = frame_current();
        struct worker *worker;

        if (!after)
                return fib_num(0);
        if (!frame)
                return suspend_thread(after, arg);
        worker = worker_of(frame->parker.scheduler);
        frame->suspended = true;
        frame->continuation.resume = resume_fiber;
        worker->after_suspend = after;
        worker->after_arg = arg;
        fiber_leave_then(frame, call_after);
        frame->suspended = false;
        return frame->continuation.value;
}

void fib_resume(fib_continuation *continuation, fib_value value)
{
        if (continuation)
                continuation->resume(continuation, value);
}
