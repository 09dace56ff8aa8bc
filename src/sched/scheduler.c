/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/epoll.h>
#include "platform/clock.h"
#include "platform/thread-local.h"
#include "sched/descriptor.h"
#include "sched/poller.h"
#include "sched/scheduler.h"

/* How long tasks run before descriptors and timers are looked at again, about, and in how many
 * tasks at most: the clock is not read for each. */
#define LOOK_EVERY_NS 20000
#define LOOK_EVERY_TASKS 256

_Thread_local struct fib_scheduler *scheduler_of_thread;

static NOINLINE struct fib_scheduler **current_slot(void)
{
        return LAUNDER(&scheduler_of_thread);
}

#if !defined(__x86_64__)
struct fib_scheduler *scheduler_current(void)
{
        return *current_slot();
}
#endif

void scheduler_push(struct fib_scheduler *scheduler, struct task *task)
{
        if (unlikely(scheduler->group->seeded)) {
                queue_push(&scheduler->current, &task->link);
                scheduler->group->runnable++;
                return;
        }
        if (task->stealable && deque_push(&scheduler->ready, task)) {
                if (scheduler->group->count > 1)
                        scheduler_offer(scheduler);
                return;
        }
        task->after = (uint32_t)deque_pushed(&scheduler->ready);
        queue_push(&scheduler->next, &task->link);
}

bool scheduler_receive(struct fib_scheduler *scheduler)
{
        struct queue queue;
        struct link *link;

        if (inbox_empty(&scheduler->inbox))
                return false;
        queue = inbox_take(&scheduler->inbox);
        while ((link = queue_pop(&queue)))
                scheduler_push(scheduler, task_of_link(link));
        return true;
}

/* Whether position a of the deque comes before b, modulo 2^32. */
static inline bool before(uint32_t a, uint32_t b)
{
        return (int32_t)(a - b) < 0;
}

/* Takes any one, each with the same chance.  Linear, as tests can bear. */
static NOINLINE struct task *take_any(struct fib_scheduler *scheduler)
{
        struct link **at = &scheduler->current.head;
        struct link *link, *before = NULL;
        uint32_t skip;

        if (!scheduler->current.head)
                return NULL;
        skip = random_below(&scheduler->random, (uint32_t)scheduler->group->runnable--);
        for (; skip > 0; skip--) {
                before = *at;
                at = &before->next;
        }
        link = *at;
        *at = link->next;
        if (!link->next)
                scheduler->current.tail = before;
        return task_of_link(link);
}

/* Takes the oldest task of the turn, wherever it lies. */
static inline struct task *take(struct fib_scheduler *scheduler)
{
        if (unlikely(scheduler->group->seeded))
                return take_any(scheduler);
        for (;;) {
                struct task *task = task_of_link(scheduler->current.head);
                uint32_t limit = task ? task->after : scheduler->turn_end;
                struct task *first;

                if (likely(!before((uint32_t)deque_taken(&scheduler->ready), limit))) {
                        if (task)
                                queue_pop(&scheduler->current);
                        return task;
                }
                first = deque_take(&scheduler->ready);
                if (first)
                        return first;
        }
}

/* Return: whether a turn has begun; if not, scheduler_run() decides what comes next. */
static inline bool begin_turn(struct fib_scheduler *scheduler)
{
        scheduler_receive(scheduler);
        if (unlikely(atomic_load_explicit(&scheduler->group->stop, memory_order_relaxed)))
                return false;
        if (scheduler->finished) {
                if (!scheduler->between_turns)
                        return false;
                scheduler->between_turns = false;
        }
        if (unlikely(scheduler->group->seeded))
                return scheduler->current.head;
        if (!scheduler->next.head && !deque_length(&scheduler->ready))
                return false;
        scheduler->current = scheduler->next;
        scheduler->next.head = NULL;
        scheduler->turn_end = (uint32_t)deque_pushed(&scheduler->ready);
        return true;
}

struct task *scheduler_next(struct fib_scheduler *scheduler)
{
        struct task *task;

        if (unlikely(--scheduler->credit < 0))
                return NULL;
        while (!(task = take(scheduler))) {
                if (!begin_turn(scheduler))
                        return NULL;
        }
        atomic_store_explicit(&scheduler->runcount,
                              atomic_load_explicit(&scheduler->runcount, memory_order_relaxed) + 1,
                              memory_order_relaxed);
        return task;
}

/* Sets the credit so that the tasks to come take about LOOK_EVERY_NS, if they are like those
 * that were run since the last look. */
static void renew_credit(struct fib_scheduler *scheduler, int64_t now)
{
        int64_t ran = scheduler->last_credit - (scheduler->credit > 0 ? scheduler->credit : 0);
        int64_t took = now - scheduler->last_look;
        int64_t credit = took > 0 ? ran * LOOK_EVERY_NS / took : LOOK_EVERY_TASKS;

        if (credit < 1)
                credit = 1;
        if (credit > LOOK_EVERY_TASKS)
                credit = LOOK_EVERY_TASKS;
        scheduler->credit = scheduler->last_credit = (int)credit;
        scheduler->last_look = now;
}

static void fire(struct fib_scheduler *scheduler, int events, int64_t now)
{
        poller_fire(scheduler, events);
        if (now >= timers_next(&scheduler->timers))
                timers_fire(&scheduler->timers, now);
}

void scheduler_poll(struct fib_scheduler *scheduler)
{
        int64_t now = scheduler_now(scheduler);
        int events = 0;

        renew_credit(scheduler, now);
        if (atomic_load_explicit(&scheduler->watches, memory_order_relaxed))
                events = poller_wait(scheduler, 0);
        fire(scheduler, events, now);
}

void scheduler_sleep(struct fib_scheduler *scheduler, int64_t deadline)
{
        int events;

        deadline = scheduler_enter_idle(scheduler, deadline);
        events = poller_wait(scheduler, deadline - clock_now());
        /* Not later: from here on, what this scheduler has to do is seen nowhere but here. */
        scheduler_leave_idle(scheduler);
        scheduler->last_look = scheduler_now(scheduler);
        fire(scheduler, events, scheduler->last_look);
}

void scheduler_add_timer(struct fib_scheduler *scheduler, struct timer *timer, int64_t expiry)
{
        bool first = timers_add(&scheduler->timers, timer, expiry);

        if (!first || scheduler == scheduler_current())
                return; /* an owner that adds one is awake */
        /* The timer is there before we look; pairs with the fence in go_to_sleep. */
        atomic_thread_fence(memory_order_seq_cst);
        if (expiry < atomic_load_explicit(&scheduler->asleep_until, memory_order_relaxed))
                scheduler_wake(scheduler);
}

/* One step of the loop.  Return: false when it is to end. */
static bool step(struct fib_scheduler *scheduler)
{
        struct task *task = scheduler_next(scheduler);

        if (task) {
                task->kind->run(task, scheduler);
                return true;
        }
        if (scheduler->credit < 0) {
                scheduler_poll(scheduler);
                return true;
        }
        if (atomic_load_explicit(&scheduler->group->stop, memory_order_relaxed))
                return false;
        if (scheduler->finished) {
                if (scheduler->finished(scheduler->finished_arg))
                        return false;
                scheduler->between_turns = true;
        }
        if (!scheduler_has_work(scheduler))
                scheduler_idle(scheduler);
        return true;
}

int scheduler_attach(struct fib_scheduler *scheduler)
{
        bool expected = false;

        if (scheduler_current())
                return -EBUSY;
        /* Pairs with the store in scheduler_detach: the owner's fields pass from thread to thread. */
        if (!atomic_compare_exchange_strong_explicit(&scheduler->running_now, &expected, true,
                                                     memory_order_acquire, memory_order_relaxed))
                return -EBUSY;
        pthread_mutex_lock(&scheduler->group->lock);
        scheduler->thread = pthread_self();
        scheduler->attached = true;
        scheduler->group->active++;
        pthread_mutex_unlock(&scheduler->group->lock);
        *current_slot() = scheduler;
        return 0;
}

void scheduler_detach(struct fib_scheduler *scheduler)
{
        *current_slot() = NULL;
        pthread_mutex_lock(&scheduler->group->lock);
        scheduler->group->active--;
        scheduler->attached = false;
        pthread_mutex_unlock(&scheduler->group->lock);
        atomic_store_explicit(&scheduler->running_now, false, memory_order_release);
}

void scheduler_run(struct fib_scheduler *scheduler, bool (*finished)(void *arg), void *arg)
{
        scheduler->finished = finished;
        scheduler->finished_arg = arg;
        scheduler->between_turns = false;
        scheduler->last_look = clock_now();
        while (step(scheduler)) {
                /* all is in the step */
        }
        scheduler->finished = NULL;
}
