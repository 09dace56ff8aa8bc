/* SPDX-License-Identifier: MIT */
/* sanitizer.h - tells ASan, LSan, TSan and Valgrind which stack runs.
 *
 * They follow a kernel thread and its one stack.  Each stack that flows run on, the kernel
 * thread's own included, therefore has a struct sanitizer_stack, and every switch is bracketed:
 *
 *      sanitizer_before_switch(from, to, false);
 *      context_switch(...);
 *      sanitizer_after_switch(from);           we are back
 *
 * A flow that has just begun says sanitizer_after_switch(its own) first of all.  What ASan and
 * TSan know of the running function belongs to the stack it began on, so all this must lie in
 * one function: everything here is inlined, even without optimisation.  Without the tools
 * nothing remains but Valgrind's registration of a new stack.
 *
 * A TSan fiber goes with the stack and not with the flow: TSan has room for about 8,000, and
 * making one takes it up to 270 microseconds.
 */
#pragma once

#include "platform/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__has_feature)
#define SANITIZER_FEATURE(name) __has_feature(name)
#else
#define SANITIZER_FEATURE(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || SANITIZER_FEATURE(address_sanitizer)
#define SANITIZER_ADDRESS 1
#else
#define SANITIZER_ADDRESS 0
#endif
/* FIBERS_TSAN_HOOKS: the program is built with TSan, this file for itself is not. */
#if defined(__SANITIZE_THREAD__) || SANITIZER_FEATURE(thread_sanitizer) ||                         \
        defined(FIBERS_TSAN_HOOKS)
#define SANITIZER_THREAD 1
#else
#define SANITIZER_THREAD 0
#endif
#if !defined(NVALGRIND) && __has_include(<valgrind/memcheck.h>)
#define SANITIZER_VALGRIND 1
#else
#define SANITIZER_VALGRIND 0
#endif

#if SANITIZER_ADDRESS
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif
#if SANITIZER_THREAD
#include <sanitizer/tsan_interface.h>
#endif
#if SANITIZER_VALGRIND
#include <valgrind/memcheck.h>
#include <valgrind/valgrind.h>
#endif

/* Touched by one kernel thread at a time: who creates, leaves, enters or reuses the stack. */
struct sanitizer_stack {
        void *low;
        size_t size;
#if SANITIZER_ADDRESS
        void *fake;      /* of the suspended flow: where ASan keeps its locals, or NULL */
        void *fake_root; /* the same once LSan searches it */
#endif
#if SANITIZER_THREAD
        void *fiber;
        unsigned flows; /* that have begun on it */
#endif
#if SANITIZER_VALGRIND
        unsigned id;
#endif
};

#if SANITIZER_ADDRESS
/* ASan's FakeStack: 11 sizes of frames, each as large as the real stack rounded up to a power
 * of two within 2^16..2^20.  Here without its last few KiB: rather too little than a neighbour. */
static ALWAYS_INLINE size_t sanitizer_fake_size(size_t stack_size)
{
        size_t one = 1 << 16;

        while (one < stack_size && one < 1 << 20)
                one *= 2;
        return 11 * one;
}

static ALWAYS_INLINE void sanitizer_fake_register(struct sanitizer_stack *stack)
{
        if (stack->fake == stack->fake_root)
                return;
        stack->fake_root = stack->fake;
        __lsan_register_root_region(stack->fake_root, sanitizer_fake_size(stack->size));
}

static ALWAYS_INLINE void sanitizer_fake_unregister(struct sanitizer_stack *stack)
{
        if (stack->fake_root)
                __lsan_unregister_root_region(stack->fake_root, sanitizer_fake_size(stack->size));
        stack->fake_root = NULL;
}

/* Frees what ASan keeps for a flow that was suspended and will never run again.  It can only be
 * made to free what belongs to the current stack: pretend to be there, and to die. */
static ALWAYS_INLINE void sanitizer_fake_free(struct sanitizer_stack *stack)
{
        void *mine = NULL;
        const void *low = NULL;
        size_t size = 0;

        sanitizer_fake_unregister(stack);
        if (!stack->fake)
                return;
        __sanitizer_start_switch_fiber(&mine, stack->low, stack->size);
        __sanitizer_finish_switch_fiber(stack->fake, &low, &size);
        __sanitizer_start_switch_fiber(NULL, low, size);
        __sanitizer_finish_switch_fiber(mine, NULL, NULL);
        stack->fake = NULL;
}
#endif

/* A stack comes into being.
 *
 * @low: its lowest address, above the guard page: LSan reads all from here, and dies of a page
 *       that MADV_GUARD_INSTALL made inaccessible. */
static ALWAYS_INLINE void sanitizer_stack_create(struct sanitizer_stack *stack, void *low,
                                                 size_t size)
{
        memset(stack, 0, sizeof(*stack));
        stack->low = low;
        stack->size = size;
#if SANITIZER_ADDRESS
        __lsan_register_root_region(low, size); /* by itself it searches only running stacks */
#endif
#if SANITIZER_THREAD
        stack->fiber = __tsan_create_fiber(0);
#endif
#if SANITIZER_VALGRIND
        stack->id = VALGRIND_STACK_REGISTER(low, (char *)low + size);
#endif
}

/* Its memory is about to go away.  A flow suspended on it will never run again. */
static ALWAYS_INLINE void sanitizer_stack_destroy(struct sanitizer_stack *stack)
{
#if SANITIZER_ADDRESS
        sanitizer_fake_free(stack);
        __lsan_unregister_root_region(stack->low, stack->size);
        __asan_unpoison_memory_region(stack->low, stack->size); /* for who gets the address next */
#endif
#if SANITIZER_THREAD
        __tsan_destroy_fiber(stack->fiber);
#endif
#if SANITIZER_VALGRIND
        VALGRIND_STACK_DEREGISTER(stack->id);
#endif
        (void)stack;
}

/* Describes the stack that the calling kernel thread was given by the system and runs on. */
static ALWAYS_INLINE void sanitizer_thread_init(struct sanitizer_stack *stack)
{
        memset(stack, 0, sizeof(*stack));
#if SANITIZER_ADDRESS
        /* ASan tells the bounds of the stack one has left: leave it, and come back. */
        const void *low = NULL;

        __sanitizer_start_switch_fiber(&stack->fake, stack, sizeof(*stack));
        __sanitizer_finish_switch_fiber(stack->fake, &low, &stack->size);
        __sanitizer_start_switch_fiber(&stack->fake, low, stack->size);
        __sanitizer_finish_switch_fiber(stack->fake, NULL, NULL);
        stack->low = (void *)low;
        __lsan_register_root_region(low, stack->size); /* for when a fiber's stack runs instead */
#endif
#if SANITIZER_THREAD
        stack->fiber = __tsan_get_current_fiber();
#endif
}

/* The calling kernel thread, back on that stack, will make no more switches. */
static ALWAYS_INLINE void sanitizer_thread_done(struct sanitizer_stack *stack)
{
#if SANITIZER_ADDRESS
        sanitizer_fake_unregister(stack);
        __lsan_unregister_root_region(stack->low, stack->size);
#endif
        (void)stack;
}

/* Control is about to go from one stack to the other.
 *
 * @from_dies: the flow will never run again; its stack may be given to another. */
static ALWAYS_INLINE void sanitizer_before_switch(struct sanitizer_stack *from,
                                                  struct sanitizer_stack *to, bool from_dies)
{
#if SANITIZER_ADDRESS
        if (from_dies) {
                sanitizer_fake_unregister(from);
                __sanitizer_start_switch_fiber(NULL, to->low, to->size);
                from->fake = NULL;
        } else {
                __sanitizer_start_switch_fiber(&from->fake, to->low, to->size);
                sanitizer_fake_register(from);
        }
#endif
#if SANITIZER_THREAD
#ifdef FIBERS_TSAN_HOOKS
        /* Going from one to the other orders nothing by itself: two flows race even when they
         * happen to share a kernel thread.  See sanitizer_release(). */
        __tsan_switch_to_fiber(to->fiber, __tsan_switch_to_fiber_no_sync);
#else
        /* The runtime is instrumented too, and keeps what belongs to a thread without atomics. */
        __tsan_switch_to_fiber(to->fiber, 0);
#endif
#endif
        (void)from, (void)to, (void)from_dies;
}

/* Control has arrived on this stack, for the first time or again. */
static ALWAYS_INLINE void sanitizer_after_switch(struct sanitizer_stack *self)
{
#if SANITIZER_ADDRESS
        __sanitizer_finish_switch_fiber(self->fake, NULL, NULL);
#endif
        (void)self;
}

static ALWAYS_INLINE char *sanitizer_stack_pointer(void)
{
        char *sp;

#if defined(__x86_64__)
        __asm__ volatile("movq %%rsp, %0" : "=r"(sp));
#elif defined(__aarch64__)
        __asm__ volatile("mov %0, sp" : "=r"(sp));
#elif defined(__riscv)
        __asm__ volatile("mv %0, sp" : "=r"(sp));
#endif
        return sp;
}

/* Forgets what a dead flow left in [low, low + size) of a stack, before another begins there
 * (before its context_init, if it has one).  May be called on that very stack: then only what
 * lies below the caller is touched. */
static ALWAYS_INLINE void sanitizer_stack_reused(struct sanitizer_stack *stack, void *low,
                                                 size_t size)
{
#if SANITIZER_ADDRESS || SANITIZER_THREAD || SANITIZER_VALGRIND
        char *in_use = sanitizer_stack_pointer() - 128; /* so much may a function use below it */
        bool here = (uintptr_t)in_use - (uintptr_t)low < size;

        if (here)
                size = in_use - (char *)low;
#endif
#if SANITIZER_ADDRESS
        if (!here)
                sanitizer_fake_free(stack);
        __asan_unpoison_memory_region(low, size);
#endif
#if SANITIZER_THREAD
        /* Each flow leaves behind the calls it died in, and TSan has room for 65,536. */
        if (!here && ++stack->flows % 256 == 0) {
                __tsan_destroy_fiber(stack->fiber);
                stack->fiber = __tsan_create_fiber(0);
        }
#endif
#if SANITIZER_VALGRIND
        if (!here) /* it follows the stack pointer, but context_init writes from outside */
                VALGRIND_MAKE_MEM_UNDEFINED(low, size);
#endif
        (void)stack, (void)low, (void)size;
}

/* Whether system calls are looked through by a tool that does not know the newer ones. */
static inline bool sanitizer_has_old_kernel(void)
{
#if SANITIZER_VALGRIND
        return RUNNING_ON_VALGRIND;
#else
        return false;
#endif
}

/* What was written before the release is seen after the acquire of the same address: tells TSan
 * of a hand-over between flows (spawn, wake, join) that it cannot see in the atomics. */
static ALWAYS_INLINE void sanitizer_release(void *address)
{
#if SANITIZER_THREAD
        __tsan_release(address);
#endif
        (void)address;
}

static ALWAYS_INLINE void sanitizer_acquire(void *address)
{
#if SANITIZER_THREAD
        __tsan_acquire(address);
#endif
        (void)address;
}
