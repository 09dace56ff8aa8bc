/* SPDX-License-Identifier: MIT */
/* call.h - calls that somebody scheduled: tasks that are no fibers. */
#ifndef SCHED_CALL_H
#define SCHED_CALL_H

struct fib_scheduler;

/* Frees those that wait for a descriptor or a time; nothing of the scheduler may be running. */
void calls_drop(struct fib_scheduler *scheduler);

#endif
