/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <fibers/run.h>
#include "platform/clock.h"
#include "sched/call.h"
#include "sched/poller.h"
#include "sched/scheduler.h"

static atomic_uint_least64_t last_id;

/* How many the calling thread may use. */
static int processors(void)
{
        cpu_set_t cpus;

        return sched_getaffinity(0, sizeof(cpus), &cpus) < 0 ? 1 : CPU_COUNT(&cpus);
}

static int scheduler_init(struct group *group, unsigned index)
{
        struct fib_scheduler *scheduler = &group->schedulers[index];

        scheduler->group = group;
        scheduler->index = index;
        scheduler->shares = group->count > 1;
        scheduler->id = atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1;
        scheduler->spin_ns = SCHEDULER_SPIN_NS;
        random_init(&scheduler->random, scheduler->id);
        atomic_init(&scheduler->asleep_until, INT64_MIN);
        list_init(&scheduler->calls);
        timers_init(&scheduler->timers);
        if (!deque_init(&scheduler->ready))
                return -ENOMEM;
        return poller_open(scheduler);
}

static void scheduler_close(struct fib_scheduler *scheduler)
{
        poller_close(scheduler);
        deque_destroy(&scheduler->ready);
}

int group_new(unsigned count, struct group **ret)
{
        struct group *group;
        size_t size;
        unsigned i;
        int r;

        if (count < 1 || count > FIB_PARALLELISM_MAX)
                return -EINVAL;
        size = sizeof(*group) + count * sizeof(group->schedulers[0]);
        size = (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
        group = aligned_alloc(CACHE_LINE, size);
        if (!group)
                return -ENOMEM;
        memset(group, 0, size);
        group->count = count;
        group->crowded = count > (unsigned)processors() || processors() == 1;
        group->kinds[TASK_CALL] = &call_kind;
        group->kinds[TASK_DELAYED_CALL] = &call_delayed_kind;
        pthread_mutex_init(&group->lock, NULL);
        for (i = 0; i < count; i++) {
                r = scheduler_init(group, i);
                if (r < 0)
                        goto close_schedulers;
        }
        *ret = group;
        return 0;
close_schedulers:
        deque_destroy(&group->schedulers[i].ready);
        while (i-- > 0)
                scheduler_close(&group->schedulers[i]);
        free(group);
        return r;
}

void group_seed(struct group *group, uint64_t seed)
{
        struct fib_scheduler *scheduler = &group->schedulers[0];

        group->seeded = true;
        group->virtual_now = INT64_C(1000000000);
        wheel_init(&scheduler->timers.wheel, group->virtual_now);
        random_init(&scheduler->random, seed);
}

struct queue group_collect(struct group *group)
{
        struct queue all = { NULL, NULL };

        for (unsigned i = 0; i < group->count; i++) {
                struct fib_scheduler *scheduler = &group->schedulers[i];
                struct queue received = inbox_take(&scheduler->inbox);
                struct task *task;

                queue_splice(&all, &scheduler->deep);
                queue_splice(&all, &scheduler->queue);
                while ((task = deque_take(&scheduler->ready)))
                        queue_push(&all, &task->link);
                queue_splice(&all, &received);
        }
        return all;
}

void group_free(struct group *group)
{
        struct queue queue;
        struct link *link;
        unsigned rounds = 0;

        for (unsigned i = 0; i < group->count; i++) {
                calls_drop(&group->schedulers[i]);
                /* Pairs with the last step of scheduler_send, and of watch_fired. */
                while (atomic_load_explicit(&group->schedulers[i].visitors, memory_order_acquire))
                        spin(&rounds);
        }
        queue = group_collect(group);
        while ((link = queue_pop(&queue)))
                group->kinds[task_of_link(link)->kind]->drop(task_of_link(link));
        for (unsigned i = 0; i < group->count; i++)
                scheduler_close(&group->schedulers[i]);
        pthread_mutex_destroy(&group->lock);
        free(group);
}

void group_stop(struct group *group)
{
        struct fib_scheduler *current = scheduler_current();

        /* Before the look at `asleep` in scheduler_wake; pairs with the look in go_to_sleep. */
        atomic_store_explicit(&group->stop, true, memory_order_seq_cst);
        for (unsigned i = 0; i < group->count; i++)
                scheduler_wake(&group->schedulers[i]);
        /* The caller's own, if it is one of them, ends now and not at the end of its credit. */
        if (current && current->group == group)
                current->credit = 0;
}

bool group_quiet(struct group *group)
{
        if (group->idle < group->active)
                return false;
        for (unsigned i = 0; i < group->count; i++) {
                struct fib_scheduler *scheduler = &group->schedulers[i];

                /* The owners of the queues are idle, so these are empty. */
                if (!inbox_empty(&scheduler->inbox) || deque_length(&scheduler->ready) ||
                    timers_next(&scheduler->timers) != CLOCK_NEVER)
                        return false;
        }
        return true;
}
