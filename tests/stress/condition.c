/* SPDX-License-Identifier: MIT */
/* condition.c - a million waiters of one condition, woken from a stack of 16 KiB. */
#include "tests/stress/condition-load.h"

TEST_WORKERS(a_signal_wakes_a_million_fibers)
{
        wake_crowd(workers, 1000000, 1);
}

TEST_WORKERS(a_signal_wakes_a_thousand_fibers_with_a_thousand_arms_each)
{
        wake_crowd(workers, 1000, 1000);
}

TESTS_WITHIN(100, "condition", a_signal_wakes_a_million_fibers,
             a_signal_wakes_a_thousand_fibers_with_a_thousand_arms_each)
