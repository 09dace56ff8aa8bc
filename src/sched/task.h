/* SPDX-License-Identifier: MIT */
/* task.h - what schedulers run: a function and the object that it is about.
 *
 * A task lies in its object (a fiber, a call that somebody scheduled), which gives it to one
 * scheduler at a time and keeps it alive until it has been run or dropped.  A task may be given
 * to a scheduler again as soon as it is being run. */
#ifndef SCHED_TASK_H
#define SCHED_TASK_H

#include <stdbool.h>
#include <stdint.h>
#include "base/queue.h"
#include "platform/compiler.h"

struct fib_scheduler;
struct task;

/* A task names its kind by a number, which takes one byte; group->kinds knows what it means. */
enum {
        TASK_CALL,         /* call.c */
        TASK_DELAYED_CALL, /* call.c */
        TASK_KINDS = 8     /* how many there may be; the others belong to who makes the group */
};

struct task_kind {
        /* Runs it, in the scheduler's thread. */
        void (*run)(struct task *task, struct fib_scheduler *scheduler);

        /* Frees it: its scheduler was destroyed before it could be run. */
        void (*drop)(struct task *task);
};

enum task_stealable {
        TASK_PINNED,  /* only its scheduler may run it */
        TASK_OFFERED, /* a peer may take it once its scheduler has offered it */
        TASK_FREE,    /* a peer may take it even before its scheduler has seen it */
};

struct task {
        struct link link; /* whichever queue it is in */
        uint32_t after;   /* the scheduler's own; see scheduler.h */
        uint8_t kind;
        uint8_t stealable; /* enum task_stealable; its object changes this */
};

static inline struct task *task_of_link(struct link *link)
{
        return link ? container_of(link, struct task, link) : NULL;
}

#endif
