/* SPDX-License-Identifier: MIT */
/* run.c - ten thousand runs in a row, and threads and fibers together for long. */
#include <fibers.h>
#include "tests/harness.h"
#include "tests/stress/foreign-load.h"
#include "tests/stress/run-load.h"
#include "tests/stress/wake-load.h"

TEST_WORKERS(ten_thousand_runs_leave_nothing_behind)
{
        run_many_times(workers, scaled(10000));
}

TEST_WORKERS(threads_and_fibers_pass_a_million_messages)
{
        foreign_exchange_load(workers, scaled(1000000));
}

TEST_WORKERS(conditions_free_threads_and_fibers)
{
        for (unsigned long i = 0; i < scaled(5000); i++)
                foreign_condition_load(workers, i % 3);
}

TEST_WORKERS(no_wake_up_is_lost_in_a_million)
{
        wake_load(workers, scaled(1000000));
}

TESTS_WITHIN(120, "stress run", ten_thousand_runs_leave_nothing_behind,
             threads_and_fibers_pass_a_million_messages, conditions_free_threads_and_fibers,
             no_wake_up_is_lost_in_a_million)
