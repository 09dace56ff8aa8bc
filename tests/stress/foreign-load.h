/* SPDX-License-Identifier: MIT */
/* foreign-load.h - plain threads and fibers, in any mixture, at the same channels and
 * conditions. */
#ifndef TESTS_STRESS_FOREIGN_LOAD_H
#define TESTS_STRESS_FOREIGN_LOAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <fibers.h>
#include "tests/harness.h"
#include "tests/stress/delay.h"

#define FOREIGN_PAIRS 4 /* two of threads, two of fibers */

/*
 * Each number is put by one, thread or fiber, and got by one, all of which choose between two
 * channels.
 */

struct foreign_exchange {
        fib_channel *channels[2];
        unsigned long count; /* for each putter */
        atomic_ulong next;
        atomic_uchar *seen;
};

static inline void *foreign_put(void *arg)
{
        struct foreign_exchange *exchange = arg;

        for (unsigned long i = 0; i < exchange->count; i++) {
                fib_value number = fib_num((intptr_t)atomic_fetch_add(&exchange->next, 1));

                if (random_word() % 4 == 0)
                        fib_put(exchange->channels[i % 2], number);
                else
                        ck_assert_int_ge(fib_perform(fib_choice(fib_put_op(exchange->channels[0],
                                                                           number),
                                                                fib_put_op(exchange->channels[1],
                                                                           number)),
                                                     NULL),
                                         0);
        }
        return NULL;
}

static inline void *foreign_get(void *arg)
{
        struct foreign_exchange *exchange = arg;

        for (unsigned long i = 0; i < exchange->count; i++) {
                fib_value number;

                ck_assert_int_ge(fib_perform(fib_choice(fib_get_op(exchange->channels[0]),
                                                        fib_get_op(exchange->channels[1])),
                                             &number),
                                 0);
                ck_assert_uint_lt((uintptr_t)number.num, FOREIGN_PAIRS * exchange->count);
                ck_assert_uint_eq(atomic_fetch_add(&exchange->seen[number.num], 1), 0);
        }
        return NULL;
}

static inline void *foreign_exchange_first(void *arg)
{
        struct crew crew = { .count = 0 };

        for (int i = 0; i < FOREIGN_PAIRS / 2; i++) {
                crew_add_parallel(&crew, foreign_put, arg);
                crew_add_parallel(&crew, foreign_get, arg);
        }
        crew_join(&crew);
        return NULL;
}

static inline void foreign_exchange_load(unsigned workers, unsigned long count)
{
        struct foreign_exchange exchange = {
                .channels = { fib_channel_new(), fib_channel_new() },
                .count = count / FOREIGN_PAIRS + 1,
        };
        pthread_t threads[FOREIGN_PAIRS];

        exchange.seen = calloc(FOREIGN_PAIRS * exchange.count, sizeof(*exchange.seen));
        ck_assert_ptr_nonnull(exchange.seen);
        for (int i = 0; i < FOREIGN_PAIRS; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL,
                                                i % 2 ? foreign_get : foreign_put, &exchange),
                                 0);
        run_fibers(workers, foreign_exchange_first, &exchange);
        for (int i = 0; i < FOREIGN_PAIRS; i++)
                pthread_join(threads[i], NULL);
        for (unsigned long i = 0; i < FOREIGN_PAIRS * exchange.count; i++)
                ck_assert_uint_eq(atomic_load(&exchange.seen[i]), 1);
        for (int i = 0; i < 2; i++) {
                ck_assert_int_eq(fib_try(fib_get_op(exchange.channels[i]), NULL), -EAGAIN);
                ck_assert_int_eq(fib_try(fib_put_op(exchange.channels[i], fib_num(0)), NULL),
                                 -EAGAIN);
                fib_channel_unref(exchange.channels[i]);
        }
        free(exchange.seen);
}

/*
 * Threads and fibers wait for one condition, which a fiber (0), the first fiber's last act
 * before it joins (1), or a thread (2) signals meanwhile.
 */

struct foreign_condition {
        fib_condition *condition;
        fib_channel *never;
        int before; /* written by the signaller, read by all who were freed */
        atomic_int firsts;
        unsigned by;
};

static inline void *foreign_wait(void *arg)
{
        struct foreign_condition *load = arg;

        random_delay();
        if (random_word() % 2)
                fib_condition_wait(load->condition);
        else
                ck_assert_int_eq(fib_perform(fib_choice(fib_get_op(load->never),
                                                        fib_condition_wait_op(load->condition)),
                                             NULL),
                                 1);
        ck_assert_int_eq(load->before, 1);
        return NULL;
}

static inline void *foreign_signal(void *arg)
{
        struct foreign_condition *load = arg;

        random_delay();
        load->before = 1;
        if (fib_condition_signal(load->condition))
                atomic_fetch_add(&load->firsts, 1);
        ck_assert(!fib_condition_signal(load->condition));
        return NULL;
}

static inline void *foreign_condition_first(void *arg)
{
        struct foreign_condition *load = arg;
        struct crew crew = { .count = 0 };
        pthread_t thread;

        for (int i = 0; i < 6; i++)
                crew_add_parallel(&crew, foreign_wait, load);
        if (load->by == 0)
                crew_add_parallel(&crew, foreign_signal, load);
        else if (load->by == 1)
                foreign_signal(load);
        else
                ck_assert_int_eq(pthread_create(&thread, NULL, foreign_signal, load), 0);
        crew_join(&crew);
        if (load->by == 2)
                pthread_join(thread, NULL);
        return NULL;
}

static inline void foreign_condition_load(unsigned workers, unsigned by)
{
        struct foreign_condition load = { fib_condition_new(), fib_channel_new(), .by = by };
        pthread_t threads[3];

        for (int i = 0; i < 3; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, foreign_wait, &load), 0);
        run_fibers(workers, foreign_condition_first, &load);
        for (int i = 0; i < 3; i++)
                pthread_join(threads[i], NULL);
        ck_assert_int_eq(atomic_load(&load.firsts), 1);
        ck_assert(fib_condition_signalled(load.condition));
        fib_condition_unref(load.condition);
        fib_channel_unref(load.never);
}

#endif
