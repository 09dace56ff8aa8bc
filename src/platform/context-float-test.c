/* SPDX-License-Identifier: MIT */
/* The floating point control belongs to the flow. */
#include <fenv.h>
#include "platform/context-test.h"
#include "tests/harness.h"

static struct flow here, there;
static int seen;

static void skip_where_emulated(void)
{
#if SANITIZER_VALGRIND
        if (RUNNING_ON_VALGRIND)
                test_skip("Valgrind always rounds to nearest");
#endif
}

/* Rounds as the processor is told to, which the compiler must not foresee. */
static NOINLINE double third(void)
{
        volatile double one = 1, three = 3;

        return one / three;
}

static void round_downward(struct flow *flow)
{
        seen = fegetround();
        fesetround(FE_DOWNWARD);
        for (;;) {
                flow_switch(flow, flow->back);
                seen = fegetround();
        }
}

TEST(each_flow_rounds_its_own_way)
{
        double nearest = third(), upward;

        skip_where_emulated();
        flow_thread(&here);
        flow_open(&there, round_downward, &here);
        fesetround(FE_UPWARD);
        upward = third();
        ck_assert(upward > nearest);
        flow_switch(&here, &there);
        ck_assert_int_eq(seen, FE_TONEAREST); /* as when it was made */
        for (unsigned i = 0; i < 100; i++) {
                ck_assert_int_eq(fegetround(), FE_UPWARD);
                ck_assert(third() == upward);
                flow_switch(&here, &there);
                ck_assert_int_eq(seen, FE_DOWNWARD);
        }
        fesetround(FE_TONEAREST);
        flow_switch(&here, &there);
        ck_assert_int_eq(seen, FE_DOWNWARD);
        ck_assert(third() == nearest);
        flow_close(&there);
        flow_thread_done(&here);
}

static void note_rounding(struct flow *flow)
{
        seen = fegetround();
}

TEST(a_flow_begins_with_the_control_of_who_made_it)
{
        flow_thread(&here);
        fesetround(FE_TOWARDZERO);
        flow_open(&there, note_rounding, &here);
        fesetround(FE_TONEAREST);
        flow_switch(&here, &there);
        ck_assert_int_eq(seen, FE_TOWARDZERO);
        ck_assert_int_eq(fegetround(), FE_TONEAREST);
        flow_close(&there);
        flow_thread_done(&here);
}

#if defined(__x86_64__)

static unsigned mxcsr(void)
{
        unsigned value;

        __asm__ volatile("stmxcsr %0" : "=m"(value));
        return value & ~0x3fu;
}

static void set_mxcsr(unsigned value)
{
        __asm__ volatile("ldmxcsr %0" ::"m"(value));
}

static unsigned short x87_control(void)
{
        unsigned short value;

        __asm__ volatile("fnstcw %0" : "=m"(value));
        return value;
}

static void set_x87_control(unsigned short value)
{
        __asm__ volatile("fldcw %0" ::"m"(value));
}

static void set_both(struct flow *flow)
{
        for (;;) {
                set_mxcsr(0x9fc0); /* flush to zero, denormals are zero */
                flow_switch(flow, flow->back);
                ck_assert_uint_eq(mxcsr(), 0x9fc0);
                set_mxcsr(0x1f80);
                set_x87_control(0x27f); /* 53 bits */
                flow_switch(flow, flow->back);
                ck_assert_uint_eq(x87_control(), 0x27f);
                set_x87_control(0x37f);
        }
}

TEST(either_control_word_alone_is_noticed)
{
        skip_where_emulated();
        flow_thread(&here);
        flow_open(&there, set_both, &here);
        for (unsigned i = 0; i < 100; i++) {
                flow_switch(&here, &there);
                ck_assert_uint_eq(mxcsr(), 0x1f80);
                ck_assert_uint_eq(x87_control(), 0x37f);
        }
        flow_close(&there);
        flow_thread_done(&here);
}

static void trap_inexact(struct flow *flow)
{
        volatile long double one = 1, two = 2;

        feenableexcept(FE_INEXACT);
        for (;;) {
                flow_switch(flow, flow->back);
                seen += one / two == 0.5L;
        }
}

TEST(what_one_flow_raised_the_other_does_not_trap)
{
        volatile long double one = 1, three = 3, third;

        flow_thread(&here);
        flow_open(&there, trap_inexact, &here);
        flow_switch(&here, &there);
        third = one / three;
        ck_assert(third > 0.3L);
        flow_switch(&here, &there);
        ck_assert_int_eq(seen, 1);
        ck_assert_int_eq(fegetexcept(), 0);
        flow_close(&there);
        flow_thread_done(&here);
}

#define OF_THIS_PROCESSOR                                                                          \
        , either_control_word_alone_is_noticed, what_one_flow_raised_the_other_does_not_trap
#else
#define OF_THIS_PROCESSOR
#endif

TESTS("context-float", each_flow_rounds_its_own_way,
      a_flow_begins_with_the_control_of_who_made_it OF_THIS_PROCESSOR)
