/* SPDX-License-Identifier: MIT */
/* run-test.c - what fib_run() gives, refuses, and leaves as it was. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <fibers.h>
#include "tests/harness.h"
#include "tests/stress/run-load.h"

static void *give_back(void *arg)
{
        return arg;
}

TEST(what_the_first_fiber_returns_is_given)
{
        int object;
        void *ret = NULL;

        ck_assert_int_eq(fib_run(give_back, &object, NULL, &ret), 0);
        ck_assert_ptr_eq(ret, &object);
        ck_assert_int_eq(fib_run(give_back, &object, NULL, NULL), 0);
        ck_assert_int_eq(fib_run(give_back, NULL, NULL, &ret), 0);
        ck_assert_ptr_null(ret);
}

static atomic_int ended;

static void *yield_for_ever(void *arg)
{
        while (fib_yield())
                continue;
        return NULL;
}

static void *sleep_then_count(void *arg)
{
        fib_sleep((intptr_t)arg * FIB_MILLISECOND);
        atomic_fetch_add(&ended, 1);
        return NULL;
}

static void *leave_others_running(void *arg)
{
        const fib_spawn_options parallel = { .parallel = true };

        for (intptr_t i = 0; i < 20; i++) {
                ck_assert_int_eq(fib_spawn(yield_for_ever, NULL), 0);
                ck_assert_int_eq(fib_spawn_with(&parallel, yield_for_ever, NULL, NULL), 0);
                ck_assert_int_eq(fib_spawn(sleep_then_count, (void *)(intptr_t)3600000), 0);
        }
        fib_sleep(FIB_MILLISECOND);
        return arg;
}

TEST_WORKERS(the_others_end_with_the_first_fiber)
{
        int object;

        ck_assert_ptr_eq(run_fibers(workers, leave_others_running, &object), &object);
        ck_assert_int_eq(atomic_load(&ended), 0);
}

static fib_channel *nobody;

static void *wait_for_nobody(void *arg)
{
        fib_get(nobody);
        atomic_fetch_add(&ended, 1000);
        return NULL;
}

/* Each spawns the next, and each sleeps on its own after the first one has long ended. */
static void *spawn_generations(void *arg)
{
        const fib_spawn_options parallel = { .parallel = true };
        intptr_t generation = (intptr_t)arg;

        for (int i = 0; i < 3 && generation < 4; i++)
                ck_assert_int_eq(fib_spawn_with(i % 2 ? &parallel : NULL, spawn_generations,
                                                (void *)(generation + 1), NULL),
                                 0);
        ck_assert_int_eq(fib_spawn(wait_for_nobody, NULL), 0);
        if (generation > 0)
                sleep_then_count((void *)generation);
        return (void *)generation;
}

TEST_WORKERS(with_drain_all_that_can_run_runs_to_its_end)
{
        nobody = fib_channel_new();
        ck_assert_ptr_null(drain_fibers(workers, spawn_generations, NULL));
        ck_assert_int_eq(atomic_load(&ended), 3 + 9 + 27 + 81);
        /* Those who waited for ever are gone. */
        ck_assert_int_eq(fib_try(fib_put_op(nobody, fib_num(0)), NULL), -EAGAIN);
        fib_channel_unref(nobody);
}

static void *run_inside(void *arg)
{
        const fib_run_options drain = { .parallelism = 1, .drain = true };
        void *ret = arg;

        ck_assert_int_eq(fib_run(give_back, NULL, NULL, &ret), -EBUSY);
        ck_assert_int_eq(fib_run(give_back, NULL, &drain, &ret), -EBUSY);
        ck_assert_ptr_eq(ret, arg);
        fib_sleep(FIB_MILLISECOND);
        return ret;
}

static void run_in_task(void *arg)
{
        fib_scheduler *scheduler = fib_scheduler_current();
        const fib_run_options here = { .scheduler = scheduler };

        ck_assert_int_eq(fib_run(give_back, NULL, NULL, NULL), -EBUSY);
        ck_assert_int_eq(fib_run(give_back, NULL, &here, NULL), -EBUSY);
        atomic_fetch_add(&ended, 1);
}

static void *run_in_tasks(void *arg)
{
        ck_assert_int_eq(fib_schedule_task(fib_scheduler_current(), run_in_task, NULL), 0);
        while (!atomic_load(&ended))
                fib_yield();
        return NULL;
}

TEST_WORKERS(a_run_within_a_run_is_refused)
{
        int object;

        ck_assert_ptr_eq(run_fibers(workers, run_inside, &object), &object);
        run_fibers(workers, run_in_tasks, NULL);
}

struct two_runs {
        fib_channel *channel;
        pthread_barrier_t barrier;
        unsigned workers;
};

static void *put_to_other_run(void *arg)
{
        struct two_runs *runs = arg;

        pthread_barrier_wait(&runs->barrier); /* both are running */
        for (int i = 0; i < 100; i++)
                fib_put(runs->channel, fib_num(i));
        return NULL;
}

static void *get_from_other_run(void *arg)
{
        struct two_runs *runs = arg;

        pthread_barrier_wait(&runs->barrier);
        for (int i = 0; i < 100; i++)
                ck_assert_int_eq(fib_get(runs->channel).num, i);
        return NULL;
}

static void *second_run(void *arg)
{
        struct two_runs *runs = arg;

        run_fibers(runs->workers, put_to_other_run, runs);
        return NULL;
}

TEST_WORKERS(two_threads_may_each_have_a_run)
{
        struct two_runs runs = { fib_channel_new(), .workers = workers };
        pthread_t thread;

        pthread_barrier_init(&runs.barrier, NULL, 2);
        ck_assert_int_eq(pthread_create(&thread, NULL, second_run, &runs), 0);
        run_fibers(workers, get_from_other_run, &runs);
        pthread_join(thread, NULL);
        pthread_barrier_destroy(&runs.barrier);
        fib_channel_unref(runs.channel);
}

static void *must_not_run(void *arg)
{
        ck_abort_msg("the first fiber of a run that was refused has run");
}

static void expect_refusal(const fib_run_options *options)
{
        int object;
        void *ret = &object;

        ck_assert_int_eq(fib_run(must_not_run, NULL, options, &ret), -EINVAL);
        ck_assert_ptr_eq(ret, &object);
}

TEST(options_out_of_their_bounds_are_refused)
{
        const unsigned parallelism[] = { FIB_PARALLELISM_MAX + 1, 1000000, ~0u };
        const size_t sizes[] = { 1, FIB_STACK_MIN - 1, FIB_STACK_MAX + 1, (size_t)1 << 40,
                                 SIZE_MAX };
        cpu_set_t cpus;

        ck_assert_int_eq(fib_run(NULL, NULL, NULL, NULL), -EINVAL);
        for (size_t i = 0; i < sizeof(parallelism) / sizeof(*parallelism); i++)
                expect_refusal(&(fib_run_options){ .parallelism = parallelism[i] });
        for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
                expect_refusal(&(fib_run_options){ .stack_size = sizes[i] });
        CPU_ZERO(&cpus);
        expect_refusal(&(fib_run_options){ .cpus = &cpus });
        CPU_SET(CPU_SETSIZE - 1, &cpus);
        if (processor_count() < CPU_SETSIZE)
                expect_refusal(&(fib_run_options){ .cpus = &cpus }); /* there is no such */
}

static void *count_peers(void *arg)
{
        return (void *)fib_scheduler_remote_peers(fib_scheduler_current(), NULL, 0);
}

static void expect_peers(fib_run_options options, size_t peers)
{
        void *ret = NULL;

        ck_assert_int_eq(fib_run(count_peers, NULL, &options, &ret), 0);
        ck_assert_uint_eq((size_t)ret, peers);
}

TEST(parallelism_is_how_many_schedulers_there_are)
{
        ck_assert_int_eq(fib_run(count_peers, NULL, NULL, NULL), 0);
        expect_peers((fib_run_options){ 0 }, processor_count() - 1);
        for (unsigned n = 1; n <= 16; n++)
                expect_peers((fib_run_options){ .parallelism = n }, n - 1);
        expect_peers((fib_run_options){ .parallelism = 100 }, 99);
        if (slowness() == 1)
                expect_peers((fib_run_options){ .parallelism = FIB_PARALLELISM_MAX },
                             FIB_PARALLELISM_MAX - 1);
}

TEST(options_within_their_bounds_are_taken)
{
        const fib_run_options options[] = {
                { .hz = 1 },
                { .hz = 1000 },
                { .hz = FIB_HZ_OFF },
                { .stack_size = FIB_STACK_MIN },
                { .stack_size = FIB_STACK_MIN + 1 },
                { .stack_size = FIB_STACK_MAX },
                { .migratable = true },
                { .keep_waiting = true },
                { .drain = true, .migratable = true, .hz = FIB_HZ_OFF, .parallelism = 3 },
        };
        int object;

        for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
                void *ret = NULL;

                ck_assert_int_eq(fib_run(give_back, &object, &options[i], &ret), 0);
                ck_assert_ptr_eq(ret, &object);
        }
}

static void *hold_process_state(void *arg)
{
        fib_sleep(FIB_MILLISECOND);
        return NULL;
}

/* Handlers, masks, the alternate stack, the timer slack, the name. */
struct process_state {
        struct sigaction actions[32];
        sigset_t mask;
        stack_t alternate;
        int slack;
        char name[16];
};

static void read_state(struct process_state *state)
{
        memset(state, 0, sizeof(*state));
        for (int i = 1; i < 32; i++)
                ck_assert_int_eq(sigaction(i, NULL, &state->actions[i]), 0);
        pthread_sigmask(SIG_SETMASK, NULL, &state->mask);
        sigaltstack(NULL, &state->alternate);
        state->slack = prctl(PR_GET_TIMERSLACK);
        pthread_getname_np(pthread_self(), state->name, sizeof(state->name));
}

static void expect_same_state(unsigned workers)
{
        static struct process_state before, after;
        const int flags = SA_ONSTACK | SA_SIGINFO | SA_RESTART | SA_NODEFER | SA_RESETHAND;

        read_state(&before);
        run_fibers(workers, hold_process_state, NULL);
        read_state(&after);
        for (int i = 1; i < 32; i++) {
                ck_assert_ptr_eq(before.actions[i].sa_handler, after.actions[i].sa_handler);
                ck_assert_int_eq(before.actions[i].sa_flags & flags,
                                 after.actions[i].sa_flags & flags);
                ck_assert_int_eq(sigismember(&before.mask, i), sigismember(&after.mask, i));
        }
        ck_assert_ptr_eq(before.alternate.ss_sp, after.alternate.ss_sp);
        ck_assert_int_eq(before.alternate.ss_flags, after.alternate.ss_flags);
        ck_assert_uint_eq(before.alternate.ss_size, after.alternate.ss_size);
        ck_assert_int_eq(before.slack, after.slack);
        ck_assert_str_eq(before.name, after.name);
}

static void handle_nothing(int signal) {}

TEST_WORKERS(signals_and_the_timer_slack_are_as_before)
{
        stack_t alternate = { .ss_size = 65536 };
        sigset_t set;

        expect_same_state(workers);
        alternate.ss_sp = malloc(alternate.ss_size);
        ck_assert_int_eq(sigaltstack(&alternate, NULL), 0);
        signal(SIGSEGV, handle_nothing);
        signal(SIGUSR1, handle_nothing);
        signal(SIGPIPE, SIG_IGN);
        sigemptyset(&set);
        sigaddset(&set, SIGUSR2);
        pthread_sigmask(SIG_BLOCK, &set, NULL);
        prctl(PR_SET_TIMERSLACK, 123456ul);
        expect_same_state(workers);
        sigaltstack(&(stack_t){ .ss_flags = SS_DISABLE }, NULL);
        free(alternate.ss_sp);
}

TEST_WORKERS(many_runs_leave_nothing_behind)
{
        run_many_times(workers, scaled(200));
}

TESTS("run", what_the_first_fiber_returns_is_given, the_others_end_with_the_first_fiber,
      with_drain_all_that_can_run_runs_to_its_end, a_run_within_a_run_is_refused,
      two_threads_may_each_have_a_run, options_out_of_their_bounds_are_refused,
      parallelism_is_how_many_schedulers_there_are, options_within_their_bounds_are_taken,
      signals_and_the_timer_slack_are_as_before, many_runs_leave_nothing_behind)
