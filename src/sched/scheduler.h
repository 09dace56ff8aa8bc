/* SPDX-License-Identifier: MIT */
/* scheduler.h - runs tasks in turns; the inside of a scheduler, for this floor and those above.
 *
 * A turn runs each task that is there once.  Tasks lie in three places:
 *
 *   queue     tasks that only the owner runs       owner only, no atomics
 *   ready     tasks that peers may take instead    stealing deque: the owner pushes
 *   inbox     tasks from other threads             any thread pushes
 *
 * Together, queue and ready are first in, first out: a task in the queue remembers in `after` how
 * many tasks had been pushed to `ready` before it (modulo 2^32).  So turns need not be told from
 * each other, unless somebody wants to be asked between them.  Descriptors and timers are looked
 * at when the credit is used up, a number of tasks that take some twenty microseconds.
 *
 * With a thousand tasks in the queue the scheduler goes from breadth first to depth first: what a
 * task spawns or wakes runs next (`deep`).  A tree of fibers is then as many stacks as it is deep,
 * and not as it is wide.  So that nobody starves, one task in 64 is the oldest one, and once in a
 * million `deep` goes to the end of the queue.  (R. Halstead's "breadth first until saturation, then
 * depth first", 1985.)
 *
 * Schedulers made together are a group: the peer set.  Steps, not a closed loop: an embedder
 * may call scheduler_next(), scheduler_poll() and scheduler_idle() from a loop of its own. */
#ifndef SCHED_SCHEDULER_H
#define SCHED_SCHEDULER_H

#include <fibers/scheduler.h>
#include "base/deque.h"
#include "base/inbox.h"
#include "base/random.h"
#include "platform/clock.h"
#include "sched/task.h"
#include "sched/timers.h"

#define SCHEDULER_MAX_EVENTS 256
/* At most.  To wake a sleeper costs 25-50 microseconds; who waits for one that is being woken must
 * not fall asleep meanwhile (round trip across two: 4.8 microseconds with 50,000, 3.0 so). */
#define SCHEDULER_SPIN_NS 100000

struct group;
struct epoll_event;

struct fib_scheduler {
        /* Touched by the thread that runs it only. */
        struct queue queue;
        void *running; /* floor 3's: who performs in this thread; NULL: nobody */
        void *worker;  /* floor 4's */
        int credit;    /* tasks until descriptors and timers are looked at; `careful`: 0 */
        bool careful;  /* scheduler_next_slowly() for each task: a seed, finished(), or saturated */
        atomic_bool saturated; /* depth first; changes between tasks; thieves read it */
        bool shares;           /* it has peers */
        uint32_t pushed;       /* to `queue` and `deep`; less runcount: how many are there */
        unsigned seat;         /* biased-lock.h: the thread's */
        int budget;            /* `careful`: what the credit would be */
        int last_credit;       /* what that was at the last look */
        int64_t last_look;
        int64_t spin_ns; /* how long it pays to watch the inbox before sleeping */
        struct random random;
        bool (*finished)(void *arg); /* asked before each turn; may be NULL */
        void *finished_arg;
        size_t turn_left;   /* tasks until it is asked again */
        struct queue deep;  /* before `queue`, as long as `saturated` */
        struct link *place; /* in `deep`: the last one that the running task gave; NULL: none yet */
        unsigned fairness;  /* tasks taken while `saturated` */

        /* Never changed while it can be reached. */
        struct group *group;
        unsigned index; /* in the group */
        uint64_t id;    /* unique in the process, never 0 */
        int epoll_fd;
        int wake_fd;                /* an eventfd, in the epoll, edge-triggered, never read */
        struct epoll_event *events; /* what the last wait gave */

        struct deque ready;
        struct timers timers;

        /* Shared; written now and then. */
        alignas(CACHE_LINE) struct inbox inbox;
        atomic_bool asleep; /* sleep.c; whoever clears it writes to wake_fd */
        atomic_int_least64_t asleep_until;
        atomic_int_least64_t seen_at;     /* sleep.c: since when peers have seen work in `ready` */
        atomic_uint_least64_t seen_taken; /* and how much had been taken then */
        atomic_uint watches;              /* descriptors waited for here */
        atomic_uint visitors;             /* threads of no group that are handing a task over */
        atomic_uint_least32_t runcount;   /* written by the owner */
        struct {
                atomic_uint_least64_t polls, sleeps, steals, stolen, failed_steals; /* the owner */
                atomic_uint_least64_t wakes;                                        /* anyone */
        } stats;
        atomic_bool running_now; /* a thread is in scheduler_run() */
        pthread_t thread;        /* while `attached` */
        bool attached;           /* both under the group's lock */
        bool idle;               /* under the group's lock */
        struct spinlock calls_lock;
        struct list calls; /* call.c: those that wait for a descriptor or a time */
};

/* Schedulers that share and steal. */
struct group {
        unsigned count;        /* of schedulers; does not change */
        bool crowded;          /* they are more than the processors; likewise */
        atomic_uint sleepers;  /* schedulers asleep, or about to be */
        atomic_uint searchers; /* schedulers that look for work before sleeping */
        atomic_bool stop;      /* scheduler_run() returns at the next turn */
        pthread_mutex_t lock;  /* guards the two below, and all schedulers' `idle` */
        unsigned active;       /* schedulers in scheduler_run() */
        unsigned idle;         /* those of them that are about to sleep, or do */

        /* Asked by the last one to go idle, under the lock, when no scheduler has a task and
         * none has a timer: how long to sleep before asking again (CLOCK_NEVER allowed); 0: do
         * not sleep.  May be NULL. */
        int64_t (*quiescent)(void *arg);
        void *quiescent_arg;

        const struct task_kind *kinds[TASK_KINDS];
        uint8_t stack_class; /* floor 4's: what its fibers are like */
        bool migratable;

        /* group_seed(); there is one scheduler then, whose thread's these are. */
        bool seeded;
        int64_t virtual_now;

        struct fib_scheduler schedulers[];
};

/* Allocates a group with its descriptors; `kinds` of tasks besides calls are the caller's to set.
 * Fails: -EINVAL, -ENOMEM, -EMFILE, -ENFILE. */
int group_new(unsigned count, struct group **ret);

/* Makes a group of one deterministic: the next task is any of those that are runnable, chosen by
 * the seed, and time stands still but for jumps to the next timer when nothing is runnable. */
void group_seed(struct group *group, uint64_t seed);

/* Drops all tasks, and frees it.  None may be running. */
void group_free(struct group *group);

/* Takes all tasks out of all queues; no thread runs the group. */
struct queue group_collect(struct group *group);

/* Makes every scheduler_run() of the group return. */
void group_stop(struct group *group);

/* Whether nothing can run but by a descriptor or by a thread of no group; under the lock. */
bool group_quiet(struct group *group);

/* The scheduler that the calling thread runs, or NULL.  Read afresh each time: the calling fiber
 * may have moved to another thread.  On x86-64 by an asm of two instructions that compilers
 * cannot look into; elsewhere by a call that hides the address (platform/thread-local.h). */
extern HIDDEN _Thread_local struct fib_scheduler *scheduler_of_thread;

#if defined(__x86_64__)
static inline struct fib_scheduler *scheduler_current(void)
{
        struct fib_scheduler *scheduler;

        __asm__ volatile("movq scheduler_of_thread@gottpoff(%%rip), %0\n\t"
                         "movq %%fs:(%0), %0"
                         : "=r"(scheduler));
        return scheduler;
}
#else
struct fib_scheduler *scheduler_current(void);
#endif

/* The calling thread's seat (biased-lock.h), or 0. */
static ALWAYS_INLINE unsigned scheduler_seat(void)
{
        const struct fib_scheduler *scheduler = scheduler_current();

        return likely(scheduler) ? scheduler->seat : 0;
}

/* The time for whom it runs; NULL: for a plain thread. */
static inline int64_t scheduler_now(const struct fib_scheduler *scheduler)
{
        return scheduler && scheduler->group->seeded ? scheduler->group->virtual_now : clock_now();
}

/* Binds it to the calling thread, and undoes that.  Fails: -EBUSY (either has another). */
int scheduler_attach(struct fib_scheduler *scheduler);
void scheduler_detach(struct fib_scheduler *scheduler);

/* Adds to one of the owner's counts, which others only read. */
static inline void scheduler_add(atomic_uint_least64_t *count, uint64_t n)
{
        atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + n,
                              memory_order_relaxed);
}

/* Runs it, attached, until finished(arg), which may be NULL, or group_stop(). */
void scheduler_run(struct fib_scheduler *scheduler, bool (*finished)(void *arg), void *arg);

/* A push where peers may take it. */
void scheduler_push_ready(struct fib_scheduler *scheduler, struct task *task);

/* Whether it goes depth first. */
static ALWAYS_INLINE bool scheduler_saturated(const struct fib_scheduler *scheduler)
{
        return atomic_load_explicit(&scheduler->saturated, memory_order_relaxed);
}

/* Whether a scheduler of the group sleeps for want of work, and would find little. */
static inline bool scheduler_has_idle_peer(struct fib_scheduler *scheduler)
{
        return atomic_load_explicit(&scheduler->group->sleepers, memory_order_relaxed) &&
               deque_length(&scheduler->ready) < 64;
}

/* A push while `saturated`: to `deep`, if nobody else can use it. */
void scheduler_push_deep(struct fib_scheduler *scheduler, struct task *task);

/* Gives it a task from its own thread, behind all others; peers cannot take it. */
static ALWAYS_INLINE void scheduler_push_last(struct fib_scheduler *scheduler, struct task *task)
{
        scheduler->pushed++;
        task->after = (uint32_t)deque_pushed(&scheduler->ready);
        queue_push(&scheduler->queue, &task->link);
}

/* Gives it a task from its own thread.  Nothing can fail. */
static ALWAYS_INLINE void scheduler_push(struct fib_scheduler *scheduler, struct task *task)
{
        if (unlikely(scheduler_saturated(scheduler)))
                scheduler_push_deep(scheduler, task);
        else if (task->stealable && scheduler->shares)
                scheduler_push_ready(scheduler, task);
        else
                scheduler_push_last(scheduler, task);
}

/* The same from any other thread, or from a signal handler; wakes it. */
void scheduler_send(struct fib_scheduler *scheduler, struct task *task);

/* Whichever of the two is right. */
static inline void scheduler_give(struct fib_scheduler *scheduler, struct task *task)
{
        if (scheduler == scheduler_current())
                scheduler_push(scheduler, task);
        else
                scheduler_send(scheduler, task);
}

/* Whether position a of the deque comes before b, modulo 2^32. */
static inline bool scheduler_before(uint32_t a, uint32_t b)
{
        return (int32_t)(a - b) < 0;
}

/* Counts a task that is about to be run. */
static ALWAYS_INLINE struct task *scheduler_count(struct fib_scheduler *scheduler,
                                                  struct task *task)
{
        atomic_store_explicit(&scheduler->runcount,
                              atomic_load_explicit(&scheduler->runcount, memory_order_relaxed) + 1,
                              memory_order_relaxed);
        return task;
}

/* The next task, if that is just the queue's first one.  Return: NULL: ask
 * scheduler_next_slowly(). */
static ALWAYS_INLINE struct task *scheduler_next_quickly(struct fib_scheduler *scheduler)
{
        struct task *task = container_of(scheduler->queue.head, struct task, link);

        _Static_assert(offsetof(struct task, link) == 0, "no link, no task");
        if (unlikely(--scheduler->credit < 0 || !task || !inbox_empty(&scheduler->inbox) ||
                     scheduler_before((uint32_t)deque_taken(&scheduler->ready), task->after)))
                return NULL;
        scheduler->queue.head = task->link.next;
        __builtin_prefetch(task->link.next); /* among many, its turn begins with a miss */
        return scheduler_count(scheduler, task);
}

struct task *scheduler_next_slowly(struct fib_scheduler *scheduler);

/* The next task to run, on whatever stack the caller is; NULL: go back to scheduler_run(). */
static inline struct task *scheduler_next(struct fib_scheduler *scheduler)
{
        struct task *task = scheduler_next_quickly(scheduler);

        return likely(task) ? task : scheduler_next_slowly(scheduler);
}

static inline void scheduler_run_task(struct fib_scheduler *scheduler, struct task *task)
{
        scheduler->group->kinds[task->kind]->run(task, scheduler);
}

/* Looks at timers and descriptors, without sleeping. */
void scheduler_poll(struct fib_scheduler *scheduler);

/* Sleeps until `deadline` at most, or an event, or scheduler_wake(). */
void scheduler_sleep(struct fib_scheduler *scheduler, int64_t deadline);

/* sleep.c: says that it is about to sleep.  Return: when to be up again, `deadline` or before. */
int64_t scheduler_enter_idle(struct fib_scheduler *scheduler, int64_t deadline);
void scheduler_leave_idle(struct fib_scheduler *scheduler);

/* Nothing to run: steals, or sleeps until there is something. */
void scheduler_idle(struct fib_scheduler *scheduler);

/* Moves what other threads sent to where the owner finds it.  Return: whether there was any. */
bool scheduler_receive(struct fib_scheduler *scheduler);

/* Takes work from peers.  Return: whether there was any. */
bool scheduler_steal(struct fib_scheduler *scheduler);

/* Ends its sleep, or keeps it from beginning.  Any thread; async-signal-safe. */
void scheduler_wake(struct fib_scheduler *scheduler);

/* Work was left where peers may take it: wakes one, if one sleeps and none is searching. */
void scheduler_offer(struct fib_scheduler *scheduler);

/* Adds a timer to this scheduler's, from any thread. */
void scheduler_add_timer(struct fib_scheduler *scheduler, struct timer *timer, int64_t expiry);

static inline bool scheduler_has_work(struct fib_scheduler *scheduler)
{
        return scheduler->queue.head || scheduler->deep.head || deque_length(&scheduler->ready) ||
               !inbox_empty(&scheduler->inbox);
}

#endif
