/* SPDX-License-Identifier: MIT */
/* descriptor.c - POSIX's calls on descriptors, for fibers: try, else wait and try again.
 *
 * First the attempt, then the wait: most often the data is there, or the room, and then one
 * system call is all.  That somebody else may take what was waited for is why there is a loop. */
#include <poll.h>
#include <sys/socket.h>
#include <fibers/descriptor.h>
#include "io/result.h"
#include "io/transfer.h"
#include "sched/descriptor.h"

/* Where these are given, recv(2) says EAGAIN because it was asked to, or never waits at all. */
#define RECV_AT_ONCE (MSG_DONTWAIT | MSG_ERRQUEUE | MSG_OOB)

ssize_t fib_read(int fd, void *buffer, size_t size)
{
        enum transfer_kind kind = size ? TRANSFER_SOCKET : transfer_kind(fd);
        unsigned futile = 0;
        ssize_t r;

        while ((r = transfer_read(fd, &kind, buffer, size)) == -EAGAIN) {
                r = transfer_wait(fd, POLLIN, &futile);
                if (r < 0)
                        break;
        }
        return r;
}

/* One attempt to write: on a socket with flags, or on any descriptor. */
struct attempt {
        int fd;
        int flags;
        bool any;
        enum transfer_kind kind; /* if `any` */
};

static ssize_t attempt_write(struct attempt *attempt, const char *data, size_t size)
{
        return attempt->any ? transfer_write(attempt->fd, &attempt->kind, data, size)
                            : transfer_send(attempt->fd, data, size, attempt->flags);
}

/* POSIX: to a blocking descriptor all is written, unless an error comes between; to a
 * non-blocking one, what there is room for. */
static ssize_t write_all(struct attempt *attempt, const char *data, size_t size)
{
        unsigned futile = 0;
        size_t done = 0;
        ssize_t r;

        for (;;) {
                r = attempt_write(attempt, data + done, size - done);
                if (r > 0)
                        done += (size_t)r;
                if (r == 0 || (r > 0 && done == size) || (r < 0 && r != -EAGAIN))
                        break;
                if (done && transfer_is_nonblocking(attempt->fd))
                        break;
                if (r == -EAGAIN) {
                        r = transfer_wait(attempt->fd, POLLOUT, &futile);
                        if (r < 0)
                                break;
                }
        }
        return done ? (ssize_t)done : r;
}

ssize_t fib_write(int fd, const void *buffer, size_t size)
{
        struct attempt attempt = { .fd = fd, .any = true, .kind = TRANSFER_SOCKET };

        return write_all(&attempt, buffer, size);
}

ssize_t fib_send(int fd, const void *buffer, size_t size, int flags)
{
        struct attempt attempt = { .fd = fd, .flags = flags };

        if (flags & MSG_DONTWAIT)
                return transfer_send(fd, buffer, size, flags);
        return write_all(&attempt, buffer, size);
}

static bool is_stream(int fd)
{
        int type = 0;
        socklen_t length = sizeof(type);

        return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) && type == SOCK_STREAM;
}

ssize_t fib_recv(int fd, void *buffer, size_t size, int flags)
{
        bool all = (flags & MSG_WAITALL) && !(flags & (RECV_AT_ONCE | MSG_PEEK));
        unsigned futile = 0;
        size_t done = 0;
        ssize_t r;

        for (;;) {
                r = transfer_recv(fd, (char *)buffer + done, size - done, flags);
                if (r > 0)
                        done += (size_t)r;
                if (r == 0 || (r > 0 && done == size) || (r < 0 && r != -EAGAIN))
                        break;
                if (r > 0 && (!all || !is_stream(fd)))
                        break;
                if (r == -EAGAIN) {
                        if (flags & RECV_AT_ONCE)
                                break;
                        r = transfer_wait(fd, POLLIN, &futile);
                        if (r < 0)
                                break;
                }
        }
        return done ? (ssize_t)done : r;
}

int fib_close(int fd)
{
        return descriptor_close(fd);
}
