/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <fibers/descriptor.h>
#include <fibers/time.h>
#include "io/result.h"
#include "io/transfer.h"
#include "sched/descriptor.h"

enum transfer_kind transfer_kind(int fd)
{
        struct stat status;

        if (fstat(fd, &status) < 0)
                return TRANSFER_STREAM;
        switch (status.st_mode & S_IFMT) {
        case S_IFSOCK: return TRANSFER_SOCKET;
        case S_IFREG:
        case S_IFBLK:
        case S_IFDIR: return TRANSFER_FILE;
        default: return TRANSFER_STREAM;
        }
}

bool transfer_is_nonblocking(int fd)
{
        int flags = fcntl(fd, F_GETFL);

        return flags >= 0 && (flags & O_NONBLOCK);
}

ssize_t transfer_recv(int fd, void *buffer, size_t size, int flags)
{
        ssize_t r;

        do {
                r = result(recv(fd, buffer, size, flags | MSG_DONTWAIT));
        } while (r == -EINTR);
        return r;
}

ssize_t transfer_send(int fd, const void *buffer, size_t size, int flags)
{
        ssize_t r;

        do {
                r = result(send(fd, buffer, size, flags | MSG_DONTWAIT | MSG_NOSIGNAL));
        } while (r == -EINTR);
        return r;
}

static ssize_t plain_read(int fd, void *buffer, size_t size)
{
        ssize_t r;

        do {
                r = result(read(fd, buffer, size));
        } while (r == -EINTR);
        return r;
}

static ssize_t plain_write(int fd, const void *buffer, size_t size)
{
        ssize_t r;

        do {
                r = result(write(fd, buffer, size));
        } while (r == -EINTR);
        return r;
}

static bool no_nowait(ssize_t r)
{
        return r == -EOPNOTSUPP || r == -ENOSYS;
}

static ssize_t stream_read(int fd, void *buffer, size_t size)
{
        const struct iovec vector = { buffer, size };
        ssize_t r;

        do {
                r = result(preadv2(fd, &vector, 1, -1, RWF_NOWAIT));
        } while (r == -EINTR);
        if (!no_nowait(r))
                return r;
        if (!transfer_is_nonblocking(fd)) {
                r = descriptor_poll(fd, POLLIN);
                if (r <= 0)
                        return r ? r : -EAGAIN;
        }
        return plain_read(fd, buffer, size);
}

/* "Writable" promises room for PIPE_BUF bytes in a pipe, but for one byte only in a terminal.  A
 * write of more would block the thread until there is room. */
static ssize_t terminal_write(int fd, const char *data, size_t size)
{
        size_t done = 0;
        ssize_t r;

        do {
                r = descriptor_poll(fd, POLLOUT);
                if (r == 0)
                        r = -EAGAIN;
                if (r > 0)
                        r = plain_write(fd, data + done, 1);
                if (r > 0)
                        done++;
        } while (r > 0 && done < size && done < PIPE_BUF);
        return done ? (ssize_t)done : r;
}

static ssize_t stream_write(int fd, const void *buffer, size_t size)
{
        const struct iovec vector = { (void *)buffer, size };
        ssize_t r;

        do {
                r = result(pwritev2(fd, &vector, 1, -1, RWF_NOWAIT));
        } while (r == -EINTR);
        if (!no_nowait(r))
                return r;
        if (!transfer_is_nonblocking(fd)) {
                if (isatty(fd))
                        return terminal_write(fd, buffer, size);
                r = descriptor_poll(fd, POLLOUT);
                if (r <= 0)
                        return r ? r : -EAGAIN;
                size = size < PIPE_BUF ? size : PIPE_BUF;
        }
        return plain_write(fd, buffer, size);
}

ssize_t transfer_read(int fd, enum transfer_kind *kind, void *buffer, size_t size)
{
        if (*kind == TRANSFER_SOCKET) {
                /* recv(2) of nothing waits for something, read(2) does not. */
                ssize_t r = size ? transfer_recv(fd, buffer, size, 0) : plain_read(fd, buffer, 0);

                if (r != -ENOTSOCK)
                        return r;
                *kind = transfer_kind(fd);
        }
        return *kind == TRANSFER_FILE ? plain_read(fd, buffer, size)
                                      : stream_read(fd, buffer, size);
}

ssize_t transfer_write(int fd, enum transfer_kind *kind, const void *buffer, size_t size)
{
        if (*kind == TRANSFER_SOCKET) {
                ssize_t r = transfer_send(fd, buffer, size, 0);

                if (r != -ENOTSOCK)
                        return r;
                *kind = transfer_kind(fd);
        }
        return *kind == TRANSFER_FILE ? plain_write(fd, buffer, size)
                                      : stream_write(fd, buffer, size);
}

int transfer_waited(int revents, short events, unsigned *futile)
{
        if (revents < 0)
                return revents;
        if (!(revents & events) && ++*futile > 1)
                fib_sleep(FIB_MILLISECOND << (*futile < 6 ? *futile : 6));
        return 0;
}

int transfer_wait(int fd, short events, unsigned *futile)
{
        int r = events == POLLIN ? fib_wait_readable(fd) : fib_wait_writable(fd);

        return transfer_waited(r, events, futile);
}
