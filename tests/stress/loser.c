/* SPDX-License-Identifier: MIT */
/* loser.c - an arm that loses a million times leaves no more than one that loses once. */
#include "tests/stress/loser-load.h"

TEST_WORKERS(a_sleep_that_loses_a_million_times_leaves_nothing)
{
        losers_leave_nothing(workers, 1000000, losing_sleep);
}

TEST_WORKERS(a_get_that_loses_a_million_times_leaves_nothing)
{
        losers_leave_nothing(workers, 1000000, losing_get);
}

TEST_WORKERS(a_put_that_loses_a_million_times_leaves_nothing)
{
        losers_leave_nothing(workers, 1000000, losing_put);
}

TEST_WORKERS(a_wait_that_loses_a_million_times_leaves_nothing)
{
        losers_leave_nothing(workers, 1000000, losing_wait);
}

TEST_WORKERS(a_descriptor_that_loses_a_million_times_leaves_nothing)
{
        losers_leave_nothing(workers, 1000000, losing_read);
}

TESTS_WITHIN(100, "loser", a_sleep_that_loses_a_million_times_leaves_nothing,
             a_get_that_loses_a_million_times_leaves_nothing,
             a_put_that_loses_a_million_times_leaves_nothing,
             a_wait_that_loses_a_million_times_leaves_nothing,
             a_descriptor_that_loses_a_million_times_leaves_nothing)
