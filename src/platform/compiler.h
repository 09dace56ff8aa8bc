/* SPDX-License-Identifier: MIT */
/* compiler.h - what gcc and clang offer beyond C, and the processor's few words.  */
#pragma once

#include <stddef.h>

/* What two processors should not write together.  64 on all three processors we know. */
#define CACHE_LINE 64

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define NOINLINE __attribute__((noinline))
#define ALWAYS_INLINE inline __attribute__((always_inline))
#define HIDDEN __attribute__((visibility("hidden")))

/* Not looked at by TSan, in a build that has it. */
#define NO_SANITIZE_THREAD __attribute__((no_sanitize("thread")))

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* The structure that has *pointer as its `member`. */
#define container_of(pointer, type, member)                                                        \
        ({                                                                                         \
                __typeof__(((type *)0)->member) *member_of_it_ = (pointer);                        \
                (type *)((char *)member_of_it_ - offsetof(type, member));                          \
        })

/* Tells the processor that this is a waiting loop. */
static inline void cpu_relax(void)
{
#if defined(__x86_64__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile(
                "isb" ::
                        : "memory"); /* `yield` does nothing on most; this waits a little */
#elif defined(__riscv)
        __asm__ volatile(".insn i 0x0f, 0, x0, x0, 0x010" ::: "memory"); /* `pause`, a hint */
#endif
}
