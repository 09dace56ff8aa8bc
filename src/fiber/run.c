/* SPDX-License-Identifier: MIT */
/* run.c - fib_run(): a group of schedulers, a thread for each, and the first fiber. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <fibers/run.h>
#include "fiber/deadlock.h"
#include "fiber/fiber.h"
#include "platform/clock.h"

/* While only a foreign thread can wake us, it is looked at whether there still is one. */
#define LOOK_FIRST_NS INT64_C(50000000)
#define LOOK_LAST_NS INT64_C(1000000000)

/* A signal may be under way whose handler wakes somebody: what looks like a deadlock is one if
 * it still does after this time. */
#define SUSPECT_NS INT64_C(20000000)

struct run {
        fib_fn *init;
        void *arg;
        void *result;
        struct group *group;
        const fib_run_options *options;
        bool done;        /* init has returned; written by its thread */
        uint64_t seed;    /* 0: not deterministic */
        int error;        /* under the group's lock */
        int64_t look_ns;  /* likewise */
        uint64_t suspect; /* likewise: tasks_run() when it first looked stuck */
        cpu_set_t before; /* the caller's processors */
        cpu_set_t cpus;   /* to run on */
        unsigned cpu_count;
        bool pinned; /* each thread to one of them */
};

struct peer {
        struct run *run;
        struct fib_scheduler *scheduler;
        pthread_t thread;
};

static void *first_fiber(void *arg)
{
        struct run *run = arg;

        run->result = run->init(run->arg);
        __atomic_store_n(&run->done, true, __ATOMIC_RELEASE);
        if (!run->options->drain && !run->options->scheduler)
                group_stop(run->group);
        return NULL;
}

static bool is_done(struct run *run)
{
        return __atomic_load_n(&run->done, __ATOMIC_ACQUIRE);
}

/* One more than the tasks that the group has run: changes when anything happens. */
static uint64_t tasks_run(struct group *group)
{
        uint64_t sum = 1;

        for (unsigned i = 0; i < group->count; i++)
                sum += fib_scheduler_runcount(&group->schedulers[i]);
        return sum;
}

/* All schedulers are about to sleep, with no timers: the run is over, or stuck, or somebody else
 * will wake it.  Under the group's lock. */
static int64_t quiescent(void *arg)
{
        struct run *run = arg;

        if (!is_done(run)) {
                if (run->options->keep_waiting)
                        return CLOCK_NEVER;
                if (deadlock_may_be_woken(run->group)) {
                        run->look_ns = run->look_ns ? 2 * run->look_ns : LOOK_FIRST_NS;
                        if (run->look_ns > LOOK_LAST_NS)
                                run->look_ns = LOOK_LAST_NS;
                        return clock_now() + run->look_ns;
                }
                if (run->suspect != tasks_run(run->group)) {
                        run->suspect = tasks_run(run->group);
                        return clock_now() + SUSPECT_NS;
                }
                deadlock_describe(run->group);
                run->error = -EDEADLK;
        }
        group_stop(run->group);
        return 0;
}

/* On a scheduler that was given, whose peers are not ours to stop. */
static bool finished(void *arg)
{
        struct run *run = arg;

        return is_done(run) &&
               !(run->options->drain && fib_scheduler_work_pending(run->options->scheduler));
}

/* Pins the calling thread to the index-th processor. */
static void pin(const struct run *run, unsigned index)
{
        cpu_set_t one;
        int cpu;

        CPU_ZERO(&one);
        for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
                if (CPU_ISSET(cpu, &run->cpus) && index-- == 0)
                        break;
        }
        CPU_SET(cpu, &one);
        sched_setaffinity(0, sizeof(one), &one);
}

static void set_affinity(const struct run *run, unsigned index)
{
        if (run->pinned)
                pin(run, index);
        else if (run->options->cpus)
                sched_setaffinity(0, sizeof(run->cpus), &run->cpus);
}

static void *peer_main(void *arg)
{
        struct peer *peer = arg;
        char name[16];

        snprintf(name, sizeof(name), "fibers-%u", peer->scheduler->index % 10000);
        pthread_setname_np(pthread_self(), name);
        set_affinity(peer->run, peer->scheduler->index);
        worker_run(peer->scheduler, NULL, NULL);
        return NULL;
}

/* Starts a thread for each scheduler but the first, with the caller's signal mask.  Return: how
 * many were started. */
static unsigned start_peers(struct run *run, struct peer peers[], int *ret_error)
{
        unsigned n;
        int r;

        for (n = 0; n + 1 < run->group->count; n++) {
                peers[n] = (struct peer){ .run = run, .scheduler = &run->group->schedulers[n + 1] };
                r = pthread_create(&peers[n].thread, NULL, peer_main, &peers[n]);
                if (r) {
                        *ret_error = -r;
                        break;
                }
        }
        return n;
}

/* Spawns the first fiber: in the calling thread it begins, whoever is idle. */
static int spawn_first(struct run *run, struct fib_scheduler *scheduler)
{
        struct stack_cache none = { .count = { 0 } };
        struct stack *stack = stack_get(&none, run->group->stack_class, NULL);
        struct fib_fiber *fiber;

        /* A fiber that finds no memory for a stack waits for one; this must not be the first. */
        if (!stack)
                return -ENOMEM;
        stack_put(NULL, stack);
        stack_flush(&none);
        fiber = fiber_new(first_fiber, run, NULL, scheduler->group);
        if (!fiber)
                return -ENOMEM;
        fiber->task.stealable = TASK_PINNED;
        scheduler_send(scheduler, &fiber->task);
        return 0;
}

static int run_group(struct run *run)
{
        struct peer *peers = calloc(run->group->count, sizeof(*peers));
        struct fib_scheduler *first = &run->group->schedulers[0];
        unsigned started = 0;
        int r;

        if (!peers)
                return -ENOMEM;
        r = spawn_first(run, first);
        if (r < 0)
                goto free_peers;
        started = start_peers(run, peers, &r);
        if (r == 0) {
                set_affinity(run, 0);
                r = worker_run(first, NULL, NULL);
        }
        group_stop(run->group);
        for (unsigned i = 0; i < started; i++)
                pthread_join(peers[i].thread, NULL);
        if (r == 0)
                r = run->error;
free_peers:
        free(peers);
        return r;
}

static void set_fiber_options(struct run *run)
{
        run->group->migratable |= run->options->migratable;
        if (run->options->stack_size)
                run->group->stack_class = (uint8_t)stack_class_of(run->options->stack_size);
}

/* A group of its own. */
static int run_alone(struct run *run, unsigned parallelism)
{
        int r;

        r = group_new(parallelism, &run->group);
        if (r < 0)
                return r;
        fiber_set_kinds(run->group);
        run->group->stack_class = (uint8_t)stack_class_of(FIB_STACK_DEFAULT);
        set_fiber_options(run);
        if (run->seed)
                group_seed(run->group, run->seed);
        run->group->quiescent = quiescent;
        run->group->quiescent_arg = run;
        r = run_group(run);
        fibers_abandon(run->group);
        group_free(run->group);
        return r;
}

/* The user's scheduler. */
static int run_given(struct run *run)
{
        struct fib_scheduler *scheduler = run->options->scheduler;
        int r;

        r = scheduler_attach(scheduler);
        if (r < 0)
                return r;
        run->group = scheduler->group;
        set_fiber_options(run);
        r = spawn_first(run, scheduler);
        if (r < 0)
                scheduler_detach(scheduler);
        else
                worker_run_attached(scheduler, finished, run);
        return r;
}

/* Decides where to run.  The kernel says which of the processors asked for there are.
 * Return: 0 or -EINVAL. */
static int choose_cpus(struct run *run, unsigned *parallelism)
{
        if (sched_getaffinity(0, sizeof(run->before), &run->before) < 0)
                return -EINVAL; /* more processors than cpu_set_t has room for */
        if (run->options->cpus &&
            sched_setaffinity(0, sizeof(*run->options->cpus), run->options->cpus) < 0)
                return -EINVAL;
        sched_getaffinity(0, sizeof(run->cpus), &run->cpus);
        run->cpu_count = (unsigned)CPU_COUNT(&run->cpus);
        if (*parallelism == 0)
                *parallelism = run->cpu_count < FIB_PARALLELISM_MAX ? run->cpu_count
                                                                    : FIB_PARALLELISM_MAX;
        run->pinned = *parallelism == run->cpu_count;
        return 0;
}

static uint64_t choose_seed(const fib_run_options *options)
{
        const char *text;

        if (options->seed || options->scheduler)
                return options->seed;
        text = getenv("FIBERS_SEED");
        return text ? strtoull(text, NULL, 0) : 0;
}

int fib_run(fib_fn *init, void *arg, const fib_run_options *options, void **ret)
{
        static const fib_run_options defaults;
        struct run run = { .init = init, .arg = arg, .options = options ? options : &defaults };
        unsigned parallelism = run.options->parallelism;
        int r;

        if (!init || parallelism > FIB_PARALLELISM_MAX ||
            (run.options->stack_size && stack_class_of(run.options->stack_size) < 0))
                return -EINVAL;
        if (scheduler_current())
                return -EBUSY;
        if (run.options->suspendable_posix)
                return -ENOTSUP;
        run.seed = choose_seed(run.options);
        if (run.seed)
                parallelism = 1;
        if (run.options->scheduler && run.seed)
                return -EINVAL;
        if (run.options->scheduler) {
                r = run_given(&run);
        } else {
                r = choose_cpus(&run, &parallelism);
                if (r == 0) {
                        r = run_alone(&run, parallelism);
                        sched_setaffinity(0, sizeof(run.before), &run.before);
                }
        }
        if (r == 0 && ret)
                *ret = run.result;
        return r;
}
