/* SPDX-License-Identifier: MIT */
/* choice-test.c - exactly one arm is done; any that is ready; and the losers are as before. */
#include <stdatomic.h>
#include <stdlib.h>
#include <fibers.h>
#include "tests/harness.h"
#include "tests/probe.h"
#include "tests/stress/channel-load.h"
#include "tests/stress/choice-load.h"
#include "tests/stress/loser-load.h"

static int as_it_is(fib_value *value, void *arg)
{
        return 0;
}

static fib_op *second_of_two(void *arg)
{
        return fib_choice(fib_never(), fib_always(fib_num(6)));
}

TEST(the_index_is_that_of_the_outermost_choice)
{
        fib_value value;
        fib_op *pair = fib_choice(fib_never(), fib_always(fib_num(5)));

        ck_assert_int_eq(fib_perform(fib_always(fib_num(0)), NULL), 0);
        ck_assert_int_eq(fib_perform(fib_op_ref(pair), &value), 1);
        ck_assert_int_eq(fib_perform(fib_choice(fib_op_ref(pair)), &value), 0);
        ck_assert_int_eq(fib_perform(fib_choice(fib_never(), fib_never(), fib_op_ref(pair)),
                                     &value),
                         2);
        ck_assert_int_eq(value.num, 5);
        ck_assert_int_eq(fib_perform(fib_wrap(fib_op_ref(pair), as_it_is, NULL), NULL), 1);
        ck_assert_int_eq(fib_perform(fib_choice(fib_wrap(fib_choice(pair), as_it_is, NULL)), NULL),
                         0);
        ck_assert_int_eq(fib_perform(fib_guard(second_of_two, NULL), &value), 1);
        ck_assert_int_eq(value.num, 6);
        ck_assert_int_eq(fib_perform(fib_choice(fib_never(), fib_never(),
                                                fib_guard(second_of_two, NULL)),
                                     NULL),
                         2);
}

static void *blocked_index(void *arg)
{
        const int64_t soon = FIB_MILLISECOND;

        ck_assert_int_eq(fib_perform(fib_sleep_op(soon), NULL), 0);
        ck_assert_int_eq(fib_perform(fib_choice(fib_never(), fib_choice(fib_sleep_op(soon))), NULL),
                         1);
        ck_assert_int_eq(fib_perform(fib_choice(fib_choice(), fib_choice(fib_choice()),
                                                fib_choice(fib_never(), fib_sleep_op(soon))),
                                     NULL),
                         2);
        return NULL;
}

TEST_WORKERS(the_index_is_the_same_when_it_has_waited)
{
        run_fibers(workers, blocked_index, NULL);
}

TEST(a_choice_of_none_is_never_ready)
{
        ck_assert_int_eq(fib_try(fib_choice_n(NULL, 0), NULL), -EAGAIN);
        ck_assert_int_eq(fib_try(fib_choice(fib_choice_n(NULL, 0), fib_choice()), NULL), -EAGAIN);
        ck_assert_int_eq(fib_perform(fib_choice(fib_never(), fib_sleep_op(1)), NULL), 1);
}

TEST(an_operation_may_be_in_a_choice_twice)
{
        struct probe probe = { PROBE_AT_TRY };
        fib_op *op = probe_op(&probe);
        fib_channel *channel = fib_channel_new();
        fib_op *get = fib_get_op(channel);

        ck_assert_int_ge(fib_perform(fib_choice(fib_op_ref(op), op), NULL), 0);
        ck_assert_int_eq(atomic_load(&probe.destroys), 1);
        ck_assert_int_eq(fib_perform(fib_choice(fib_op_ref(get), get, fib_sleep_op(1)), NULL), 2);
        fib_channel_unref(channel);
}

static void *wide(void *arg)
{
        enum { WIDTH = 2000 };
        fib_channel *channels[WIDTH];
        fib_op *arms[WIDTH + 1];

        for (int i = 0; i < WIDTH; i++) {
                channels[i] = fib_channel_new();
                arms[i] = fib_get_op(channels[i]);
        }
        arms[WIDTH] = fib_sleep_op(FIB_MILLISECOND);
        ck_assert_int_eq(fib_perform(fib_choice_n(arms, WIDTH + 1), NULL), WIDTH);
        for (int i = 0; i < WIDTH; i++) {
                ck_assert_int_eq(fib_try(fib_put_op(channels[i], fib_num(0)), NULL), -EAGAIN);
                fib_channel_unref(channels[i]);
        }
        return NULL;
}

TEST_WORKERS(a_choice_may_have_thousands_of_arms)
{
        run_fibers(workers, wide, NULL);
}

TEST_WORKERS(ready_arms_are_chosen_fairly)
{
        fair_choices(workers, PROBE_AT_TRY, FAIR_FLAT, 100000);
}

TEST_WORKERS(arms_that_become_ready_are_chosen_fairly)
{
        fair_choices(workers, PROBE_AT_BLOCK, FAIR_FLAT, 100000);
}

TEST_WORKERS(arms_of_nested_choices_are_chosen_fairly)
{
        fair_choices(workers, PROBE_AT_TRY, FAIR_NESTED, 100000);
}

TEST_WORKERS(ready_arms_beside_others_are_chosen_fairly)
{
        fair_choices(workers, PROBE_AT_TRY, FAIR_BESIDE_OTHERS, 100000);
}

static void *alone(void *arg)
{
        fib_channel *channel = fib_channel_new();

        for (int i = 0; i < 20; i++)
                ck_assert_int_eq(fib_perform(fib_choice(fib_put_op(channel, fib_num(1)),
                                                        fib_get_op(channel),
                                                        fib_sleep_op(100 * FIB_MICROSECOND)),
                                             NULL),
                                 2);
        ck_assert_int_eq(fib_try(fib_choice(fib_put_op(channel, fib_num(1)), fib_get_op(channel)),
                                 NULL),
                         -EAGAIN);
        fib_channel_unref(channel);
        return NULL;
}

TEST_WORKERS(a_choice_does_not_meet_itself)
{
        run_fibers(workers, alone, NULL);
}

static void *put_or_get(void *arg)
{
        fib_channel *channel = arg;
        fib_value value;
        int arm = fib_perform(fib_choice(fib_put_op(channel, fib_num(7)), fib_get_op(channel),
                                         fib_sleep_op(100 * FIB_SECOND)),
                              &value);

        ck_assert(arm == 0 || arm == 1);
        if (arm == 1)
                ck_assert_int_eq(value.num, 7);
        return (void *)(intptr_t)arm;
}

static void *two_of_a_kind(void *arg)
{
        const fib_spawn_options parallel = { .parallel = true };

        for (int i = 0; i < 200; i++) {
                fib_channel *channel = fib_channel_new();
                fib_fiber *other;
                void *theirs;
                intptr_t mine;

                ck_assert_int_eq(fib_spawn_with(&parallel, put_or_get, channel, &other), 0);
                mine = (intptr_t)put_or_get(channel);
                ck_assert_int_eq(fib_join(other, &theirs), 0);
                ck_assert_int_eq(mine + (intptr_t)theirs, 1);
                fib_fiber_unref(other);
                fib_channel_unref(channel);
        }
        return NULL;
}

TEST_WORKERS(two_of_the_same_choice_meet)
{
        run_fibers(workers, two_of_a_kind, NULL);
}

TEST_WORKERS(crossed_choices_meet)
{
        cross_choices(workers, scaled(50000));
}

TEST_WORKERS(of_three_in_a_ring_two_meet)
{
        rings_of_three(workers, scaled(3000));
}

/* One operation, performed by eight at once; one of them by a choice that it loses. */
struct shared_op {
        fib_channel *channel;
        fib_condition *give_up;
        fib_op *op;
        atomic_int served, lost;
};

static void *perform_shared(void *arg)
{
        struct shared_op *shared = arg;
        fib_value value;

        ck_assert_int_eq(fib_perform(fib_op_ref(shared->op), &value), 0);
        atomic_fetch_add(&shared->served, 1);
        return NULL;
}

static void *perform_shared_and_lose(void *arg)
{
        struct shared_op *shared = arg;

        ck_assert_int_eq(fib_perform(fib_choice(fib_op_ref(shared->op),
                                                fib_condition_wait_op(shared->give_up)),
                                     NULL),
                         1);
        atomic_fetch_add(&shared->lost, 1);
        return NULL;
}

static void share(struct shared_op *shared, bool put)
{
        struct crew crew = { .count = 0 };

        shared->op = put ? fib_put_op(shared->channel, fib_num(3)) : fib_get_op(shared->channel);
        for (int i = 0; i < 8; i++)
                crew_add_parallel(&crew, i == 3 ? perform_shared_and_lose : perform_shared, shared);
        fib_sleep(FIB_MILLISECOND);
        fib_condition_signal(shared->give_up);
        while (!atomic_load(&shared->lost))
                fib_sleep(FIB_MICROSECOND);
        for (int i = 0; i < 7; i++) {
                if (put)
                        ck_assert_int_eq(fib_get(shared->channel).num, 3);
                else
                        fib_put(shared->channel, fib_num(3));
        }
        crew_join(&crew);
        ck_assert_int_eq(atomic_load(&shared->served), 7);
        fib_op_unref(shared->op);
}

static void *share_operations(void *arg)
{
        for (int i = 0; i < 20; i++) {
                struct shared_op shared = { fib_channel_new(), fib_condition_new() };

                share(&shared, i % 2);
                fib_channel_unref(shared.channel);
                fib_condition_unref(shared.give_up);
        }
        return NULL;
}

TEST_WORKERS(eight_perform_one_operation_at_once)
{
        run_fibers(workers, share_operations, NULL);
}

TEST_WORKERS(a_get_that_loses_leaves_nothing)
{
        losers_leave_nothing(workers, scaled(50000), losing_get);
}

TEST_WORKERS(a_put_that_loses_leaves_nothing)
{
        losers_leave_nothing(workers, scaled(50000), losing_put);
}

TEST_WORKERS(a_wait_that_loses_leaves_nothing)
{
        losers_leave_nothing(workers, scaled(50000), losing_wait);
}

TEST_WORKERS(a_descriptor_that_loses_leaves_nothing)
{
        losers_leave_nothing(workers, scaled(20000), losing_read);
}

TESTS("choice", the_index_is_that_of_the_outermost_choice, the_index_is_the_same_when_it_has_waited,
      a_choice_of_none_is_never_ready, an_operation_may_be_in_a_choice_twice,
      a_choice_may_have_thousands_of_arms, ready_arms_are_chosen_fairly,
      arms_that_become_ready_are_chosen_fairly, arms_of_nested_choices_are_chosen_fairly,
      ready_arms_beside_others_are_chosen_fairly, a_choice_does_not_meet_itself,
      two_of_the_same_choice_meet, crossed_choices_meet, of_three_in_a_ring_two_meet,
      eight_perform_one_operation_at_once, a_get_that_loses_leaves_nothing,
      a_put_that_loses_leaves_nothing, a_wait_that_loses_leaves_nothing,
      a_descriptor_that_loses_leaves_nothing)
