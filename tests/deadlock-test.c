/* SPDX-License-Identifier: MIT */
/* deadlock-test.c - when nothing can ever run again, the run says so; and only then. */
#include <stdlib.h>
#include <fibers.h>
#include "deadlock.h"
#include "tests/harness.h"

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

static fib_fiber *first;

static void *leave_waiting(void *arg)
{
        first = fib_fiber_ref(fib_self());
        for (size_t i = 0; i < WAITING; i++)
                ck_assert_int_eq(fib_spawn_with(&(fib_spawn_options){ .parallel = true },
                                                waiting[i].fn, first, NULL),
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
        fib_fiber_unref(first);
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
      a_timer_in_a_choice_is_waited_for,
      those_who_wait_after_the_first_fiber_has_ended_are_no_deadlock,
      after_a_deadlock_all_is_as_before)
