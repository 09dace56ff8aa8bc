/* SPDX-License-Identifier: MIT */
/* base-operation-test.c - operations that are defined outside the library. */
#include <pthread.h>
#include "tests/harness.h"
#include "tests/probe.h"
#include "tests/user-channel.h"

/* The classes of the example are tested as they are printed. */
int example_main(void);
#define main example_main
#include "examples/mailbox.c"
#undef main

TEST(the_state_is_copied)
{
        struct probe probe = { PROBE_AT_TRY, .value = 3 };
        struct probe *state = &probe;
        static const fib_op_class copying = {
                .state_size = sizeof(struct probe *),
                .try = probe_try,
                .block = probe_block,
        };
        fib_op *op = fib_op_new(&copying, &state);
        fib_value value;

        state = NULL;
        ck_assert_int_eq(fib_perform(op, &value), 0);
        ck_assert_int_eq(value.num, 3);
}

static int try_zeroes(void *state, fib_value *ret)
{
        const unsigned char *bytes = state;

        *ret = fib_num(0);
        for (int i = 0; i < 65536; i++)
                ret->num += bytes[i];
        return 0;
}

static int block_not(void *state, fib_waiter *waiter)
{
        ck_abort_msg("blocked although ready");
}

TEST(without_a_state_it_is_zeroed)
{
        static const fib_op_class large = { .state_size = 65536,
                                            .try = try_zeroes,
                                            .block = block_not };
        fib_value value;

        ck_assert_int_eq(fib_perform(fib_op_new(&large, NULL), &value), 0);
        ck_assert_int_eq(value.num, 0);
}

TEST(an_error_of_try_is_what_performing_returns)
{
        struct probe failing = { PROBE_FAILS_AT_TRY, .value = -EPROTO };
        struct probe waiting = { PROBE_NEVER };
        fib_value value = fib_num(5);

        ck_assert_int_eq(fib_perform(probe_op(&failing), &value), -EPROTO);
        ck_assert_int_eq(fib_try(probe_op(&failing), &value), -EPROTO);
        ck_assert_int_eq(fib_perform(fib_choice(probe_op(&waiting), probe_op(&failing)), &value),
                         -EPROTO);
        ck_assert_int_eq(value.num, 5);
        ck_assert_int_eq(atomic_load(&waiting.blocks), 0);
        ck_assert_int_eq(atomic_load(&failing.destroys), 3);
        ck_assert_int_eq(atomic_load(&failing.cancels), 0);
}

TEST(an_error_of_block_withdraws_the_other_arms)
{
        for (int i = 0; i < 50; i++) {
                struct probe failing = { PROBE_FAILS_AT_BLOCK, .value = -EPROTO };
                struct probe waiting = { PROBE_NEVER };
                fib_op *op = fib_choice(probe_op(&waiting), probe_op(&failing), probe_op(&waiting));

                ck_assert_int_eq(fib_perform(op, NULL), -EPROTO);
                ck_assert_int_eq(atomic_load(&waiting.cancels), atomic_load(&waiting.blocks));
                ck_assert_int_eq(atomic_load(&failing.blocks), 1);
                ck_assert_int_eq(atomic_load(&failing.cancels), 0);
                ck_assert_int_eq(atomic_load(&waiting.destroys), 2);
        }
}

TEST(the_arm_that_was_done_is_not_cancelled)
{
        for (int i = 0; i < 50; i++) {
                struct probe done = { PROBE_AT_BLOCK, .value = 8 };
                struct probe waiting = { PROBE_NEVER };
                fib_value value;
                fib_op *op = fib_choice(probe_op(&waiting), probe_op(&done), probe_op(&waiting));

                ck_assert_int_eq(fib_perform(op, &value), 1);
                ck_assert_int_eq(value.num, 8);
                ck_assert_int_eq(atomic_load(&waiting.cancels), atomic_load(&waiting.blocks));
                ck_assert_int_eq(atomic_load(&done.cancels), 0);
        }
}

/* Waits until the probe's waiter has been left, and takes it. */
static fib_waiter *take_waiter(struct probe *probe)
{
        fib_waiter *waiter;

        while (!(waiter = atomic_exchange(&probe->waiter, NULL)))
                fib_sleep(FIB_MICROSECOND);
        return waiter;
}

static void *commit_from_elsewhere(void *arg)
{
        ck_assert(fib_waiter_commit(take_waiter(arg), fib_num(21)));
        return NULL;
}

static void *fail_from_elsewhere(void *arg)
{
        ck_assert(fib_waiter_fail(take_waiter(arg), -EPROTO));
        return NULL;
}

static void *wait_for_commit(void *arg)
{
        struct probe probe = { PROBE_NEVER };
        struct crew crew = { .count = 0 };
        pthread_t thread;
        fib_value value;

        crew_add_elsewhere(&crew, commit_from_elsewhere, &probe);
        ck_assert_int_eq(fib_perform(fib_choice(fib_never(), probe_op(&probe)), &value), 1);
        ck_assert_int_eq(value.num, 21);
        crew_add_elsewhere(&crew, fail_from_elsewhere, &probe);
        ck_assert_int_eq(fib_perform(fib_choice(fib_never(), probe_op(&probe)), &value), -EPROTO);
        ck_assert_int_eq(value.num, 21);
        crew_join(&crew);
        ck_assert_int_eq(pthread_create(&thread, NULL, commit_from_elsewhere, &probe), 0);
        ck_assert_int_eq(fib_perform(probe_op(&probe), &value), 0);
        pthread_join(thread, NULL);
        ck_assert_int_eq(atomic_load(&probe.cancels), 0);
        return NULL;
}

TEST_WORKERS(a_waiter_may_be_committed_from_anywhere)
{
        run_fibers(workers, wait_for_commit, NULL);
}

static int block_twice(void *state, fib_waiter *waiter)
{
        ck_assert(fib_waiter_commit(waiter, fib_num(1)));
        ck_assert(!fib_waiter_commit(waiter, fib_num(2)));
        ck_assert(!fib_waiter_fail(waiter, -EPROTO));
        return 0;
}

static int try_not(void *state, fib_value *ret)
{
        return -EAGAIN;
}

TEST(a_waiter_is_committed_at_most_once)
{
        static const fib_op_class twice = { .try = try_not, .block = block_twice };
        fib_value value;

        ck_assert_int_eq(fib_perform(fib_op_new(&twice, NULL), &value), 0);
        ck_assert_int_eq(value.num, 1);
}

/*
 * The example's queues, under load: exactly once, in order, choices against each other, rings.
 */

struct queue_load {
        struct queue *a, *b;
        unsigned long count;
        atomic_ulong sum;
};

static void *queue_putter(void *arg)
{
        struct queue_load *load = arg;

        for (unsigned long i = 1; i <= load->count; i++)
                ck_assert_int_ge(fib_perform(fib_choice(queue_put_op(load->a, fib_num((intptr_t)i)),
                                                        queue_put_op(load->b,
                                                                     fib_num((intptr_t)i))),
                                             NULL),
                                 0);
        return NULL;
}

static void *queue_getter(void *arg)
{
        struct queue_load *load = arg;
        fib_value value;

        for (unsigned long i = 1; i <= load->count; i++) {
                ck_assert_int_ge(fib_perform(fib_choice(queue_get_op(load->a),
                                                        queue_get_op(load->b)),
                                             &value),
                                 0);
                atomic_fetch_add(&load->sum, (unsigned long)value.num);
        }
        return NULL;
}

static void *exchange_through_queues(void *arg)
{
        struct queue_load *load = arg;
        struct crew crew = { .count = 0 };

        for (int i = 0; i < 4; i++) {
                crew_add_parallel(&crew, queue_putter, load);
                crew_add_parallel(&crew, queue_getter, load);
        }
        crew_join(&crew);
        ck_assert_uint_eq(atomic_load(&load->sum), 4 * (load->count * (load->count + 1) / 2));
        ck_assert_int_eq(fib_try(queue_get_op(load->a), NULL), -EAGAIN);
        ck_assert_int_eq(fib_try(queue_get_op(load->b), NULL), -EAGAIN);
        queue_unref(load->a);
        queue_unref(load->b);
        return NULL;
}

TEST_WORKERS(two_buffered_channels_pass_each_message_once)
{
        struct queue_load load = { buffered_channel_new(3), buffered_channel_new(1),
                                   scaled(10000) };

        run_fibers(workers, exchange_through_queues, &load);
}

TEST_WORKERS(a_mailbox_and_a_buffered_channel_pass_each_message_once)
{
        struct queue_load load = { mailbox_new(), buffered_channel_new(2), scaled(5000) };

        run_fibers(workers, exchange_through_queues, &load);
}

/* Hands a token on around a ring of buffered channels. */
struct ring_link {
        struct queue *from, *to;
        unsigned long rounds;
};

static void *hand_on(void *arg)
{
        struct ring_link *link = arg;
        fib_value token;

        for (unsigned long i = 0; i < link->rounds; i++) {
                ck_assert_int_eq(fib_perform(queue_get_op(link->from), &token), 0);
                ck_assert_int_eq(fib_perform(queue_put_op(link->to, fib_num(token.num + 1)), NULL),
                                 0);
        }
        return NULL;
}

static void *ring_of_queues(void *arg)
{
        enum { LINKS = 10 };
        struct queue *queues[LINKS];
        struct ring_link links[LINKS];
        struct crew crew = { .count = 0 };
        unsigned long rounds = scaled(2000);
        fib_value token;

        for (int i = 0; i < LINKS; i++)
                queues[i] = i % 3 ? buffered_channel_new(1) : mailbox_new();
        for (int i = 0; i < LINKS; i++) {
                links[i] = (struct ring_link){ queues[i], queues[(i + 1) % LINKS], rounds };
                crew_add_parallel(&crew, hand_on, &links[i]);
        }
        ck_assert_int_eq(fib_perform(queue_put_op(queues[0], fib_num(0)), NULL), 0);
        crew_join(&crew);
        ck_assert_int_eq(fib_perform(queue_get_op(queues[0]), &token), 0);
        ck_assert_int_eq(token.num, LINKS * rounds);
        for (int i = 0; i < LINKS; i++)
                queue_unref(queues[i]);
        return NULL;
}

TEST_WORKERS(a_token_goes_around_a_ring_of_queues)
{
        run_fibers(workers, ring_of_queues, NULL);
}

/*
 * A rendezvous of the user's own: the same crossed choices that the library's channels stand.
 */

struct user_load {
        struct user_channel a, b;
        unsigned long count;
};

static void *user_one(void *arg)
{
        struct user_load *load = arg;
        fib_value value;

        for (unsigned long i = 0; i < load->count; i++)
                if (fib_perform(fib_choice(user_put_op(&load->a, fib_num((intptr_t)i)),
                                           user_get_op(&load->b)),
                                &value) == 1)
                        ck_assert_int_eq(value.num, i);
        return NULL;
}

static void *user_other(void *arg)
{
        struct user_load *load = arg;
        fib_value value;

        for (unsigned long i = 0; i < load->count; i++)
                if (fib_perform(fib_choice(user_get_op(&load->a),
                                           user_put_op(&load->b, fib_num((intptr_t)i))),
                                &value) == 0)
                        ck_assert_int_eq(value.num, i);
        return NULL;
}

static void *cross_user_choices(void *arg)
{
        struct user_load load = { .count = scaled(30000) };
        struct crew crew = { .count = 0 };

        user_channel_init(&load.a);
        user_channel_init(&load.b);
        crew_add_elsewhere(&crew, user_one, &load);
        crew_add(&crew, user_other, &load);
        crew_join(&crew);
        ck_assert_int_eq(fib_perform(fib_choice(user_put_op(&load.a, fib_num(0)),
                                                user_get_op(&load.a), fib_sleep_op(1)),
                                     NULL),
                         2);
        ck_assert_ptr_null(load.a.first[USER_PUT]);
        ck_assert_ptr_null(load.a.first[USER_GET]);
        ck_assert_ptr_null(load.b.first[USER_PUT]);
        ck_assert_ptr_null(load.b.first[USER_GET]);
        return NULL;
}

TEST_WORKERS(crossed_choices_of_a_users_channels_meet)
{
        run_fibers(workers, cross_user_choices, NULL);
}

TEST(the_example_is_right)
{
        ck_assert_int_eq(example_main(), 0);
}

TESTS("base-operation", the_state_is_copied, without_a_state_it_is_zeroed,
      an_error_of_try_is_what_performing_returns, an_error_of_block_withdraws_the_other_arms,
      the_arm_that_was_done_is_not_cancelled, a_waiter_may_be_committed_from_anywhere,
      a_waiter_is_committed_at_most_once, two_buffered_channels_pass_each_message_once,
      a_mailbox_and_a_buffered_channel_pass_each_message_once, a_token_goes_around_a_ring_of_queues,
      crossed_choices_of_a_users_channels_meet, the_example_is_right)
