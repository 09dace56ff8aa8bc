/* SPDX-License-Identifier: MIT */
/* poller.h - a scheduler's epoll: descriptors that became ready, and being woken. */
#ifndef SCHED_POLLER_H
#define SCHED_POLLER_H

#include <stdint.h>

struct fib_scheduler;

/* Fails: -EMFILE, -ENFILE, -ENOMEM. */
int poller_open(struct fib_scheduler *scheduler);
void poller_close(struct fib_scheduler *scheduler);

/* Waits for at most `ns` (0 or less: not at all; about CLOCK_NEVER: for ever).  Return: how many
 * events there are for poller_fire().  The scheduler's own thread only, as is poller_fire(). */
int poller_wait(struct fib_scheduler *scheduler, int64_t ns);

/* Fires the watches of what became ready. */
void poller_fire(struct fib_scheduler *scheduler, int events);

/* Makes poller_wait() return early, now or the next time.  Async-signal-safe. */
void poller_wake(struct fib_scheduler *scheduler);

#endif
