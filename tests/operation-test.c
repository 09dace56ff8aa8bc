/* SPDX-License-Identifier: MIT */
/* operation-test.c - wraps, guards, always, never, try; whose each reference is; bad input. */
#include <fibers.h>
#include "tests/harness.h"
#include "tests/probe.h"

/* Appends a digit to the value, and notes who did it. */
struct digit {
        int digit;
        int calls;
        fib_fiber *caller;
};

static int append(fib_value *value, void *arg)
{
        struct digit *digit = arg;

        value->num = value->num * 10 + digit->digit;
        digit->calls++;
        digit->caller = fib_self();
        return 0;
}

static int fail(fib_value *value, void *arg)
{
        value->num = -1;
        return *(int *)arg;
}

static void *inner_wraps_first(void *arg)
{
        struct digit one = { 1 }, two = { 2 }, three = { 3 };
        fib_value value = fib_num(-1);
        fib_op *op = fib_always(fib_num(0));

        op = fib_wrap(fib_wrap(fib_wrap(op, append, &one), append, &two), append, &three);
        ck_assert_int_eq(fib_perform(op, &value), 0);
        ck_assert_int_eq(value.num, 123);
        ck_assert_ptr_eq(one.caller, fib_self());
        return NULL;
}

TEST_WORKERS(wraps_run_inner_first)
{
        run_fibers(workers, inner_wraps_first, NULL);
}

TEST(wraps_around_a_choice_apply_to_the_arm_that_was_done)
{
        struct digit one = { 1 }, two = { 2 }, three = { 3 };
        fib_value value;
        fib_op *inner = fib_choice(fib_wrap(fib_never(), append, &one),
                                   fib_wrap(fib_always(fib_num(0)), append, &two));

        ck_assert_int_eq(fib_perform(fib_wrap(inner, append, &three), &value), 1);
        ck_assert_int_eq(value.num, 23);
        ck_assert_int_eq(one.calls, 0);
}

static void *put_from_elsewhere(void *arg)
{
        fib_put(arg, fib_num(7));
        return NULL;
}

static void *woken_performer_wraps(void *arg)
{
        fib_channel *channel = fib_channel_new();
        struct digit mine = { 1 }, loser = { 2 };
        struct crew crew = { .count = 0 };
        fib_value value;

        crew_add_elsewhere(&crew, put_from_elsewhere, channel);
        ck_assert_int_eq(fib_perform(fib_choice(fib_wrap(fib_never(), append, &loser),
                                                fib_wrap(fib_get_op(channel), append, &mine)),
                                     &value),
                         1);
        ck_assert_int_eq(value.num, 71);
        ck_assert_ptr_eq(mine.caller, fib_self());
        ck_assert_int_eq(loser.calls, 0);
        crew_join(&crew);
        fib_channel_unref(channel);
        return NULL;
}

TEST_WORKERS(a_wrap_runs_in_the_performer_even_if_it_was_woken)
{
        run_fibers(workers, woken_performer_wraps, NULL);
}

/* The value is a channel's; get from it until a message is no channel any more. */
static int get_again(fib_value *value, void *arg)
{
        ck_assert_int_ge(fib_sleep(FIB_MICROSECOND), 0);
        *value = fib_get(arg);
        return 0;
}

static void *put_twice(void *arg)
{
        fib_put(arg, fib_num(1));
        fib_put(arg, fib_num(2));
        return NULL;
}

static void *wraps_perform(void *arg)
{
        fib_channel *channel = fib_channel_new();
        struct crew crew = { .count = 0 };
        fib_value value;

        crew_add_elsewhere(&crew, put_twice, channel);
        ck_assert_int_eq(fib_perform(fib_wrap(fib_get_op(channel), get_again, channel), &value), 0);
        ck_assert_int_eq(value.num, 2);
        crew_join(&crew);
        fib_channel_unref(channel);
        return NULL;
}

TEST_WORKERS(a_wrap_may_perform)
{
        run_fibers(workers, wraps_perform, NULL);
}

TEST(an_error_of_a_wrap_skips_the_outer_ones)
{
        struct digit outer = { 1 };
        int error = -EPROTO;
        fib_value value = fib_num(5);
        fib_op *op = fib_wrap(fib_wrap(fib_always(fib_num(0)), fail, &error), append, &outer);

        ck_assert_int_eq(fib_perform(fib_choice(fib_never(), op), &value), -EPROTO);
        ck_assert_int_eq(outer.calls, 0);
        ck_assert_int_eq(value.num, 5);
}

TEST(what_a_wrap_returns_above_zero_changes_nothing)
{
        int more = 42;
        fib_value value;

        ck_assert_int_eq(fib_perform(fib_wrap(fib_always(fib_num(0)), fail, &more), &value), 0);
        ck_assert_int_eq(value.num, -1);
}

static fib_op *give(void *arg)
{
        return fib_op_ref(arg);
}

static fib_op *give_nothing(void *arg)
{
        ++*(int *)arg;
        return NULL;
}

struct guarded {
        int calls;
        struct probe *other; /* is not to have been tried yet */
        fib_fiber *caller;
};

static fib_op *count_guard(void *arg)
{
        struct guarded *guarded = arg;

        guarded->calls++;
        guarded->caller = fib_self();
        if (guarded->other)
                ck_assert_int_eq(atomic_load(&guarded->other->tries), 0);
        return fib_always(fib_num(guarded->calls));
}

static void *guards_run(void *arg)
{
        struct probe probe = { PROBE_NEVER };
        struct guarded guarded = { 0, &probe, NULL };
        fib_value value;
        fib_op *op = fib_choice(probe_op(&probe), fib_guard(count_guard, &guarded));

        for (int i = 1; i <= 5; i++) {
                ck_assert_int_eq(fib_perform(fib_op_ref(op), &value), 1);
                ck_assert_int_eq(value.num, i);
                ck_assert_int_eq(guarded.calls, i);
                ck_assert_ptr_eq(guarded.caller, fib_self());
                atomic_store(&probe.tries, 0);
        }
        ck_assert_int_eq(fib_try(op, &value), 1);
        ck_assert_int_eq(guarded.calls, 6);
        return NULL;
}

TEST_WORKERS(a_guard_runs_at_each_perform_before_anything_is_tried)
{
        run_fibers(workers, guards_run, NULL);
}

TEST(a_guard_runs_though_another_arm_is_ready)
{
        struct guarded guarded = { 0 };

        for (int i = 1; i <= 100; i++) {
                fib_op *losing = fib_choice(fib_guard(count_guard, &guarded), fib_never());

                fib_perform(fib_choice(fib_always(fib_num(0)), losing), NULL);
                ck_assert_int_eq(guarded.calls, i);
        }
}

static fib_op *guard_in_guard(void *arg)
{
        return fib_choice(fib_never(), fib_guard(count_guard, arg));
}

TEST(a_guard_may_give_a_guard)
{
        struct guarded guarded = { 0 };
        struct digit digit = { 5 };
        fib_value value;
        fib_op *op = fib_wrap(fib_guard(guard_in_guard, &guarded), append, &digit);

        ck_assert_int_eq(fib_perform(op, &value), 1);
        ck_assert_int_eq(value.num, 15);
        ck_assert_int_eq(guarded.calls, 1);
}

TEST(a_guard_that_gives_nothing_fails_the_whole_perform)
{
        int calls = 0;
        fib_value value = fib_num(5);
        fib_op *op = fib_choice(fib_always(fib_num(0)), fib_guard(give_nothing, &calls));

        ck_assert_int_eq(fib_perform(op, &value), -ENOMEM);
        ck_assert_int_eq(calls, 1);
        ck_assert_int_eq(value.num, 5);
        ck_assert_int_eq(fib_try(fib_guard(give_nothing, &calls), NULL), -ENOMEM);
}

TEST(what_a_guard_gives_is_released)
{
        struct probe probe = { PROBE_AT_TRY };
        fib_op *inner = probe_op(&probe);

        ck_assert_int_eq(fib_perform(fib_guard(give, inner), NULL), 0);
        ck_assert_int_eq(fib_perform(fib_choice(fib_guard(give, inner), fib_never()), NULL), 0);
        ck_assert_int_eq(atomic_load(&probe.destroys), 0);
        fib_op_unref(inner);
        ck_assert_int_eq(atomic_load(&probe.destroys), 1);
}

TEST(try_does_what_is_ready)
{
        fib_value value;

        ck_assert_int_eq(fib_try(fib_always(fib_num(3)), &value), 0);
        ck_assert_int_eq(value.num, 3);
        ck_assert_int_eq(fib_try(fib_choice(fib_never(), fib_always(fib_num(4))), &value), 1);
        ck_assert_int_eq(value.num, 4);
        ck_assert_int_eq(fib_try(fib_always(fib_num(3)), NULL), 0);
}

TEST(try_does_not_wait_and_leaves_nothing)
{
        struct probe probe = { PROBE_NEVER };
        fib_value value = fib_num(5);

        ck_assert_int_eq(fib_try(probe_op(&probe), &value), -EAGAIN);
        ck_assert_int_eq(fib_try(fib_choice(probe_op(&probe), fib_never()), &value), -EAGAIN);
        ck_assert_int_eq(fib_try(fib_never(), &value), -EAGAIN);
        ck_assert_int_eq(value.num, 5);
        ck_assert_int_eq(atomic_load(&probe.blocks), 0);
        ck_assert_int_eq(atomic_load(&probe.destroys), 2);
}

TEST(performing_takes_one_reference)
{
        struct probe probe = { PROBE_AT_TRY, .value = 9 };
        fib_op *op = probe_op(&probe);
        fib_value value;

        for (int i = 0; i < 1000; i++) {
                ck_assert_int_eq(fib_perform(fib_op_ref(op), &value), 0);
                ck_assert_int_eq(value.num, 9);
        }
        ck_assert_int_eq(atomic_load(&probe.destroys), 0);
        ck_assert_int_eq(fib_perform(op, NULL), 0);
        ck_assert_int_eq(atomic_load(&probe.destroys), 1);
}

/* Also where a reference that was just given up is kept for the next perform. */
static void *give_up_references(void *arg)
{
        struct probe probe = { PROBE_AT_TRY };
        struct probe other = { PROBE_AT_TRY };
        fib_op *op = probe_op(&probe);
        fib_op *choice = fib_choice(probe_op(&other), probe_op(&other));

        for (int i = 0; i < 10; i++) {
                ck_assert_int_eq(fib_perform(fib_op_ref(op), NULL), 0);
                ck_assert_int_ge(fib_perform(fib_op_ref(choice), NULL), 0);
                ck_assert_int_eq(fib_perform(fib_op_ref(op), NULL), 0);
        }
        ck_assert_int_eq(atomic_load(&probe.destroys), 0);
        fib_op_unref(op);
        ck_assert_int_eq(atomic_load(&probe.destroys), 1);
        ck_assert_int_ge(fib_perform(fib_op_ref(choice), NULL), 0);
        ck_assert_int_eq(atomic_load(&other.destroys), 0);
        ck_assert_int_ge(fib_perform(choice, NULL), 0);
        ck_assert_int_eq(atomic_load(&other.destroys), 2);
        return NULL;
}

TEST_WORKERS(the_last_reference_destroys_at_once)
{
        run_fibers(workers, give_up_references, NULL);
        give_up_references(NULL);
}

/* One that is kept elsewhere goes when that scheduler looks up. */
static fib_op *shared_op;

static void *perform_and_sleep(void *arg)
{
        ck_assert_int_eq(fib_perform(fib_op_ref(shared_op), NULL), 0);
        fib_sleep(FIB_MILLISECOND);
        return NULL;
}

TEST_WORKERS(no_scheduler_keeps_a_reference_for_long)
{
        struct probe probe = { PROBE_AT_TRY };

        shared_op = probe_op(&probe);
        run_fibers(workers, perform_and_sleep, NULL);
        ck_assert_int_eq(atomic_load(&probe.destroys), 0);
        fib_op_unref(shared_op);
        ck_assert_int_eq(atomic_load(&probe.destroys), 1);
}

TEST(an_operation_may_never_be_performed)
{
        struct probe probe = { PROBE_AT_TRY };
        struct digit digit = { 1 };
        fib_op *op = fib_wrap(fib_choice(probe_op(&probe), probe_op(&probe)), append, &digit);

        fib_op_unref(op);
        ck_assert_int_eq(atomic_load(&probe.destroys), 2);
        ck_assert_int_eq(atomic_load(&probe.tries), 0);
        fib_op_unref(NULL);
}

TEST(a_missing_operation_fails_and_releases_the_others)
{
        struct probe probe = { PROBE_AT_TRY };
        fib_value value = fib_num(5);
        int zero = 0;

        ck_assert_int_eq(fib_perform(NULL, &value), -ENOMEM);
        ck_assert_int_eq(fib_try(NULL, &value), -ENOMEM);
        ck_assert_ptr_null(fib_wrap(NULL, fail, &zero));
        ck_assert_ptr_null(fib_choice(probe_op(&probe), NULL, probe_op(&probe)));
        ck_assert_int_eq(atomic_load(&probe.destroys), 2);
        ck_assert_int_eq(fib_perform(fib_choice(fib_wrap(fib_choice(NULL, probe_op(&probe)), fail,
                                                         &zero),
                                                probe_op(&probe)),
                                     &value),
                         -ENOMEM);
        ck_assert_int_eq(atomic_load(&probe.destroys), 4);
        ck_assert_int_eq(atomic_load(&probe.tries), 0);
        ck_assert_int_eq(value.num, 5);
}

TEST(a_missing_function_or_object_gives_no_operation)
{
        struct probe probe = { PROBE_AT_TRY };
        const fib_op_class huge = { .state_size = 65537, .try = probe_try, .block = probe_block };

        ck_assert_ptr_null(fib_wrap(probe_op(&probe), NULL, NULL));
        ck_assert_int_eq(atomic_load(&probe.destroys), 1);
        ck_assert_ptr_null(fib_guard(NULL, NULL));
        ck_assert_ptr_null(fib_with_nack(NULL, NULL));
        ck_assert_ptr_null(fib_choice_n(NULL, 3));
        ck_assert_ptr_null(fib_op_new(NULL, NULL));
        ck_assert_ptr_null(fib_op_new(&huge, NULL));
        ck_assert_ptr_null(fib_put_op(NULL, fib_num(0)));
        ck_assert_ptr_null(fib_get_op(NULL));
        ck_assert_ptr_null(fib_condition_wait_op(NULL));
        ck_assert_ptr_null(fib_join_op(NULL));
        ck_assert(!fib_condition_signal(NULL));
        ck_assert(!fib_condition_signalled(NULL));
        fib_channel_unref(NULL);
        fib_condition_unref(NULL);
}

TEST(an_operation_without_references_is_refused)
{
        fib_op *op = fib_always(fib_num(0));

        if (slowness() > 1)
                test_skip("it reads memory that has been given up");
        fib_op_unref(op);
        ck_assert_int_eq(fib_perform(op, NULL), -EINVAL);
        ck_assert_int_eq(fib_try(op, NULL), -EINVAL);
}

TESTS("operation", wraps_run_inner_first, wraps_around_a_choice_apply_to_the_arm_that_was_done,
      a_wrap_runs_in_the_performer_even_if_it_was_woken, a_wrap_may_perform,
      an_error_of_a_wrap_skips_the_outer_ones, what_a_wrap_returns_above_zero_changes_nothing,
      a_guard_runs_at_each_perform_before_anything_is_tried,
      a_guard_runs_though_another_arm_is_ready, a_guard_may_give_a_guard,
      a_guard_that_gives_nothing_fails_the_whole_perform, what_a_guard_gives_is_released,
      try_does_what_is_ready, try_does_not_wait_and_leaves_nothing, performing_takes_one_reference,
      the_last_reference_destroys_at_once, no_scheduler_keeps_a_reference_for_long,
      an_operation_may_never_be_performed, a_missing_operation_fails_and_releases_the_others,
      a_missing_function_or_object_gives_no_operation, an_operation_without_references_is_refused)
