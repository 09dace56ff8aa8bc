/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "base/spinlock.h"
#include "sched/descriptor.h"
#include "sched/scheduler.h"

/* epoll's bits are poll's. */
_Static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLERR == POLLERR &&
                       EPOLLHUP == POLLHUP && EPOLLRDHUP == POLLRDHUP,
               "epoll events are poll events");

struct descriptor {
        struct spinlock lock;
        uint32_t generation; /* under the lock, as all that follows */
        struct list watches;
        uint64_t registered; /* the id of the scheduler that registered it last */
};

/* A table in two steps, so that it can grow while others read it. */
#define CHUNK 1024
#define CHUNKS 2048 /* 2,097,152 descriptors; Linux allows 1,048,576 by default */

static _Atomic(struct descriptor *) table[CHUNKS];

static struct descriptor *chunk_new(size_t index)
{
        struct descriptor *chunk = calloc(CHUNK, sizeof(*chunk));
        struct descriptor *other = NULL;

        if (!chunk)
                return NULL;
        for (size_t i = 0; i < CHUNK; i++)
                list_init(&chunk[i].watches);
        /* Pairs with the load in descriptor_at. */
        if (atomic_compare_exchange_strong_explicit(&table[index], &other, chunk,
                                                    memory_order_release, memory_order_acquire))
                return chunk;
        free(chunk);
        return other;
}

/* Return: its entry; NULL if it never had one and `make` is not set, or without memory. */
static struct descriptor *descriptor_at(int fd, bool make)
{
        size_t index = (size_t)fd / CHUNK;
        struct descriptor *chunk;

        if (fd < 0 || index >= CHUNKS)
                return NULL;
        /* Pairs with the compare-exchange in chunk_new. */
        chunk = atomic_load_explicit(&table[index], memory_order_acquire);
        if (!chunk && make)
                chunk = chunk_new(index);
        return chunk ? &chunk[(size_t)fd % CHUNK] : NULL;
}

int descriptor_poll(int fd, short events)
{
        struct pollfd pollfd = { .fd = fd, .events = events };
        int r;

        if (fd < 0)
                return -EBADF;
        do {
                r = poll(&pollfd, 1, 0);
        } while (r < 0 && errno == EINTR);
        if (r < 0)
                return -errno;
        return pollfd.revents & POLLNVAL ? -EBADF : pollfd.revents;
}

static uint64_t cookie_of(int fd, uint32_t generation)
{
        return (uint64_t)generation << 32 | (uint32_t)fd;
}

/* Arms the scheduler's registration for all that is waited for there.  Under the lock: who
 * comes second must find the first one's events armed too.  One system call; two the first time
 * a number is waited for by this scheduler, or after it was closed behind our back. */
static int arm(struct descriptor *descriptor, struct watch *watch)
{
        struct fib_scheduler *scheduler = watch->scheduler;
        struct epoll_event event = { .events = EPOLLET };
        bool known = descriptor->registered == scheduler->id;
        struct list *link;

        for (link = descriptor->watches.next; link != &descriptor->watches; link = link->next) {
                struct watch *other = container_of(link, struct watch, link);

                if (other->scheduler == scheduler)
                        event.events |= (uint32_t)other->events;
        }
        event.data.u64 = cookie_of(watch->fd, descriptor->generation);
        descriptor->registered = scheduler->id;
        if (!epoll_ctl(scheduler->epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, watch->fd,
                       &event))
                return 0;
        if (errno != (known ? ENOENT : EEXIST))
                return -errno;
        if (!epoll_ctl(scheduler->epoll_fd, known ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, watch->fd,
                       &event))
                return 0;
        return -errno;
}

/* Under the lock. */
static void unlink_watch(struct watch *watch)
{
        watch->waiting = false;
        list_remove(&watch->link);
        if (watch->scheduler)
                atomic_fetch_sub_explicit(&watch->scheduler->watches, 1, memory_order_relaxed);
}

int descriptor_watch(struct watch *watch)
{
        struct descriptor *descriptor = descriptor_at(watch->fd, true);
        int r = 0;

        list_init(&watch->link);
        if (!descriptor)
                return watch->fd < 0 || watch->fd >= CHUNK * CHUNKS ? -EBADF : -ENOMEM;
        spinlock_acquire(&descriptor->lock);
        list_append(&descriptor->watches, &watch->link);
        watch->waiting = true;
        if (watch->scheduler)
                r = arm(descriptor, watch);
        if (watch->scheduler)
                atomic_fetch_add_explicit(&watch->scheduler->watches, 1, memory_order_relaxed);
        if (r < 0)
                unlink_watch(watch);
        spinlock_release(&descriptor->lock);
        return r;
}

bool descriptor_forget(struct watch *watch)
{
        struct descriptor *descriptor = descriptor_at(watch->fd, false);
        bool waiting;

        if (!descriptor)
                return false;
        spinlock_acquire(&descriptor->lock);
        /* Its link says nothing: whoever has admitted it may have it in a list of its own. */
        waiting = watch->waiting;
        if (waiting)
                unlink_watch(watch);
        spinlock_release(&descriptor->lock);
        return waiting;
}

/* What poll(2) would tell of `revents` to who waits for this. */
static short concerns(const struct watch *watch, short revents)
{
        return revents & (watch->events | POLLERR | POLLHUP | POLLNVAL);
}

/* Under the lock: takes the watches that `revents` concerns, and that still matter, off the
 * descriptor and into `ready`. */
static void admit(struct descriptor *descriptor, struct fib_scheduler *scheduler, short revents,
                  struct list *ready)
{
        struct list *link, *next;

        for (link = descriptor->watches.next; link != &descriptor->watches; link = next) {
                struct watch *watch = container_of(link, struct watch, link);

                next = link->next;
                if (scheduler && watch->scheduler != scheduler)
                        continue;
                if (!concerns(watch, revents) || !watch->admit(watch, concerns(watch, revents)))
                        continue;
                unlink_watch(watch);
                list_append(ready, link);
        }
}

/* Fires what admit() gave; each is gone once it was fired. */
static void fire(struct list *ready, short revents)
{
        while (!list_empty(ready)) {
                struct watch *watch = container_of(ready->next, struct watch, link);

                list_remove(&watch->link);
                watch->fire(watch, concerns(watch, revents));
        }
}

void descriptor_event(struct fib_scheduler *scheduler, uint64_t cookie, uint32_t epoll_events)
{
        struct descriptor *descriptor = descriptor_at((int)(uint32_t)cookie, false);
        struct list ready;

        if (!descriptor)
                return;
        list_init(&ready);
        spinlock_acquire(&descriptor->lock);
        if (descriptor->generation == (uint32_t)(cookie >> 32))
                admit(descriptor, scheduler, (short)epoll_events, &ready);
        spinlock_release(&descriptor->lock);
        fire(&ready, (short)epoll_events);
}

int descriptor_close(int fd)
{
        struct descriptor *descriptor = descriptor_at(fd, false);
        struct list ready;
        int r;

        list_init(&ready);
        if (descriptor) {
                spinlock_acquire(&descriptor->lock);
                descriptor->generation++;
                descriptor->registered = 0;
                admit(descriptor, NULL, POLLNVAL, &ready);
        }
        /* Under the lock, lest the number be opened and waited for again meanwhile.  On Linux
         * it is closed even when close() says EINTR. */
        r = close(fd) < 0 && errno != EINTR ? -errno : 0;
        if (descriptor)
                spinlock_release(&descriptor->lock);
        fire(&ready, POLLNVAL);
        return r;
}
