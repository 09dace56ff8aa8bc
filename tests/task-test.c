/* SPDX-License-Identifier: MIT */
/* task-test.c - tasks that are no fibers: at once, at a time, on a descriptor; and what becomes
 * of those, and of fibers, whose scheduler is destroyed. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <fibers.h>
#include "tests/harness.h"

static unsigned order[1000];
static unsigned order_count;

static void note(void *arg)
{
        order[order_count++] = (unsigned)(uintptr_t)arg;
}

static bool has_noted(void *arg)
{
        return order_count >= (unsigned)(uintptr_t)arg;
}

static fib_scheduler *scheduler_new(unsigned parallelism)
{
        fib_scheduler *scheduler = NULL;

        ck_assert_int_eq(fib_scheduler_new(parallelism, &scheduler), 0);
        return scheduler;
}

static void run_until_noted(fib_scheduler *scheduler, unsigned number)
{
        ck_assert_int_eq(fib_scheduler_run(scheduler, has_noted, (void *)(uintptr_t)number), 0);
        ck_assert_uint_eq(order_count, number);
}

TEST(tasks_run_in_the_order_in_which_they_were_scheduled)
{
        fib_scheduler *scheduler = scheduler_new(1);

        for (uintptr_t i = 0; i < 1000; i++)
                ck_assert_int_eq(fib_schedule_task(scheduler, note, (void *)i), 0);
        run_until_noted(scheduler, 1000);
        for (unsigned i = 0; i < 1000; i++)
                ck_assert_uint_eq(order[i], i);
        fib_scheduler_destroy(scheduler);
}

static void schedule_two(void *arg)
{
        uintptr_t i = (uintptr_t)arg;

        note(arg);
        if (2 * i + 2 < 255) {
                fib_schedule_task(fib_scheduler_current(), schedule_two, (void *)(2 * i + 1));
                fib_schedule_task(fib_scheduler_current(), schedule_two, (void *)(2 * i + 2));
        }
}

TEST(a_task_may_schedule_more)
{
        fib_scheduler *scheduler = scheduler_new(1);

        ck_assert_int_eq(fib_schedule_task(scheduler, schedule_two, (void *)0), 0);
        run_until_noted(scheduler, 255);
        for (unsigned i = 0; i < 255; i++)
                ck_assert_uint_eq(order[i], i);
        fib_scheduler_destroy(scheduler);
}

static int64_t expiries[1000];

static void note_in_time(void *arg)
{
        ck_assert_int_ge(fib_now(), expiries[(uintptr_t)arg]);
        note(arg);
}

TEST(tasks_at_a_time_run_then_and_in_that_order)
{
        fib_scheduler *scheduler = scheduler_new(1);
        int64_t now = fib_now();
        unsigned seed = 1;

        for (uintptr_t i = 0; i < 200; i++) {
                seed = seed * 1103515245 + 12345;
                expiries[i] = now + (seed >> 8) % (20 * FIB_MILLISECOND);
                ck_assert_int_eq(fib_schedule_task_at(scheduler, expiries[i], note_in_time,
                                                      (void *)i),
                                 0);
        }
        run_until_noted(scheduler, 200);
        for (unsigned i = 1; i < 200; i++) /* to within a tick of the wheel */
                ck_assert_int_le(expiries[order[i - 1]], expiries[order[i]] + 1024);
        fib_scheduler_destroy(scheduler);
}

TEST(tasks_of_the_past_run_at_once)
{
        fib_scheduler *scheduler = scheduler_new(1);

        ck_assert_int_eq(fib_schedule_task_at(scheduler, 0, note, NULL), 0);
        ck_assert_int_eq(fib_schedule_task_at(scheduler, INT64_MIN, note, NULL), 0);
        ck_assert_int_eq(fib_schedule_task_at(scheduler, -1, note, NULL), 0);
        ck_assert_int_eq(fib_schedule_task_at(scheduler, fib_now(), note, NULL), 0);
        ck_assert_int_eq(fib_schedule_task_at(scheduler, INT64_MAX, note, NULL), 0);
        ck_assert_int_eq(fib_schedule_task_at(scheduler, INT64_MAX - 1, note, NULL), 0);
        run_until_noted(scheduler, 4);
        fib_scheduler_destroy(scheduler);
}

static void *schedule_earlier(void *arg)
{
        usleep(5000); /* it sleeps for the later one */
        ck_assert_int_eq(fib_schedule_task_at(arg, fib_now() + 5 * FIB_MILLISECOND, note,
                                              (void *)7),
                         0);
        return NULL;
}

TEST(an_earlier_time_from_another_thread_shortens_the_sleep)
{
        fib_scheduler *scheduler = scheduler_new(1);
        pthread_t thread;

        ck_assert_int_eq(fib_schedule_task_at(scheduler, fib_now() + 3600 * FIB_SECOND, note, NULL),
                         0);
        ck_assert_int_eq(pthread_create(&thread, NULL, schedule_earlier, scheduler), 0);
        run_until_noted(scheduler, 1);
        ck_assert_uint_eq(order[0], 7);
        pthread_join(thread, NULL);
        fib_scheduler_destroy(scheduler);
}

/*
 * On descriptors.
 */

static void *write_later(void *arg)
{
        usleep(5000);
        ck_assert_int_eq(write(*(int *)arg, "x", 1), 1);
        return NULL;
}

static void fill(int fd)
{
        char block[4096] = { 0 };

        while (send(fd, block, sizeof(block), MSG_DONTWAIT) > 0)
                continue;
}

static void empty(int fd)
{
        char block[4096];

        while (recv(fd, block, sizeof(block), MSG_DONTWAIT) > 0)
                continue;
}

static void *empty_later(void *arg)
{
        usleep(5000);
        empty(*(int *)arg);
        return NULL;
}

TEST(a_task_runs_once_its_descriptor_is_ready)
{
        fib_scheduler *scheduler = scheduler_new(1);
        pthread_t thread;
        int ends[2];

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        /* Writable at once. */
        ck_assert_int_eq(fib_schedule_task_when_writable(scheduler, ends[0], note, (void *)1), 0);
        run_until_noted(scheduler, 1);
        /* Readable later; several tasks, each once. */
        for (int i = 0; i < 3; i++)
                ck_assert_int_eq(fib_schedule_task_when_readable(scheduler, ends[0], note,
                                                                 (void *)2),
                                 0);
        ck_assert_int_eq(pthread_create(&thread, NULL, write_later, &ends[1]), 0);
        run_until_noted(scheduler, 4);
        pthread_join(thread, NULL);
        /* Still readable: at once. */
        ck_assert_int_eq(fib_schedule_task_when_readable(scheduler, ends[0], note, (void *)3), 0);
        run_until_noted(scheduler, 5);
        /* Writable later. */
        fill(ends[0]);
        ck_assert_int_eq(fib_schedule_task_when_writable(scheduler, ends[0], note, (void *)4), 0);
        ck_assert_int_eq(pthread_create(&thread, NULL, empty_later, &ends[1]), 0);
        run_until_noted(scheduler, 6);
        pthread_join(thread, NULL);
        /* Hung up. */
        empty(ends[0]);
        ck_assert_int_eq(fib_schedule_task_when_readable(scheduler, ends[0], note, (void *)5), 0);
        fib_close(ends[1]);
        run_until_noted(scheduler, 7);
        fib_close(ends[0]);
        fib_scheduler_destroy(scheduler);
}

TEST(a_task_runs_when_its_descriptor_is_closed)
{
        fib_scheduler *scheduler = scheduler_new(1);
        int ends[2];

        ck_assert_int_eq(pipe(ends), 0);
        ck_assert_int_eq(fib_schedule_task_when_readable(scheduler, ends[0], note, NULL), 0);
        ck_assert(!fib_scheduler_work_pending(scheduler));
        ck_assert_int_eq(fib_close(ends[0]), 0);
        run_until_noted(scheduler, 1);
        fib_close(ends[1]);
        fib_scheduler_destroy(scheduler);
}

/*
 * Destroyed with all of it pending.
 */

static void must_not_run(void *arg)
{
        ck_abort_msg("a task has run after its scheduler was destroyed");
}

static void *wait_for_channel(void *arg)
{
        fib_get(arg);
        ck_abort_msg("a fiber went on after its scheduler was destroyed");
}

static void *sleep_an_hour(void *arg)
{
        fib_sleep(3600 * FIB_SECOND);
        return NULL;
}

static void leave_work(fib_scheduler *scheduler, fib_channel *channel, int fd, bool begin)
{
        const fib_spawn_options here = { .scheduler = scheduler, .name = "left" };

        for (int i = 0; i < 50; i++) {
                ck_assert_int_eq(fib_spawn_with(&here, wait_for_channel, channel, NULL), 0);
                ck_assert_int_eq(fib_spawn_with(&here, sleep_an_hour, channel, NULL), 0);
        }
        if (begin) {
                ck_assert_int_eq(fib_schedule_task(scheduler, note, NULL), 0);
                run_until_noted(scheduler, order_count + 1); /* after all of them */
        }
        for (int i = 0; i < 50; i++) {
                ck_assert_int_eq(fib_schedule_task(scheduler, must_not_run, NULL), 0);
                ck_assert_int_eq(fib_schedule_task_at(scheduler, fib_now() + FIB_SECOND,
                                                      must_not_run, NULL),
                                 0);
                ck_assert_int_eq(fib_schedule_task_when_readable(scheduler, fd, must_not_run, NULL),
                                 0);
                ck_assert_int_eq(fib_spawn_with(&here, wait_for_channel, channel, NULL), 0);
        }
}

TEST_WORKERS(a_scheduler_may_be_destroyed_with_work_pending)
{
        int ends[2];

        ck_assert_int_eq(pipe(ends), 0);
        for (int round = 0; round < 4; round++) {
                fib_channel *channel = fib_channel_new();
                fib_scheduler *first = scheduler_new(workers), *members[64];
                size_t n = fib_scheduler_remote_peers(first, members, 64);

                members[n] = first;
                for (size_t i = 0; i <= n; i++)
                        leave_work(members[i], channel, ends[0], false);
                fib_scheduler_destroy(first);
                first = scheduler_new(1);
                leave_work(first, channel, ends[0], true);
                fib_scheduler_destroy(first);
                ck_assert_int_eq(fib_try(fib_put_op(channel, fib_num(0)), NULL), -EAGAIN);
                fib_channel_unref(channel);
        }
        /* Nobody waits for it any more. */
        ck_assert_int_eq(write(ends[1], "x", 1), 1);
        fib_close(ends[0]);
        fib_close(ends[1]);
}

TESTS("task", tasks_run_in_the_order_in_which_they_were_scheduled, a_task_may_schedule_more,
      tasks_at_a_time_run_then_and_in_that_order, tasks_of_the_past_run_at_once,
      an_earlier_time_from_another_thread_shortens_the_sleep,
      a_task_runs_once_its_descriptor_is_ready, a_task_runs_when_its_descriptor_is_closed,
      a_scheduler_may_be_destroyed_with_work_pending)
