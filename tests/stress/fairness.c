/* SPDX-License-Identifier: MIT */
/* fairness.c - a million performs of four arms. */
#include "tests/stress/choice-load.h"

TEST_WORKERS(ready_arms_are_chosen_fairly)
{
        fair_choices(workers, PROBE_AT_TRY, FAIR_FLAT, 1000000);
}

TEST_WORKERS(arms_that_become_ready_are_chosen_fairly)
{
        fair_choices(workers, PROBE_AT_BLOCK, FAIR_FLAT, 1000000);
}

TEST_WORKERS(ready_arms_beside_others_are_chosen_fairly)
{
        fair_choices(workers, PROBE_AT_TRY, FAIR_BESIDE_OTHERS, 1000000);
}

TESTS_WITHIN(100, "fairness", ready_arms_are_chosen_fairly,
             arms_that_become_ready_are_chosen_fairly, ready_arms_beside_others_are_chosen_fairly)
