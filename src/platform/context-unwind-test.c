/* SPDX-License-Identifier: MIT */
/* Unwinders walk out of a flow, and stop at its root. */
#include <execinfo.h>
#include <signal.h>
#include <stdint.h>
#include <ucontext.h>
#include "platform/context-test.h"
#include "tests/harness.h"

#define DEPTH 32

static struct flow here, there;

/* Where the functions below return to, outermost first. */
static void *returns_to[4];
static void *trace[DEPTH];
static int traced;

static NOINLINE void innermost(void)
{
        returns_to[3] = __builtin_return_address(0);
        traced = backtrace(trace, DEPTH);
        __asm__ volatile("");
}

static NOINLINE void inner(struct flow *flow)
{
        returns_to[2] = __builtin_return_address(0);
        innermost();
        flow_switch(flow, flow->back);
        innermost();
        __asm__ volatile("");
}

static NOINLINE void outer(struct flow *flow)
{
        returns_to[1] = __builtin_return_address(0);
        inner(flow);
        __asm__ volatile("");
}

/* The root of the flow: it is the trampoline that this would return to. */
static void outermost(void *arg)
{
        sanitizer_after_switch(&there.sanitizer);
        sanitizer_acquire(&there);
        returns_to[0] = __builtin_return_address(0);
        outer(&there);
        flow_switch_as(&there, &here, true);
}

static void expect_whole_trace(void)
{
        /* Sanitizers put a frame of their own in front. */
        ck_assert_int_ge(traced, 5);
        ck_assert_int_le(traced, 6);
        for (int i = 0; i < 4; i++)
                ck_assert_ptr_eq(trace[traced - 1 - i], returns_to[i]);
}

TEST(a_backtrace_ends_at_the_root)
{
        flow_thread(&here);
        flow_open(&there, NULL, &here);
        context_init(&there.context, there.stack + FLOW_STACK, outermost, NULL);
        flow_switch(&here, &there);
        expect_whole_trace();
        traced = 0;
        flow_switch(&here, &there);
        expect_whole_trace();
        flow_close(&there);
        flow_thread_done(&here);
}

#if defined(__x86_64__)

/* The processor is told to stop after each instruction; each stop walks the stack it is on. */

extern HIDDEN const char context_jump[], context_trampoline[];

static void *test; /* where a trace of `here` must come by; one of `there` ends at the root */
static unsigned walked[128], lost;

static NOINLINE void stop_at_each(bool on)
{
        /* The trap flag, set or cleared below what a function may use without asking. */
        if (on)
                __asm__ volatile("leaq -128(%%rsp), %%rsp\n\tpushfq\n\torq $0x100, (%%rsp)\n\t"
                                 "popfq\n\tleaq 128(%%rsp), %%rsp" ::
                                         : "cc", "memory");
        else
                __asm__ volatile("leaq -128(%%rsp), %%rsp\n\tpushfq\n\tandq $~0x100, (%%rsp)\n\t"
                                 "popfq\n\tleaq 128(%%rsp), %%rsp" ::
                                         : "cc", "memory");
}

static void set_rounding(bool upward)
{
        unsigned mxcsr = upward ? 0x5f80 : 0x1f80;

        __asm__ volatile("ldmxcsr %0" ::"m"(mxcsr));
}

static void walk(int signal, siginfo_t *info, void *arg)
{
        const ucontext_t *context = (const ucontext_t *)arg;
        uintptr_t at = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
        uintptr_t offset = at - (uintptr_t)context_jump;
        void *addresses[DEPTH];
        int count, found = 0;

        if (offset >= ARRAY_LENGTH(walked))
                return;
        count = backtrace(addresses, DEPTH);
        for (int i = 0; i < count; i++)
                found += addresses[i] == test;
        found += count > 0 && (uintptr_t)addresses[count - 1] - (uintptr_t)context_trampoline < 16;
        walked[offset]++;
        lost += found != 1;
}

static NOINLINE void alternate(void)
{
        for (bool differently = false;; differently = !differently) {
                set_rounding(differently);
                flow_switch(&there, &here);
                __asm__ volatile("");
        }
}

static void stepped_root(void *arg)
{
        sanitizer_after_switch(&there.sanitizer);
        sanitizer_acquire(&there);
        alternate();
}

static NOINLINE void step(void)
{
        test = __builtin_return_address(0);
        for (unsigned i = 0; i < 6; i++) {
                stop_at_each(true);
                flow_switch(&here, &there);
                stop_at_each(false);
        }
        __asm__ volatile("");
}

TEST(a_backtrace_is_right_at_each_instruction)
{
        const struct sigaction stop = { .sa_sigaction = walk, .sa_flags = SA_SIGINFO };
        unsigned instructions = 0;
        bool on_valgrind = false;

#if SANITIZER_VALGRIND
        on_valgrind = RUNNING_ON_VALGRIND;
#endif
        if (SANITIZER_ADDRESS || SANITIZER_THREAD || on_valgrind)
                test_skip("a sanitizer's own functions would be stepped through");
        backtrace(trace, DEPTH); /* loads the unwinder */
        sigaction(SIGTRAP, &stop, NULL);
        flow_thread(&here);
        flow_open(&there, NULL, &here);
        context_init(&there.context, there.stack + FLOW_STACK, stepped_root, NULL);
        step();
        for (unsigned i = 0; i < ARRAY_LENGTH(walked); i++)
                instructions += walked[i] > 0;
        ck_assert_uint_eq(lost, 0);
        ck_assert_uint_eq(instructions, 37); /* all of context_jump, and the trampoline */
        flow_close(&there);
        flow_thread_done(&here);
}

#define OF_THIS_PROCESSOR , a_backtrace_is_right_at_each_instruction
#else
#define OF_THIS_PROCESSOR
#endif

TESTS("context-unwind", a_backtrace_ends_at_the_root OF_THIS_PROCESSOR)
