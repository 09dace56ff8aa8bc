/* SPDX-License-Identifier: MIT */
/* run-end-test.c - fibers that wait when their run ends: they are freed, whatever they wait
 * for, and what they waited for is as if they had never come. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>
#include <fibers.h>
#include "probe.h"
#include "tests/harness.h"

/* All that there is to wait for; it outlives the runs. */
static struct things {
        fib_channel *channel;
        fib_condition *condition;
        fib_op *op; /* performed by many runs */
        int idle[2], full[2];
        struct probe probe;
        fib_fiber *_Atomic sleeper;
        atomic_int waiting; /* fibers about to wait */
        atomic_int woken;   /* fibers that went on: none may */
} things;

static void fill(int fd)
{
        char block[4096] = { 0 };

        while (send(fd, block, sizeof(block), MSG_DONTWAIT) > 0)
                continue;
}

static void things_make(void)
{
        things = (struct things){ fib_channel_new(), fib_condition_new(), NULL };
        ck_assert_int_eq(pipe(things.idle), 0);
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, things.full), 0);
        fill(things.full[0]);
        things.op = fib_choice(fib_get_op(things.channel), fib_sleep_op(3600 * FIB_SECOND),
                               fib_condition_wait_op(things.condition));
}

/* Nobody is left behind in any queue, and all of it still works. */
static void things_check(void)
{
        ck_assert_int_eq(fib_try(fib_put_op(things.channel, fib_num(0)), NULL), -EAGAIN);
        ck_assert_int_eq(fib_try(fib_get_op(things.channel), NULL), -EAGAIN);
        ck_assert_int_eq(atomic_load(&things.woken), 0);
        ck_assert_int_eq(atomic_load(&things.probe.cancels), atomic_load(&things.probe.blocks));
}

static void things_free(void)
{
        ck_assert(fib_condition_signal(things.condition));
        fib_condition_unref(things.condition);
        fib_channel_unref(things.channel);
        fib_op_unref(things.op);
        fib_close(things.idle[0]);
        fib_close(things.idle[1]);
        fib_close(things.full[0]);
        fib_close(things.full[1]);
        ck_assert_int_eq(atomic_load(&things.woken), 0);
}

static void keep_continuation(fib_scheduler *scheduler, fib_continuation *continuation, void *arg)
{
        ck_assert_ptr_nonnull(continuation);
}

static fib_op *nack_guard(fib_op *nack, void *arg)
{
        /* Were the nack not fired, its condition would have this waiter. */
        return fib_choice(fib_get_op(things.channel), nack);
}

static fib_op *make_guarded(void *arg)
{
        return fib_put_op(things.channel, fib_num(1));
}

static int must_not_wrap(fib_value *value, void *arg)
{
        atomic_fetch_add(&things.woken, 1);
        return 0;
}

enum kind {
        GET,
        PUT,
        GET_OP,
        PUT_OP,
        CHOICE,
        SHARED_OP,
        WRAPPED,
        GUARDED,
        NACKED,
        NEVER,
        WAIT,
        WAIT_OP,
        SLEEP,
        SLEEP_OP,
        READABLE,
        READABLE_OP,
        WRITABLE_OP,
        READ,
        JOIN,
        JOIN_OP,
        SUSPEND,
        USER_OP,
        MANY_ARMS,
        KINDS
};

static fib_op *operation(enum kind kind)
{
        fib_op *ops[40];

        switch (kind) {
        case GET_OP: return fib_get_op(things.channel);
        case PUT_OP: return fib_put_op(things.channel, fib_num(2));
        case CHOICE:
                return fib_choice(fib_get_op(things.channel), fib_sleep_op(3600 * FIB_SECOND),
                                  fib_condition_wait_op(things.condition),
                                  fib_readable_op(things.idle[0]));
        case SHARED_OP: return fib_op_ref(things.op);
        case WRAPPED: return fib_wrap(fib_get_op(things.channel), must_not_wrap, NULL);
        case GUARDED: return fib_guard(make_guarded, NULL);
        case NACKED:
                return fib_choice(fib_with_nack(nack_guard, NULL),
                                  fib_condition_wait_op(things.condition));
        case NEVER: return fib_never();
        case WAIT_OP: return fib_condition_wait_op(things.condition);
        case SLEEP_OP: return fib_sleep_op(3600 * FIB_SECOND);
        case READABLE_OP: return fib_readable_op(things.idle[0]);
        case WRITABLE_OP: return fib_writable_op(things.full[0]);
        case JOIN_OP: return fib_join_op(atomic_load(&things.sleeper));
        case USER_OP: return probe_op(&things.probe);
        case MANY_ARMS:
                for (unsigned i = 0; i < 40; i++)
                        ops[i] = i % 2 ? fib_get_op(things.channel)
                                       : fib_condition_wait_op(things.condition);
                return fib_choice_n(ops, 40);
        default: return NULL;
        }
}

static void *wait_for(void *arg)
{
        enum kind kind = (enum kind)(intptr_t)arg;
        fib_op *op = operation(kind);
        char byte;

        atomic_fetch_add(&things.waiting, 1);
        if (op)
                fib_perform(op, NULL);
        else if (kind == GET)
                fib_get(things.channel);
        else if (kind == PUT)
                fib_put(things.channel, fib_num(3));
        else if (kind == WAIT)
                fib_condition_wait(things.condition);
        else if (kind == SLEEP)
                fib_sleep(3600 * FIB_SECOND);
        else if (kind == READABLE)
                fib_wait_readable(things.idle[0]);
        else if (kind == READ)
                fib_read(things.idle[0], &byte, 1);
        else if (kind == JOIN)
                fib_join(atomic_load(&things.sleeper), NULL);
        else
                fib_suspend(keep_continuation, NULL);
        atomic_fetch_add(&things.woken, 1);
        return NULL;
}

static void *sleep_an_hour(void *arg)
{
        fib_sleep(3600 * FIB_SECOND);
        return NULL;
}

/* Ends as soon as the others wait, on all schedulers. */
static void *leave_waiting(void *arg)
{
        fib_scheduler *peers[64];
        size_t n = fib_scheduler_remote_peers(fib_scheduler_current(), peers, 64);
        fib_fiber *sleeper;

        atomic_store(&things.waiting, 0);
        ck_assert_int_eq(fib_spawn_with(NULL, sleep_an_hour, NULL, &sleeper), 0);
        atomic_store(&things.sleeper, sleeper);
        for (unsigned i = 0; i < 6; i++) {
                fib_spawn_options options = { .scheduler = n && i % 2 ? peers[i % n] : NULL,
                                              .migratable = i % 3 == 0 };

                ck_assert_int_eq(fib_spawn_with(&options, wait_for, arg, NULL), 0);
        }
        while (atomic_load(&things.waiting) < 6)
                fib_yield();
        fib_sleep(FIB_MILLISECOND);
        return NULL;
}

/* A getter and a putter of kinds that would meet are never made to wait in the same run. */
static void end_with(enum kind kind, unsigned workers)
{
        run_fibers(workers, leave_waiting, (void *)(intptr_t)kind);
        things_check();
        fib_fiber_unref(atomic_load(&things.sleeper));
}

TEST_WORKERS(who_waits_when_the_run_ends_is_freed_whatever_it_waits_for)
{
        things_make();
        for (enum kind kind = 0; kind < KINDS; kind++)
                end_with(kind, workers);
        things_free();
}

static void *get_number(void *arg)
{
        ck_assert_int_eq(fib_get(things.channel).num, 77);
        return NULL;
}

static void *put_number(void *arg)
{
        fib_fiber *getter;

        ck_assert_int_eq(fib_spawn_with(&(fib_spawn_options){ .parallel = true }, get_number, NULL,
                                        &getter),
                         0);
        fib_put(things.channel, fib_num(77));
        ck_assert_int_eq(fib_join(getter, NULL), 0);
        fib_fiber_unref(getter);
        return NULL;
}

static void *wait_twice(void *arg)
{
        char byte;

        ck_assert_int_eq(fib_perform(fib_choice(fib_condition_wait_op(things.condition),
                                                fib_sleep_op(FIB_MILLISECOND)),
                                     NULL),
                         1);
        ck_assert_int_eq(write(things.idle[1], "x", 1), 1);
        ck_assert_int_eq(fib_read(things.idle[0], &byte, 1), 1);
        return NULL;
}

TEST_WORKERS(what_fibers_waited_for_works_in_the_next_run)
{
        things_make();
        for (enum kind kind = 0; kind < KINDS; kind++) {
                end_with(kind, workers);
                run_fibers(workers, put_number, NULL);
                run_fibers(workers, wait_twice, NULL);
        }
        things_free();
}

static void *thread_puts(void *arg)
{
        fib_put(things.channel, fib_num(78));
        return NULL;
}

TEST_WORKERS(a_thread_takes_the_place_of_a_fiber_that_ended)
{
        pthread_t thread;

        things_make();
        end_with(GET, workers);
        ck_assert_int_eq(pthread_create(&thread, NULL, thread_puts, NULL), 0);
        ck_assert_int_eq(fib_get(things.channel).num, 78);
        pthread_join(thread, NULL);
        things_free();
}

/* A thread puts into a channel at which fibers wait, while their run ends: each message goes to
 * a fiber that got it, or to the thread that takes it back after the run. */
struct race {
        atomic_ulong got;
        atomic_bool over;
};

static void *get_all(void *arg)
{
        struct race *race = arg;

        for (;;) {
                fib_get(things.channel);
                atomic_fetch_add(&race->got, 1);
        }
        return NULL;
}

static void *run_getters(void *arg)
{
        for (int i = 0; i < 3; i++)
                ck_assert_int_eq(fib_spawn_with(&(fib_spawn_options){ .parallel = true }, get_all,
                                                arg, NULL),
                                 0);
        for (int i = 0; i < 10; i++)
                fib_yield();
        return NULL;
}

static void *put_until_over(void *arg)
{
        struct race *race = arg;
        unsigned long put = 0;

        while (!atomic_load(&race->over))
                if (fib_perform(fib_choice(fib_put_op(things.channel, fib_num(1)),
                                           fib_sleep_op(FIB_MILLISECOND)),
                                NULL) == 0)
                        put++;
        return (void *)put;
}

TEST_WORKERS(a_run_may_end_while_threads_meet_its_fibers)
{
        struct race race = { 0 };
        pthread_t threads[2];
        unsigned long put = 0;
        void *ret;

        things_make();
        for (int i = 0; i < 2; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, put_until_over, &race), 0);
        for (unsigned long i = 0; i < scaled(300); i++)
                run_fibers(workers, run_getters, &race);
        atomic_store(&race.over, true);
        for (int i = 0; i < 2; i++) {
                pthread_join(threads[i], &ret);
                put += (unsigned long)ret;
        }
        /* A getter may be dropped between taking its message and counting it, one a run each. */
        ck_assert_uint_ge(put, atomic_load(&race.got));
        ck_assert_uint_le(put, atomic_load(&race.got) + 3 * scaled(300));
        things_check();
        things_free();
}

TESTS("run-end", who_waits_when_the_run_ends_is_freed_whatever_it_waits_for,
      what_fibers_waited_for_works_in_the_next_run, a_thread_takes_the_place_of_a_fiber_that_ended,
      a_run_may_end_while_threads_meet_its_fibers)
