/* SPDX-License-Identifier: MIT */
/* parameter.h - environments: what values parameters have for a fiber.
 *
 * An environment is a counted, shared array; whoever changes one that others have too makes its
 * own copy first.  So to inherit is to count, and later changes on either side stay there. */
#ifndef FIBER_PARAMETER_H
#define FIBER_PARAMETER_H

struct environment;

/* The caller's, with a reference; NULL: nothing is set. */
struct environment *environment_inherit(void);

void environment_unref(struct environment *environment);

#endif
