/* SPDX-License-Identifier: MIT */
/* context.h - suspends one flow of control and continues another.
 *
 * A flow of control is a stack and the registers a C function must keep for its caller.  A
 * suspended flow has pushed these on its stack in a frame of fixed layout (told at the top of
 * each context-<processor>.S), so a stack pointer is all that remains to be remembered.  A new
 * flow is a frame made by hand that continues at a trampoline: the switch knows only one case.
 *
 * A switch is no call.  Processors predict each `ret` by a stack of their own of the calls
 * before it.  A call left by `ret` is predicted to go where it came from, the wrong flow; a call
 * left by a jump stays on that stack, and every `ret` further up is wrong.  So context_switch is
 * inlined, jumps to the assembly with the address to continue at, and is left by a jump: calls
 * and returns stay paired, and the returns of flows that wait in the same chain of calls are all
 * predicted.  Measured with three calls around the switch: 4 ns a switch, 16 when called and
 * left by `ret`, 20 when called and left by a jump.
 *
 * The floating point control (rounding, precision, traps, flush to zero) belongs to the flow.
 * The floating point status (which exceptions have occurred) does not: any call may change it.
 *
 * Nothing here is told to the sanitizers: see sanitizer.h.
 */
#pragma once

#include <fibers/value.h>
#include "platform/compiler.h"

/* A suspended flow of control.  Written by the switch that suspends it, read by the switch that
 * continues it; whoever hands a context to another kernel thread orders the two. */
struct context {
        void *sp;        /* everything else lies on its stack */
        fib_value value; /* what context_switch_last() will return; set by who continues it */
};

/* What a flow does.  It never returns: it ends by switching away for the last time. */
typedef void context_entry(void *arg);

/* Makes `context` start entry(arg) when first switched to.
 *
 * @top: highest address of the stack, aligned down to 16 bytes here.  Up to 208 bytes below it
 *       are written now.
 *
 * The flow begins with the floating point control of whoever calls this. */
void context_init(struct context *context, void *top, context_entry *entry, void *arg);

/* CONTEXT_JUMP goes to context_jump with the address behind itself; CONTEXT_CLOBBERS is what a
 * call may change and context_jump does not keep. */
#if defined(__x86_64__)

#define CONTEXT_FROM "rdi"
#define CONTEXT_TO "rsi"
#define CONTEXT_JUMP "leaq 1f(%%rip), %%rdx\n\tjmp context_jump\n1:"
#define CONTEXT_GENERAL "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "cc", "memory"
#define CONTEXT_X87 "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)"
#define CONTEXT_SSE                                                                                \
        "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",   \
                "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"
#if defined(__AVX512F__)
#define CONTEXT_AVX512                                                                             \
        , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24",         \
                "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k1", "k2", "k3",   \
                "k4", "k5", "k6", "k7"
#else
#define CONTEXT_AVX512
#endif
#define CONTEXT_CLOBBERS CONTEXT_GENERAL, CONTEXT_X87, CONTEXT_SSE CONTEXT_AVX512

#elif defined(__aarch64__)

#define CONTEXT_FROM "x0"
#define CONTEXT_TO "x1"
#if defined(__ARM_FEATURE_BTI_DEFAULT)
#define CONTEXT_LANDING "\n\thint 36" /* bti j */
#else
#define CONTEXT_LANDING
#endif
#define CONTEXT_JUMP "adr x30, 1f\n\tb context_jump\n1:" CONTEXT_LANDING
#define CONTEXT_GENERAL                                                                            \
        "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",  \
                "x16", "x17", "x18", "x30", "cc", "memory"
/* All: a call keeps only the lower halves of v8 to v15, which then the compiler does. */
#define CONTEXT_VECTOR                                                                             \
        "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13",    \
                "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24",       \
                "v25", "v26", "v27", "v28", "v29", "v30", "v31"
#if defined(__ARM_FEATURE_SVE)
#define CONTEXT_SVE                                                                                \
        , "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10", "p11", "p12", "p13",  \
                "p14", "p15"
#else
#define CONTEXT_SVE
#endif
#define CONTEXT_CLOBBERS CONTEXT_GENERAL, CONTEXT_VECTOR CONTEXT_SVE

#elif defined(__riscv) && __riscv_xlen == 64

#define CONTEXT_FROM "a0"
#define CONTEXT_TO "a1"
#define CONTEXT_JUMP "lla ra, 1f\n\ttail context_jump\n1:"
#define CONTEXT_GENERAL                                                                            \
        "ra", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "a2", "a3", "a4", "a5", "a6", "a7", "memory"
#define CONTEXT_DOUBLE                                                                             \
        "ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6", "ft7", "ft8", "ft9", "ft10", "ft11",      \
                "fa0", "fa1", "fa2", "fa3", "fa4", "fa5", "fa6", "fa7"
#if defined(__riscv_vector)
#error "name the vector registers among the clobbers"
#endif
#define CONTEXT_CLOBBERS CONTEXT_GENERAL, CONTEXT_DOUBLE

#else
#error "no context switch for this processor: see context-<processor>.S and context.c"
#endif

/* Saves the caller into `from` and continues `to`.  Returns when something switches back to
 * `from`, perhaps on another kernel thread. */
static ALWAYS_INLINE void context_switch(struct context *from, struct context *to)
{
        register struct context *from_register __asm__(CONTEXT_FROM) = from;
        register struct context *to_register __asm__(CONTEXT_TO) = to;

        __asm__ volatile(CONTEXT_JUMP : "+r"(from_register), "+r"(to_register)::CONTEXT_CLOBBERS);
}

/* The same as the last thing that a function does: `return context_switch_last(from, to);`
 *
 * When something switches back, the caller's caller goes on, with from->value (as a word: compilers
 * do not see a last call in one that returns a union).  On x86-64 that is
 * by a jump, as if nothing had been called: after a switch the processor predicts each `ret`
 * wrongly, 10 to 20 ns apiece (a channel's round trip has six of them). */
#if defined(__x86_64__)
intptr_t context_switch_last(struct context *from, struct context *to);
#else
static ALWAYS_INLINE intptr_t context_switch_last(struct context *from, struct context *to)
{
        context_switch(from, to);
        return from->value.num;
}
#endif
