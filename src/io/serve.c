/* SPDX-License-Identifier: MIT */
/* serve.c - the accept loop.
 *
 * What accept(2) says falls in three classes: errors of a connection that is gone already, on to
 * the next; a want of descriptors or memory, of which only time can be the cure (the socket stays
 * readable all the while, so that waiting for it would spin); and errors of the listener, which
 * end the loop. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <fibers/descriptor.h>
#include <fibers/operation.h>
#include <fibers/socket.h>
#include <fibers/time.h>
#include "base/pool.h"
#include "io/result.h"
#include "io/transfer.h"
#include "sched/descriptor.h"

/* How long to wait for descriptors: twice as long each time in a row, within these. */
#define SHORTEST_PAUSE (5 * FIB_MILLISECOND)
#define LONGEST_PAUSE (160 * FIB_MILLISECOND)

/* Other fibers are let run after so many connections in a row. */
#define BURST 64

struct serving {
        int listener;
        bool blocking;    /* the listener is */
        bool set_nodelay; /* on each connection, as the listener has it not */
        fib_serve_fn *fn;
        void *arg;
        const fib_spawn_options *spawn;
        fib_condition *stop;
        int64_t pause;
};

struct connection {
        fib_serve_fn *fn;
        void *arg;
        int fd;
};

static void *run_connection(void *arg)
{
        struct connection connection = *(struct connection *)arg;

        pool_free(arg, sizeof(connection));
        connection.fn(connection.fd, connection.arg);
        return NULL;
}

static int start(struct serving *serving, int fd)
{
        struct connection *connection = pool_alloc(sizeof(*connection));
        int r = -ENOMEM;

        if (connection) {
                connection->fn = serving->fn;
                connection->arg = serving->arg;
                connection->fd = fd;
                r = fib_spawn_with(serving->spawn, run_connection, connection, NULL);
                if (!r)
                        return 0;
                pool_free(connection, sizeof(*connection));
        }
        fib_close(fd);
        return r;
}

/* Performs `op`, or ends with the stop.  Return: 0; -ECANCELED; or the operation's error. */
static int wait_for(struct serving *serving, fib_op *op)
{
        int r;

        if (!serving->stop) {
                r = fib_perform(op, NULL);
                return r < 0 ? r : 0;
        }
        r = fib_perform(fib_choice(fib_condition_wait_op(serving->stop), op), NULL);
        return r == 0 ? -ECANCELED : r < 0 ? r : 0;
}

static int accept_one(struct serving *serving)
{
        int r;

        if (serving->blocking) {
                r = descriptor_poll(serving->listener, POLLIN);
                if (r <= 0)
                        return r ? r : -EAGAIN;
        }
        r = (int)result(accept4(serving->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (r >= 0 && serving->set_nodelay)
                setsockopt(r, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
        return r;
}

/* Return: 0: go on; or an error that ends the loop. */
static int recover(struct serving *serving, int error)
{
        int64_t pause = serving->pause;

        switch (error) {
        case -EINTR:
        case -ECONNABORTED:
        case -EPROTO:
        case -EPERM:
        case -ENOPROTOOPT:
        case -ENETDOWN:
        case -ENETUNREACH:
        case -EHOSTDOWN:
        case -EHOSTUNREACH:
        case -ENONET: return 0;
        case -EAGAIN: return wait_for(serving, fib_readable_op(serving->listener));
        case -EMFILE:
        case -ENFILE:
        case -ENOBUFS:
        case -ENOMEM:
                serving->pause = pause < LONGEST_PAUSE ? pause * 2 : pause;
                return wait_for(serving, fib_sleep_op(pause));
        default: return error;
        }
}

static int serve(struct serving *serving)
{
        unsigned burst = 0;
        int r;

        for (;;) {
                if (serving->stop && fib_condition_signalled(serving->stop))
                        return 0;
                r = accept_one(serving);
                if (r >= 0) {
                        r = start(serving, r);
                        if (!r)
                                serving->pause = SHORTEST_PAUSE;
                }
                if (r < 0) {
                        r = recover(serving, r);
                        if (r == -ENOMEM) /* for the operation: no time to wait for more */
                                r = fib_sleep(LONGEST_PAUSE);
                }
                if (r < 0)
                        return r == -ECANCELED || r == -EBADF ? 0 : r;
                if (++burst % BURST == 0)
                        fib_yield();
        }
}

static bool option_of(int fd, int level, int option)
{
        int value = 0;
        socklen_t length = sizeof(value);

        return !getsockopt(fd, level, option, &value, &length) && value;
}

static bool is_tcp(int fd)
{
        int protocol = 0;
        socklen_t length = sizeof(protocol);

        return !getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) &&
               protocol == IPPROTO_TCP;
}

int fib_serve(int listener, fib_serve_fn *fn, void *arg, const fib_serve_options *options)
{
        struct serving serving = {
                .listener = listener,
                .blocking = !transfer_is_nonblocking(listener),
                .fn = fn,
                .arg = arg,
                .spawn = options ? options->spawn : NULL,
                .stop = options ? options->stop : NULL,
                .pause = SHORTEST_PAUSE,
        };
        int listening = 0;
        socklen_t length = sizeof(listening);
        int r;

        if (!fn)
                return -EINVAL;
        r = (int)result(getsockopt(listener, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length));
        if (r < 0)
                return r;
        if (!listening)
                return -EINVAL;
        serving.set_nodelay = is_tcp(listener) && !option_of(listener, IPPROTO_TCP, TCP_NODELAY);
        return serve(&serving);
}
