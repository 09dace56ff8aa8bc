/* SPDX-License-Identifier: MIT */
/* call.h - calls that somebody scheduled: tasks that are no fibers. */
#ifndef SCHED_CALL_H
#define SCHED_CALL_H

#include "sched/task.h"

extern const struct task_kind call_kind;
extern const struct task_kind call_delayed_kind;

/* Frees those that wait for a descriptor or a time; nothing of the scheduler may be running. */
void calls_drop(struct fib_scheduler *scheduler);

#endif
