/* SPDX-License-Identifier: MIT */
/* deadlock.h - fibers that all wait for each other. */
#ifndef FIBER_DEADLOCK_H
#define FIBER_DEADLOCK_H

#include <stdbool.h>

struct group;

/* Whether something outside the group may wake its fibers, which all wait: a descriptor, a
 * thread of the process that is not the group's, a timer signal that has a handler. */
bool deadlock_may_be_woken(struct group *group);

/* Tells on stderr what each fiber of the group waits for. */
void deadlock_describe(struct group *group);

#endif
