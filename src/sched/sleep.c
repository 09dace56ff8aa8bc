/* SPDX-License-Identifier: MIT */
/* sleep.c - what a scheduler does when it has nothing to run, and how it is woken.
 *
 * It takes work from peers; watches its inbox for a few microseconds, since to be woken from a
 * sleep in the kernel costs 25-50 of them; and sleeps in its poller.
 *
 * No wake-up is lost: who leaves work publishes it and then looks whether somebody sleeps; who
 * goes to sleep says so and then looks for work.  Both put a full fence between the two, so at
 * least one of them sees the other.  No system call is wasted: a sleeper is woken by whoever
 * clears `asleep`, once. */
#include "platform/clock.h"
#include "sched/poller.h"
#include "sched/scheduler.h"

#define SPIN_LEAST_NS 2000
#define STEAL_MOST 256

/* What a peer will come to by itself in a moment is left to it: a fiber stays where it begins, and
 * most often is about to talk to who spawned it.  (Taken at once: the sieve of 2,000 primes with
 * two workers 1,030 ms instead of 110, get-or-timeout 2,660 ns instead of 130.) */
#define STEAL_AT_ONCE 1024
#define STEAL_AFTER_NS 50000
#define STEAL_AFTER_CROWDED_NS 1600000 /* more schedulers than processors: it gains little */

/* Return: whether it slept. */
static bool wake(struct fib_scheduler *scheduler)
{
        /* After the caller published what it wakes for; pairs with the store in go_to_sleep. */
        if (!atomic_load_explicit(&scheduler->asleep, memory_order_seq_cst) ||
            !atomic_exchange_explicit(&scheduler->asleep, false, memory_order_seq_cst))
                return false;
        atomic_fetch_sub_explicit(&scheduler->group->sleepers, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&scheduler->stats.wakes, 1, memory_order_relaxed);
        poller_wake(scheduler);
        return true;
}

void scheduler_wake(struct fib_scheduler *scheduler)
{
        wake(scheduler);
}

void scheduler_offer(struct fib_scheduler *scheduler)
{
        struct group *group = scheduler->group;

        /* Pairs with the fence in go_to_sleep. */
        atomic_thread_fence(memory_order_seq_cst);
        if (!atomic_load_explicit(&group->sleepers, memory_order_relaxed) ||
            atomic_load_explicit(&group->searchers, memory_order_relaxed))
                return;
        for (unsigned i = 1; i < group->count; i++) {
                if (wake(&group->schedulers[(scheduler->index + i) % group->count]))
                        return;
        }
}

void scheduler_send(struct fib_scheduler *scheduler, struct task *task)
{
        struct fib_scheduler *current = scheduler_current();
        /* A run ends when its own threads have ended; others must be waited for: as soon as the
         * task is in the inbox it may run, and be the last one. */
        bool visitor = !current || current->group != scheduler->group;
        bool free = task->stealable == TASK_FREE;

        if (visitor)
                atomic_fetch_add_explicit(&scheduler->visitors, 1, memory_order_relaxed);
        inbox_push(&scheduler->inbox, &task->link);
        /* If that one is busy, a sleeping peer may take it: see steal_inbox. */
        if (!wake(scheduler) && free && scheduler->group->count > 1)
                scheduler_offer(scheduler);
        if (visitor)
                /* Pairs with the load in group_free. */
                atomic_fetch_sub_explicit(&scheduler->visitors, 1, memory_order_release);
}

/* Whether a peer has much, or has had some for a while without coming to the end of it.  Whoever
 * looks leaves behind when it first saw that. */
static bool is_behind(struct fib_scheduler *peer)
{
        uint64_t length = deque_length(&peer->ready);
        uint64_t taken = deque_taken(&peer->ready);
        int64_t now;

        if (length >= STEAL_AT_ONCE || (length > 0 && scheduler_saturated(peer)))
                return true;
        now = length ? clock_now() : 0;
        if (length == 0 ||
            (length == 1 &&
             atomic_load_explicit(&peer->seen_taken, memory_order_relaxed) != taken) ||
            atomic_load_explicit(&peer->seen_at, memory_order_relaxed) == 0) {
                atomic_store_explicit(&peer->seen_at, now, memory_order_relaxed);
                atomic_store_explicit(&peer->seen_taken, taken, memory_order_relaxed);
                return false;
        }
        return now - atomic_load_explicit(&peer->seen_at, memory_order_relaxed) >=
               (peer->group->crowded ? STEAL_AFTER_CROWDED_NS : STEAL_AFTER_NS);
}

/* Takes up to half of what a peer offers. */
static bool steal_from(struct fib_scheduler *scheduler, struct fib_scheduler *peer)
{
        uint64_t wanted = (deque_length(&peer->ready) + 1) / 2;
        uint64_t got;

        if (!is_behind(peer))
                return false;
        if (wanted > STEAL_MOST)
                wanted = STEAL_MOST;
        for (got = 0; got < wanted; got++) {
                struct task *task = deque_take(&peer->ready);

                if (!task)
                        break;
                scheduler_push(scheduler, task);
        }
        if (got > 0) {
                scheduler_add(&scheduler->stats.steals, 1);
                scheduler_add(&scheduler->stats.stolen, got);
        }
        return got > 0;
}

/* Takes what was sent to a peer that has not come round to it, and gives back what only the peer
 * may run. */
static bool steal_inbox(struct fib_scheduler *scheduler, struct fib_scheduler *peer)
{
        struct queue queue;
        struct link *link;
        bool got = false;

        if (inbox_empty(&peer->inbox))
                return false;
        queue = inbox_take(&peer->inbox);
        while ((link = queue_pop(&queue))) {
                struct task *task = task_of_link(link);

                if (task->stealable == TASK_FREE) {
                        scheduler_push(scheduler, task);
                        got = true;
                } else {
                        scheduler_send(peer, task);
                }
        }
        return got;
}

typedef bool steal_fn(struct fib_scheduler *scheduler, struct fib_scheduler *peer);

static bool from_some_peer(struct fib_scheduler *scheduler, steal_fn *steal)
{
        struct group *group = scheduler->group;
        unsigned start = random_below(&scheduler->random, group->count);

        for (unsigned i = 0; i < group->count; i++) {
                struct fib_scheduler *peer = &group->schedulers[(start + i) % group->count];

                if (peer != scheduler && steal(scheduler, peer))
                        return true;
        }
        return false;
}

bool scheduler_steal(struct fib_scheduler *scheduler)
{
        if (scheduler->group->count == 1)
                return false;
        if (from_some_peer(scheduler, steal_from))
                return true;
        scheduler_add(&scheduler->stats.failed_steals, 1);
        return false;
}

static bool peer_has_work(struct fib_scheduler *scheduler, struct fib_scheduler *peer)
{
        return deque_length(&peer->ready) > 0;
}

static bool peer_is_behind(struct fib_scheduler *scheduler, struct fib_scheduler *peer)
{
        return is_behind(peer);
}

static bool stopping(struct fib_scheduler *scheduler)
{
        return atomic_load_explicit(&scheduler->group->stop, memory_order_seq_cst);
}

/* Watches the inbox for as long as that has paid lately; and, one scheduler of a group at a time,
 * what peers offer.  Return: whether there is something to do. */
static bool search(struct fib_scheduler *scheduler)
{
        struct group *group = scheduler->group;
        int64_t begin, end, now;
        unsigned expected = 0;
        bool found = false;
        bool scans;

        if (scheduler->spin_ns < SPIN_LEAST_NS)
                return false;
        scans = group->count > 1 &&
                atomic_compare_exchange_strong_explicit(&group->searchers, &expected, 1,
                                                        memory_order_seq_cst, memory_order_relaxed);
        begin = now = clock_now();
        end = begin + scheduler->spin_ns;
        if (timers_next(&scheduler->timers) < end)
                end = timers_next(&scheduler->timers);
        for (unsigned i = 1; !found && now < end; i++) {
                /* Whoever we wait for may need this very processor. */
                if (group->crowded)
                        sched_yield();
                else
                        cpu_relax();
                found = !inbox_empty(&scheduler->inbox);
                if (!group->crowded && i % 8 > 0)
                        continue; /* an answer is what we wait for most often */
                found |= stopping(scheduler) ||
                         (scans && from_some_peer(scheduler, peer_is_behind));
                now = clock_now();
        }
        if (scans) {
                /* Before `asleep` is set: who saw us search left its work before our last look. */
                atomic_fetch_sub_explicit(&group->searchers, 1, memory_order_seq_cst);
                if (found)
                        scheduler_steal(scheduler);
        }
        if (now - begin > 2 * (int64_t)SCHEDULER_SPIN_NS)
                scheduler->spin_ns = 0; /* another process had the processor: sleep the next time */
        else if (!found)
                scheduler->spin_ns /= 2;
        else if (scheduler->spin_ns < SCHEDULER_SPIN_NS)
                scheduler->spin_ns *= 2;
        return found;
}

/* The last one to go idle asks whether everybody is. */
int64_t scheduler_enter_idle(struct fib_scheduler *scheduler, int64_t deadline)
{
        struct group *group = scheduler->group;

        pthread_mutex_lock(&group->lock);
        scheduler->idle = true;
        group->idle++;
        if (group->quiescent && group_quiet(group)) {
                int64_t until = group->quiescent(group->quiescent_arg);

                if (until < deadline)
                        deadline = until;
        }
        pthread_mutex_unlock(&group->lock);
        return deadline;
}

void scheduler_leave_idle(struct fib_scheduler *scheduler)
{
        pthread_mutex_lock(&scheduler->group->lock);
        scheduler->idle = false;
        scheduler->group->idle--;
        pthread_mutex_unlock(&scheduler->group->lock);
}

/* Whether peers leave something, which they may come to by themselves.  Then they are not to be
 * hindered in that meanwhile. */
static bool peers_leave_work(struct fib_scheduler *scheduler)
{
        struct group *group = scheduler->group;

        if (group->count == 1)
                return false;
        if (from_some_peer(scheduler, steal_inbox))
                return true;
        if (!from_some_peer(scheduler, peer_has_work))
                return false;
        if (group->crowded)
                sched_yield();
        else
                cpu_relax();
        return true;
}

static void go_to_sleep(struct fib_scheduler *scheduler)
{
        struct group *group = scheduler->group;
        int64_t deadline = timers_next(&scheduler->timers);
        int64_t began = clock_now();

        atomic_fetch_add_explicit(&group->sleepers, 1, memory_order_relaxed);
        atomic_store_explicit(&scheduler->asleep_until, deadline, memory_order_relaxed);
        atomic_store_explicit(&scheduler->asleep, true, memory_order_seq_cst);
        /* Pairs with the loads in scheduler_wake and in scheduler_add_timer, and with the fence
         * in scheduler_offer. */
        atomic_thread_fence(memory_order_seq_cst);
        if (!stopping(scheduler) && inbox_empty(&scheduler->inbox) &&
            timers_next(&scheduler->timers) >= deadline && !peers_leave_work(scheduler))
                scheduler_sleep(scheduler, deadline);
        atomic_store_explicit(&scheduler->asleep_until, INT64_MIN, memory_order_relaxed);
        if (atomic_exchange_explicit(&scheduler->asleep, false, memory_order_seq_cst))
                atomic_fetch_sub_explicit(&group->sleepers, 1, memory_order_relaxed);
        else if ((clock_now() - began) / 2 < SCHEDULER_SPIN_NS)
                scheduler->spin_ns = SCHEDULER_SPIN_NS; /* it would have been worth watching */
}

/* In a seeded run: lets the time pass in which nothing happens.  Return: whether any could. */
static bool jump(struct fib_scheduler *scheduler)
{
        int64_t next = timers_next(&scheduler->timers);

        if (!scheduler->group->seeded || next == CLOCK_NEVER)
                return false;
        if (next > scheduler->group->virtual_now)
                scheduler->group->virtual_now = next;
        timers_fire(&scheduler->timers, scheduler->seat, scheduler->group->virtual_now);
        return true;
}

void scheduler_idle(struct fib_scheduler *scheduler)
{
        scheduler_poll(scheduler);
        timers_update(&scheduler->timers, scheduler->seat);
        if (scheduler_has_work(scheduler) || scheduler_steal(scheduler) || jump(scheduler) ||
            search(scheduler))
                return;
        go_to_sleep(scheduler);
}
