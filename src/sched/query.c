/* SPDX-License-Identifier: MIT */
/* query.c - what the public interface tells of schedulers. */
#include "platform/clock.h"
#include "sched/scheduler.h"

fib_scheduler *fib_scheduler_current(void)
{
        return scheduler_current();
}

bool fib_scheduler_kernel_thread(fib_scheduler *scheduler, pthread_t *ret)
{
        bool running;

        if (!scheduler)
                return false;
        /* The lock, since `thread` has no atomic type. */
        pthread_mutex_lock(&scheduler->group->lock);
        running = scheduler->attached;
        if (running && ret)
                *ret = scheduler->thread;
        pthread_mutex_unlock(&scheduler->group->lock);
        return running;
}

uint32_t fib_scheduler_runcount(fib_scheduler *scheduler)
{
        return scheduler ? atomic_load_explicit(&scheduler->runcount, memory_order_relaxed) : 0;
}

static uint64_t read_count(const atomic_uint_least64_t *count)
{
        return atomic_load_explicit(count, memory_order_relaxed);
}

void fib_scheduler_stats(const fib_scheduler *scheduler, fib_stats *ret)
{
        *ret = (fib_stats){ .polls = 0 };
        if (!scheduler)
                return;
        *ret = (fib_stats){
                .polls = read_count(&scheduler->stats.polls),
                .sleeps = read_count(&scheduler->stats.sleeps),
                .wakes = read_count(&scheduler->stats.wakes),
                .steals = read_count(&scheduler->stats.steals),
                .stolen = read_count(&scheduler->stats.stolen),
                .failed_steals = read_count(&scheduler->stats.failed_steals),
        };
}

size_t fib_scheduler_remote_peers(fib_scheduler *scheduler, fib_scheduler *ret[], size_t n)
{
        size_t peers = 0;

        if (!scheduler)
                return 0;
        for (unsigned i = 0; i < scheduler->group->count; i++) {
                if (i == scheduler->index)
                        continue;
                if (ret && peers < n)
                        ret[peers] = &scheduler->group->schedulers[i];
                peers++;
        }
        return peers;
}

bool fib_scheduler_work_pending(fib_scheduler *scheduler)
{
        if (!scheduler)
                return false;
        /* Another thread may only look at what is shared. */
        if (scheduler == scheduler_current() && (scheduler->queue.head || scheduler->deep.head))
                return true;
        return !inbox_empty(&scheduler->inbox) || deque_length(&scheduler->ready) ||
               timers_next(&scheduler->timers) != CLOCK_NEVER;
}

fib_scheduler *fib_scheduler_choose_parallel(fib_scheduler *scheduler)
{
        struct fib_scheduler *current = scheduler_current();
        struct random random;
        uint32_t index;

        if (!scheduler)
                return NULL;
        if (current) {
                index = random_below(&current->random, scheduler->group->count);
        } else {
                random_init(&random, (uint64_t)clock_now());
                index = random_below(&random, scheduler->group->count);
        }
        return &scheduler->group->schedulers[index];
}
