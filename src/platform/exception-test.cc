/* SPDX-License-Identifier: MIT */
/* Flows of C++ throw, catch and switch as they like. */
#include <exception>
#include <stdexcept>
#include <string>
extern "C" {
#include "platform/context-test.h"
#include "tests/harness.h"
}

static struct flow here, there;
static std::string seen;

static void throw_and_catch(struct flow *flow)
{
        for (;;) {
                seen = std::current_exception() ? "another's" : "none";
                try {
                        throw std::runtime_error("theirs");
                } catch (const std::exception &error) {
                        flow_switch(flow, flow->back);
                        seen += std::string(", ") + error.what();
                        try {
                                throw;
                        } catch (const std::runtime_error &again) {
                                seen += std::string(", ") + again.what();
                        }
                }
                flow_switch(flow, flow->back);
        }
}

TEST(a_caught_exception_stays_with_its_flow)
{
        flow_thread(&here);
        flow_open(&there, throw_and_catch, &here);
        for (int i = 0; i < 100; i++) {
                try {
                        throw std::logic_error("ours");
                } catch (const std::exception &) {
                        flow_switch(&here, &there);
                        ck_assert_str_eq(seen.c_str(), "none");
                        try {
                                throw;
                        } catch (const std::logic_error &error) {
                                ck_assert_str_eq(error.what(), "ours");
                        }
                        /* Caught first and left first: a stack of exceptions it is not. */
                }
                ck_assert(!std::current_exception());
                flow_switch(&here, &there);
                ck_assert_str_eq(seen.c_str(), "none, theirs, theirs");
        }
        flow_close(&there);
        flow_thread_done(&here);
}

static int underway;

static void count_underway(struct flow *)
{
        underway = std::uncaught_exceptions();
        try {
                throw 1;
        } catch (int) {
        }
        underway += std::uncaught_exceptions();
}

struct switches_when_destroyed {
        ~switches_when_destroyed()
        {
                ck_assert_int_eq(std::uncaught_exceptions(), 1);
                flow_switch(&here, &there);
                ck_assert_int_eq(std::uncaught_exceptions(), 1);
        }
};

TEST(an_exception_under_way_is_not_the_other_flows)
{
        bool caught = false;

        flow_thread(&here);
        flow_open(&there, count_underway, &here);
        underway = -1;
        try {
                struct switches_when_destroyed object;

                throw 2;
        } catch (int value) {
                caught = value == 2;
        }
        ck_assert(caught);
        ck_assert_int_eq(underway, 0);
        ck_assert_int_eq(std::uncaught_exceptions(), 0);
        flow_close(&there);
        flow_thread_done(&here);
}

TEST(the_state_is_found_where_there_is_cxx)
{
        ck_assert_ptr_nonnull(exception_globals());
        ck_assert_ptr_eq(exception_globals(), exception_globals());
}

TESTS("exception", a_caught_exception_stays_with_its_flow,
      an_exception_under_way_is_not_the_other_flows, the_state_is_found_where_there_is_cxx)
