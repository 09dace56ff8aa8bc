/* SPDX-License-Identifier: MIT */
/* context-test.h - flows for tests of floor 0: a context, its stack, and who must hear of it. */
#pragma once

#include <stddef.h>
#include <sys/mman.h>
#include "platform/compiler.h"
#include "platform/context.h"
#include "platform/exception.h"
#include "platform/sanitizer.h"

#define FLOW_STACK ((size_t)256 << 10)

struct flow {
        struct context context;
        struct sanitizer_stack sanitizer;
        struct exception_state exceptions;
        char *stack; /* NULL: the kernel thread's own */
        void (*run)(struct flow *);
        struct flow *back; /* switched to when run() has returned */
};

static ALWAYS_INLINE void flow_switch_as(struct flow *from, struct flow *to, bool from_dies)
{
        exception_swap(exception_globals(), &from->exceptions, &to->exceptions);
        sanitizer_release(to);
        sanitizer_before_switch(&from->sanitizer, &to->sanitizer, from_dies);
        context_switch(&from->context, &to->context);
        sanitizer_after_switch(&from->sanitizer);
        sanitizer_acquire(from);
}

static ALWAYS_INLINE void flow_switch(struct flow *from, struct flow *to)
{
        flow_switch_as(from, to, false);
}

static inline void flow_entry(void *arg)
{
        struct flow *flow = (struct flow *)arg;

        sanitizer_after_switch(&flow->sanitizer);
        sanitizer_acquire(flow);
        flow->run(flow);
        flow_switch_as(flow, flow->back, true);
        __builtin_trap();
}

/* The flow that a kernel thread is. */
static inline void flow_thread(struct flow *flow)
{
        flow->stack = NULL;
        sanitizer_thread_init(&flow->sanitizer);
}

static inline void flow_thread_done(struct flow *flow)
{
        sanitizer_thread_done(&flow->sanitizer);
}

static inline void flow_open(struct flow *flow, void (*run)(struct flow *), struct flow *back)
{
        flow->run = run;
        flow->back = back;
        flow->exceptions.caught = NULL;
        flow->exceptions.uncaught = 0;
        flow->stack = (char *)mmap(NULL, FLOW_STACK, PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        sanitizer_stack_create(&flow->sanitizer, flow->stack, FLOW_STACK);
        context_init(&flow->context, flow->stack + FLOW_STACK, flow_entry, flow);
}

/* Another flow on the same stack, where the last one has ended or is given up. */
static inline void flow_again(struct flow *flow, void (*run)(struct flow *))
{
        flow->run = run;
        sanitizer_stack_reused(&flow->sanitizer, flow->stack, FLOW_STACK);
        context_init(&flow->context, flow->stack + FLOW_STACK, flow_entry, flow);
}

static inline void flow_close(struct flow *flow)
{
        sanitizer_stack_destroy(&flow->sanitizer);
        munmap(flow->stack, FLOW_STACK);
}
