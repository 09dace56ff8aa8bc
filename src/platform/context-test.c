/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include "platform/context-test.h"
#include "tests/harness.h"

static struct flow here, there;

/* What the flow `there` leaves for the test to look at. */
static uintptr_t seen;

static void note_argument(void *arg)
{
        sanitizer_after_switch(&there.sanitizer);
        sanitizer_acquire(&there);
        seen = (uintptr_t)arg;
        flow_switch_as(&there, &here, true);
}

TEST(the_first_switch_passes_the_argument)
{
        flow_thread(&here);
        flow_open(&there, NULL, &here);
        context_init(&there.context, there.stack + FLOW_STACK, note_argument, &seen);
        flow_switch(&here, &there);
        ck_assert_ptr_eq((void *)seen, &seen);
        flow_close(&there);
        flow_thread_done(&here);
}

static void note_alignment(void *arg)
{
        sanitizer_after_switch(&there.sanitizer);
        sanitizer_acquire(&there);
        seen = (uintptr_t)__builtin_frame_address(0);
        flow_switch_as(&there, &here, true);
}

TEST(a_flow_begins_on_an_aligned_stack)
{
        flow_thread(&here);
        flow_open(&there, NULL, &here);
        for (size_t off = 0; off < 40; off++) {
                flow_again(&there, NULL);
                context_init(&there.context, there.stack + FLOW_STACK - off, note_alignment, NULL);
                flow_switch(&here, &there);
                ck_assert_uint_eq(seen % 16, 0);
                ck_assert(seen <= (uintptr_t)there.stack + FLOW_STACK - off);
        }
        flow_close(&there);
        flow_thread_done(&here);
}

/* The registers that a switch keeps, but for the frame pointer. */
#if defined(__x86_64__)
#define KEPT(X) X(rbx) X(r12) X(r13) X(r14) X(r15)
#elif defined(__aarch64__)
#define KEPT(X) X(x19) X(x20) X(x21) X(x22) X(x23) X(x24) X(x25) X(x26) X(x27) X(x28)
#elif defined(__riscv)
#define KEPT(X) X(s1) X(s2) X(s3) X(s4) X(s5) X(s6) X(s7) X(s8) X(s9) X(s10) X(s11)
#define KEPT_DOUBLES(X)                                                                            \
        X(fs0) X(fs1) X(fs2) X(fs3) X(fs4) X(fs5) X(fs6) X(fs7) X(fs8) X(fs9) X(fs10) X(fs11)
#endif
#define HOLD(name) register uint64_t name __asm__(#name) = salt ^ (count++ << 40);
#define HOLD_DOUBLE(name) register double name __asm__(#name) = (double)(salt + count++);
#define HELD(name) , "+r"(name)
#define HELD_DOUBLE(name) , "+f"(name)
#define KEEPS(name) kept += name == (salt ^ (count++ << 40));
#define KEEPS_DOUBLE(name) kept += name == (double)(salt + count++);

/* Switches with something in each register.  Return: how many of them have changed.  TSan would
 * take what is done here after before_switch for the other flow's. */
NO_SANITIZE_THREAD
static unsigned switch_holding(struct flow *from, struct flow *to, uint64_t salt)
{
        uint64_t count = 0, kept = 0;

        exception_swap(exception_globals(), &from->exceptions, &to->exceptions);
        sanitizer_release(to);
        sanitizer_before_switch(&from->sanitizer, &to->sanitizer, false);
        {
                struct context *from_context = &from->context, *to_context = &to->context;
                register struct context *first __asm__(CONTEXT_FROM) = from_context;
                register struct context *second __asm__(CONTEXT_TO) = to_context;
                KEPT(HOLD)
                __asm__ volatile(CONTEXT_JUMP
                                 : "+r"(first), "+r"(second)KEPT(HELD)
                                 :
                                 : CONTEXT_CLOBBERS);
                count = 0;
                KEPT(KEEPS)
        }
        sanitizer_after_switch(&from->sanitizer);
        sanitizer_acquire(from);
        return (unsigned)(count - kept);
}

static void hold_others(struct flow *flow)
{
        for (uint64_t i = 1;; i++)
                seen += switch_holding(flow, flow->back, ~i);
}

TEST(registers_survive_a_switch)
{
        flow_thread(&here);
        flow_open(&there, hold_others, &here);
        for (uint64_t i = 0; i < 1000; i++)
                ck_assert_uint_eq(switch_holding(&here, &there, i * UINT64_C(0x123456789)), 0);
        ck_assert_uint_eq(seen, 0);
        flow_close(&there);
        flow_thread_done(&here);
}

#ifdef KEPT_DOUBLES
static unsigned switch_holding_doubles(struct flow *from, struct flow *to, uint64_t salt)
{
        uint64_t count = 0, kept = 0;
        register struct context *first __asm__(CONTEXT_FROM) = &from->context;
        register struct context *second __asm__(CONTEXT_TO) = &to->context;
        KEPT_DOUBLES(HOLD_DOUBLE)

        __asm__ volatile(CONTEXT_JUMP
                         : "+r"(first), "+r"(second)KEPT_DOUBLES(HELD_DOUBLE)
                         :
                         : CONTEXT_CLOBBERS);
        count = 0;
        KEPT_DOUBLES(KEEPS_DOUBLE)
        return (unsigned)(count - kept);
}
#else
/* The compiler keeps them: here is enough for it to use every register it has. */
static unsigned switch_holding_doubles(struct flow *from, struct flow *to, uint64_t salt)
{
        double held[24], *opaque = held;
        double a, b, c, d, e, f, g, h;

        for (unsigned i = 0; i < ARRAY_LENGTH(held); i++)
                held[i] = (double)(salt + i);
        __asm__ volatile("" : "+r"(opaque)::"memory");
        a = opaque[0], b = opaque[1], c = opaque[2], d = opaque[3];
        e = opaque[4], f = opaque[5], g = opaque[6], h = opaque[7];
        flow_switch(from, to);
        return (a != (double)salt) + (b != (double)(salt + 1)) + (c != (double)(salt + 2)) +
               (d != (double)(salt + 3)) + (e != (double)(salt + 4)) + (f != (double)(salt + 5)) +
               (g != (double)(salt + 6)) + (h != (double)(salt + 7));
}
#endif

static void hold_other_doubles(struct flow *flow)
{
        for (uint64_t i = 1;; i++)
                seen += switch_holding_doubles(flow, flow->back, i << 32);
}

TEST(doubles_survive_a_switch)
{
        flow_thread(&here);
        flow_open(&there, hold_other_doubles, &here);
        for (uint64_t i = 0; i < 1000; i++)
                ck_assert_uint_eq(switch_holding_doubles(&here, &there, i), 0);
        ck_assert_uint_eq(seen, 0);
        flow_close(&there);
        flow_thread_done(&here);
}

TEST(a_switch_to_oneself_returns)
{
        flow_thread(&here);
        flow_switch(&here, &here);
        flow_thread_done(&here);
}

#define FLOWS 64

static struct flow flows[FLOWS];
static unsigned running;

/* Whom to continue is chosen by chance, so flows meet at all depths. */
static NOINLINE unsigned descend(struct flow *flow, unsigned depth, unsigned salt)
{
        unsigned char mine[200];
        unsigned sum = 0;

        for (unsigned i = 0; i < sizeof(mine); i++)
                mine[i] = (unsigned char)(salt * depth + i);
        if (rand() % 3 == 0)
                flow_switch(flow, &here);
        if (depth)
                sum = descend(flow, depth - 1, salt);
        for (unsigned i = 0; i < sizeof(mine); i++)
                sum += mine[i] != (unsigned char)(salt * depth + i);
        return sum;
}

static void descend_often(struct flow *flow)
{
        for (unsigned i = 0; i < 20; i++)
                seen += descend(flow, 1 + (unsigned)rand() % 60, (unsigned)(flow - flows) + i);
        running--;
        flow->run = NULL;
}

TEST(many_flows_keep_their_stacks)
{
        srand(1);
        flow_thread(&here);
        for (unsigned i = 0; i < FLOWS; i++)
                flow_open(&flows[i], descend_often, &here);
        for (unsigned generation = 0; generation < 3; generation++) {
                for (running = FLOWS; running > 0;) {
                        struct flow *next = &flows[rand() % FLOWS];

                        if (next->run)
                                flow_switch(&here, next);
                }
                for (unsigned i = 0; i < FLOWS; i++)
                        flow_again(&flows[i], descend_often);
        }
        ck_assert_uint_eq(seen, 0);
        for (unsigned i = 0; i < FLOWS; i++)
                flow_close(&flows[i]);
        flow_thread_done(&here);
}

static NOINLINE void abandon(struct flow *flow)
{
        char large[10000], small[16];

        __asm__ volatile("" ::"r"(large), "r"(small) : "memory");
        flow_switch(flow, &here);
        __builtin_trap();
}

/* Where the other had gaps between its variables, this has none. */
static NOINLINE void abandon_differently(struct flow *flow)
{
        volatile char larger[20000];

        for (size_t i = 0; i < sizeof(larger); i++)
                larger[i] = 1;
        flow_switch(flow, &here);
        __builtin_trap();
}

TEST(a_suspended_flow_may_be_given_up)
{
        flow_thread(&here);
        flow_open(&there, abandon, &here);
        for (unsigned i = 0; i < 1000; i++) {
                flow_switch(&here, &there);
                flow_again(&there, i % 2 ? abandon : abandon_differently);
        }
        flow_switch(&here, &there);
        flow_close(&there);
        flow_thread_done(&here);
}

static void alternate(struct flow *flow)
{
        for (seen = 0;; seen++)
                flow_switch(flow, flow->back);
}

static void *continue_it(void *arg)
{
        struct flow self;

        flow_thread(&self);
        there.back = &self;
        flow_switch(&self, &there);
        flow_thread_done(&self);
        return arg;
}

TEST(a_flow_continues_on_another_thread)
{
        flow_thread(&here);
        flow_open(&there, alternate, &here);
        for (unsigned i = 0; i < 100; i++) {
                pthread_t thread;

                ck_assert_int_eq(pthread_create(&thread, NULL, continue_it, NULL), 0);
                ck_assert_int_eq(pthread_join(thread, NULL), 0);
                ck_assert_uint_eq(seen, i);
        }
        flow_close(&there);
        flow_thread_done(&here);
}

TESTS("context", the_first_switch_passes_the_argument, a_flow_begins_on_an_aligned_stack,
      registers_survive_a_switch, doubles_survive_a_switch, a_switch_to_oneself_returns,
      many_flows_keep_their_stacks, a_suspended_flow_may_be_given_up,
      a_flow_continues_on_another_thread)
