/* SPDX-License-Identifier: MIT */
/* thread.h - a plain thread as a performer: it sleeps on a futex, or in ppoll(2) while it has
 * descriptors among its arms, and looks after its own timers. */
#ifndef OP_THREAD_H
#define OP_THREAD_H

#include "op/parker.h"

struct pollfd;

struct thread_parker {
        struct parker parker;
        atomic_uint word;       /* thread.c */
        atomic_int wake_fd;     /* an eventfd once there are watches; -1 before */
        struct list timers;     /* the thread's own */
        struct watch **watches; /* likewise, in the order of pollfds[1 ...] */
        struct pollfd *pollfds; /* [0] is wake_fd */
        unsigned watch_count;
};

void thread_parker_init(struct thread_parker *thread);
void thread_parker_destroy(struct thread_parker *thread);

#endif
