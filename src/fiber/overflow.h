/* SPDX-License-Identifier: MIT */
/* overflow.h - a fiber that runs out of stack ends the process, with a message that names it.
 *
 * The guard page turns the overflow into a SIGSEGV.  Its handler, on an alternate stack of the
 * thread, knows the running fiber's guard by its address; any other fault goes on to whatever
 * handled the signal before. */
#ifndef FIBER_OVERFLOW_H
#define FIBER_OVERFLOW_H

struct fib_fiber;
struct stack;

/* For the calling thread, in pairs; the process's handler comes with the first and goes with the
 * last.  Return: what overflow_end() is to be given, or NULL if the thread has an alternate stack
 * of its own or there is no memory for one. */
void *overflow_begin(void);
void overflow_end(void *alternate);

/* For stacks that have no guard page: ends the process if the fiber has overflowed. */
void stack_check(const struct stack *stack, const struct fib_fiber *fiber);

#endif
