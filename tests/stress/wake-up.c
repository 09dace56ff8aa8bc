/* SPDX-License-Identifier: MIT */
/* wake-up.c - ten million rounds, and a lost wake-up ends none of them. */
#include "tests/stress/channel-load.h"
#include "tests/stress/condition-load.h"

TEST_WORKERS(no_wake_up_is_lost_in_ten_million_choices)
{
        delayed_meetings(workers, 10000000, false);
}

TEST_WORKERS(no_wake_up_is_lost_in_ten_million_direct_puts)
{
        delayed_meetings(workers, 10000000, true);
}

TEST_WORKERS(no_wake_up_is_lost_in_two_million_waits)
{
        delayed_signals(workers, 2000000, true);
}

TEST_WORKERS(no_wake_up_is_lost_in_two_million_choices_of_a_condition)
{
        delayed_signals(workers, 2000000, false);
}

TESTS_WITHIN(200, "wake-up", no_wake_up_is_lost_in_ten_million_choices,
             no_wake_up_is_lost_in_ten_million_direct_puts, no_wake_up_is_lost_in_two_million_waits,
             no_wake_up_is_lost_in_two_million_choices_of_a_condition)
