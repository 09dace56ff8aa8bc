/* SPDX-License-Identifier: MIT */
/* guard.h - address space for stacks, and pages that nobody may touch.
 *
 * Guards are markers in the page table (MADV_GUARD_INSTALL, Linux 6.13), which cost no mapping:
 * 100,000 guarded stacks were measured to take one.  On older kernels they are mprotect(2), each
 * of which splits a mapping, until a quarter of vm.max_map_count is used up; stacks after that
 * have a canary, a word at the low end that is compared when the stack is given back.
 *
 * The environment's FIBERS_STACK_GUARD=madvise|mprotect|canary begins further down that list. */
#ifndef PLATFORM_GUARD_H
#define PLATFORM_GUARD_H

#include <stdbool.h>
#include <stddef.h>

enum guard { GUARD_MADVISE, GUARD_MPROTECT, GUARD_CANARY };

#define GUARD_MANY 32

size_t guard_size(void);

/* Reserves memory that is taken as it is touched.  Return: NULL without address space. */
void *guard_map(size_t size);
void guard_unmap(void *mapping, size_t size);

/* Forbids the guard_size() bytes from `low` on.  Return: how; GUARD_CANARY: not at all, but for
 * a word that was written at low + guard_size(). */
enum guard guard_install(void *low);

/* The same for many by one system call, and the `page` of each made resident.  A system call and
 * a page fault apiece cost 2.0 microseconds, this 1.5.  Return: how many have GUARD_MADVISE now,
 * the first ones; the others are left as they were. */
size_t guard_install_many(void *const lows[], void *const pages[], size_t n);

/* Undoes the accounting, before the mapping that holds `low` goes away. */
void guard_removed(enum guard guard);

/* Whether the canary is as it was written. */
bool guard_canary_intact(const void *low);

#endif
