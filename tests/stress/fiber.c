/* SPDX-License-Identifier: MIT */
/* fiber.c - as many fibers as tests/fiber-test.c has in small. */
#include <stdlib.h>
#include <fibers.h>
#include "tests/harness.h"
#include "tests/stress/fiber-load.h"

TEST_WORKERS(five_million_fibers_in_a_chain)
{
        chain_load(workers, scaled(5000000), false);
        chain_load(workers, scaled(500000), true);
}

TEST_WORKERS(a_million_fibers_in_a_tree)
{
        tree_load(workers, slowness() == 1 ? 19 : 11);
}

TEST_WORKERS(a_hundred_thousand_wait_for_one_channel)
{
        crowd_load(workers, slowness() == 1 ? 100000 : 5000);
}

TEST_WORKERS(a_million_sleep_for_a_second)
{
        dormitory_load(workers, slowness() == 1 ? 1000000 : 5000, FIB_SECOND);
}

/* More than protected pages are allowed: the rest have canaries. */
TEST_WORKERS(forty_thousand_stacks_on_an_older_kernel)
{
        setenv("FIBERS_STACK_GUARD", "mprotect", 1);
        crowd_load(workers, slowness() == 1 ? 40000 : 5000);
        crowd_load(workers, slowness() == 1 ? 40000 : 5000);
}

TESTS_WITHIN(120, "stress fiber", five_million_fibers_in_a_chain, a_million_fibers_in_a_tree,
             a_hundred_thousand_wait_for_one_channel, a_million_sleep_for_a_second,
             forty_thousand_stacks_on_an_older_kernel)
