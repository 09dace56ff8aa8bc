/* SPDX-License-Identifier: MIT */
/* condition-load.h - loads on conditions, of any size. */
#ifndef TESTS_STRESS_CONDITION_LOAD_H
#define TESTS_STRESS_CONDITION_LOAD_H

#include <stdatomic.h>
#include <stdlib.h>
#include <fibers.h>
#include "tests/harness.h"
#include "tests/stress/delay.h"

/*
 * Many waiters of one condition, woken by one signal from a small stack.
 */

struct crowd {
        fib_condition *condition;
        unsigned long fibers, arms;
        atomic_ulong woken;
};

static inline void *crowd_member(void *arg)
{
        struct crowd *crowd = arg;

        if (crowd->arms == 1) {
                fib_condition_wait(crowd->condition);
        } else {
                fib_op **arms = calloc(crowd->arms, sizeof(*arms));

                ck_assert_ptr_nonnull(arms);
                for (unsigned long i = 0; i < crowd->arms; i++)
                        arms[i] = fib_condition_wait_op(crowd->condition);
                ck_assert_int_ge(fib_perform(fib_choice_n(arms, crowd->arms), NULL), 0);
                free(arms);
        }
        ck_assert(fib_condition_signalled(crowd->condition));
        atomic_fetch_add(&crowd->woken, 1);
        return NULL;
}

static inline void *crowd_signal(void *arg)
{
        ck_assert(fib_condition_signal(arg));
        return NULL;
}

static inline void *crowd_first(void *arg)
{
        const fib_spawn_options small = { .stack_size = FIB_STACK_MIN };
        struct crowd *crowd = arg;
        fib_fiber *signaller;

        crowd->condition = fib_condition_new();
        for (unsigned long i = 0; i < crowd->fibers; i++)
                ck_assert_int_eq(fib_spawn_with(&small, crowd_member, crowd, NULL), 0);
        /* Spawned last, so on one scheduler it runs when all wait. */
        ck_assert_int_eq(fib_spawn_with(&small, crowd_signal, crowd->condition, &signaller), 0);
        ck_assert_int_eq(fib_join(signaller, NULL), 0);
        fib_fiber_unref(signaller);
        return NULL;
}

/* So many fibers, each of which waits for the same condition in so many arms of a choice. */
static inline void wake_crowd(unsigned workers, unsigned long fibers, unsigned long arms)
{
        struct crowd crowd = { .fibers = fibers, .arms = arms };

        drain_fibers(workers, crowd_first, &crowd);
        ck_assert_uint_eq(atomic_load(&crowd.woken), fibers);
        fib_condition_unref(crowd.condition);
}

/*
 * No lost wake-up: one condition after the other, signalled at about the time when the other
 * begins to wait.
 */

struct baton {
        fib_channel *next;
        unsigned long rounds;
        bool direct;
        unsigned long plain; /* written before the signal, read after the wait */
};

static inline void *baton_signaller(void *arg)
{
        struct baton *baton = arg;

        for (unsigned long i = 0; i < baton->rounds; i++) {
                fib_condition *condition = fib_get(baton->next).ptr;

                random_delay();
                baton->plain = i;
                ck_assert(fib_condition_signal(condition));
                fib_condition_unref(condition);
        }
        return NULL;
}

static inline void *baton_waiter(void *arg)
{
        struct baton *baton = arg;

        for (unsigned long i = 0; i < baton->rounds; i++) {
                fib_condition *condition = fib_condition_new();

                fib_put(baton->next, fib_ptr(fib_condition_ref(condition)));
                random_delay();
                if (baton->direct)
                        fib_condition_wait(condition);
                else
                        ck_assert_int_eq(fib_perform(fib_choice(delay_op(),
                                                                fib_condition_wait_op(condition)),
                                                     NULL),
                                         1);
                ck_assert_uint_eq(baton->plain, i);
                fib_condition_unref(condition);
        }
        return NULL;
}

static inline void *baton_first(void *arg)
{
        struct baton *baton = arg;
        struct crew crew = { .count = 0 };

        baton->next = fib_channel_new();
        crew_add_elsewhere(&crew, baton_signaller, baton);
        crew_add(&crew, baton_waiter, baton);
        crew_join(&crew);
        fib_channel_unref(baton->next);
        return NULL;
}

static inline void delayed_signals(unsigned workers, unsigned long rounds, bool direct)
{
        struct baton baton = { .rounds = rounds, .direct = direct };

        run_fibers(workers, baton_first, &baton);
}

#endif
