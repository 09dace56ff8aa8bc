/* SPDX-License-Identifier: MIT */
/* port.c - what both directions of a port have in common. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <fibers/descriptor.h>
#include <fibers/operation.h>
#include <fibers/port.h>
#include <fibers/time.h>
#include "base/pool.h"
#include "io/port.h"
#include "io/result.h"
#include "platform/clock.h"

fib_port *fib_port_new(int fd, const fib_port_options *options)
{
        static const fib_port_options defaults;
        fib_port *port = pool_alloc(sizeof(*port));

        if (!port)
                return NULL;
        if (!options)
                options = &defaults;
        *port = (fib_port){
                .fd = fd,
                .kind = transfer_kind(fd),
                .buffer_size = options->buffer_size ? options->buffer_size
                                                    : FIB_PORT_BUFFER_DEFAULT,
                .flush_before_wait = options->flush_before_wait,
                .reader.timeout = options->read_timeout,
                .writer.timeout = options->write_timeout,
                .buffering = options->buffering,
        };
        return port;
}

int fib_port_close(fib_port *port)
{
        int r, closed;

        if (!port)
                return 0;
        r = fib_port_flush(port);
        closed = fib_close(port->fd);
        port_release(&port->reader);
        port_release(&port->writer);
        pool_free(port, sizeof(*port));
        return r < 0 ? r : closed;
}

int fib_port_shutdown(fib_port *port)
{
        int r = fib_port_flush(port);

        return r < 0 ? r : (int)result(shutdown(port->fd, SHUT_WR));
}

int fib_port_fd(const fib_port *port)
{
        return port->fd;
}

void fib_port_set_read_timeout(fib_port *port, int64_t ns)
{
        port->reader.timeout = ns;
}

void fib_port_set_write_timeout(fib_port *port, int64_t ns)
{
        port->writer.timeout = ns;
}

void fib_port_set_buffering(fib_port *port, fib_port_buffering buffering)
{
        port->buffering = buffering;
}

size_t fib_port_buffered(const fib_port *port)
{
        return port_length(&port->reader);
}

int port_allocate(struct fib_port *port, struct port_side *side)
{
        side->data = malloc(port->buffer_size);
        if (!side->data)
                return -ENOMEM;
        side->capacity = port->buffer_size;
        side->start = side->end = 0;
        return 0;
}

void port_release(struct port_side *side)
{
        free(side->data);
        side->data = NULL;
        side->capacity = side->start = side->end = 0;
}

int port_wait(struct fib_port *port, struct port_side *side, short events, struct port_call *call)
{
        fib_value revents;
        fib_op *ready;
        int r;

        if (side->timeout <= 0)
                return transfer_wait(port->fd, events, &call->futile);
        /* From the first wait on: a call that does not wait does not look at the clock. */
        if (!call->expiry)
                call->expiry = clock_add(fib_now(), side->timeout);
        ready = events == POLLIN ? fib_readable_op(port->fd) : fib_writable_op(port->fd);
        r = fib_perform(fib_choice(fib_timer_op(call->expiry), ready), &revents);
        if (r == 0)
                return -ETIMEDOUT;
        return transfer_waited(r < 0 ? r : (int)revents.num, events, &call->futile);
}

/* Made anew at each perform, since buffers fill and empty meanwhile. */
static fib_op *readable(void *arg)
{
        struct fib_port *port = arg;

        if (port_length(&port->reader) || port->reader.error)
                return fib_always(fib_num(POLLIN));
        if (port->flush_before_wait && fib_port_flush(port) < 0) {
                port->drained = true; /* so that a read flushes too, and tells why it failed */
                return fib_always(fib_num(POLLERR));
        }
        port->drained = false; /* or will be found out: the wait is done here */
        return fib_readable_op(port->fd);
}

fib_op *fib_port_readable_op(fib_port *port)
{
        return fib_guard(readable, port);
}
