/* SPDX-License-Identifier: MIT */
/* exception.h - the C++ exceptions that a flow is handling belong to it.
 *
 * The C++ runtime keeps 16 bytes for each kernel thread: the exceptions being handled (innermost
 * first) and how many are on their way to a handler.  A flow that is suspended in a `catch` or
 * in a destructor run by a throw must find its own there, so they change with the flow.
 */
#pragma once

#include <stddef.h>

/* Laid out by the C++ ABI (Itanium, section 2.2.2) as __cxa_eh_globals. */
struct exception_state {
        void *caught;
        unsigned uncaught;
};

/* Weak: this library is C and the program may be too. */
extern struct exception_state *exception_cxa_get_globals(void) __asm__("__cxa_get_globals")
        __attribute__((weak));

/* The calling kernel thread's state, or NULL when the program began without a C++ runtime.
 * Its address stays the same for the life of the thread, so callers keep it. */
static inline struct exception_state *exception_globals(void)
{
        return exception_cxa_get_globals ? exception_cxa_get_globals() : NULL;
}

/* Puts a suspended flow's state away and another's in its place.
 *
 * @globals: exception_globals() of the calling kernel thread; with NULL nothing happens. */
static inline void exception_swap(struct exception_state *globals, struct exception_state *out,
                                  const struct exception_state *in)
{
        if (globals) {
                *out = *globals;
                *globals = *in;
        }
}
