/* SPDX-License-Identifier: MIT */
/* channel-load.h - loads on channels, of any size: the fast tests and the stress tests run them
 * with different numbers. */
#ifndef TESTS_STRESS_CHANNEL_LOAD_H
#define TESTS_STRESS_CHANNEL_LOAD_H

#include <stdatomic.h>
#include <stdlib.h>
#include <fibers.h>
#include "tests/harness.h"
#include "tests/stress/delay.h"

struct channel_load {
        fib_channel *a, *b, *c;
        unsigned long count; /* for each fiber */
        atomic_ulong next;
        atomic_uchar *seen;
        bool direct;
};

static inline void channel_load_begin(struct channel_load *load)
{
        load->a = fib_channel_new();
        load->b = fib_channel_new();
        load->c = fib_channel_new();
        ck_assert(load->a && load->b && load->c);
}

static inline void channel_load_end(struct channel_load *load)
{
        /* Nobody has been left behind in a queue. */
        ck_assert_int_eq(fib_try(fib_put_op(load->a, fib_num(0)), NULL), -EAGAIN);
        ck_assert_int_eq(fib_try(fib_put_op(load->b, fib_num(0)), NULL), -EAGAIN);
        ck_assert_int_eq(fib_try(fib_get_op(load->a), NULL), -EAGAIN);
        ck_assert_int_eq(fib_try(fib_get_op(load->b), NULL), -EAGAIN);
        fib_channel_unref(load->a);
        fib_channel_unref(load->b);
        fib_channel_unref(load->c);
}

/*
 * Exactly once: each number is put by one of four, and got by one of four, all of which choose
 * between two channels.
 */

static inline void *put_numbers(void *arg)
{
        struct channel_load *load = arg;

        for (unsigned long i = 0; i < load->count; i++) {
                fib_value number = fib_num((intptr_t)atomic_fetch_add(&load->next, 1));

                ck_assert_int_ge(fib_perform(fib_choice(fib_put_op(load->a, number),
                                                        fib_put_op(load->b, number)),
                                             NULL),
                                 0);
        }
        return NULL;
}

static inline void *get_numbers(void *arg)
{
        struct channel_load *load = arg;
        fib_value number;

        for (unsigned long i = 0; i < load->count; i++) {
                fib_op *op = fib_choice(fib_get_op(load->a), fib_get_op(load->b));

                ck_assert_int_ge(fib_perform(op, &number), 0);
                ck_assert_uint_lt((uintptr_t)number.num, 4 * load->count);
                ck_assert_uint_eq(atomic_fetch_add(&load->seen[number.num], 1), 0);
        }
        return NULL;
}

static inline void *exactly_once_first(void *arg)
{
        struct channel_load *load = arg;
        struct crew crew = { .count = 0 };

        channel_load_begin(load);
        for (int i = 0; i < 4; i++) {
                crew_add_parallel(&crew, put_numbers, load);
                crew_add_parallel(&crew, get_numbers, load);
        }
        crew_join(&crew);
        channel_load_end(load);
        return NULL;
}

static inline void exactly_once(unsigned workers, unsigned long messages)
{
        struct channel_load load = { .count = (messages + 3) / 4 };

        load.seen = calloc(4 * load.count, sizeof(*load.seen));
        ck_assert_ptr_nonnull(load.seen);
        run_fibers(workers, exactly_once_first, &load);
        for (unsigned long i = 0; i < 4 * load.count; i++)
                ck_assert_uint_eq(load.seen[i], 1);
        free((void *)load.seen);
}

/*
 * One chooses to put to A or to get from B, the other to get from A or to put to B.
 */

static inline void *cross_one(void *arg)
{
        struct channel_load *load = arg;
        fib_value value;

        for (unsigned long i = 0; i < load->count; i++) {
                int arm = fib_perform(fib_choice(fib_put_op(load->a, fib_num((intptr_t)i)),
                                                 fib_get_op(load->b)),
                                      &value);

                ck_assert(arm == 0 || arm == 1);
                if (arm == 1)
                        ck_assert_int_eq(value.num, i);
        }
        return NULL;
}

static inline void *cross_other(void *arg)
{
        struct channel_load *load = arg;
        fib_value value;

        for (unsigned long i = 0; i < load->count; i++) {
                int arm = fib_perform(fib_choice(fib_get_op(load->a),
                                                 fib_put_op(load->b, fib_num((intptr_t)i))),
                                      &value);

                ck_assert(arm == 0 || arm == 1);
                if (arm == 0)
                        ck_assert_int_eq(value.num, i);
        }
        return NULL;
}

static inline void *cross_first(void *arg)
{
        struct channel_load *load = arg;
        struct crew crew = { .count = 0 };

        channel_load_begin(load);
        crew_add_elsewhere(&crew, cross_one, load);
        crew_add(&crew, cross_other, load);
        crew_join(&crew);
        channel_load_end(load);
        return NULL;
}

static inline void cross_choices(unsigned workers, unsigned long rounds)
{
        struct channel_load load = { .count = rounds };

        run_fibers(workers, cross_first, &load);
}

/*
 * Three in a ring, each of which puts to the next or gets from the one before: two can meet.
 */

enum { RING_PUT, RING_GOT, RING_OVER };

struct ring {
        fib_channel *begin[3]; /* a condition: the next round; NULL: the end */
        fib_channel *around[3];
        fib_channel *ended; /* who * 10 + what it did */
        unsigned long rounds;
};

struct ring_member {
        struct ring *ring;
        int who;
};

static inline void *ring_member(void *arg)
{
        struct ring *ring = ((struct ring_member *)arg)->ring;
        int who = ((struct ring_member *)arg)->who;
        fib_condition *over;
        fib_value value;

        while ((over = fib_get(ring->begin[who]).ptr)) {
                int arm = fib_perform(fib_choice(fib_put_op(ring->around[who], fib_num(who)),
                                                 fib_get_op(ring->around[(who + 2) % 3]),
                                                 fib_condition_wait_op(over)),
                                      &value);

                if (arm == RING_GOT)
                        ck_assert_int_eq(value.num, (who + 2) % 3);
                fib_put(ring->ended, fib_num(who * 10 + arm));
        }
        return NULL;
}

static inline void ring_round(struct ring *ring)
{
        fib_condition *over = fib_condition_new();
        int did[3] = { -1, -1, -1 };
        int who;

        ck_assert_ptr_nonnull(over);
        for (int i = 0; i < 3; i++)
                fib_put(ring->begin[i], fib_ptr(over));
        for (int i = 0; i < 3; i++) {
                fib_value ended = fib_get(ring->ended);

                ck_assert_int_eq(did[ended.num / 10], -1);
                did[ended.num / 10] = (int)(ended.num % 10);
                if (i == 1)
                        fib_condition_signal(over);
        }
        for (who = 0; did[who] != RING_OVER; who++)
                ck_assert_int_lt(who, 2);
        ck_assert_int_eq(did[(who + 1) % 3], RING_PUT);
        ck_assert_int_eq(did[(who + 2) % 3], RING_GOT);
        fib_condition_unref(over);
}

static inline void *ring_first(void *arg)
{
        struct ring ring = { .rounds = *(unsigned long *)arg, .ended = fib_channel_new() };
        struct ring_member members[3];
        struct crew crew = { .count = 0 };

        for (int i = 0; i < 3; i++) {
                ring.begin[i] = fib_channel_new();
                ring.around[i] = fib_channel_new();
                members[i] = (struct ring_member){ &ring, i };
        }
        for (int i = 0; i < 3; i++)
                crew_add_parallel(&crew, ring_member, &members[i]);
        for (unsigned long i = 0; i < ring.rounds; i++)
                ring_round(&ring);
        for (int i = 0; i < 3; i++)
                fib_put(ring.begin[i], fib_ptr(NULL));
        crew_join(&crew);
        for (int i = 0; i < 3; i++) {
                fib_channel_unref(ring.begin[i]);
                fib_channel_unref(ring.around[i]);
        }
        fib_channel_unref(ring.ended);
        return NULL;
}

static inline void rings_of_three(unsigned workers, unsigned long rounds)
{
        run_fibers(workers, ring_first, &rounds);
}

/*
 * No lost wake-up: two that meet again and again, with random delays in all the wrong places.
 * If a wake-up is lost, both wait for ever.
 */

static inline void *delayed_putter(void *arg)
{
        struct channel_load *load = arg;

        for (unsigned long i = 0; i < load->count; i++) {
                fib_value value = fib_num((intptr_t)i);

                random_delay();
                if (load->direct)
                        fib_put(load->a, value);
                else
                        ck_assert_int_ge(fib_perform(fib_choice(fib_put_op(load->a, value),
                                                                delay_op(),
                                                                fib_put_op(load->b, value)),
                                                     NULL),
                                         0);
        }
        return NULL;
}

static inline void *delayed_getter(void *arg)
{
        struct channel_load *load = arg;
        fib_value value;

        for (unsigned long i = 0; i < load->count; i++) {
                random_delay();
                ck_assert_int_ge(fib_perform(fib_choice(fib_get_op(load->b), delay_op(),
                                                        fib_get_op(load->a)),
                                             &value),
                                 0);
                ck_assert_int_eq(value.num, i);
        }
        return NULL;
}

static inline void *delayed_first(void *arg)
{
        struct channel_load *load = arg;
        struct crew crew = { .count = 0 };

        channel_load_begin(load);
        crew_add_elsewhere(&crew, delayed_putter, load);
        crew_add(&crew, delayed_getter, load);
        crew_join(&crew);
        channel_load_end(load);
        return NULL;
}

static inline void delayed_meetings(unsigned workers, unsigned long rounds, bool direct)
{
        struct channel_load load = { .count = rounds, .direct = direct };

        run_fibers(workers, delayed_first, &load);
}

#endif
