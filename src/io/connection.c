/* SPDX-License-Identifier: MIT */
/* connection.c - accept(2) and connect(2) for fibers. */
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <fibers/descriptor.h>
#include <fibers/time.h>
#include "io/result.h"
#include "io/transfer.h"
#include "sched/descriptor.h"

static int check_listening(int fd)
{
        int listening = 0;
        socklen_t length = sizeof(listening);
        int r = (int)result(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length));

        return r < 0 || listening ? r : -EINVAL;
}

/* accept4(2) has no flag against waiting.  A blocking listener is therefore looked at first; if
 * another process takes the connection between the two calls, the thread waits for the next. */
static int accept_now(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
        int r;

        if (!transfer_is_nonblocking(fd)) {
                r = check_listening(fd);
                if (r < 0)
                        return r;
                r = descriptor_poll(fd, POLLIN);
                if (r <= 0)
                        return r ? r : -EAGAIN;
        }
        do {
                r = (int)result(accept4(fd, address, length, flags));
        } while (r == -EINTR);
        return r;
}

int fib_accept(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
        unsigned futile = 0;
        int r;

        while ((r = accept_now(fd, address, length, flags)) == -EAGAIN) {
                r = transfer_wait(fd, POLLIN, &futile);
                if (r < 0)
                        break;
        }
        return r;
}

/* A blocking socket is non-blocking for the time of this one call, which does not wait then.
 * While it is being connected, nobody else has a use for it who could notice. */
static int connect_now(int fd, const struct sockaddr *address, socklen_t length)
{
        int file_flags = fcntl(fd, F_GETFL);
        int r;

        if (file_flags < 0)
                return (int)result(file_flags);
        if (!(file_flags & O_NONBLOCK) && fcntl(fd, F_SETFL, file_flags | O_NONBLOCK) < 0)
                return (int)result(-1);
        do {
                r = (int)result(connect(fd, address, length));
        } while (r == -EINTR);
        if (!(file_flags & O_NONBLOCK))
                fcntl(fd, F_SETFL, file_flags);
        return r;
}

/* What became of it is asked by connecting again: an error, EALREADY, or success, of which the
 * kernel only then takes note (and says EISCONN ever after).  SO_ERROR would tell less. */
int fib_connect(int fd, const struct sockaddr *address, socklen_t length)
{
        int64_t pause = 50 * FIB_MICROSECOND;
        bool waited = false;
        int r;

        for (;;) {
                r = connect_now(fd, address, length);
                if (r == -EINPROGRESS || (r == -EALREADY && waited)) {
                        r = fib_wait_writable(fd);
                        waited = true;
                } else if (r == -EAGAIN && address->sa_family == AF_UNIX) {
                        /* The listener's queue is full, and nothing tells when it has room. */
                        r = fib_sleep(pause);
                        pause = pause < 20 * FIB_MILLISECOND ? pause * 2 : pause;
                } else {
                        return r == -EISCONN && waited ? 0 : r;
                }
                if (r < 0)
                        return r;
        }
}
