/* SPDX-License-Identifier: MIT */
/* exception-test.cc - fibers that throw, catch, and wait while they do: each has its own exceptions. */
#include <exception>
#include <fibers.h>
#include <stdexcept>
#include <string>
extern "C" {
#include "tests/harness.h"
}

static const int rounds = 50;

/* Waits in the handler of its own exception while others are in theirs, and then rethrows it. */
static void catch_one(const std::string &mine, bool migrate)
{
        try {
                try {
                        throw std::runtime_error(mine);
                } catch (const std::runtime_error &) {
                        fib_yield();
                        if (migrate)
                                fib_sleep(FIB_MICROSECOND);
                        throw; /* the innermost of this fiber, whoever has thrown meanwhile */
                }
        } catch (const std::runtime_error &caught) {
                fib_yield();
                ck_assert_str_eq(caught.what(), mine.c_str());
                ck_assert_int_eq(std::uncaught_exceptions(), 0);
        }
}

static void *throw_often(void *arg)
{
        const std::string mine = "fiber " + std::to_string((intptr_t)arg);

        for (int i = 0; i < rounds; i++)
                catch_one(mine, i % 2);
        ck_assert(!std::current_exception());
        return nullptr;
}

static void *throw_in_many(void *arg)
{
        fib_fiber *fibers[20];

        for (intptr_t i = 0; i < 20; i++) {
                fib_spawn_options options = {};

                options.parallel = i % 2;
                options.migratable = i % 3 == 0;
                ck_assert_int_eq(fib_spawn_with(&options, throw_often, (void *)i, &fibers[i]), 0);
        }
        for (fib_fiber *fiber : fibers) {
                ck_assert_int_eq(fib_join(fiber, nullptr), 0);
                fib_fiber_unref(fiber);
        }
        return arg;
}

TEST_WORKERS(fibers_rethrow_their_own_exceptions)
{
        run_fibers(workers, throw_in_many, nullptr);
}

TESTS("exception", fibers_rethrow_their_own_exceptions)
