/* SPDX-License-Identifier: MIT */
/* steal-test.c - who has nothing to do takes work from others; and what stays where it is. */
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>
#include <fibers.h>
#include "tests/harness.h"
#include "tests/stress/wake-load.h"

/* Threads are told apart by gettid(2): a compiler may take the old one for what pthread_self(3)
 * would give after a wait. */

static atomic_uint done, moved;
static atomic_bool busy;
static pid_t busy_thread;

static void note_where(void)
{
        if (atomic_load(&busy) && gettid() != busy_thread)
                atomic_fetch_add(&moved, 1);
        atomic_fetch_add(&done, 1);
}

static void *note_fiber(void *arg)
{
        note_where();
        return arg;
}

static void note_task(void *arg)
{
        note_where();
}

/* Keeps its worker, without a wait, until the others have done all, or too much time is gone. */
static void compute_until_done(unsigned count)
{
        const int64_t end = fib_now() + 10 * FIB_SECOND;

        while (atomic_load(&done) < count && fib_now() < end)
                continue;
        ck_assert_uint_eq(atomic_load(&done), count);
}

static void *spawn_and_compute(void *arg)
{
        busy_thread = gettid();
        atomic_store(&busy, true);
        for (int i = 0; i < 100; i++)
                ck_assert_int_eq(fib_spawn(note_fiber, NULL), 0);
        compute_until_done(100);
        for (int i = 0; i < 100; i++)
                ck_assert_int_eq(fib_schedule_task(fib_scheduler_current(), note_task, NULL), 0);
        compute_until_done(200);
        ck_assert_uint_eq(atomic_load(&moved), 200);
        return NULL;
}

TEST(what_has_not_begun_is_taken_from_a_busy_worker)
{
        run_fibers(2, spawn_and_compute, NULL);
        atomic_store(&done, 0);
        atomic_store(&moved, 0);
        run_fibers(8, spawn_and_compute, NULL);
}

/* Sent to a worker that computes, from another one and from outside. */
static void *compute(void *arg)
{
        busy_thread = gettid();
        atomic_store(&busy, true);
        compute_until_done((unsigned)(uintptr_t)arg);
        return NULL;
}

static void *send_to_busy(void *arg)
{
        fib_scheduler *peers[64];
        fib_spawn_options there = { .scheduler = NULL };
        fib_fiber *computer;

        fib_scheduler_remote_peers(fib_scheduler_current(), peers, 64);
        ck_assert_int_eq(fib_spawn_with(&(fib_spawn_options){ .scheduler = peers[0] }, compute,
                                        (void *)60, &computer),
                         0);
        while (!atomic_load(&busy))
                fib_yield();
        there.scheduler = peers[0];
        for (int i = 0; i < 30; i++) {
                ck_assert_int_eq(fib_spawn_with(&there, note_fiber, NULL, NULL), 0);
                ck_assert_int_eq(fib_schedule_task(peers[0], note_task, NULL), 0);
        }
        ck_assert_int_eq(fib_join(computer, NULL), 0);
        fib_fiber_unref(computer);
        return NULL;
}

TEST(what_was_sent_to_a_busy_worker_is_taken_from_its_inbox)
{
        run_fibers(2, send_to_busy, NULL);
}

/* Begun fibers wait for the worker on which they began, whoever is idle. */
struct stayer {
        pid_t thread;
        fib_channel *channel;
};

static __attribute__((noinline)) int *errno_address(void)
{
        int *address = &errno;

        __asm__ volatile("" : "+r"(address)::"memory");
        return address;
}

static void *stay(void *arg)
{
        struct stayer *stayer = arg;
        int *address = errno_address();

        stayer->thread = gettid();
        for (unsigned long i = 0; i < scaled(2000); i++) {
                if (i % 3 == 0)
                        fib_yield();
                else if (i % 3 == 1)
                        fib_get(stayer->channel);
                else
                        fib_sleep((int64_t)(i % 50) * 100);
                ck_assert_int_eq(stayer->thread, gettid());
                ck_assert_ptr_eq(address, errno_address());
        }
        return NULL;
}

static void *feed(void *arg)
{
        for (;;)
                fib_put(arg, fib_num(0));
        return NULL;
}

static void *all_stay(void *arg)
{
        struct crew crew = { .count = 0 };
        struct stayer stayers[16];
        fib_channel *channel = arg;

        for (int i = 0; i < 4; i++)
                ck_assert_int_eq(fib_spawn_with(&(fib_spawn_options){ .parallel = true }, feed,
                                                channel, NULL),
                                 0);
        for (int i = 0; i < 16; i++) {
                stayers[i].channel = channel;
                crew_add_parallel(&crew, stay, &stayers[i]);
        }
        crew_join(&crew);
        return NULL;
}

TEST_WORKERS(a_fiber_that_has_begun_stays_on_its_thread)
{
        fib_channel *channel = fib_channel_new();

        run_fibers(workers, all_stay, channel);
        fib_channel_unref(channel);
}

/* Those that may move do, while a worker computes, and their work is right. */
struct mover {
        unsigned long sum;
        pid_t last;
        unsigned moves;
};

static void *move(void *arg)
{
        struct mover *mover = arg;
        volatile unsigned long on_stack[8] = { 0 };

        mover->last = gettid();
        for (unsigned long i = 0; i < scaled(2000); i++) {
                on_stack[i % 8] += i;
                if (i % 16 == 5)
                        fib_sleep(1000);
                else
                        fib_yield();
                if (mover->last != gettid())
                        mover->moves++;
                mover->last = gettid();
                /* So that there is time for others to take those who wait behind it. */
                for (volatile int spin = 0; spin < 200;)
                        spin = spin + 1;
        }
        for (int i = 0; i < 8; i++)
                mover->sum += on_stack[i];
        return NULL;
}

static void *all_move(void *arg)
{
        const fib_spawn_options migratable = { .migratable = true };
        struct mover movers[32] = { 0 };
        fib_fiber *fibers[32];
        unsigned long rounds = scaled(2000);
        unsigned moves = 0;

        for (int i = 0; i < 32; i++)
                ck_assert_int_eq(fib_spawn_with(&migratable, move, &movers[i], &fibers[i]), 0);
        for (int i = 0; i < 32; i++) {
                ck_assert_int_eq(fib_join(fibers[i], NULL), 0);
                fib_fiber_unref(fibers[i]);
                ck_assert_uint_eq(movers[i].sum, rounds * (rounds - 1) / 2);
                moves += movers[i].moves;
        }
        return (void *)(uintptr_t)moves;
}

TEST_WORKERS(a_migratable_fiber_moves_and_stays_correct)
{
        void *moves = run_fibers(workers, all_move, NULL);

        if (workers == 1)
                ck_assert_ptr_null(moves);
        else
                ck_assert_ptr_nonnull(moves);
}

/* A run whose fibers are all migratable. */
static void *move_with_run(void *arg)
{
        struct mover movers[8] = { 0 };
        struct crew crew = { .count = 0 };

        for (int i = 0; i < 8; i++)
                crew_add(&crew, move, &movers[i]);
        crew_join(&crew);
        return (void *)(uintptr_t)movers[0].sum;
}

TEST_WORKERS(all_fibers_of_a_migratable_run_may_move)
{
        const fib_run_options options = { .parallelism = workers, .migratable = true };
        unsigned long rounds = scaled(2000);
        void *sum;

        ck_assert_int_eq(fib_run(move_with_run, NULL, &options, &sum), 0);
        ck_assert_uint_eq((uintptr_t)sum, rounds * (rounds - 1) / 2);
}

/*
 * Sleeping and waking.
 */

TEST_WORKERS(no_wake_up_is_lost_between_workers)
{
        wake_load(workers, scaled(20000));
}

static void *idle(void *arg)
{
        int64_t used = cpu_time_ns();

        fib_sleep((intptr_t)arg);
        return (void *)(cpu_time_ns() - used);
}

TEST_WORKERS(an_idle_run_uses_no_processor_time)
{
        const int64_t ns = 200 * FIB_MILLISECOND;
        int64_t used;

        run_fibers(workers, idle, (void *)(intptr_t)FIB_MILLISECOND);
        used = (intptr_t)run_fibers(workers, idle, (void *)ns);
        ck_assert_int_lt(used, ns / 20 * slowness());
}

static uint64_t system_calls(void);

static void *ping(void *arg)
{
        fib_channel **channels = arg;

        for (;;) {
                fib_value value = fib_get(channels[0]);

                fib_put(channels[1], value);
        }
        return NULL;
}

/* A worker that is busy makes no system call for what it does itself. */
static void *count_switches(void *arg)
{
        fib_channel *channels[2] = { fib_channel_new(), fib_channel_new() };
        uint64_t before, after;

        ck_assert_int_eq(fib_spawn(ping, channels), 0);
        for (int i = 0; i < 100; i++) {
                fib_put(channels[0], fib_num(i));
                ck_assert_int_eq(fib_get(channels[1]).num, i);
        }
        before = system_calls();
        for (int i = 0; i < 100000; i++) {
                fib_put(channels[0], fib_num(i));
                ck_assert_int_eq(fib_get(channels[1]).num, i);
        }
        after = system_calls();
        fib_channel_unref(channels[0]);
        fib_channel_unref(channels[1]);
        return (void *)(uintptr_t)(after - before);
}

/* Voluntary context switches, since what sleeps or wakes is what must not be. */
static uint64_t system_calls(void)
{
        struct rusage usage;

        getrusage(RUSAGE_SELF, &usage);
        return (uint64_t)usage.ru_nvcsw;
}

TEST(a_busy_worker_neither_sleeps_nor_wakes_anybody)
{
        uintptr_t switches = (uintptr_t)run_fibers(1, count_switches, NULL);

        ck_assert_uint_lt(switches, 100);
}

TESTS("steal", what_has_not_begun_is_taken_from_a_busy_worker,
      what_was_sent_to_a_busy_worker_is_taken_from_its_inbox,
      a_fiber_that_has_begun_stays_on_its_thread, a_migratable_fiber_moves_and_stays_correct,
      all_fibers_of_a_migratable_run_may_move, no_wake_up_is_lost_between_workers,
      an_idle_run_uses_no_processor_time, a_busy_worker_neither_sleeps_nor_wakes_anybody)
