/* SPDX-License-Identifier: MIT */
/* worker.c - a thread that runs fibers. */
#include <errno.h>
#include <sys/prctl.h>
#include <fibers/run.h>
#include "fiber/fiber.h"
#include "fiber/overflow.h"

static void worker_begin(struct worker *worker, struct fib_scheduler *scheduler)
{
        *worker = (struct worker){ .exception_globals = exception_globals() };
        sanitizer_thread_init(&worker->sanitizer);
        worker->float_control = float_control_get();
        worker->alternate_stack = overflow_begin();
        worker->timer_slack = prctl(PR_GET_TIMERSLACK);
        /* Otherwise each sleep is 50 microseconds late. */
        prctl(PR_SET_TIMERSLACK, 1ul);
        scheduler->worker = worker;
}

static void worker_end(struct worker *worker, struct fib_scheduler *scheduler)
{
        scheduler->worker = NULL;
        prctl(PR_SET_TIMERSLACK, (unsigned long)worker->timer_slack);
        if (worker->dying)
                stack_put(&worker->stacks, worker->dying);
        stack_flush(&worker->stacks);
        overflow_end(worker->alternate_stack);
        sanitizer_thread_done(&worker->sanitizer);
}

void worker_run_attached(struct fib_scheduler *scheduler, bool (*finished)(void *arg), void *arg)
{
        struct worker worker;

        worker_begin(&worker, scheduler);
        scheduler_run(scheduler, finished, arg);
        worker_end(&worker, scheduler);
        scheduler_detach(scheduler);
}

int worker_run(struct fib_scheduler *scheduler, bool (*finished)(void *arg), void *arg)
{
        int r = scheduler_attach(scheduler);

        if (r == 0)
                worker_run_attached(scheduler, finished, arg);
        return r;
}

int fib_scheduler_new(unsigned parallelism, fib_scheduler **ret)
{
        struct group *group;
        int r;

        if (!ret)
                return -EINVAL;
        r = group_new(parallelism ? parallelism : 1, &group);
        if (r < 0)
                return r;
        fiber_set_kinds(group);
        group->stack_class = (uint8_t)stack_class_of(FIB_STACK_DEFAULT);
        *ret = &group->schedulers[0];
        return 0;
}

int fib_scheduler_run(fib_scheduler *scheduler, bool (*finished)(void *arg), void *arg)
{
        if (!scheduler || !finished)
                return -EINVAL;
        return worker_run(scheduler, finished, arg);
}

void fib_scheduler_destroy(fib_scheduler *scheduler)
{
        if (!scheduler || scheduler->index > 0)
                return;
        fibers_abandon(scheduler->group);
        group_free(scheduler->group);
}
