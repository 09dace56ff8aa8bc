/* SPDX-License-Identifier: MIT */
/* descriptor.h - who waits for which file descriptor.
 *
 * The process has one entry for each descriptor number, made when it is first waited for and
 * never freed; it lists the watches of all schedulers and threads.  Each scheduler has an epoll
 * of its own, to which a descriptor is added, edge-triggered, when it is first waited for there.
 *
 * A watch re-arms its registration (EPOLL_CTL_MOD), which reports again what is ready already.
 * So no event can be lost between looking and waiting, a number that was closed with close(2)
 * and used again is found out at once (ENOENT), and events that nobody waits for are forgotten.
 *
 * A close through descriptor_close() starts a new generation of the number: events of the old
 * one that are still under way are dropped. */
#ifndef SCHED_DESCRIPTOR_H
#define SCHED_DESCRIPTOR_H

#include <stdbool.h>
#include <stdint.h>
#include "base/list.h"

struct fib_scheduler;

/* The caller's; it lies still until it was fired or descriptor_forget() returned. */
struct watch {
        bool waiting;     /* in the entry's list; under its lock */
        struct list link; /* in the descriptor's entry; its lock */
        int fd;
        short events;                    /* POLLIN or POLLOUT (POLLERR and POLLHUP go with both) */
        struct fib_scheduler *scheduler; /* whose epoll tells; NULL: the thread polls by itself */

        /* As in struct timer.  `revents` is poll(2)'s, or POLLNVAL after a close; both may be
         * called in any thread. */
        bool (*admit)(struct watch *watch, short revents);
        void (*fire)(struct watch *watch, short revents);
};

/* Looks, as poll(2) does, without waiting.
 * Return: the events among `events`, POLLERR and POLLHUP; 0: none; -EBADF. */
int descriptor_poll(int fd, short events);

/* Waits, with all fields but the link filled in by the caller.
 * Fails: -EBADF, -ENOMEM, -ENOSPC (epoll's limit), and nothing is left behind. */
int descriptor_watch(struct watch *watch);

/* Takes a watch back; harmless if it was fired.  Return: false when it has been admitted, and so
 * was fired or is about to be. */
bool descriptor_forget(struct watch *watch);

/* Closes it, as close(2), and fires all watches with POLLNVAL.  Return: 0 or -errno. */
int descriptor_close(int fd);

/* An epoll event for the scheduler that calls this; `cookie` is what was registered. */
void descriptor_event(struct fib_scheduler *scheduler, uint64_t cookie, uint32_t epoll_events);

#endif
