/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include "base/pool.h"
#include "platform/clock.h"
#include "sched/call.h"
#include "sched/descriptor.h"
#include "sched/scheduler.h"

struct call {
        struct task task;
        fib_task_fn *fn;
        void *arg;
};

/* A call for later.  It is in its scheduler's list of calls until it becomes a task. */
struct delayed_call {
        struct call call;
        struct fib_scheduler *scheduler;
        struct list link; /* under the scheduler's calls_lock */
        enum { AT_TIME, ON_EVENT } kind;
        union {
                struct timer timer;
                struct watch watch;
        };
};

static void call_free(struct task *task)
{
        pool_free(container_of(task, struct call, task), sizeof(struct call));
}

static void call_run(struct task *task, struct fib_scheduler *scheduler)
{
        struct call call = *container_of(task, struct call, task);

        call_free(task);
        call.fn(call.arg);
}

const struct task_kind call_kind = { call_run, call_free };

static void delayed_free(struct task *task)
{
        pool_free(container_of(task, struct delayed_call, call.task), sizeof(struct delayed_call));
}

static void delayed_run(struct task *task, struct fib_scheduler *scheduler)
{
        struct call call = *container_of(task, struct call, task);

        delayed_free(task);
        call.fn(call.arg);
}

const struct task_kind call_delayed_kind = { delayed_run, delayed_free };

int fib_schedule_task(fib_scheduler *scheduler, fib_task_fn *fn, void *arg)
{
        struct call *call;

        if (!scheduler || !fn)
                return -EINVAL;
        call = pool_alloc(sizeof(*call));
        if (!call)
                return -ENOMEM;
        *call = (struct call){ { .kind = TASK_CALL, .stealable = TASK_FREE }, fn, arg };
        scheduler_give(scheduler, &call->task);
        return 0;
}

static struct delayed_call *delayed_new(fib_scheduler *scheduler, fib_task_fn *fn, void *arg)
{
        struct delayed_call *delayed = pool_alloc(sizeof(*delayed));

        if (!delayed)
                return NULL;
        *delayed = (struct delayed_call){
                .call = { { .kind = TASK_DELAYED_CALL, .stealable = TASK_FREE }, fn, arg },
                .scheduler = scheduler,
        };
        spinlock_acquire(&scheduler->calls_lock);
        list_append(&scheduler->calls, &delayed->link);
        spinlock_release(&scheduler->calls_lock);
        return delayed;
}

static void forget(struct delayed_call *delayed)
{
        spinlock_acquire(&delayed->scheduler->calls_lock);
        list_remove(&delayed->link);
        spinlock_release(&delayed->scheduler->calls_lock);
}

static void become_task(struct delayed_call *delayed)
{
        forget(delayed);
        scheduler_give(delayed->scheduler, &delayed->call.task);
}

static void timer_fired(struct timer *timer)
{
        become_task(container_of(timer, struct delayed_call, timer));
}

int fib_schedule_task_at(fib_scheduler *scheduler, int64_t expiry, fib_task_fn *fn, void *arg)
{
        struct delayed_call *delayed;

        if (!scheduler || !fn)
                return -EINVAL;
        delayed = delayed_new(scheduler, fn, arg);
        if (!delayed)
                return -ENOMEM;
        delayed->kind = AT_TIME;
        list_init(&delayed->timer.wheel.link);
        delayed->timer.admit = NULL;
        delayed->timer.fire = timer_fired;
        scheduler_add_timer(scheduler, &delayed->timer, expiry);
        return 0;
}

/* Whoever admits it is a visitor of the scheduler until it has been sent there. */
static bool watch_admit(struct watch *watch, short revents)
{
        atomic_fetch_add_explicit(&watch->scheduler->visitors, 1, memory_order_relaxed);
        return true;
}

static void watch_fired(struct watch *watch, short revents)
{
        struct fib_scheduler *scheduler = watch->scheduler;

        become_task(container_of(watch, struct delayed_call, watch));
        /* Pairs with the load in group_free. */
        atomic_fetch_sub_explicit(&scheduler->visitors, 1, memory_order_release);
}

static int schedule_on_event(fib_scheduler *scheduler, int fd, short events, fib_task_fn *fn,
                             void *arg)
{
        struct delayed_call *delayed;
        int r;

        if (!scheduler || !fn)
                return -EINVAL;
        r = descriptor_poll(fd, events);
        if (r != 0)
                return r < 0 ? r : fib_schedule_task(scheduler, fn, arg);
        delayed = delayed_new(scheduler, fn, arg);
        if (!delayed)
                return -ENOMEM;
        delayed->kind = ON_EVENT;
        delayed->watch = (struct watch){
                .fd = fd,
                .events = events,
                .scheduler = scheduler,
                .admit = watch_admit,
                .fire = watch_fired,
        };
        r = descriptor_watch(&delayed->watch);
        if (r < 0) {
                forget(delayed);
                delayed_free(&delayed->call.task);
        }
        return r;
}

int fib_schedule_task_when_readable(fib_scheduler *scheduler, int fd, fib_task_fn *fn, void *arg)
{
        return schedule_on_event(scheduler, fd, POLLIN, fn, arg);
}

int fib_schedule_task_when_writable(fib_scheduler *scheduler, int fd, fib_task_fn *fn, void *arg)
{
        return schedule_on_event(scheduler, fd, POLLOUT, fn, arg);
}

void calls_drop(struct fib_scheduler *scheduler)
{
        unsigned rounds = 0;

        for (;;) {
                struct delayed_call *delayed;
                struct list *link;

                spinlock_acquire(&scheduler->calls_lock);
                link = scheduler->calls.next;
                spinlock_release(&scheduler->calls_lock);
                if (link == &scheduler->calls)
                        return;
                delayed = container_of(link, struct delayed_call, link);
                if (delayed->kind == AT_TIME) {
                        timers_cancel(&scheduler->timers, scheduler_seat(), &delayed->timer);
                } else if (!descriptor_forget(&delayed->watch)) {
                        /* fib_close() in another thread is about to make it a task. */
                        spin(&rounds);
                        continue;
                }
                forget(delayed);
                delayed_free(&delayed->call.task);
        }
}
