/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "platform/clock.h"
#include "sched/descriptor.h"
#include "sched/poller.h"
#include "sched/scheduler.h"

#define WAKE_COOKIE UINT64_MAX

int poller_open(struct fib_scheduler *scheduler)
{
        struct epoll_event wake = { .events = EPOLLIN | EPOLLET, .data.u64 = WAKE_COOKIE };
        int r;

        scheduler->events = calloc(SCHEDULER_MAX_EVENTS, sizeof(*scheduler->events));
        if (!scheduler->events)
                return -ENOMEM;
        scheduler->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (scheduler->epoll_fd < 0) {
                r = -errno;
                goto free_events;
        }
        scheduler->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (scheduler->wake_fd < 0) {
                r = -errno;
                goto close_epoll;
        }
        if (epoll_ctl(scheduler->epoll_fd, EPOLL_CTL_ADD, scheduler->wake_fd, &wake) < 0) {
                r = -errno;
                goto close_wake;
        }
        return 0;
close_wake:
        close(scheduler->wake_fd);
close_epoll:
        close(scheduler->epoll_fd);
free_events:
        free(scheduler->events);
        return r;
}

void poller_close(struct fib_scheduler *scheduler)
{
        close(scheduler->wake_fd);
        close(scheduler->epoll_fd);
        free(scheduler->events);
}

/* epoll_pwait2(2) for kernels before 5.11: an epoll descriptor can itself be polled. */
static int wait_with_poll(struct fib_scheduler *scheduler, const struct timespec *timeout)
{
        struct pollfd pollfd = { .fd = scheduler->epoll_fd, .events = POLLIN };

        if (ppoll(&pollfd, 1, timeout, NULL) < 0)
                return -1;
        return epoll_wait(scheduler->epoll_fd, scheduler->events, SCHEDULER_MAX_EVENTS, 0);
}

int poller_wait(struct fib_scheduler *scheduler, int64_t ns)
{
        struct timespec timeout = clock_timespec(ns);
        int n;

        if (ns <= 0)
                return epoll_wait(scheduler->epoll_fd, scheduler->events, SCHEDULER_MAX_EVENTS, 0);
        n = epoll_pwait2(scheduler->epoll_fd, scheduler->events, SCHEDULER_MAX_EVENTS, &timeout,
                         NULL);
        if (n < 0 && (errno == ENOSYS || errno == EPERM))
                n = wait_with_poll(scheduler, &timeout);
        return n;
}

void poller_fire(struct fib_scheduler *scheduler, int events)
{
        /* EINTR is as good as nothing: the caller looks at everything again. */
        for (int i = 0; i < events; i++) {
                const struct epoll_event *event = &scheduler->events[i];

                if (event->data.u64 != WAKE_COOKIE)
                        descriptor_event(scheduler, event->data.u64, event->events);
        }
}

void poller_wake(struct fib_scheduler *scheduler)
{
        int saved = errno; /* this may be in a signal handler */
        ssize_t r;

        /* The counter cannot be full before 2^64 - 2 wakes. */
        r = write(scheduler->wake_fd, &(uint64_t){ 1 }, sizeof(uint64_t));
        (void)r;
        errno = saved;
}
