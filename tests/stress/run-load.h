/* SPDX-License-Identifier: MIT */
/* run-load.h - run after run, each ended while fibers wait in every way there is. */
#ifndef TESTS_STRESS_RUN_LOAD_H
#define TESTS_STRESS_RUN_LOAD_H

#include <stdatomic.h>
#include <unistd.h>
#include <fibers.h>
#include "tests/harness.h"

struct run_load {
        fib_channel *channel; /* outlives the runs */
        fib_condition *condition;
        int idle_pipe[2];
};

static inline void *wait_for_get(void *arg)
{
        struct run_load *load = arg;

        fib_get(load->channel);
        return NULL;
}

static inline void *wait_for_many(void *arg)
{
        struct run_load *load = arg;

        fib_perform(fib_choice(fib_get_op(load->channel), fib_sleep_op(3600 * FIB_SECOND),
                               fib_condition_wait_op(load->condition),
                               fib_readable_op(load->idle_pipe[0])),
                    NULL);
        return NULL;
}

static inline void *sleep_an_hour(void *arg)
{
        fib_sleep(3600 * FIB_SECOND);
        return NULL;
}

static inline void *begin_no_more(void *arg)
{
        return NULL;
}

static inline void *run_load_first(void *arg)
{
        const fib_spawn_options parallel = { .parallel = true, .name = "parallel" };

        ck_assert_int_eq(fib_spawn(wait_for_get, arg), 0);
        ck_assert_int_eq(fib_spawn(sleep_an_hour, arg), 0);
        ck_assert_int_eq(fib_spawn_with(&parallel, wait_for_many, arg, NULL), 0);
        fib_yield();
        fib_yield();
        ck_assert_int_eq(fib_spawn_with(&parallel, begin_no_more, arg, NULL), 0);
        return NULL;
}

static inline void run_many_times(unsigned workers, unsigned long count)
{
        struct run_load load = { fib_channel_new(), fib_condition_new(), { -1, -1 } };
        size_t descriptors, threads, mappings;

        ck_assert_int_eq(pipe(load.idle_pipe), 0);
        /* The first runs fill caches: of stacks, of thread stacks, malloc's. */
        for (unsigned i = 0; i < 20; i++)
                run_fibers(workers, run_load_first, &load);
        threads = thread_count();
        descriptors = descriptor_count();
        mappings = mapping_count();
        for (unsigned long i = 0; i < count; i++)
                run_fibers(workers, run_load_first, &load);
        for (unsigned i = 0; i < 200 && thread_count() > threads; i++)
                usleep(1000); /* a joined thread may still be dying */
        ck_assert_uint_eq(thread_count(), threads);
        ck_assert_uint_eq(descriptor_count(), descriptors);
        /* Which arena malloc uses in which thread is chance; one mapping a run is not. */
        if (slowness() == 1)
                ck_assert_uint_le(mapping_count(), mappings + 16);
        ck_assert_int_eq(fib_try(fib_put_op(load.channel, fib_num(0)), NULL), -EAGAIN);
        close(load.idle_pipe[0]);
        close(load.idle_pipe[1]);
        fib_channel_unref(load.channel);
        fib_condition_unref(load.condition);
}

#endif
