/* SPDX-License-Identifier: MIT */
/* stack.h - stacks for fibers: slabs of equal ones, given last-in first-out.
 *
 * A stack class is a power of two of bytes.  Each slab is one mapping of equal stacks, each with
 * its guard page below it; so neighbours are a page more than a power of two apart, and start
 * further some multiple of 256 bytes lower, lest the tops of a thousand stacks fight for the
 * same few sets of the cache (measured: 51 ns a round trip among 1,000 stacks, 31 so).
 *
 * A worker keeps up to 64 stacks of a class; what is more goes to a pool that all share, which
 * unmaps slabs that are free as a whole, but for a few. */
#ifndef FIBER_STACK_H
#define FIBER_STACK_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include "base/queue.h"
#include "platform/guard.h"
#include "platform/sanitizer.h"

#define STACK_CLASSES 17 /* FIB_STACK_MIN << 0 to FIB_STACK_MIN << 16 */

struct slab;

struct stack {
        struct stack *next; /* in a cache, in the pool, or in stacks_of()'s list */
        char *low;          /* the lowest address that may be used */
        char *top;          /* the frame lies right below */
        struct slab *slab;
        _Atomic(void *) owner; /* the group whose fiber has it; NULL: free */
        uint8_t guard;         /* enum guard, once `begun` */
        bool begun;            /* has its guard; known to the sanitizers */
        struct sanitizer_stack sanitizer;
};

struct stack_cache {
        struct stack *free[STACK_CLASSES];
        unsigned count[STACK_CLASSES];
};

/* Return: the class of stacks of at least `size` bytes; -EINVAL out of the bounds. */
int stack_class_of(size_t size);
size_t stack_size_of(unsigned stack_class);

/* Takes one for a fiber of `owner`.  Return: NULL without memory. */
struct stack *stack_get(struct stack_cache *cache, unsigned stack_class, void *owner);

/* Gives it back; nothing may run on it any more.  `cache`: NULL: to the pool. */
void stack_put(struct stack_cache *cache, struct stack *stack);

/* Gives all of a cache to the pool. */
void stack_flush(struct stack_cache *cache);

/* All stacks that `owner` has, linked by `next`.  None of them may come or go meanwhile. */
struct stack *stacks_of(void *owner);

unsigned stack_class(const struct stack *stack);

#endif
