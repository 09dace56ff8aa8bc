/* SPDX-License-Identifier: MIT */
/* thread-test.c - plain threads perform among themselves, with no run anywhere: the loads that
 * fibers stand. */
#include <poll.h>
#include <pthread.h>
#include <unistd.h>
#include <fibers.h>
#include "tests/harness.h"
#include "tests/stress/channel-load.h"
#include "tests/stress/condition-load.h"
#include "tests/stress/loser-load.h"

/* Threads that are waited for together. */
struct gang {
        pthread_t threads[16];
        unsigned count;
};

static void gang_add(struct gang *gang, fib_fn *fn, void *arg)
{
        ck_assert_int_eq(pthread_create(&gang->threads[gang->count++], NULL, fn, arg), 0);
}

static void gang_join(struct gang *gang)
{
        while (gang->count > 0)
                pthread_join(gang->threads[--gang->count], NULL);
}

TEST(each_message_arrives_exactly_once)
{
        struct channel_load load = { .count = scaled(5000) };
        struct gang gang = { .count = 0 };

        channel_load_begin(&load);
        load.seen = calloc(4 * load.count, sizeof(*load.seen));
        for (int i = 0; i < 4; i++) {
                gang_add(&gang, put_numbers, &load);
                gang_add(&gang, get_numbers, &load);
        }
        gang_join(&gang);
        for (unsigned long i = 0; i < 4 * load.count; i++)
                ck_assert_uint_eq(load.seen[i], 1);
        free((void *)load.seen);
        channel_load_end(&load);
}

TEST(crossed_choices_meet)
{
        struct channel_load load = { .count = scaled(20000) };
        struct gang gang = { .count = 0 };

        channel_load_begin(&load);
        gang_add(&gang, cross_one, &load);
        gang_add(&gang, cross_other, &load);
        gang_join(&gang);
        channel_load_end(&load);
}

TEST(no_wake_up_is_lost)
{
        struct channel_load load = { .count = scaled(20000) };
        struct gang gang = { .count = 0 };

        channel_load_begin(&load);
        for (int direct = 0; direct < 2; direct++) {
                load.direct = direct;
                gang_add(&gang, delayed_putter, &load);
                gang_add(&gang, delayed_getter, &load);
                gang_join(&gang);
        }
        channel_load_end(&load);
}

TEST(no_signal_is_lost)
{
        struct gang gang = { .count = 0 };

        for (int direct = 0; direct < 2; direct++) {
                struct baton baton = { fib_channel_new(), scaled(20000), direct };

                gang_add(&gang, baton_signaller, &baton);
                gang_add(&gang, baton_waiter, &baton);
                gang_join(&gang);
                fib_channel_unref(baton.next);
        }
}

/* One choice of all kinds of arms; the which-th is made ready meanwhile. */
struct kinds {
        fib_channel *put, *get;
        fib_condition *condition;
        int in[2], out[2]; /* pipes: nothing to be read from `in`, no room in `out` */
        int which;
};

static void *make_ready(void *arg)
{
        struct kinds *kinds = arg;
        char buffer[65536];

        usleep(1000);
        switch (kinds->which) {
        case 0: ck_assert_int_eq(fib_get(kinds->put).num, 7); break;
        case 1: fib_put(kinds->get, fib_num(8)); break;
        case 2: fib_condition_signal(kinds->condition); break;
        case 3: ck_assert_int_eq(write(kinds->in[1], "x", 1), 1); break;
        case 4: ck_assert_int_gt(read(kinds->out[0], buffer, sizeof(buffer)), 0); break;
        default: break; /* the timers */
        }
        return NULL;
}

static void fill(int fd)
{
        char page[4096] = { 0 };
        struct pollfd pollfd = { fd, POLLOUT, 0 };

        while (poll(&pollfd, 1, 0) == 1)
                ck_assert_int_eq(write(fd, page, sizeof(page)), sizeof(page));
}

static void choose_kind(int which)
{
        struct kinds kinds = { fib_channel_new(), fib_channel_new(), fib_condition_new(),
                               .which = which };
        struct gang gang = { .count = 0 };
        int64_t late = fib_now() + 100 * FIB_SECOND, soon = fib_now() + 2 * FIB_MILLISECOND;
        fib_value value;
        int arm;

        ck_assert_int_eq(pipe(kinds.in), 0);
        ck_assert_int_eq(pipe(kinds.out), 0);
        fill(kinds.out[1]);
        gang_add(&gang, make_ready, &kinds);
        arm = fib_perform(fib_choice(fib_put_op(kinds.put, fib_num(7)), fib_get_op(kinds.get),
                                     fib_condition_wait_op(kinds.condition),
                                     fib_readable_op(kinds.in[0]), fib_writable_op(kinds.out[1]),
                                     fib_timer_op(which == 5 ? soon : late),
                                     fib_sleep_op((which == 6 ? 2 : 100000) * FIB_MILLISECOND)),
                          &value);
        ck_assert_int_eq(arm, which);
        if (which == 1)
                ck_assert_int_eq(value.num, 8);
        if (which == 3)
                ck_assert_int_eq(value.num, POLLIN);
        if (which == 4)
                ck_assert_int_eq(value.num, POLLOUT);
        gang_join(&gang);
        fib_channel_unref(kinds.put);
        fib_channel_unref(kinds.get);
        fib_condition_unref(kinds.condition);
        for (int i = 0; i < 2; i++) {
                ck_assert_int_eq(fib_close(kinds.in[i]), 0);
                ck_assert_int_eq(fib_close(kinds.out[i]), 0);
        }
}

TEST(a_thread_chooses_among_arms_of_every_kind)
{
        for (int round = 0; round < 5; round++)
                for (int which = 0; which <= 6; which++)
                        choose_kind(which);
}

static void *choose_alone(void *arg)
{
        a_thread_chooses_among_arms_of_every_kind->run();
        return NULL;
}

TEST(many_threads_choose_at_once)
{
        struct gang gang = { .count = 0 };

        for (int i = 0; i < 8; i++)
                gang_add(&gang, choose_alone, NULL);
        gang_join(&gang);
}

/* The same against a thread that gets: each loser is withdrawn. */
static void lose_often(fib_op *(*loser)(struct loser_load *))
{
        struct loser_load load = { .loser = loser,
                                   .rounds = scaled(5000),
                                   .busy = fib_channel_new(),
                                   .idle = fib_channel_new(),
                                   .never = fib_condition_new() };
        struct gang gang = { .count = 0 };
        fib_value value;

        ck_assert_int_eq(pipe(load.pipe), 0);
        gang_add(&gang, loser_putter, &load);
        for (unsigned long i = 0; i < load.rounds; i++) {
                ck_assert_int_eq(fib_perform(fib_choice(loser(&load), fib_get_op(load.busy)),
                                             &value),
                                 1);
                ck_assert_int_eq(value.num, i);
        }
        gang_join(&gang);
        ck_assert_int_eq(fib_try(fib_put_op(load.idle, fib_num(0)), NULL), -EAGAIN);
        ck_assert_int_eq(fib_try(fib_get_op(load.idle), NULL), -EAGAIN);
        fib_channel_unref(load.busy);
        fib_channel_unref(load.idle);
        fib_condition_unref(load.never);
        ck_assert_int_eq(fib_close(load.pipe[0]), 0);
        ck_assert_int_eq(fib_close(load.pipe[1]), 0);
}

TEST(arms_that_lose_leave_nothing)
{
        lose_often(losing_sleep);
        lose_often(losing_get);
        lose_often(losing_put);
        lose_often(losing_wait);
        lose_often(losing_read);
}

TESTS("thread", each_message_arrives_exactly_once, crossed_choices_meet, no_wake_up_is_lost,
      no_signal_is_lost, a_thread_chooses_among_arms_of_every_kind, many_threads_choose_at_once,
      arms_that_lose_leave_nothing)
