/* SPDX-License-Identifier: MIT */
/* channel.c - the loads of channel-test.c and choice-test.c at full size. */
#include "tests/stress/channel-load.h"

TEST_WORKERS(a_million_messages_arrive_exactly_once)
{
        exactly_once(workers, 1000000);
}

TEST_WORKERS(a_million_crossed_choices_meet)
{
        cross_choices(workers, 1000000);
}

TEST_WORKERS(of_three_in_a_ring_two_meet_100000_times)
{
        rings_of_three(workers, 100000);
}

TESTS_WITHIN(100, "channel", a_million_messages_arrive_exactly_once, a_million_crossed_choices_meet,
             of_three_in_a_ring_two_meet_100000_times)
