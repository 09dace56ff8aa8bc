/* SPDX-License-Identifier: MIT */
/* float-control.h - the floating point control, for a flow that begins where another has ended:
 * rounding, precision, traps and flushing to zero are not to be inherited from a dead flow. */
#ifndef PLATFORM_FLOAT_CONTROL_H
#define PLATFORM_FLOAT_CONTROL_H

#include <stdint.h>

struct float_control {
        uint64_t word;
};

#if defined(__x86_64__)

/* The x87 control word above the SSE one without its status bits. */
static inline struct float_control float_control_get(void)
{
        uint32_t mxcsr;
        uint16_t x87;

        __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
        __asm__ volatile("fnstcw %0" : "=m"(x87));
        return (struct float_control){ (uint64_t)x87 << 32 | (mxcsr & ~0x3fu) };
}

static inline void float_control_load(struct float_control control)
{
        uint32_t mxcsr = (uint32_t)control.word;
        uint16_t x87 = (uint16_t)(control.word >> 32);

        __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
        __asm__ volatile("fnclex; fldcw %0" : : "m"(x87));
}

#elif defined(__aarch64__)

static inline struct float_control float_control_get(void)
{
        struct float_control control;

        __asm__ volatile("mrs %0, fpcr" : "=r"(control.word));
        return control;
}

static inline void float_control_load(struct float_control control)
{
        __asm__ volatile("msr fpcr, %0" : : "r"(control.word));
}

#elif defined(__riscv)

static inline struct float_control float_control_get(void)
{
        struct float_control control;

        __asm__ volatile("frrm %0" : "=r"(control.word));
        return control;
}

static inline void float_control_load(struct float_control control)
{
        __asm__ volatile("fsrm %0" : : "r"(control.word));
}

#endif

/* Loading costs much more than looking. */
static inline void float_control_set(struct float_control control)
{
        if (float_control_get().word != control.word)
                float_control_load(control);
}

#endif
