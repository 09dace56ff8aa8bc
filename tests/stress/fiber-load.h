/* SPDX-License-Identifier: MIT */
/* fiber-load.h - many fibers: one after the other, above each other, all at once. */
#ifndef TESTS_STRESS_FIBER_LOAD_H
#define TESTS_STRESS_FIBER_LOAD_H

#include <stdatomic.h>
#include <stdlib.h>
#include <fibers.h>
#include "tests/harness.h"

/*
 * A chain: each spawns the next and ends.
 */

struct chain {
        unsigned long left;
        bool parallel;
        atomic_ulong run;
};

static inline void *chain_link(void *arg)
{
        const fib_spawn_options parallel = { .parallel = true };
        struct chain *chain = arg;

        atomic_fetch_add(&chain->run, 1);
        if (--chain->left > 0)
                ck_assert_int_eq(fib_spawn_with(chain->parallel ? &parallel : NULL, chain_link,
                                                chain, NULL),
                                 0);
        return NULL;
}

static inline void chain_load(unsigned workers, unsigned long count, bool parallel)
{
        struct chain chain = { count, parallel, 0 };
        size_t before;

        drain_fibers(workers, chain_link, &(struct chain){ 100, parallel, 0 });
        before = resident_bytes();
        drain_fibers(workers, chain_link, &chain);
        ck_assert_uint_eq(chain.left, 0);
        ck_assert_uint_eq(atomic_load(&chain.run), count);
        /* They used the same few stacks and handles. */
        if (slowness() == 1)
                ck_assert_uint_lt(resident_bytes(), before + (8u << 20));
}

/*
 * A tree: each spawns two, joins them, and gives the sum.
 */

static inline void *tree_node(void *arg)
{
        const fib_spawn_options parallel = { .parallel = true };
        intptr_t depth = (intptr_t)arg, sum = 1;
        fib_fiber *children[2];
        void *part;

        if (depth == 0)
                return (void *)sum;
        for (int i = 0; i < 2; i++)
                ck_assert_int_eq(fib_spawn_with(i ? &parallel : NULL, tree_node,
                                                (void *)(depth - 1), &children[i]),
                                 0);
        for (int i = 0; i < 2; i++) {
                ck_assert_int_eq(fib_join(children[i], &part), 0);
                fib_fiber_unref(children[i]);
                sum += (intptr_t)part;
        }
        return (void *)sum;
}

static inline void tree_load(unsigned workers, unsigned depth)
{
        void *sum = run_fibers(workers, tree_node, (void *)(intptr_t)depth);

        ck_assert_uint_eq((uintptr_t)sum, ((uintptr_t)2 << depth) - 1);
}

/*
 * A crowd: all blocked on one channel, and served in the order in which they came.
 */

struct crowd {
        fib_channel *channel;
        unsigned long count;
        atomic_ulong waiting;
        atomic_ulong served;
        unsigned long next; /* to be served; for one worker */
        bool in_order;
};

struct crowd_member {
        struct crowd *crowd;
        unsigned long number;
};

static inline void *crowd_wait(void *arg)
{
        struct crowd_member *member = arg;
        struct crowd *crowd = member->crowd;

        atomic_fetch_add(&crowd->waiting, 1);
        ck_assert_uint_lt((uintptr_t)fib_get(crowd->channel).num, crowd->count);
        if (crowd->in_order)
                ck_assert_uint_eq(member->number, crowd->next++);
        atomic_fetch_add(&crowd->served, 1);
        return NULL;
}

static inline void *crowd_first(void *arg)
{
        const fib_spawn_options parallel = { .parallel = true };
        struct crowd *crowd = arg;
        struct crowd_member *members = calloc(crowd->count, sizeof(*members));

        ck_assert_ptr_nonnull(members);
        for (unsigned long i = 0; i < crowd->count; i++) {
                members[i] = (struct crowd_member){ crowd, i };
                ck_assert_int_eq(fib_spawn_with(crowd->in_order ? NULL : &parallel, crowd_wait,
                                                &members[i], NULL),
                                 0);
        }
        while (atomic_load(&crowd->waiting) < crowd->count)
                fib_yield();
        for (unsigned long i = 0; i < crowd->count; i++)
                fib_put(crowd->channel, fib_num((intptr_t)i));
        while (atomic_load(&crowd->served) < crowd->count)
                fib_yield();
        free(members);
        return NULL;
}

static inline void crowd_load(unsigned workers, unsigned long count)
{
        struct crowd crowd = { fib_channel_new(), count, .in_order = workers == 1 };

        run_fibers(workers, crowd_first, &crowd);
        ck_assert_int_eq(fib_try(fib_put_op(crowd.channel, fib_num(0)), NULL), -EAGAIN);
        fib_channel_unref(crowd.channel);
}

/*
 * A dormitory: all sleep as long.
 */

struct dormitory {
        unsigned long count;
        int64_t ns;
        atomic_ulong woken;
};

static inline void *dormitory_sleep(void *arg)
{
        struct dormitory *dormitory = arg;
        int64_t before = fib_now();

        fib_sleep(dormitory->ns);
        ck_assert_int_ge(fib_now() - before, dormitory->ns);
        atomic_fetch_add(&dormitory->woken, 1);
        return NULL;
}

static inline void *dormitory_first(void *arg)
{
        const fib_spawn_options parallel = { .parallel = true };
        struct dormitory *dormitory = arg;

        for (unsigned long i = 0; i < dormitory->count; i++)
                ck_assert_int_eq(fib_spawn_with(&parallel, dormitory_sleep, dormitory, NULL), 0);
        return NULL;
}

static inline void dormitory_load(unsigned workers, unsigned long count, int64_t ns)
{
        struct dormitory dormitory = { count, ns, 0 };

        drain_fibers(workers, dormitory_first, &dormitory);
        ck_assert_uint_eq(atomic_load(&dormitory.woken), count);
}

#endif
