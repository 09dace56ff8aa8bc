/* SPDX-License-Identifier: MIT */
/* wakeable-test.c - what may still wake a fiber when all wait: threads, descriptors, signals.
 * While there is any of it, the run waits on. */
#include <pthread.h>
#include <sys/time.h>
#include <time.h>
#include <fibers.h>
#include "deadlock.h"
#include "tests/harness.h"

static void *thread_puts(void *arg)
{
        usleep(120000);
        fib_put(channel, fib_num(1));
        return NULL;
}

static void *thread_ends(void *arg)
{
        usleep(120000);
        return NULL;
}

static pthread_t thread;

static void *get_from_thread(void *arg)
{
        fib_fn *fn = *(fib_fn **)arg;

        ck_assert_int_eq(pthread_create(&thread, NULL, fn, NULL), 0);
        fib_get(channel);
        return NULL;
}

TEST_WORKERS(a_foreign_thread_may_wake_a_fiber)
{
        fib_fn *fn = thread_puts;

        expect_no_deadlock(workers, get_from_thread, &fn, false);
        pthread_join(thread, NULL);
}

TEST_WORKERS(when_the_foreign_thread_has_gone_it_is_a_deadlock)
{
        fib_fn *fn = thread_ends;

        expect_deadlock(workers, get_from_thread, &fn);
        pthread_join(thread, NULL);
}

static void *read_from_child(void *arg)
{
        int ends[2];
        char byte = 0;
        pid_t pid;

        ck_assert_int_eq(pipe(ends), 0);
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                usleep(100000);
                _exit(write(ends[1], "x", 1) != 1);
        }
        ck_assert_int_eq(fib_read(ends[0], &byte, 1), 1);
        ck_assert_int_eq(byte, 'x');
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        fib_close(ends[0]);
        fib_close(ends[1]);
        return NULL;
}

TEST_WORKERS(a_descriptor_may_wake_a_fiber)
{
        expect_no_deadlock(workers, read_from_child, NULL, false);
}

static void signal_condition(int signal)
{
        fib_condition_signal_from_handler(condition);
}

static void do_nothing(int signal) {}

static void *wait_for_alarm(void *arg)
{
        const struct itimerval once = { .it_value.tv_usec = 80000 };

        ck_assert_int_eq(setitimer(ITIMER_REAL, &once, NULL), 0);
        fib_condition_wait(condition);
        return NULL;
}

TEST_WORKERS(a_pending_alarm_may_wake_a_fiber)
{
        signal(SIGALRM, signal_condition);
        expect_no_deadlock(workers, wait_for_alarm, NULL, false);
}

TEST_WORKERS(after_an_alarm_that_woke_nobody_it_is_a_deadlock)
{
        signal(SIGALRM, do_nothing);
        expect_deadlock(workers, wait_for_alarm, NULL);
}

/* Whatever the run is looking at when it goes off. */
static void *wait_for_soon(void *arg)
{
        const struct itimerval once = { .it_value.tv_usec = 1 + (intptr_t)arg % 80 };

        ck_assert_int_eq(setitimer(ITIMER_REAL, &once, NULL), 0);
        fib_condition_wait(condition);
        return NULL;
}

TEST_WORKERS(an_alarm_may_go_off_at_any_moment)
{
        if (slowness() >= 10)
                test_skip("TSan runs a handler when the fiber that it struck goes on");
        signal(SIGALRM, signal_condition);
        for (uintptr_t i = 0; i < scaled(300); i++) {
                condition = fib_condition_new();
                run_fibers(workers, wait_for_soon, (void *)i);
                fib_condition_unref(condition);
        }
}

static void *signal_and_end(void *arg)
{
        for (volatile uintptr_t spins = (uintptr_t)arg; spins > 0;)
                spins = spins - 1;
        fib_condition_signal(condition);
        return NULL;
}

/* It is gone before the run has looked for it, but has left a fiber that can run. */
static void *wait_for_thread(void *arg)
{
        ck_assert_int_eq(pthread_create(&thread, NULL, signal_and_end,
                                        (void *)((uintptr_t)arg % 100 * 200)),
                         0);
        fib_condition_wait(condition);
        return NULL;
}

TEST_WORKERS(a_thread_may_end_as_soon_as_it_has_woken_a_fiber)
{
        for (uintptr_t i = 0; i < scaled(300); i++) {
                condition = fib_condition_new();
                run_fibers(workers, wait_for_thread, (void *)i);
                pthread_join(thread, NULL);
                fib_condition_unref(condition);
        }
}

static void *wait_for_posix_timer(void *arg)
{
        struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
        const struct itimerspec once = { .it_value.tv_nsec = 80000000 };
        timer_t timer;

        ck_assert_int_eq(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
        ck_assert_int_eq(timer_settime(timer, 0, &once, NULL), 0);
        fib_condition_wait(condition);
        timer_delete(timer);
        return NULL;
}

TEST_WORKERS(a_pending_timer_of_the_process_may_wake_a_fiber)
{
        signal(SIGUSR1, signal_condition);
        expect_no_deadlock(workers, wait_for_posix_timer, NULL, false);
}

static void *wait_for_signal(void *arg)
{
        const pid_t parent = getpid();
        pid_t pid = fork();

        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                usleep(150000);
                _exit(kill(parent, SIGUSR1) != 0);
        }
        fib_condition_wait(condition);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        return NULL;
}

TEST_WORKERS(a_run_that_keeps_waiting_is_woken_by_a_signal)
{
        signal(SIGUSR1, signal_condition);
        expect_no_deadlock(workers, wait_for_signal, NULL, true);
}

TESTS("wakeable", a_foreign_thread_may_wake_a_fiber,
      when_the_foreign_thread_has_gone_it_is_a_deadlock, a_descriptor_may_wake_a_fiber,
      a_pending_alarm_may_wake_a_fiber, after_an_alarm_that_woke_nobody_it_is_a_deadlock,
      an_alarm_may_go_off_at_any_moment, a_thread_may_end_as_soon_as_it_has_woken_a_fiber,
      a_pending_timer_of_the_process_may_wake_a_fiber,
      a_run_that_keeps_waiting_is_woken_by_a_signal)
