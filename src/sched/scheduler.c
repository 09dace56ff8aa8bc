/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>
#include "base/biased-lock.h"
#include "platform/clock.h"
#include "platform/thread-local.h"
#include "sched/descriptor.h"
#include "sched/poller.h"
#include "sched/scheduler.h"

/* How long tasks run before descriptors and timers are looked at again, about, and in how many
 * tasks at most: the clock is not read for each. */
#define LOOK_EVERY_NS 20000
#define LOOK_EVERY_TASKS 256

/* See the top of scheduler.h. */
#define SATURATED 1024
#define FAIR_EVERY 64
#define SHARED_AT_ONCE 64
#define FLUSH_EVERY (1u << 20)

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

void scheduler_push_ready(struct fib_scheduler *scheduler, struct task *task)
{
        if (deque_push(&scheduler->ready, task)) {
                scheduler_offer(scheduler);
                return;
        }
        /* No memory for that: then nobody else may take it. */
        scheduler_push_last(scheduler, task);
}

/* Behind what the running task has given before: in the order in which it gave them. */
void scheduler_push_deep(struct fib_scheduler *scheduler, struct task *task)
{
        struct queue *deep = &scheduler->deep;

        /* Without a running fiber: an event gave it, or a task that is none. */
        if (task->stealable && scheduler->shares &&
            (!scheduler->running || scheduler_has_idle_peer(scheduler))) {
                scheduler_push_ready(scheduler, task);
                return;
        }
        if (!scheduler->running) {
                scheduler_push_last(scheduler, task);
                return;
        }
        scheduler->pushed++;
        /* Before anything in `ready`. */
        task->after = (uint32_t)deque_taken(&scheduler->ready);
        if (!scheduler->place) {
                task->link.next = deep->head;
                deep->head = &task->link;
        } else {
                task->link.next = scheduler->place->next;
                scheduler->place->next = &task->link;
        }
        if (!task->link.next)
                deep->tail = &task->link;
        scheduler->place = &task->link;
}

/* Offers peers what they may take of the first `most` tasks in `deep`. */
static void share_deep(struct fib_scheduler *scheduler, unsigned most)
{
        struct queue kept = { NULL, NULL };
        struct link *link;

        scheduler->place = NULL;
        while (most-- > 0 && (link = queue_pop(&scheduler->deep))) {
                if (task_of_link(link)->stealable && scheduler->shares) {
                        scheduler->pushed--;
                        scheduler_push_ready(scheduler, task_of_link(link));
                } else {
                        queue_push(&kept, link);
                }
        }
        queue_splice(&kept, &scheduler->deep);
        scheduler->deep = kept;
}

bool scheduler_receive(struct fib_scheduler *scheduler)
{
        struct queue queue;
        struct link *link;

        if (inbox_empty(&scheduler->inbox))
                return false;
        queue = inbox_take(&scheduler->inbox);
        while ((link = queue_pop(&queue))) {
                struct task *task = task_of_link(link);

                /* Not to `deep`: the running task has nothing to do with it. */
                if (task->stealable && scheduler->shares)
                        scheduler_push_ready(scheduler, task);
                else
                        scheduler_push_last(scheduler, task);
        }
        return true;
}

static size_t queue_length(const struct queue *queue)
{
        size_t length = 0;

        for (const struct link *link = queue->head; link; link = link->next)
                length++;
        return length;
}

/* Takes any one, each with the same chance.  Linear, as tests can bear. */
static struct task *take_any(struct fib_scheduler *scheduler)
{
        struct queue *queue = &scheduler->queue;
        struct link **at = &queue->head;
        struct link *link, *before = NULL;
        size_t length = queue_length(queue);

        if (length == 0)
                return NULL;
        for (uint32_t skip = random_below(&scheduler->random, (uint32_t)length); skip > 0; skip--) {
                before = *at;
                at = &before->next;
        }
        link = *at;
        *at = link->next;
        if (!link->next)
                queue->tail = before;
        return task_of_link(link);
}

/* Takes the oldest task, wherever it lies. */
static struct task *take(struct fib_scheduler *scheduler)
{
        for (;;) {
                struct task *task = task_of_link(scheduler->queue.head);
                uint32_t limit = task ? task->after : (uint32_t)deque_pushed(&scheduler->ready);
                struct task *first;

                if (!scheduler_before((uint32_t)deque_taken(&scheduler->ready), limit)) {
                        if (task) {
                                queue_pop(&scheduler->queue);
                                /* Where there are many, each is a miss. */
                                __builtin_prefetch(scheduler->queue.head);
                        }
                        return task;
                }
                first = deque_take(&scheduler->ready);
                if (first) {
                        scheduler->pushed++;
                        return first;
                }
        }
}

static struct task *take_deep(struct fib_scheduler *scheduler)
{
        struct task *task = NULL;

        scheduler->place = NULL;
        if (++scheduler->fairness % FLUSH_EVERY == 0)
                queue_splice(&scheduler->queue, &scheduler->deep); /* its bottom waits as well */
        if (scheduler->fairness % FAIR_EVERY == 0)
                task = take(scheduler);
        if (!task)
                task = task_of_link(queue_pop(&scheduler->deep));
        return task ? task : take(scheduler);
}

/* Sees to it that a seed's choice is from all there is, that turns end, and to depth. */
static struct task *take_carefully(struct fib_scheduler *scheduler)
{
        scheduler->credit = 0;
        if (--scheduler->budget < 0)
                return NULL;
        if (scheduler->group->seeded) {
                scheduler_receive(scheduler);
                return take_any(scheduler);
        }
        if (scheduler_saturated(scheduler)) {
                scheduler_receive(scheduler);
                return take_deep(scheduler);
        }
        if (scheduler->turn_left == 0)
                return NULL;
        scheduler->turn_left--;
        return take(scheduler);
}

struct task *scheduler_next_slowly(struct fib_scheduler *scheduler)
{
        struct task *task;

        if (unlikely(atomic_load_explicit(&scheduler->group->stop, memory_order_relaxed)))
                return NULL;
        if (scheduler->careful) {
                task = take_carefully(scheduler);
        } else {
                if (scheduler->credit < 0)
                        return NULL;
                scheduler_receive(scheduler);
                task = take(scheduler);
        }
        return task ? scheduler_count(scheduler, task) : NULL;
}

static int *credit_of(struct fib_scheduler *scheduler)
{
        return scheduler->careful ? &scheduler->budget : &scheduler->credit;
}

/* Sets the credit so that the tasks to come take about LOOK_EVERY_NS, if they are like those
 * that were run since the last look. */
static void renew_credit(struct fib_scheduler *scheduler, int64_t now)
{
        int *left = credit_of(scheduler);
        int64_t ran = scheduler->last_credit - (*left > 0 ? *left : 0);
        int64_t took = now - scheduler->last_look;
        int64_t credit = took > 0 ? ran * LOOK_EVERY_NS / took : LOOK_EVERY_TASKS;

        if (credit < 1)
                credit = 1;
        if (credit > LOOK_EVERY_TASKS)
                credit = LOOK_EVERY_TASKS;
        *left = scheduler->last_credit = (int)credit;
        scheduler->last_look = now;
}

/* Goes to depth first, or back. */
static void look_at_depth(struct fib_scheduler *scheduler)
{
        uint32_t run = atomic_load_explicit(&scheduler->runcount, memory_order_relaxed);
        uint64_t length = (scheduler->pushed - run) + deque_length(&scheduler->ready);
        bool was = scheduler_saturated(scheduler);
        bool is = length >= (was ? SATURATED / 2 : SATURATED);

        if (was && scheduler->shares && scheduler_has_idle_peer(scheduler))
                share_deep(scheduler, SHARED_AT_ONCE);
        if (is == was || scheduler->finished || scheduler->group->seeded)
                return;
        atomic_store_explicit(&scheduler->saturated, is, memory_order_relaxed);
        scheduler->careful = is;
        if (!is) {
                share_deep(scheduler, UINT_MAX);
                queue_splice(&scheduler->deep, &scheduler->queue);
                scheduler->queue = scheduler->deep;
                scheduler->deep.head = NULL;
        }
        scheduler->credit = scheduler->budget = 0;
}

static void fire(struct fib_scheduler *scheduler, int events, int64_t now)
{
        poller_fire(scheduler, events);
        if (now >= timers_next(&scheduler->timers))
                timers_fire(&scheduler->timers, scheduler->seat, now);
}

void scheduler_poll(struct fib_scheduler *scheduler)
{
        int64_t now = scheduler_now(scheduler);
        int events = 0;

        scheduler_add(&scheduler->stats.polls, 1);
        look_at_depth(scheduler);
        renew_credit(scheduler, now);
        if (atomic_load_explicit(&scheduler->watches, memory_order_relaxed))
                events = poller_wait(scheduler, 0);
        fire(scheduler, events, now);
}

void scheduler_sleep(struct fib_scheduler *scheduler, int64_t deadline)
{
        int events;

        scheduler_add(&scheduler->stats.sleeps, 1);
        deadline = scheduler_enter_idle(scheduler, deadline);
        events = poller_wait(scheduler, deadline - clock_now());
        /* Not later: from here on, what this scheduler has to do is seen nowhere but here. */
        scheduler_leave_idle(scheduler);
        scheduler->last_look = scheduler_now(scheduler);
        fire(scheduler, events, scheduler->last_look);
}

void scheduler_add_timer(struct fib_scheduler *scheduler, struct timer *timer, int64_t expiry)
{
        struct fib_scheduler *current = scheduler_current();
        bool first = timers_add(&scheduler->timers, current ? current->seat : 0, timer, expiry);

        if (!first || scheduler == current)
                return; /* an owner that adds one is awake */
        /* The timer is there before we look; pairs with the fence in go_to_sleep. */
        atomic_thread_fence(memory_order_seq_cst);
        if (expiry < atomic_load_explicit(&scheduler->asleep_until, memory_order_relaxed))
                scheduler_wake(scheduler);
}

/* Asks whether to go on, and begins a turn.  Return: false when it is to end. */
static bool begin_turn(struct fib_scheduler *scheduler)
{
        if (!scheduler->finished || scheduler->turn_left > 0)
                return true;
        if (scheduler->finished(scheduler->finished_arg))
                return false;
        scheduler_receive(scheduler);
        scheduler->turn_left = queue_length(&scheduler->queue) + deque_length(&scheduler->ready);
        return true;
}

/* One step of the loop.  Return: false when it is to end. */
static bool step(struct fib_scheduler *scheduler)
{
        struct task *task = scheduler_next(scheduler);

        if (task) {
                scheduler_run_task(scheduler, task);
                return true;
        }
        if (atomic_load_explicit(&scheduler->group->stop, memory_order_relaxed))
                return false;
        if (*credit_of(scheduler) < 0) {
                scheduler_poll(scheduler);
                return true;
        }
        if (!scheduler_has_work(scheduler))
                scheduler->turn_left = 0; /* a peer took the rest */
        if (!begin_turn(scheduler))
                return false;
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
        scheduler->seat = seat_take();
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
        seat_give(scheduler->seat);
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
        scheduler->turn_left = 0;
        scheduler->careful = finished || scheduler->group->seeded || scheduler_saturated(scheduler);
        scheduler->credit = scheduler->budget = scheduler->last_credit = 0;
        scheduler->last_look = clock_now();
        while (step(scheduler)) {
                /* all is in the step */
        }
        scheduler->finished = NULL;
}
