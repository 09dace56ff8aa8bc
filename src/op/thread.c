/* SPDX-License-Identifier: MIT */
/* thread.c - how a plain thread parks.
 *
 * The word goes WAITING -> WAKING -> WOKEN.  The waker takes it to WAKING, writes to wake_fd if
 * there is one, takes it to WOKEN, and touches the parker no more; the thread goes on only when
 * the word is WOKEN, so that wake_fd is not closed while somebody is about to write to it.
 *
 * wake_fd is stored before the word is looked at, and the word is changed before wake_fd is: so
 * either the waker finds wake_fd, or the thread finds the word changed. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "base/spinlock.h"
#include "op/thread.h"
#include "platform/clock.h"
#include "platform/futex.h"

enum { WAITING, WAKING, WOKEN };

static struct thread_parker *thread_of(struct parker *parker)
{
        return container_of(parker, struct thread_parker, parker);
}

/* A timer is in the thread's list with the link that would be in a wheel. */
static void add_timer(struct parker *parker, struct timer *timer, int64_t expiry)
{
        timer->wheel.expiry = expiry;
        list_append(&thread_of(parker)->timers, &timer->wheel.link);
}

static void cancel_timer(struct parker *parker, struct timer *timer)
{
        list_remove(&timer->wheel.link);
}

/* Makes room for one more watch. */
static int grow(struct thread_parker *thread)
{
        struct pollfd *pollfds;
        struct watch **watches;
        size_t n = thread->watch_count + 1;

        watches = realloc(thread->watches, n * sizeof(struct watch *));
        if (!watches)
                return -ENOMEM;
        thread->watches = watches;
        pollfds = realloc(thread->pollfds, (n + 1) * sizeof(struct pollfd));
        if (!pollfds)
                return -ENOMEM;
        thread->pollfds = pollfds;
        return 0;
}

static int watch(struct parker *parker, struct watch *watch)
{
        struct thread_parker *thread = thread_of(parker);
        int fd, r;

        r = grow(thread);
        if (r < 0)
                return r;
        if (atomic_load_explicit(&thread->wake_fd, memory_order_relaxed) < 0) {
                fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
                if (fd < 0)
                        return -errno;
                atomic_store_explicit(&thread->wake_fd, fd, memory_order_seq_cst);
                thread->pollfds[0] = (struct pollfd){ .fd = fd, .events = POLLIN };
        }
        watch->scheduler = NULL;
        r = descriptor_watch(watch);
        if (r < 0)
                return r;
        thread->watches[thread->watch_count] = watch;
        thread->pollfds[1 + thread->watch_count] =
                (struct pollfd){ .fd = watch->fd, .events = watch->events };
        thread->watch_count++;
        return 0;
}

static void forget(struct parker *parker, struct watch *watch)
{
        descriptor_forget(watch);
}

static void resume(struct parker *parker, bool in_handler)
{
        struct thread_parker *thread = thread_of(parker);
        atomic_uint *word = &thread->word;
        int fd;

        atomic_store_explicit(word, WAKING, memory_order_seq_cst);
        fd = atomic_load_explicit(&thread->wake_fd, memory_order_seq_cst);
        if (fd >= 0) {
                int saved = errno;
                ssize_t r = write(fd, &(uint64_t){ 1 }, sizeof(uint64_t));

                (void)r;
                errno = saved;
        }
        /* Pairs with the load in is_woken. */
        atomic_store_explicit(word, WOKEN, memory_order_release);
        futex_wake_one(word);
}

/* Waits out the waker's few instructions, if one is at it. */
static bool is_woken(struct thread_parker *thread)
{
        unsigned rounds = 0;
        unsigned word;

        while ((word = atomic_load_explicit(&thread->word, memory_order_seq_cst)) == WAKING)
                spin(&rounds);
        return word == WOKEN;
}

/* Fires the first timer that has expired and still matters.  Return: the next expiry. */
static int64_t fire_timers(struct thread_parker *thread)
{
        int64_t next = CLOCK_NEVER;
        int64_t now = CLOCK_NEVER;
        struct list *link;

        if (!list_empty(&thread->timers))
                now = clock_now();
        for (link = thread->timers.next; link != &thread->timers; link = link->next) {
                struct timer *timer = container_of(link, struct timer, wheel.link);

                if (timer->wheel.expiry > now) {
                        if (timer->wheel.expiry < next)
                                next = timer->wheel.expiry;
                } else if (timer->admit(timer)) {
                        list_remove(link);
                        timer->fire(timer);
                        return 0;
                }
        }
        return next;
}

static void poll_watches(struct thread_parker *thread, int64_t deadline)
{
        struct timespec timeout = { 0, 0 };
        int64_t now;

        if (deadline != CLOCK_NEVER) {
                now = clock_now();
                if (deadline > now)
                        timeout = clock_timespec(deadline - now);
        }
        if (ppoll(thread->pollfds, thread->watch_count + 1,
                  deadline == CLOCK_NEVER ? NULL : &timeout, NULL) <= 0)
                return;
        for (unsigned i = 0; i < thread->watch_count; i++) {
                struct watch *watch = thread->watches[i];
                short revents = thread->pollfds[1 + i].revents;

                if (revents && watch->admit(watch, revents)) {
                        descriptor_forget(watch);
                        watch->fire(watch, revents);
                        return;
                }
        }
}

static intptr_t park(struct parker *parker)
{
        struct thread_parker *thread = thread_of(parker);
        int64_t deadline;

        while (!is_woken(thread)) {
                deadline = fire_timers(thread);
                if (is_woken(thread))
                        break;
                if (thread->watch_count)
                        poll_watches(thread, deadline);
                else
                        futex_wait(&thread->word, WAITING, deadline);
        }
        atomic_store_explicit(&thread->word, WAITING, memory_order_relaxed);
        return parker->value.num;
}

static const struct parker_ops thread_ops = {
        .park = park,
        .resume = resume,
        .add_timer = add_timer,
        .cancel_timer = cancel_timer,
        .watch = watch,
        .forget = forget,
};

void thread_parker_init(struct thread_parker *thread)
{
        thread->parker = (struct parker){ .ops = &thread_ops };
        atomic_init(&thread->word, WAITING);
        atomic_init(&thread->wake_fd, -1);
        list_init(&thread->timers);
        thread->watches = NULL;
        thread->pollfds = NULL;
        thread->watch_count = 0;
}

void thread_parker_destroy(struct thread_parker *thread)
{
        int fd = atomic_load_explicit(&thread->wake_fd, memory_order_relaxed);

        if (fd >= 0)
                close(fd);
        free(thread->watches);
        free(thread->pollfds);
}
