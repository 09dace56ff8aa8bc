/* SPDX-License-Identifier: MIT */
/* timers-test.c - timers that other threads add and cancel while the owner fires. */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <fibers/time.h>
#include "base/random.h"
#include "platform/clock.h"
#include "platform/compiler.h"
#include "sched/timers.h"
#include "tests/harness.h"

struct shot {
        struct timer timer;
        atomic_uint fired, refused;
        bool refuse;
};

static struct timers timers;
static unsigned fired_count;

static bool admit(struct timer *timer)
{
        struct shot *shot = container_of(timer, struct shot, timer);

        if (!shot->refuse)
                return true;
        atomic_fetch_add(&shot->refused, 1);
        return false;
}

static void fire(struct timer *timer)
{
        atomic_fetch_add(&container_of(timer, struct shot, timer)->fired, 1);
        fired_count++;
}

static void prepare(struct shot *shot)
{
        *shot = (struct shot){ .timer = { .admit = admit, .fire = fire } };
        list_init(&shot->timer.wheel.link);
}

TEST(timers_fire_once_and_not_before_their_time)
{
        struct shot shots[200];
        int64_t start;

        timers_init(&timers);
        start = clock_now();
        ck_assert_int_eq(timers_next(&timers), CLOCK_NEVER);
        for (int i = 0; i < 200; i++) {
                prepare(&shots[i]);
                timers_add(&timers, 0, &shots[i].timer, start + (i + 1) * 10000);
        }
        for (int i = 0; i < 200; i++) {
                int64_t now = start + (i + 1) * 10000;

                timers_fire(&timers, 0, now - 1);
                ck_assert_uint_eq(atomic_load(&shots[i].fired), 0);
                ck_assert_int_gt(timers_next(&timers), now - 1024);
                timers_fire(&timers, 0, now + 1024); /* a tick of the wheel */
                ck_assert_uint_eq(atomic_load(&shots[i].fired), 1);
        }
        ck_assert_int_eq(timers_next(&timers), CLOCK_NEVER);
        ck_assert_uint_eq(timers.wheel.count, 0);
}

/* The owner may be asleep until timers_next(): it has to be told when that has become earlier. */
static bool add(struct shot *shot, int64_t expiry)
{
        int64_t before = timers_next(&timers);
        bool earlier = timers_add(&timers, 0, &shot->timer, expiry);

        ck_assert_int_lt(timers_next(&timers), expiry + 1024);
        ck_assert_int_eq(earlier, timers_next(&timers) < before);
        return earlier;
}

TEST(adding_tells_whether_the_owner_must_be_up_earlier)
{
        struct shot shots[4];
        int64_t now;

        timers_init(&timers);
        now = clock_now();
        for (int i = 0; i < 4; i++)
                prepare(&shots[i]);
        ck_assert(add(&shots[0], now + 500 * FIB_MILLISECOND));
        ck_assert(!add(&shots[1], now + 900 * FIB_MILLISECOND));
        add(&shots[2], now + FIB_MILLISECOND);
        ck_assert(add(&shots[3], now));
        for (int i = 3; i >= 0; i--) {
                timers_cancel(&timers, 0, &shots[i].timer);
                timers_cancel(&timers, 0, &shots[i].timer); /* harmless */
        }
        ck_assert_int_eq(timers_next(&timers), CLOCK_NEVER);
        timers_fire(&timers, 0, now + FIB_SECOND);
        ck_assert_uint_eq(fired_count, 0);
}

TEST(one_that_is_not_admitted_is_not_fired)
{
        struct shot shots[300];
        unsigned fired = 0;
        int64_t now;

        timers_init(&timers);
        now = clock_now();
        for (int i = 0; i < 300; i++) {
                prepare(&shots[i]);
                shots[i].refuse = i % 3 == 0;
                timers_add(&timers, 0, &shots[i].timer, now);
        }
        timers_fire(&timers, 0, now + 1024);
        for (int i = 0; i < 300; i++) {
                ck_assert_uint_eq(atomic_load(&shots[i].fired), i % 3 != 0);
                ck_assert_uint_eq(atomic_load(&shots[i].refused), i % 3 == 0);
                fired += atomic_load(&shots[i].fired);
                timers_cancel(&timers, 0, &shots[i].timer); /* as who refused does */
        }
        ck_assert_uint_eq(fired, fired_count);
        ck_assert_uint_eq(timers.wheel.count, 0);
}

/* A timer may be added again by what it fires. */
static struct shot again;
static int64_t again_at;

static void fire_again(struct timer *timer)
{
        if (++fired_count < 1000)
                timers_add(&timers, 0, timer, again_at);
}

TEST(one_that_fires_may_be_added_again_at_once)
{
        timers_init(&timers);
        prepare(&again);
        again.timer.fire = fire_again;
        again_at = clock_now();
        timers_add(&timers, 0, &again.timer, again_at);
        for (int i = 0; i < 2000 && fired_count < 1000; i++)
                timers_fire(&timers, 0, again_at + 2048);
        ck_assert_uint_eq(fired_count, 1000);
}

/* Threads add and cancel; the owner fires.  A timer that was cancelled before it was admitted
 * is never fired, and once cancel has returned nothing touches it. */
#define THREADS 3

static atomic_bool over;
static atomic_ulong added, cancelled, fired;

static bool admit_shared(struct timer *timer)
{
        struct shot *shot = container_of(timer, struct shot, timer);

        return atomic_exchange(&shot->refused, 1) == 0; /* whoever is first: us, or the canceller */
}

static void fire_shared(struct timer *timer)
{
        atomic_fetch_add(&fired, 1);
        atomic_store(&container_of(timer, struct shot, timer)->fired, 1);
}

static void *add_and_cancel(void *arg)
{
        struct random random;

        random_init(&random, (uintptr_t)arg);
        for (unsigned long i = 0; i < scaled(100000); i++) {
                struct shot shot;

                prepare(&shot);
                shot.timer.admit = admit_shared;
                shot.timer.fire = fire_shared;
                timers_add(&timers, 0, &shot.timer, clock_now() + random_below(&random, 20000));
                atomic_fetch_add(&added, 1);
                for (volatile unsigned spins = random_below(&random, 300); spins > 0;)
                        spins = spins - 1;
                if (atomic_exchange(&shot.refused, 1) == 0) {
                        timers_cancel(&timers, 0, &shot.timer);
                        atomic_fetch_add(&cancelled, 1);
                        ck_assert_uint_eq(atomic_load(&shot.fired), 0);
                } else {
                        while (!atomic_load(&shot.fired))
                                sched_yield();
                }
                memset(&shot, 0xa5, sizeof(shot)); /* nobody may follow its links now */
        }
        return NULL;
}

static void *fire_until_over(void *arg)
{
        while (!atomic_load(&over))
                timers_fire(&timers, 0, clock_now());
        return NULL;
}

TEST(threads_add_and_cancel_while_the_owner_fires)
{
        pthread_t threads[THREADS], owner;

        timers_init(&timers);
        ck_assert_int_eq(pthread_create(&owner, NULL, fire_until_over, NULL), 0);
        for (uintptr_t i = 0; i < THREADS; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, add_and_cancel, (void *)i), 0);
        for (int i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        atomic_store(&over, true);
        pthread_join(owner, NULL);
        ck_assert_uint_eq(atomic_load(&added), THREADS * scaled(100000));
        ck_assert_uint_eq(atomic_load(&fired) + atomic_load(&cancelled), atomic_load(&added));
        ck_assert_uint_eq(timers.wheel.count, 0);
        ck_assert_int_eq(timers_next(&timers), CLOCK_NEVER);
}

TESTS("timers", timers_fire_once_and_not_before_their_time,
      adding_tells_whether_the_owner_must_be_up_earlier, one_that_is_not_admitted_is_not_fired,
      one_that_fires_may_be_added_again_at_once, threads_add_and_cancel_while_the_owner_fires)
