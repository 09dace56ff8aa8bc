/* SPDX-License-Identifier: MIT */
/* handler-test.c - conditions that signal handlers signal. */
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>
#include <fibers.h>
#include "tests/harness.h"
#include "tests/stress/delay.h"

static fib_condition *_Atomic condition;
static atomic_int firsts;
static atomic_ulong handled;

static void signal_it(int signal)
{
        int saved = errno;
        fib_condition *now = atomic_load(&condition);

        if (now && fib_condition_signal_from_handler(now))
                atomic_fetch_add(&firsts, 1);
        atomic_fetch_add(&handled, 1);
        ck_assert_int_eq(errno, saved); /* who is interrupted keeps it */
}

static void install(int number)
{
        /* TSan runs a handler after the call that the signal has interrupted; so that must end. */
        struct sigaction action = { .sa_handler = signal_it,
                                    .sa_flags = slowness() < 10 ? SA_RESTART : 0 };

        ck_assert_int_eq(sigaction(number, &action, NULL), 0);
}

/* One that strikes a fiber which then waits is lost in TSan until that fiber goes on: there,
 * once more after a while. */
static void alarm_after(int64_t ns)
{
        const struct itimerval once = { .it_value.tv_usec = ns / 1000,
                                        .it_interval.tv_usec = slowness() < 10 ? 0 : 20000 };

        ck_assert_int_eq(setitimer(ITIMER_REAL, &once, NULL), 0);
}

static void *wait_for_it(void *arg)
{
        fib_condition *it = atomic_load(&condition);

        if (arg)
                ck_assert_int_eq(fib_perform(fib_choice(fib_never(), fib_condition_wait_op(it),
                                                        fib_sleep_op(100 * FIB_SECOND)),
                                             NULL),
                                 1);
        else
                fib_condition_wait(it);
        ck_assert(fib_condition_signalled(it));
        return NULL;
}

static void *wait_in_fibers(void *arg)
{
        struct crew crew = { .count = 0 };

        for (uintptr_t i = 0; i < 20; i++)
                crew_add_parallel(&crew, wait_for_it, (void *)(i % 2));
        alarm_after(5 * FIB_MILLISECOND);
        wait_for_it(NULL);
        crew_join(&crew);
        return NULL;
}

static void begin(void)
{
        atomic_store(&condition, fib_condition_new());
        atomic_store(&firsts, 0);
}

static void end(void)
{
        fib_condition *it;

        ck_assert_int_eq(setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL), 0);
        it = atomic_exchange(&condition, NULL);
        ck_assert_int_eq(atomic_load(&firsts), 1);
        ck_assert(!fib_condition_signal_from_handler(it));
        fib_condition_unref(it);
}

TEST_WORKERS(a_handler_frees_the_fibers_that_wait)
{
        install(SIGALRM);
        begin();
        run_fibers(workers, wait_in_fibers, NULL);
        end();
}

TEST(a_handler_frees_the_threads_that_wait)
{
        pthread_t threads[6];

        install(SIGALRM);
        for (int round = 0; round < 5; round++) {
                begin();
                for (uintptr_t i = 0; i < 6; i++)
                        ck_assert_int_eq(pthread_create(&threads[i], NULL, wait_for_it,
                                                        (void *)(i % 2)),
                                         0);
                alarm_after(round * FIB_MILLISECOND + 100 * FIB_MICROSECOND);
                wait_for_it((void *)(uintptr_t)(round % 2));
                for (int i = 0; i < 6; i++)
                        pthread_join(threads[i], NULL);
                end();
        }
}

/*
 * Storms: handlers interrupt the very threads that wait, choose, claim and wake.
 */

struct storm {
        pthread_t targets[4];
        unsigned count;
        atomic_bool over;
};

static void *blow(void *arg)
{
        struct storm *storm = arg;

        for (unsigned i = 0; !atomic_load(&storm->over); i++) {
                pthread_kill(storm->targets[i % storm->count], SIGUSR1);
                random_delay();
                if (i % 16 == 0)
                        usleep(20);
        }
        return NULL;
}

/* Each condition is signalled by whatever handler comes next, wherever that strikes. */
static void *wait_in_storm(void *arg)
{
        fib_channel *channel = fib_channel_new();

        for (unsigned long i = 0; i < scaled(500); i++) {
                fib_condition *it = fib_condition_new();

                atomic_store(&condition, it);
                if (i % 3 == 0)
                        fib_condition_wait(it);
                else
                        ck_assert_int_eq(fib_perform(fib_choice(fib_get_op(channel),
                                                                fib_condition_wait_op(it)),
                                                     NULL),
                                         1);
                /* A handler may still hold it that has loaded it before: not freed yet. */
                fib_condition_wait(it);
                *(fib_condition **)arg = it;
                arg = (fib_condition **)arg + 1;
        }
        fib_channel_unref(channel);
        return NULL;
}

static fib_condition *used[500];

static void free_used(void)
{
        atomic_store(&condition, NULL);
        for (unsigned long i = 0; i < scaled(500); i++)
                fib_condition_unref(used[i]);
}

static void *storm_over_fiber(void *arg)
{
        struct storm *storm = arg;
        pthread_t blower;

        storm->targets[storm->count++] = pthread_self();
        ck_assert_int_eq(pthread_create(&blower, NULL, blow, storm), 0);
        wait_in_storm(used);
        atomic_store(&storm->over, true);
        pthread_join(blower, NULL);
        return NULL;
}

TEST_WORKERS(a_storm_of_handlers_over_a_run_loses_no_wake_up)
{
        struct storm storm = { .count = 0 };

        install(SIGUSR1);
        run_fibers(workers, storm_over_fiber, &storm);
        free_used();
        ck_assert_uint_ge(atomic_load(&handled), scaled(500));
}

TEST(a_storm_of_handlers_over_a_thread_loses_no_wake_up)
{
        struct storm storm = { .targets = { pthread_self() }, .count = 1 };
        pthread_t blower;

        install(SIGUSR1);
        ck_assert_int_eq(pthread_create(&blower, NULL, blow, &storm), 0);
        wait_in_storm(used);
        atomic_store(&storm.over, true);
        pthread_join(blower, NULL);
        free_used();
}

/* Fibers that exchange messages by choices between channels, so that claims are held again and
 * again, and have a condition among their arms that a handler signals in the middle of it. */
static struct {
        fib_channel *a, *b;
        atomic_ulong messages;
} dance;

static void *dance_in_storm(void *arg)
{
        fib_condition *it = atomic_load(&condition);

        for (;;) {
                int arm =
                        fib_perform(fib_choice(fib_put_op(dance.a, fib_num(1)), fib_get_op(dance.a),
                                               fib_put_op(dance.b, fib_num(1)), fib_get_op(dance.b),
                                               fib_condition_wait_op(it)),
                                    NULL);

                if (arm == 4)
                        return NULL;
                atomic_fetch_add(&dance.messages, 1);
        }
}

static void *dance_once(void *arg)
{
        struct crew crew = { .count = 0 };

        for (int i = 0; i < 6; i++)
                crew_add_parallel(&crew, dance_in_storm, NULL);
        alarm_after(500 * FIB_MICROSECOND * (int64_t)slowness());
        crew_join(&crew);
        return NULL;
}

TEST_WORKERS(a_handler_may_strike_in_the_middle_of_a_rendezvous)
{
        install(SIGALRM);
        dance.a = fib_channel_new();
        dance.b = fib_channel_new();
        for (unsigned long i = 0; i < scaled(100); i++) {
                begin();
                run_fibers(workers, dance_once, NULL);
                end();
        }
        ck_assert_uint_gt(atomic_load(&dance.messages), 0);
        ck_assert_uint_eq(atomic_load(&dance.messages) % 2, 0);
        fib_channel_unref(dance.a);
        fib_channel_unref(dance.b);
}

TESTS("handler", a_handler_frees_the_fibers_that_wait, a_handler_frees_the_threads_that_wait,
      a_storm_of_handlers_over_a_run_loses_no_wake_up,
      a_storm_of_handlers_over_a_thread_loses_no_wake_up,
      a_handler_may_strike_in_the_middle_of_a_rendezvous)
