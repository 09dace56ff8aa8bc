/* SPDX-License-Identifier: MIT */
/* scheduler-test.c - schedulers that the user makes, and runs with threads of their own. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>
#include <fibers.h>
#include "tests/harness.h"

static fib_scheduler *scheduler_new(unsigned parallelism)
{
        fib_scheduler *scheduler = NULL;

        ck_assert_int_eq(fib_scheduler_new(parallelism, &scheduler), 0);
        ck_assert_ptr_nonnull(scheduler);
        return scheduler;
}

static bool is_true(void *arg)
{
        return *(bool *)arg;
}

static void make_true(void *arg)
{
        *(bool *)arg = true;
}

TEST(a_scheduler_runs_its_tasks_until_it_is_finished)
{
        fib_scheduler *scheduler = scheduler_new(1);
        bool finished = false;

        ck_assert_int_eq(fib_schedule_task(scheduler, make_true, &finished), 0);
        ck_assert(!finished);
        ck_assert_int_eq(fib_scheduler_run(scheduler, is_true, &finished), 0);
        ck_assert(finished);
        /* It may be run again; and not at all if it is finished. */
        finished = false;
        ck_assert_int_eq(fib_schedule_task(scheduler, make_true, &finished), 0);
        ck_assert_int_eq(fib_scheduler_run(scheduler, is_true, &finished), 0);
        ck_assert_int_eq(fib_scheduler_run(scheduler, is_true, &finished), 0);
        fib_scheduler_destroy(scheduler);
}

TEST(bad_arguments_are_refused)
{
        fib_scheduler *scheduler = NULL, *given;
        bool finished = true;

        ck_assert_int_eq(fib_scheduler_new(1, NULL), -EINVAL);
        ck_assert_int_eq(fib_scheduler_new(FIB_PARALLELISM_MAX + 1, &scheduler), -EINVAL);
        ck_assert_int_eq(fib_scheduler_new(1000000, &scheduler), -EINVAL);
        ck_assert_ptr_null(scheduler);
        given = scheduler_new(0); /* counts as 1 */
        ck_assert_uint_eq(fib_scheduler_remote_peers(given, NULL, 0), 0);
        ck_assert_int_eq(fib_scheduler_run(NULL, is_true, &finished), -EINVAL);
        ck_assert_int_eq(fib_scheduler_run(given, NULL, NULL), -EINVAL);
        ck_assert_int_eq(fib_schedule_task(NULL, make_true, &finished), -EINVAL);
        ck_assert_int_eq(fib_schedule_task(given, NULL, NULL), -EINVAL);
        ck_assert_int_eq(fib_schedule_task_at(NULL, 0, make_true, &finished), -EINVAL);
        ck_assert_int_eq(fib_schedule_task_at(given, 0, NULL, NULL), -EINVAL);
        ck_assert_int_eq(fib_schedule_task_when_readable(NULL, 0, make_true, &finished), -EINVAL);
        ck_assert_int_eq(fib_schedule_task_when_readable(given, 0, NULL, NULL), -EINVAL);
        ck_assert_int_eq(fib_schedule_task_when_readable(given, -1, make_true, NULL), -EBADF);
        ck_assert_int_eq(fib_schedule_task_when_writable(given, -7, make_true, NULL), -EBADF);
        ck_assert_int_eq(fib_schedule_task_when_writable(given, 100000, make_true, NULL), -EBADF);
        ck_assert(!fib_scheduler_work_pending(given));
        ck_assert_ptr_null(fib_scheduler_current());
        ck_assert(!fib_scheduler_kernel_thread(NULL, NULL));
        ck_assert_uint_eq(fib_scheduler_runcount(NULL), 0);
        ck_assert_uint_eq(fib_scheduler_remote_peers(NULL, NULL, 0), 0);
        ck_assert(!fib_scheduler_work_pending(NULL));
        ck_assert_ptr_null(fib_scheduler_choose_parallel(NULL));
        fib_scheduler_destroy(NULL);
        fib_resume(NULL, fib_num(0));
        fib_scheduler_destroy(given);
}

static void check_inside(void *arg)
{
        fib_scheduler *scheduler = *(fib_scheduler **)arg;
        pthread_t thread;
        bool finished = false;

        ck_assert_ptr_eq(fib_scheduler_current(), scheduler);
        ck_assert(fib_scheduler_kernel_thread(scheduler, &thread));
        ck_assert(pthread_equal(thread, pthread_self()));
        ck_assert_int_eq(fib_scheduler_run(scheduler, is_true, &finished), -EBUSY);
        *(fib_scheduler **)arg = scheduler_new(1);
        ck_assert_int_eq(fib_scheduler_run(*(fib_scheduler **)arg, is_true, &finished), -EBUSY);
        fib_scheduler_destroy(*(fib_scheduler **)arg);
        *(fib_scheduler **)arg = NULL;
}

static bool is_null(void *arg)
{
        return !*(void **)arg;
}

TEST(a_scheduler_knows_the_thread_that_runs_it)
{
        fib_scheduler *scheduler = scheduler_new(1), *inside = scheduler;
        pthread_t thread;

        ck_assert(!fib_scheduler_kernel_thread(scheduler, &thread));
        ck_assert_int_eq(fib_schedule_task(scheduler, check_inside, &inside), 0);
        ck_assert_int_eq(fib_scheduler_run(scheduler, is_null, &inside), 0);
        ck_assert(!fib_scheduler_kernel_thread(scheduler, &thread));
        ck_assert_ptr_null(fib_scheduler_current());
        fib_scheduler_destroy(scheduler);
}

/*
 * A host: a scheduler and its peers, each run by a thread until told to stop.
 */

struct host {
        fib_scheduler *schedulers[64];
        pthread_t threads[64];
        unsigned count;
        atomic_bool stop;
};

static bool host_stopped(void *arg)
{
        return atomic_load(&((struct host *)arg)->stop);
}

struct host_thread {
        struct host *host;
        fib_scheduler *scheduler;
};

static void *host_main(void *arg)
{
        struct host_thread own = *(struct host_thread *)arg;

        free(arg);
        ck_assert_int_eq(fib_scheduler_run(own.scheduler, host_stopped, own.host), 0);
        return NULL;
}

static void host_begin(struct host *host, unsigned count)
{
        *host = (struct host){ .count = count };
        host->schedulers[0] = scheduler_new(count);
        ck_assert_uint_eq(fib_scheduler_remote_peers(host->schedulers[0], host->schedulers + 1, 63),
                          count - 1);
        for (unsigned i = 0; i < count; i++) {
                struct host_thread *own = malloc(sizeof(*own));

                *own = (struct host_thread){ host, host->schedulers[i] };
                ck_assert_int_eq(pthread_create(&host->threads[i], NULL, host_main, own), 0);
        }
}

static void do_nothing(void *arg) {}

static void host_end(struct host *host)
{
        atomic_store(&host->stop, true);
        /* A sleeper asks whether it is finished when a task has woken it. */
        for (unsigned i = 0; i < host->count; i++)
                while (fib_scheduler_kernel_thread(host->schedulers[i], NULL)) {
                        ck_assert_int_eq(fib_schedule_task(host->schedulers[i], do_nothing, NULL),
                                         0);
                        usleep(200);
                }
        for (unsigned i = 0; i < host->count; i++)
                pthread_join(host->threads[i], NULL);
        fib_scheduler_destroy(host->schedulers[0]);
}

static atomic_uint counted;

static void count(void *arg)
{
        atomic_fetch_add(&counted, 1);
}

static void wait_until_counted(unsigned number)
{
        for (int i = 0; i < 20000 && atomic_load(&counted) < number; i++)
                usleep(500);
        ck_assert_uint_eq(atomic_load(&counted), number);
}

TEST_WORKERS(a_task_from_another_thread_wakes_a_sleeper)
{
        const unsigned tasks = (unsigned)scaled(300);
        struct host host;

        host_begin(&host, workers);
        for (unsigned i = 0; i < tasks; i++) {
                ck_assert_int_eq(fib_schedule_task(host.schedulers[i % workers], count, NULL), 0);
                if (i % 3 == 0)
                        wait_until_counted(i + 1); /* so that it sleeps, the next time */
        }
        wait_until_counted(tasks);
        host_end(&host);
}

TEST_WORKERS(a_scheduler_that_runs_is_busy_for_others)
{
        struct host host;
        bool finished = true;

        host_begin(&host, workers);
        for (unsigned i = 0; i < workers; i++) {
                pthread_t thread;

                while (!fib_scheduler_kernel_thread(host.schedulers[i], &thread))
                        usleep(100);
                ck_assert(pthread_equal(thread, host.threads[i]));
                ck_assert_int_eq(fib_scheduler_run(host.schedulers[i], is_true, &finished), -EBUSY);
        }
        host_end(&host);
}

TEST_WORKERS(each_scheduler_knows_its_peers)
{
        fib_scheduler *first = scheduler_new(workers), *peers[64], *others[64];
        size_t n = fib_scheduler_remote_peers(first, peers, 64);

        ck_assert_uint_eq(n, workers - 1);
        others[0] = NULL;
        ck_assert_uint_eq(fib_scheduler_remote_peers(first, others, 0), n);
        ck_assert_ptr_null(others[0]);
        peers[n] = first;
        for (size_t i = 0; i <= n; i++) {
                ck_assert_uint_eq(fib_scheduler_remote_peers(peers[i], others, 64), n);
                for (size_t j = 0; j < n; j++) {
                        size_t k = 0;

                        ck_assert_ptr_ne(others[j], peers[i]);
                        while (k <= n && peers[k] != others[j])
                                k++;
                        ck_assert_uint_le(k, n);
                        for (k = 0; k < j; k++)
                                ck_assert_ptr_ne(others[k], others[j]);
                }
        }
        if (workers > 1)
                fib_scheduler_destroy(peers[0]); /* does nothing */
        ck_assert_uint_eq(fib_scheduler_remote_peers(first, NULL, 0), n);
        fib_scheduler_destroy(first);
}

TEST_WORKERS(choose_parallel_gives_each_the_same_chance)
{
        fib_scheduler *first = scheduler_new(workers), *members[64];
        unsigned chosen[64] = { 0 }, rounds = 4000 * workers;
        size_t n = fib_scheduler_remote_peers(first, members, 64);

        members[n] = first;
        for (unsigned i = 0; i < rounds; i++) {
                fib_scheduler *member = fib_scheduler_choose_parallel(members[i % (n + 1)]);
                size_t j = 0;

                while (j <= n && members[j] != member)
                        j++;
                ck_assert_uint_le(j, n);
                chosen[j]++;
        }
        for (size_t j = 0; j <= n; j++) {
                ck_assert_uint_gt(chosen[j], 3400);
                ck_assert_uint_lt(chosen[j], 4600);
        }
        fib_scheduler_destroy(first);
}

static void *yield_times(void *arg)
{
        for (intptr_t i = 0; i < (intptr_t)arg; i++)
                fib_yield();
        return NULL;
}

static bool has_no_work(void *arg)
{
        return !fib_scheduler_work_pending(arg);
}

/* Counts go up with what they count. */
static void *sleep_and_look(void *arg)
{
        fib_scheduler *scheduler = fib_scheduler_current(), *peer;
        fib_stats before, after, peers;

        fib_scheduler_stats(scheduler, &before);
        for (int i = 0; i < 20; i++)
                fib_sleep(FIB_MILLISECOND);
        fib_scheduler_stats(scheduler, &after);
        ck_assert_uint_ge(after.sleeps, before.sleeps + 10);
        ck_assert_uint_ge(after.polls, before.polls);
        ck_assert_uint_ge(after.failed_steals, before.failed_steals);
        if (fib_scheduler_remote_peers(scheduler, &peer, 1) > 0) {
                do { /* it has nothing to do, once its thread has begun */
                        fib_sleep(FIB_MILLISECOND);
                        fib_scheduler_stats(peer, &peers);
                } while (peers.sleeps == 0);
        }
        fib_scheduler_stats(NULL, &after);
        ck_assert_uint_eq(after.sleeps + after.polls + after.wakes, 0);
        return NULL;
}

TEST_WORKERS(stats_count_what_a_scheduler_does)
{
        run_fibers(workers, sleep_and_look, NULL);
}

static void *count_and_compute(void *arg)
{
        atomic_fetch_add(&counted, 1);
        for (volatile long i = 0; i < 300000;)
                i = i + 1;
        return NULL;
}

static void *spawn_for_thieves(void *arg)
{
        fib_scheduler *peer;
        fib_stats stats;

        fib_sleep(50 * FIB_MILLISECOND); /* so that the peer sleeps */
        for (int i = 0; i < 200; i++)
                ck_assert_int_eq(fib_spawn(count_and_compute, NULL), 0);
        while (atomic_load(&counted) < 200)
                fib_yield();
        ck_assert_uint_eq(fib_scheduler_remote_peers(fib_scheduler_current(), &peer, 1), 1);
        fib_scheduler_stats(peer, &stats);
        ck_assert_uint_ge(stats.steals, 1);
        ck_assert_uint_ge(stats.stolen, stats.steals);
        ck_assert_uint_le(stats.wakes, stats.sleeps); /* it may have been awake, searching */
        return NULL;
}

TEST(stats_tell_of_steals)
{
        run_fibers(2, spawn_for_thieves, NULL);
}

TEST(runcount_counts_each_task_and_each_return_from_a_wait)
{
        fib_scheduler *scheduler = scheduler_new(1);
        const fib_spawn_options here = { .scheduler = scheduler };
        uint32_t before = fib_scheduler_runcount(scheduler);

        ck_assert_uint_eq(before, 0);
        for (int i = 0; i < 10; i++)
                ck_assert_int_eq(fib_schedule_task(scheduler, count, NULL), 0);
        ck_assert_int_eq(fib_spawn_with(&here, yield_times, (void *)20, NULL), 0);
        ck_assert_int_eq(fib_scheduler_run(scheduler, has_no_work, scheduler), 0);
        ck_assert_uint_eq(atomic_load(&counted), 10);
        ck_assert_uint_eq(fib_scheduler_runcount(scheduler), 10 + 1 + 20);
        fib_scheduler_destroy(scheduler);
}

TEST(work_is_pending_while_there_are_tasks_or_timers)
{
        fib_scheduler *scheduler = scheduler_new(1);
        int64_t expiry = fib_now() + 5 * FIB_MILLISECOND;

        ck_assert(!fib_scheduler_work_pending(scheduler));
        ck_assert_int_eq(fib_schedule_task(scheduler, count, NULL), 0);
        ck_assert(fib_scheduler_work_pending(scheduler));
        ck_assert_int_eq(fib_scheduler_run(scheduler, has_no_work, scheduler), 0);
        ck_assert(!fib_scheduler_work_pending(scheduler));
        ck_assert_int_eq(fib_schedule_task_at(scheduler, expiry, count, NULL), 0);
        ck_assert(fib_scheduler_work_pending(scheduler));
        ck_assert_int_eq(fib_scheduler_run(scheduler, has_no_work, scheduler), 0);
        ck_assert_int_ge(fib_now(), expiry);
        ck_assert_uint_eq(atomic_load(&counted), 2);
        fib_scheduler_destroy(scheduler);
}

static void *give_arg(void *arg)
{
        return arg;
}

static void *spawn_and_wait(void *arg)
{
        ck_assert_int_eq(fib_spawn(give_arg, NULL), 0);
        fib_yield();
        if (arg)
                fib_get(arg);
        return fib_scheduler_current();
}

TEST(a_run_on_a_given_scheduler_leaves_it_in_place)
{
        fib_scheduler *scheduler = scheduler_new(1);
        fib_run_options here = { .scheduler = scheduler };
        fib_channel *channel = fib_channel_new();
        fib_fiber *waiter;
        void *ret;

        for (int i = 0; i < 10; i++) {
                here.drain = i % 2;
                ck_assert_int_eq(fib_run(spawn_and_wait, NULL, &here, &ret), 0);
                ck_assert_ptr_eq(ret, scheduler);
        }
        /* Fibers of one run go on in the next. */
        ck_assert_int_eq(fib_spawn_with(&(fib_spawn_options){ .scheduler = scheduler },
                                        spawn_and_wait, channel, &waiter),
                         0);
        ck_assert_int_eq(fib_run(spawn_and_wait, NULL, &here, NULL), 0);
        ck_assert_int_eq(fib_try(fib_join_op(waiter), NULL), -EAGAIN);
        fib_put(channel, fib_num(1));
        ck_assert_int_eq(fib_run(spawn_and_wait, NULL, &here, NULL), 0);
        ck_assert_int_eq(fib_join(waiter, &ret), 0);
        ck_assert_ptr_eq(ret, scheduler);
        fib_fiber_unref(waiter);
        fib_channel_unref(channel);
        fib_scheduler_destroy(scheduler);
}

TEST(a_run_on_a_scheduler_that_runs_is_refused)
{
        struct host host;
        int r;

        host_begin(&host, 1);
        while (!fib_scheduler_kernel_thread(host.schedulers[0], NULL))
                usleep(100);
        r = fib_run(give_arg, NULL, &(fib_run_options){ .scheduler = host.schedulers[0] }, NULL);
        ck_assert_int_eq(r, -EBUSY);
        host_end(&host);
}

TESTS("scheduler", a_scheduler_runs_its_tasks_until_it_is_finished, bad_arguments_are_refused,
      a_scheduler_knows_the_thread_that_runs_it, a_task_from_another_thread_wakes_a_sleeper,
      a_scheduler_that_runs_is_busy_for_others, each_scheduler_knows_its_peers,
      choose_parallel_gives_each_the_same_chance, stats_count_what_a_scheduler_does,
      stats_tell_of_steals, runcount_counts_each_task_and_each_return_from_a_wait,
      work_is_pending_while_there_are_tasks_or_timers,
      a_run_on_a_given_scheduler_leaves_it_in_place, a_run_on_a_scheduler_that_runs_is_refused)
