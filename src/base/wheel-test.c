/* SPDX-License-Identifier: MIT */
/* wheel-test.c - the timer wheel against a model that is too simple to be wrong. */
#include <stdlib.h>
#include "base/random.h"
#include "base/wheel.h"
#include "platform/compiler.h"
#include "tests/harness.h"

#define TICK ((int64_t)1 << WHEEL_TICK_BITS)
#define CENTURY (INT64_C(100) * 365 * 86400 * 1000000000)

/* A timer, and what is known of it without the wheel. */
struct model {
        struct wheel_timer timer;
        bool in;
};

#define TIMERS 200

static struct wheel wheel;
static struct model models[TIMERS];
static int64_t now;
static size_t in_count;

static void begin(int64_t start)
{
        now = start;
        in_count = 0;
        wheel_init(&wheel, now);
        for (int i = 0; i < TIMERS; i++) {
                list_init(&models[i].timer.link);
                models[i].in = false;
        }
}

static void insert(struct model *model, int64_t expiry)
{
        wheel_insert(&wheel, &model->timer, expiry);
        model->in = true;
        in_count++;
}

static void cancel(struct model *model)
{
        ck_assert_int_eq(wheel_cancel(&wheel, &model->timer), model->in);
        in_count -= model->in;
        model->in = false;
        ck_assert(!wheel_cancel(&wheel, &model->timer));
}

/* Never early; the earliest tick first; and nobody is left who is more than a tick late. */
static void advance(int64_t to)
{
        struct wheel_timer *timer;
        int64_t last = INT64_MIN;

        now = to;
        wheel_advance(&wheel, now);
        while ((timer = wheel_pop_expired(&wheel))) {
                struct model *model = container_of(timer, struct model, timer);

                ck_assert(model->in);
                ck_assert_int_le(timer->expiry, now);
                if (timer->expiry > last)
                        last = timer->expiry;
                model->in = false;
                in_count--;
                ck_assert(list_empty(&timer->link));
        }
        for (int i = 0; i < TIMERS; i++)
                if (models[i].in)
                        ck_assert_int_gt(models[i].timer.expiry, now - TICK);
}

static int64_t earliest(void)
{
        int64_t first = INT64_MAX;

        for (int i = 0; i < TIMERS; i++)
                if (models[i].in && models[i].timer.expiry < first)
                        first = models[i].timer.expiry;
        return first;
}

/* Something to do in time, and not much earlier than it must be: a slot of a higher level may
 * have to be emptied first. */
static void check_next(void)
{
        int64_t next = wheel_next(&wheel), first = earliest();

        ck_assert_uint_eq(wheel.count, in_count);
        if (in_count == 0) {
                ck_assert_int_eq(next, INT64_MAX);
                return;
        }
        ck_assert_int_lt(next, INT64_MAX);
        if (first <= now - TICK)
                ck_assert_int_le(next, now);
        else if (first < INT64_MAX - TICK)
                ck_assert_int_lt(next, first + TICK);
}

static int64_t random_span(struct random *random)
{
        unsigned bits = random_below(random, 50);
        uint64_t word = (uint64_t)random_next(random) << 32 | random_next(random);

        return (int64_t)(word >> (63 - bits));
}

static void random_walk(uint64_t seed, int64_t start, unsigned long steps)
{
        struct random random;

        random_init(&random, seed);
        begin(start);
        for (unsigned long i = 0; i < steps; i++) {
                struct model *model = &models[random_below(&random, TIMERS)];

                switch (random_below(&random, 4)) {
                case 0:
                case 1:
                        if (!model->in)
                                insert(model,
                                       now + random_span(&random) - random_below(&random, 2000));
                        break;
                case 2: cancel(model); break;
                default:
                        if (random_below(&random, 2))
                                advance(now + random_span(&random) % (TICK * 4096));
                        else if (wheel_next(&wheel) > now && wheel_next(&wheel) < INT64_MAX)
                                advance(wheel_next(&wheel));
                        break;
                }
                if (i % 8 == 0)
                        check_next();
        }
        for (int i = 0; i < TIMERS; i++)
                cancel(&models[i]);
        check_next();
        for (int level = 0; level < WHEEL_LEVELS; level++)
                ck_assert_uint_eq(wheel.occupied[level], 0);
}

TEST(a_random_walk_does_as_the_model_does)
{
        for (uint64_t seed = 0; seed < 8; seed++)
                random_walk(seed, (int64_t)(seed * 123456789), scaled(250000));
}

TEST(a_random_walk_near_the_end_of_time_does_too)
{
        random_walk(99, INT64_MAX - CENTURY, scaled(250000));
}

/* Each slot of each level: at its first tick, at its last, and one nanosecond to each side. */
static void each_slot(int64_t start)
{
        for (int level = 0; level < WHEEL_LEVELS; level++) {
                int64_t width = TICK << (level * WHEEL_SLOT_BITS);

                for (int64_t slot = 1; slot < WHEEL_SLOTS; slot++) {
                        int64_t span;

                        if (__builtin_mul_overflow(width, slot, &span) ||
                            span > INT64_MAX - start - 2 * TICK)
                                continue;
                        for (int64_t side = -1; side <= 1; side++) {
                                int64_t expiry = start + span + side;

                                begin(start);
                                insert(&models[0], expiry);
                                check_next();
                                /* From wake to wake, as a scheduler goes. */
                                for (int wakes = 0; models[0].in; wakes++) {
                                        ck_assert_int_le(wakes, WHEEL_LEVELS);
                                        ck_assert_int_ge(wheel_next(&wheel), now);
                                        advance(wheel_next(&wheel));
                                }
                                ck_assert_int_lt(now, expiry + TICK);
                                ck_assert_uint_eq(wheel.count, 0);
                        }
                }
        }
}

TEST(a_timer_in_any_slot_of_any_level_is_in_time)
{
        each_slot(0);
        each_slot(1);
        each_slot(TICK * 4095);
        each_slot(INT64_C(123456789012345));
        each_slot(CENTURY);
}

TEST(a_timer_a_tick_too_early_is_not_given)
{
        for (int level = 0; level < WHEEL_LEVELS - 1; level++) {
                int64_t expiry = (TICK << (level * WHEEL_SLOT_BITS)) * 3 + 5;

                begin(0);
                insert(&models[0], expiry);
                advance(expiry - 1);
                ck_assert(models[0].in);
                advance(expiry + TICK);
                ck_assert(!models[0].in);
        }
}

TEST(the_past_expires_at_once)
{
        begin(1000 * TICK);
        insert(&models[0], INT64_MIN);
        insert(&models[1], -1);
        insert(&models[2], 0);
        insert(&models[3], now);
        ck_assert_int_le(wheel_next(&wheel), now);
        cancel(&models[1]); /* though it has expired already */
        check_next();
        advance(now);
        for (int i = 0; i < 4; i++)
                ck_assert(!models[i].in);
        check_next();
}

TEST(three_centuries_are_not_too_long)
{
        begin(CENTURY);
        insert(&models[0], INT64_MAX);
        insert(&models[1], INT64_MAX - 5000 * TICK);
        insert(&models[2], CENTURY + 1);
        advance(CENTURY + TICK);
        ck_assert(!models[2].in);
        advance(2 * CENTURY);
        ck_assert(models[0].in && models[1].in);
        ck_assert_int_gt(wheel_next(&wheel), now);
        advance(INT64_MAX - 4000 * TICK);
        ck_assert(models[0].in && !models[1].in);
        cancel(&models[0]);
        check_next();
}

static int64_t order[TIMERS];

TEST(they_are_given_in_the_order_of_their_ticks)
{
        struct random random;
        struct wheel_timer *timer;
        int n = 0;

        random_init(&random, 5);
        begin(77);
        for (int i = 0; i < TIMERS; i++)
                insert(&models[i], 77 + random_below(&random, 1 << 26));
        wheel_advance(&wheel, 77 + (1 << 27));
        while ((timer = wheel_pop_expired(&wheel)))
                order[n++] = (timer->expiry + TICK - 1) / TICK;
        ck_assert_int_eq(n, TIMERS);
        for (int i = 1; i < n; i++)
                ck_assert_int_le(order[i - 1], order[i]);
}

TEST(equal_ones_are_given_as_they_came)
{
        struct wheel_timer *timer;
        int n = 0;

        begin(0);
        for (int i = 0; i < TIMERS; i++)
                insert(&models[i], 70000 * TICK);
        wheel_advance(&wheel, 70001 * TICK);
        while ((timer = wheel_pop_expired(&wheel)))
                ck_assert_ptr_eq(timer, &models[n++].timer);
        ck_assert_int_eq(n, TIMERS);
}

TESTS("wheel", a_random_walk_does_as_the_model_does, a_random_walk_near_the_end_of_time_does_too,
      a_timer_in_any_slot_of_any_level_is_in_time, a_timer_a_tick_too_early_is_not_given,
      the_past_expires_at_once, three_centuries_are_not_too_long,
      they_are_given_in_the_order_of_their_ticks, equal_ones_are_given_as_they_came)
