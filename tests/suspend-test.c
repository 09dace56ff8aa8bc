/* SPDX-License-Identifier: MIT */
/* suspend-test.c - suspending a fiber, and resuming it from wherever. */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>
#include <fibers.h>
#include "tests/harness.h"
#include "tests/stress/delay.h"

static void resume_at_once(fib_scheduler *scheduler, fib_continuation *continuation, void *arg)
{
        ck_assert_ptr_eq(scheduler, fib_scheduler_current());
        ck_assert_ptr_null(fib_self()); /* it is off the fiber's stack */
        fib_resume(continuation, fib_num((intptr_t)arg + 1));
}

static void *suspend_often(void *arg)
{
        for (intptr_t i = 0; i < (intptr_t)scaled(10000); i++)
                ck_assert_int_eq(fib_suspend(resume_at_once, (void *)i).num, i + 1);
        return NULL;
}

static void *suspend_in_crew(void *arg)
{
        struct crew crew = { .count = 0 };

        for (int i = 0; i < 8; i++)
                crew_add_parallel(&crew, suspend_often, NULL);
        crew_join(&crew);
        return NULL;
}

TEST_WORKERS(a_fiber_may_be_resumed_before_it_has_been_left_alone)
{
        run_fibers(workers, suspend_in_crew, NULL);
}

static fib_continuation *_Atomic left;

static void leave(fib_scheduler *scheduler, fib_continuation *continuation, void *arg)
{
        atomic_store(&left, continuation);
}

static fib_continuation *take_left(void)
{
        return atomic_exchange(&left, NULL);
}

static bool turn_over;

static void *resume_other(void *arg)
{
        fib_continuation *continuation;

        while (!(continuation = take_left()))
                fib_yield();
        fib_resume(continuation, fib_ptr(arg));
        ck_assert(!turn_over); /* not before the next turn */
        return NULL;
}

static void *suspend_once(void *arg)
{
        ck_assert_int_eq(fib_spawn(resume_other, arg), 0);
        ck_assert_ptr_eq(fib_suspend(leave, NULL).ptr, arg);
        turn_over = true;
        return NULL;
}

TEST(a_fiber_is_resumed_by_another)
{
        int object;

        run_fibers(1, suspend_once, &object);
}

static void resume_from_task(void *arg)
{
        fib_resume(arg, fib_num(11));
}

static void leave_to_task(fib_scheduler *scheduler, fib_continuation *continuation, void *arg)
{
        ck_assert_int_eq(fib_schedule_task_at(scheduler, fib_now() + FIB_MILLISECOND,
                                              resume_from_task, continuation),
                         0);
}

static void *suspend_for_task(void *arg)
{
        int64_t before = fib_now();

        ck_assert_int_eq(fib_suspend(leave_to_task, NULL).num, 11);
        ck_assert_int_ge(fib_now() - before, FIB_MILLISECOND);
        return NULL;
}

TEST_WORKERS(a_fiber_is_resumed_by_a_task)
{
        run_fibers(workers, suspend_for_task, NULL);
}

/* One that suspends again and again, and others that resume it: fibers elsewhere, or threads. */
static atomic_bool over;

static void *resume_until_over(void *arg)
{
        while (!atomic_load(&over)) {
                fib_continuation *continuation = take_left();

                if (continuation) {
                        random_delay();
                        fib_resume(continuation, fib_num(5));
                } else if (!fib_yield()) {
                        usleep(10);
                }
        }
        return NULL;
}

static void *suspend_for_any(void *arg)
{
        pid_t thread = gettid();

        for (unsigned long i = 0; i < scaled(3000); i++) {
                ck_assert_int_eq(fib_suspend(leave, NULL).num, 5);
                ck_assert_int_eq(gettid(), thread);
        }
        atomic_store(&over, true);
        return NULL;
}

static void *suspend_for_fibers(void *arg)
{
        struct crew crew = { .count = 0 };

        for (int i = 0; i < 4; i++)
                crew_add_parallel(&crew, resume_until_over, NULL);
        suspend_for_any(NULL);
        crew_join(&crew);
        return NULL;
}

TEST_WORKERS(fibers_on_other_schedulers_resume_a_fiber)
{
        run_fibers(workers, suspend_for_fibers, NULL);
}

TEST_WORKERS(threads_resume_a_fiber)
{
        pthread_t threads[2];

        for (int i = 0; i < 2; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, resume_until_over, NULL), 0);
        run_fibers(workers, suspend_for_any, NULL);
        for (int i = 0; i < 2; i++)
                pthread_join(threads[i], NULL);
}

static void leave_from_thread(fib_scheduler *scheduler, fib_continuation *continuation, void *arg)
{
        ck_assert_ptr_null(scheduler);
        leave(scheduler, continuation, arg);
}

static void resume_thread_at_once(fib_scheduler *scheduler, fib_continuation *continuation,
                                  void *arg)
{
        fib_resume(continuation, fib_ptr(arg));
}

static void *suspend_thread(void *arg)
{
        int object;

        ck_assert_ptr_eq(fib_suspend(resume_thread_at_once, &object).ptr, &object);
        for (unsigned long i = 0; i < scaled(1000); i++)
                ck_assert_int_eq(fib_suspend(leave_from_thread, NULL).num, 5);
        atomic_store(&over, true);
        return NULL;
}

TEST(a_thread_may_suspend_and_be_resumed_by_threads)
{
        pthread_t thread;

        ck_assert_int_eq(pthread_create(&thread, NULL, resume_until_over, NULL), 0);
        suspend_thread(NULL);
        pthread_join(thread, NULL);
}

TEST_WORKERS(a_thread_may_be_resumed_by_fibers)
{
        pthread_t thread;

        ck_assert_int_eq(pthread_create(&thread, NULL, suspend_thread, NULL), 0);
        run_fibers(workers, resume_until_over, NULL);
        pthread_join(thread, NULL);
}

/* What after() gets from the fiber's stack is still there. */
struct both {
        fib_condition *condition;
        fib_continuation *continuation;
};

static void *resume_when_signalled(void *arg)
{
        struct both *both = arg;

        fib_condition_wait(both->condition);
        fib_resume(both->continuation, fib_num(9));
        return NULL;
}

static void spawn_resumer(fib_scheduler *scheduler, fib_continuation *continuation, void *arg)
{
        struct both *both = arg;

        both->continuation = continuation;
        ck_assert_int_eq(fib_spawn_with(&(fib_spawn_options){ .parallel = true },
                                        resume_when_signalled, both, NULL),
                         0);
        fib_condition_signal(both->condition);
}

static void *suspend_with_state(void *arg)
{
        for (unsigned long i = 0; i < scaled(1000); i++) {
                struct both both = { fib_condition_new(), NULL };

                ck_assert_int_eq(fib_suspend(spawn_resumer, &both).num, 9);
                fib_condition_unref(both.condition);
        }
        return NULL;
}

TEST_WORKERS(the_handler_may_spawn_and_signal)
{
        run_fibers(workers, suspend_with_state, NULL);
}

TESTS("suspend", a_fiber_may_be_resumed_before_it_has_been_left_alone,
      a_fiber_is_resumed_by_another, a_fiber_is_resumed_by_a_task,
      fibers_on_other_schedulers_resume_a_fiber, threads_resume_a_fiber,
      a_thread_may_suspend_and_be_resumed_by_threads, a_thread_may_be_resumed_by_fibers,
      the_handler_may_spawn_and_signal)
