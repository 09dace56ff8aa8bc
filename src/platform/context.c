/* SPDX-License-Identifier: MIT */
/* context.c - makes the first frame of a flow, as if it had once switched away.
 *
 * The layouts are those of context-<processor>.S; the switch itself is there.  Registers that
 * mean nothing to a new flow keep what the stack had, but for the frame pointer: its chain ends.
 */
#include "platform/context.h"
#include "platform/compiler.h"

#include <stddef.h>
#include <stdint.h>

/* Calls entry(arg), taking both from registers that the first frame carries.  A new flow
 * continues behind its first instruction (4 bytes, does nothing), because unwinders look up the
 * address before a return address: that must be the trampoline too. */
extern HIDDEN const char context_trampoline[];
#define RESUME (context_trampoline + 4)

#if defined(__x86_64__)

struct frame {
        uint32_t mxcsr;
        uint16_t x87_control;
        uint16_t unused;
        void *r15, *r14, *r13, *r12, *rbx, *rbp;
        const void *resume;
        char red_zone[128];
};

NO_SANITIZE_THREAD static void frame_control(struct frame *frame)
{
        uint32_t mxcsr;
        uint16_t x87_control;

        __asm__("stmxcsr %0" : "=m"(mxcsr));
        __asm__("fnstcw %0" : "=m"(x87_control));
        frame->mxcsr = mxcsr & ~0x3fu;
        frame->x87_control = x87_control;
}

NO_SANITIZE_THREAD static void frame_entry(struct frame *frame, context_entry *entry, void *arg)
{
        frame->rbx = (void *)entry;
        frame->r12 = arg;
        frame->rbp = NULL;
        frame->resume = RESUME;
}

#elif defined(__aarch64__)

struct frame {
        void *x29;
        const void *resume;
        void *x19, *x20, *x21, *x22, *x23, *x24, *x25, *x26, *x27, *x28;
        uint64_t fpcr, unused;
};

NO_SANITIZE_THREAD static void frame_control(struct frame *frame)
{
        __asm__("mrs %0, fpcr" : "=r"(frame->fpcr));
}

NO_SANITIZE_THREAD static void frame_entry(struct frame *frame, context_entry *entry, void *arg)
{
        frame->x19 = (void *)entry;
        frame->x20 = arg;
        frame->x29 = NULL;
        frame->resume = RESUME;
}

#elif defined(__riscv) && __riscv_xlen == 64

struct frame {
        uint64_t frm;
        double fs[12];
        void *s11, *s10, *s9, *s8, *s7, *s6, *s5, *s4, *s3, *s2, *s1, *s0;
        const void *resume;
};

NO_SANITIZE_THREAD static void frame_control(struct frame *frame)
{
        __asm__("frrm %0" : "=r"(frame->frm));
}

NO_SANITIZE_THREAD static void frame_entry(struct frame *frame, context_entry *entry, void *arg)
{
        frame->s1 = (void *)entry;
        frame->s2 = arg;
        frame->s0 = NULL;
        frame->resume = RESUME;
}

#else
#error "no context switch for this processor: write context-<processor>.S and a frame here"
#endif

_Static_assert(sizeof(struct frame) % 16 == 0, "the stack pointer stays aligned");

/* Not told to TSan: to it the frame belongs to the flow, as if that had written it. */
NO_SANITIZE_THREAD
void context_init(struct context *context, void *top, context_entry *entry, void *arg)
{
        struct frame *frame = (struct frame *)((uintptr_t)top & ~(uintptr_t)15) - 1;

        frame_control(frame);
        frame_entry(frame, entry, arg);
        context->sp = frame;
}
