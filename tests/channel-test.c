/* SPDX-License-Identifier: MIT */
/* channel-test.c - a putter and a getter meet: whoever comes first, wherever they run. */
#include <stdlib.h>
#include <string.h>
#include <fibers.h>
#include "tests/harness.h"
#include "tests/stress/channel-load.h"

/* Long enough for a fiber that was spawned to have come to its wait, mostly. */
static void let_others_wait(void)
{
        for (int i = 0; i < 3; i++)
                fib_yield();
        fib_sleep(FIB_MILLISECOND);
}

struct meeting {
        fib_channel *channel;
        bool op_put, op_get; /* by operation, or by a direct call */
        bool elsewhere;      /* the partner is on another scheduler */
        atomic_bool put_ended;
};

static void *put_one(void *arg)
{
        struct meeting *meeting = arg;

        if (meeting->op_put)
                ck_assert_int_eq(fib_perform(fib_put_op(meeting->channel, fib_num(7)), NULL), 0);
        else
                fib_put(meeting->channel, fib_num(7));
        atomic_store(&meeting->put_ended, true);
        return NULL;
}

static void *get_one(void *arg)
{
        struct meeting *meeting = arg;
        fib_value value;

        if (meeting->op_get)
                ck_assert_int_eq(fib_perform(fib_get_op(meeting->channel), &value), 0);
        else
                value = fib_get(meeting->channel);
        ck_assert_int_eq(value.num, 7);
        return NULL;
}

static void spawn_partner(struct meeting *meeting, struct crew *crew, fib_fn *fn)
{
        if (meeting->elsewhere)
                crew_add_elsewhere(crew, fn, meeting);
        else
                crew_add(crew, fn, meeting);
        let_others_wait();
}

/* Calls each with every combination of direct calls and operations, here and elsewhere: that a
 * direct call is its operation, performed, is shown by their having the same partners. */
static void in_all_ways(void (*meet)(struct meeting *meeting, struct crew *crew))
{
        struct crew crew = { .count = 0 };

        for (unsigned way = 0; way < 8; way++) {
                struct meeting meeting = { fib_channel_new(), way & 1, way & 2, way & 4, false };

                meet(&meeting, &crew);
                crew_join(&crew);
                ck_assert(atomic_load(&meeting.put_ended));
                ck_assert_int_eq(fib_try(fib_get_op(meeting.channel), NULL), -EAGAIN);
                fib_channel_unref(meeting.channel);
        }
}

static void put_first(struct meeting *meeting, struct crew *crew)
{
        spawn_partner(meeting, crew, put_one);
        ck_assert(!atomic_load(&meeting->put_ended));
        get_one(meeting);
}

static void get_first(struct meeting *meeting, struct crew *crew)
{
        spawn_partner(meeting, crew, get_one);
        put_one(meeting);
}

static void *meet_put_first(void *arg)
{
        in_all_ways(put_first);
        return NULL;
}

static void *meet_get_first(void *arg)
{
        in_all_ways(get_first);
        return NULL;
}

TEST_WORKERS(a_put_ends_when_its_message_is_taken)
{
        run_fibers(workers, meet_put_first, NULL);
}

TEST_WORKERS(a_get_may_come_first)
{
        run_fibers(workers, meet_get_first, NULL);
}

static void *put_loses(void *arg)
{
        fib_channel *channel = fib_channel_new();
        struct crew crew = { .count = 0 };
        struct meeting meeting = { channel, .op_put = true };

        /* Losing without having waited, and after having waited. */
        for (int wait = 0; wait < 2; wait++) {
                char *mine = strdup("mine");
                fib_op *other = wait ? fib_sleep_op(FIB_MILLISECOND) : fib_always(fib_num(0));

                ck_assert_int_eq(fib_perform(fib_choice(fib_put_op(channel, fib_ptr(mine)), other),
                                             NULL),
                                 1);
                ck_assert_int_eq(fib_try(fib_get_op(channel), NULL), -EAGAIN);
                free(mine);
        }
        crew_add_elsewhere(&crew, put_one, &meeting);
        get_one(&meeting);
        crew_join(&crew);
        fib_channel_unref(channel);
        return NULL;
}

TEST_WORKERS(a_put_that_loses_keeps_its_message)
{
        run_fibers(workers, put_loses, NULL);
}

TEST(a_put_that_is_tried_needs_a_getter_that_waits)
{
        fib_channel *channel = fib_channel_new();

        ck_assert_int_eq(fib_try(fib_put_op(channel, fib_num(1)), NULL), -EAGAIN);
        ck_assert_int_eq(fib_try(fib_get_op(channel), NULL), -EAGAIN);
        fib_channel_unref(channel);
}

static void *try_meets(void *arg)
{
        struct meeting meeting = { fib_channel_new() };
        struct crew crew = { .count = 0 };
        fib_value value;

        crew_add(&crew, get_one, &meeting);
        while (fib_try(fib_put_op(meeting.channel, fib_num(7)), NULL) == -EAGAIN)
                fib_yield();
        crew_join(&crew);
        crew_add(&crew, put_one, &meeting);
        while (fib_try(fib_get_op(meeting.channel), &value) == -EAGAIN)
                fib_yield();
        ck_assert_int_eq(value.num, 7);
        crew_join(&crew);
        fib_channel_unref(meeting.channel);
        return NULL;
}

TEST_WORKERS(what_is_tried_meets_who_waits)
{
        run_fibers(workers, try_meets, NULL);
}

#define LINE 32

struct in_line {
        fib_channel *channel;
        fib_condition *gate;
        fib_channel *here; /* where those say so who have begun */
        fib_scheduler *scheduler;
        intptr_t place;
        bool puts;
};

/* Waits at its own gate, on the scheduler where it has begun, and then in the line. */
static void *wait_in_line(void *arg)
{
        struct in_line *in_line = arg;

        in_line->scheduler = fib_scheduler_current();
        fib_put(in_line->here, fib_num(0));
        fib_condition_wait(in_line->gate);
        if (in_line->puts)
                fib_put(in_line->channel, fib_num(in_line->place));
        else
                ck_assert_int_eq(fib_get(in_line->channel).num, in_line->place);
        return NULL;
}

/* A fiber that has begun stays on its scheduler.  If that is ours, the fiber has come to its
 * next wait once we have let it go and have yielded. */
static bool join_line(struct in_line *in_line)
{
        if (in_line->scheduler != fib_scheduler_current())
                return false;
        fib_condition_signal(in_line->gate);
        fib_yield();
        fib_yield();
        return true;
}

static void *stand_in_line(void *arg)
{
        bool puts = arg;
        struct in_line line[LINE];
        fib_channel *channel = fib_channel_new(), *here = fib_channel_new();
        struct crew crew = { .count = 0 };
        int places = 0;

        for (int i = 0; i < LINE; i++) {
                line[i] = (struct in_line){ channel, fib_condition_new(), here, NULL, i, puts };
                crew_add(&crew, wait_in_line, &line[i]);
                fib_yield();
                fib_get(here);
        }
        for (int i = 0; i < LINE; i++) {
                line[i].place = places;
                places += join_line(&line[i]);
        }
        for (int place = 0; place < places; place++) {
                if (puts)
                        ck_assert_int_eq(fib_get(channel).num, place);
                else
                        fib_put(channel, fib_num(place));
        }
        /* Of those on other schedulers it is not known when they wait: one by one. */
        for (int i = 0; i < LINE; i++) {
                if (!fib_condition_signal(line[i].gate))
                        continue;
                if (puts)
                        ck_assert_int_eq(fib_get(channel).num, line[i].place);
                else
                        fib_put(channel, fib_num(line[i].place));
        }
        crew_join(&crew);
        for (int i = 0; i < LINE; i++)
                fib_condition_unref(line[i].gate);
        fib_channel_unref(channel);
        fib_channel_unref(here);
        return NULL;
}

TEST_WORKERS(getters_are_served_in_the_order_in_which_they_came)
{
        run_fibers(workers, stand_in_line, NULL);
}

TEST_WORKERS(putters_are_served_in_the_order_in_which_they_came)
{
        run_fibers(workers, stand_in_line, (void *)1);
}

static const intptr_t words[] = { 0, 1, -1, INTPTR_MIN, INTPTR_MAX, 0x55555555 };

static void *put_words(void *arg)
{
        for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
                fib_put(arg, fib_num(words[i]));
        return NULL;
}

static void *get_words(void *arg)
{
        fib_channel *channel = fib_channel_new();
        struct crew crew = { .count = 0 };

        crew_add_elsewhere(&crew, put_words, channel);
        for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
                ck_assert_int_eq(fib_get(channel).num, words[i]);
        crew_join(&crew);
        fib_channel_unref(channel);
        return NULL;
}

TEST_WORKERS(every_word_can_be_a_message)
{
        run_fibers(workers, get_words, NULL);
}

static void *outlive(void *arg)
{
        fib_channel *channel = fib_channel_new();
        fib_op *put = fib_put_op(channel, fib_num(7));
        struct meeting meeting = { channel };
        struct crew crew = { .count = 0 };

        /* The channel lives by the operation alone; then by the caller's other reference. */
        ck_assert_ptr_eq(fib_channel_ref(channel), channel);
        fib_channel_unref(channel);
        crew_add_elsewhere(&crew, get_one, &meeting);
        ck_assert_int_eq(fib_perform(put, NULL), 0);
        crew_join(&crew);
        put = fib_put_op(channel, fib_num(8));
        fib_channel_unref(channel);
        ck_assert_int_eq(fib_perform(fib_choice(put, fib_sleep_op(1)), NULL), 1);
        return NULL;
}

TEST_WORKERS(an_operation_holds_its_channel)
{
        run_fibers(workers, outlive, NULL);
}

TEST_WORKERS(each_message_arrives_exactly_once)
{
        exactly_once(workers, scaled(50000));
}

TEST_WORKERS(no_wake_up_is_lost_in_a_choice)
{
        delayed_meetings(workers, scaled(50000), false);
}

TEST_WORKERS(no_wake_up_is_lost_in_a_direct_put)
{
        delayed_meetings(workers, scaled(50000), true);
}

TESTS("channel", a_put_ends_when_its_message_is_taken, a_get_may_come_first,
      a_put_that_loses_keeps_its_message, a_put_that_is_tried_needs_a_getter_that_waits,
      what_is_tried_meets_who_waits, getters_are_served_in_the_order_in_which_they_came,
      putters_are_served_in_the_order_in_which_they_came, every_word_can_be_a_message,
      an_operation_holds_its_channel, each_message_arrives_exactly_once,
      no_wake_up_is_lost_in_a_choice, no_wake_up_is_lost_in_a_direct_put)
