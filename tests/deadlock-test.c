/* SPDX-License-Identifier: MIT */
/* deadlock-test.c - when nothing can ever run again, the run says so; and only then. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <fibers.h>
#include "capture.h"
#include "tests/harness.h"

static fib_channel *channel;
static fib_condition *condition;
static char text[16384]; /* what was written to stderr */

static int run_captured(unsigned workers, fib_fn *fn, void *arg, bool keep_waiting)
{
        const fib_run_options options = { .parallelism = workers, .keep_waiting = keep_waiting };
        struct capture capture = capture_begin();
        int r = fib_run(fn, arg, &options, NULL);

        capture_end(&capture, text, sizeof(text));
        return r;
}

static void expect_deadlock(unsigned workers, fib_fn *fn, void *arg)
{
        channel = fib_channel_new();
        condition = fib_condition_new();
        ck_assert_int_eq(run_captured(workers, fn, arg, false), -EDEADLK);
        ck_assert_msg(strstr(text, "deadlock"), "%s", text);
        fib_channel_unref(channel);
        fib_condition_unref(condition);
}

static void expect_no_deadlock(unsigned workers, fib_fn *fn, void *arg, bool keep_waiting)
{
        channel = fib_channel_new();
        condition = fib_condition_new();
        ck_assert_int_eq(run_captured(workers, fn, arg, keep_waiting), 0);
        ck_assert_str_eq(text, "");
        fib_channel_unref(channel);
        fib_condition_unref(condition);
}

static void *get_alone(void *arg)
{
        fib_get(channel);
        return NULL;
}

TEST_WORKERS(a_fiber_that_waits_alone_is_a_deadlock)
{
        expect_deadlock(workers, get_alone, NULL);
}

static void *put_alone(void *arg)
{
        fib_put(channel, fib_num(0));
        return NULL;
}

TEST_WORKERS(a_deadlock_has_no_result_even_with_drain)
{
        const fib_run_options options = { .parallelism = workers, .drain = true };
        struct capture capture = capture_begin();
        int object;
        void *ret = &object;

        channel = fib_channel_new();
        ck_assert_int_eq(fib_run(put_alone, NULL, &options, &ret), -EDEADLK);
        ck_assert_ptr_eq(ret, &object);
        capture_end(&capture, text, sizeof(text));
        ck_assert_msg(strstr(text, "put"), "%s", text);
        fib_channel_unref(channel);
}

static void *choose(void *arg)
{
        fib_perform(fib_choice(fib_get_op(channel), fib_condition_wait_op(condition)), NULL);
        return NULL;
}

static void *wait_condition(void *arg)
{
        fib_condition_wait(condition);
        return NULL;
}

static void *join_other(void *arg)
{
        fib_join(arg, NULL);
        return NULL;
}

static void *join_by_op(void *arg)
{
        fib_perform(fib_join_op(arg), NULL);
        return NULL;
}

static void *perform_never(void *arg)
{
        fib_perform(fib_never(), NULL);
        return NULL;
}

static void forget(fib_scheduler *scheduler, fib_continuation *continuation, void *arg) {}

static void *suspend(void *arg)
{
        fib_suspend(forget, NULL);
        return NULL;
}

static int never_try(void *state, fib_value *ret)
{
        return -EAGAIN;
}

static int never_block(void *state, fib_waiter *waiter)
{
        return 0;
}

static void *wait_for_user_op(void *arg)
{
        static const fib_op_class user_class = { .try = never_try,
                                                 .block = never_block,
                                                 .name = "moonrise" };

        fib_perform(fib_op_new(&user_class, NULL), NULL);
        return NULL;
}

static const struct waiting {
        const char *name;
        fib_fn *fn;
        const char *says; /* in its line of the description */
} waiting[] = {
        { "chooser", choose, "get" },
        { "chooser too", choose, "wait" },
        { "condition waiter", wait_condition, "wait" },
        { "getter", get_alone, "get" },
        { "joiner", join_other, "join" },
        { "joiner by operation", join_by_op, "join" },
        { "never", perform_never, "nothing" },
        { "suspended", suspend, "fib_resume" },
        { "user", wait_for_user_op, "moonrise" },
};

#define WAITING (sizeof(waiting) / sizeof(*waiting))

static uint64_t ids[WAITING];
static fib_fiber *sleeping;

static void *all_wait(void *arg)
{
        sleeping = fib_fiber_ref(fib_self());
        for (size_t i = 0; i < WAITING; i++) {
                const fib_spawn_options options = { .name = waiting[i].name, .parallel = true };
                fib_fiber *fiber;

                ck_assert_int_eq(fib_spawn_with(&options, waiting[i].fn, sleeping, &fiber), 0);
                ids[i] = fib_fiber_id(fiber);
                fib_fiber_unref(fiber);
        }
        fib_sleep(5 * FIB_MILLISECOND); /* a timer is no deadlock */
        fib_get(channel);
        return NULL;
}

/* The line of the text that has `part` in it. */
static char *line_with(const char *part)
{
        static char line[512];
        const char *at = strstr(text, part), *from = at, *to;

        ck_assert_msg(at, "'%s' is not in '%s'", part, text);
        while (from > text && from[-1] != '\n')
                from--;
        to = strchr(at, '\n');
        ck_assert_ptr_nonnull(to);
        snprintf(line, sizeof(line), "%.*s", (int)(to - from), from);
        return line;
}

TEST_WORKERS(each_waiting_fiber_is_described)
{
        unsigned lines = 0;
        char name[80];

        expect_deadlock(workers, all_wait, NULL);
        for (size_t i = 0; i < WAITING; i++) {
                snprintf(name, sizeof(name), "fiber %" PRIu64 " '%s'", ids[i], waiting[i].name);
                ck_assert_msg(strstr(line_with(name), waiting[i].says), "%s", line_with(name));
        }
        snprintf(name, sizeof(name), "fiber %" PRIu64 " ", fib_fiber_id(sleeping));
        ck_assert_msg(strstr(line_with(name), "get"), "%s", text);
        for (const char *at = text; (at = strchr(at, '\n')); at++)
                lines++;
        ck_assert_uint_eq(lines, 1 + WAITING + 1);
        ck_assert_int_eq(fib_join(sleeping, NULL), -ECANCELED);
        fib_fiber_unref(sleeping);
}

static void *join_self(void *arg)
{
        fib_join(fib_self(), NULL);
        return NULL;
}

TEST_WORKERS(a_fiber_that_joins_itself_is_a_deadlock)
{
        expect_deadlock(workers, join_self, NULL);
}

static void *get_from_many(void *arg)
{
        const unsigned long count = scaled(5000);

        for (unsigned long i = 0; i < count; i++)
                ck_assert_int_eq(fib_spawn(get_alone, NULL), 0);
        for (unsigned long i = 0; i + 1 < count; i++)
                fib_put(channel, fib_num(0));
        fib_get(fib_channel_new());
        return NULL;
}

TEST_WORKERS(fibers_that_have_ended_are_not_described)
{
        expect_deadlock(workers, get_from_many, NULL);
        ck_assert_msg(strlen(text) < 500, "%s", text);
}

static void *compute_then_put(void *arg)
{
        const int64_t end = fib_now() + 60 * FIB_MILLISECOND;

        while (fib_now() < end)
                continue;
        fib_put(channel, fib_num(1));
        return NULL;
}

static void *sleep_then_put(void *arg)
{
        for (int i = 0; i < 10; i++)
                fib_sleep(3 * FIB_MILLISECOND);
        fib_put(channel, fib_num(1));
        return NULL;
}

static void *yield_then_put(void *arg)
{
        for (int i = 0; i < 20000; i++)
                fib_yield();
        fib_put(channel, fib_num(1));
        return NULL;
}

static void *get_from_each(void *arg)
{
        static fib_fn *const fns[] = { compute_then_put, sleep_then_put, yield_then_put };

        for (int i = 0; i < 6; i++) {
                ck_assert_int_eq(fib_spawn_with(&(fib_spawn_options){ .parallel = i >= 3 },
                                                fns[i % 3], NULL, NULL),
                                 0);
                fib_get(channel);
        }
        return NULL;
}

TEST_WORKERS(a_fiber_that_runs_or_sleeps_is_waited_for)
{
        expect_no_deadlock(workers, get_from_each, NULL, false);
}

static void *choose_timeout(void *arg)
{
        ck_assert_int_eq(fib_perform(fib_choice(fib_get_op(channel),
                                                fib_sleep_op(30 * FIB_MILLISECOND)),
                                     NULL),
                         1);
        return NULL;
}

TEST_WORKERS(a_timer_in_a_choice_is_waited_for)
{
        expect_no_deadlock(workers, choose_timeout, NULL, false);
}

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
        signal(SIGALRM, signal_condition);
        for (uintptr_t i = 0; i < scaled(2000); i++) {
                condition = fib_condition_new();
                run_fibers(workers, wait_for_soon, (void *)i);
                fib_condition_unref(condition);
        }
}

static void *put_and_end(void *arg)
{
        for (volatile uintptr_t spins = (uintptr_t)arg; spins > 0;)
                spins = spins - 1;
        fib_condition_signal(condition);
        return NULL;
}

/* It is gone before the run has looked for it, but has left a fiber that can run. */
static void *wait_for_thread(void *arg)
{
        pthread_attr_t detached;

        pthread_attr_init(&detached);
        pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
        ck_assert_int_eq(pthread_create(&thread, &detached, put_and_end,
                                        (void *)((uintptr_t)arg % 100 * 200)),
                         0);
        fib_condition_wait(condition);
        return NULL;
}

TEST_WORKERS(a_thread_may_end_as_soon_as_it_has_woken_a_fiber)
{
        for (uintptr_t i = 0; i < scaled(2000); i++) {
                fib_condition *mine = condition = fib_condition_new();

                run_fibers(workers, wait_for_thread, (void *)i);
                while (thread_count() > 1 + (slowness() == 10))
                        usleep(10); /* it may still be in the condition */
                fib_condition_unref(mine);
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

static void *leave_waiting(void *arg)
{
        for (size_t i = 0; i < WAITING; i++)
                ck_assert_int_eq(fib_spawn_with(&(fib_spawn_options){ .parallel = true },
                                                waiting[i].fn, fib_self(), NULL),
                                 0);
        return NULL;
}

TEST_WORKERS(those_who_wait_after_the_first_fiber_has_ended_are_no_deadlock)
{
        channel = fib_channel_new();
        condition = fib_condition_new();
        drain_fibers(workers, leave_waiting, NULL);
        fib_channel_unref(channel);
        fib_condition_unref(condition);
}

TEST_WORKERS(after_a_deadlock_all_is_as_before)
{
        size_t descriptors = descriptor_count();

        for (int i = 0; i < 10; i++) {
                expect_deadlock(workers, all_wait, NULL);
                fib_fiber_unref(sleeping);
        }
        ck_assert_uint_eq(descriptor_count(), descriptors);
        expect_no_deadlock(workers, choose_timeout, NULL, false);
}

TESTS("deadlock", a_fiber_that_waits_alone_is_a_deadlock, a_deadlock_has_no_result_even_with_drain,
      each_waiting_fiber_is_described, a_fiber_that_joins_itself_is_a_deadlock,
      fibers_that_have_ended_are_not_described, a_fiber_that_runs_or_sleeps_is_waited_for,
      a_timer_in_a_choice_is_waited_for, a_foreign_thread_may_wake_a_fiber,
      when_the_foreign_thread_has_gone_it_is_a_deadlock, a_descriptor_may_wake_a_fiber,
      a_pending_alarm_may_wake_a_fiber, after_an_alarm_that_woke_nobody_it_is_a_deadlock,
      an_alarm_may_go_off_at_any_moment, a_thread_may_end_as_soon_as_it_has_woken_a_fiber,
      a_pending_timer_of_the_process_may_wake_a_fiber,
      a_run_that_keeps_waiting_is_woken_by_a_signal,
      those_who_wait_after_the_first_fiber_has_ended_are_no_deadlock,
      after_a_deadlock_all_is_as_before)
