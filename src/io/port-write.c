/* SPDX-License-Identifier: MIT */
/* port-write.c - a port's output.
 *
 * What was taken and not yet written is writer.data[start .. end - 1]; it stays there when a
 * write fails, for the next flush. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fibers/port.h>
#include "io/port.h"

/* Return: how much was written of `data`, all or until a failure; or the failure if none. */
static ssize_t write_through(struct fib_port *port, const char *data, size_t size,
                             struct port_call *call)
{
        size_t done = 0;
        ssize_t r = 0;

        while (done < size) {
                r = transfer_write(port->fd, &port->kind, data + done, size - done);
                if (r > 0)
                        done += (size_t)r;
                else if (r == -EAGAIN)
                        r = port_wait(port, &port->writer, POLLOUT, call);
                else if (r == 0)
                        r = -EIO; /* some device that will never take it */
                if (r < 0)
                        break;
        }
        return done ? (ssize_t)done : r;
}

int port_flush(struct fib_port *port, struct port_call *call)
{
        struct port_side *writer = &port->writer;
        ssize_t r = port_take_error(writer);

        while (port_length(writer) && r >= 0) {
                r = write_through(port, writer->data + writer->start, port_length(writer), call);
                if (r > 0)
                        writer->start += (size_t)r;
        }
        if (r < 0)
                return (int)r;
        port_release(writer);
        return 0;
}

int fib_port_flush(fib_port *port)
{
        return port_flush(port, &(struct port_call){ 0 });
}

/* Makes room for so many bytes, which must fit into an empty buffer. */
static int make_room(struct fib_port *port, size_t size, struct port_call *call)
{
        struct port_side *writer = &port->writer;
        int r;

        if (writer->data && writer->capacity - writer->end >= size)
                return 0;
        r = port_flush(port, call);
        return r < 0 ? r : port_allocate(port, writer);
}

/* After `size` more bytes are in the buffer.  They are taken: what fails now, the next call
 * tells.  After a timeout it tries again anyway. */
static void taken(struct fib_port *port, size_t size, struct port_call *call)
{
        struct port_side *writer = &port->writer;
        int r;

        writer->end += size;
        if (port->buffering == FIB_PORT_LINE &&
            memchr(writer->data + writer->end - size, '\n', size)) {
                r = port_flush(port, call);
                if (r < 0 && r != -ETIMEDOUT)
                        writer->error = r;
        }
}

ssize_t fib_port_write(fib_port *port, const void *data, size_t size)
{
        struct port_call call = { 0 };
        int r;

        if (!size)
                return 0;
        if (port->buffering == FIB_PORT_NONE || size > port->buffer_size) {
                r = port_flush(port, &call);
                return r < 0 ? r : write_through(port, data, size, &call);
        }
        r = make_room(port, size, &call);
        if (r < 0)
                return r;
        memcpy(port->writer.data + port->writer.end, data, size);
        taken(port, size, &call);
        return (ssize_t)size;
}

/* For texts that do not fit into the buffer. */
FIB_PRINTF(2, 0)
static int print_long(struct fib_port *port, const char *format, va_list args)
{
        char *text = NULL;
        int length = vasprintf(&text, format, args);
        ssize_t r;

        if (length < 0)
                return -ENOMEM;
        r = fib_port_write(port, text, (size_t)length);
        free(text);
        return (int)r;
}

int fib_port_vprintf(fib_port *port, const char *format, va_list args)
{
        struct port_side *writer = &port->writer;
        struct port_call call = { 0 };
        va_list again;
        size_t room;
        int length, r;

        if (port->buffering == FIB_PORT_NONE)
                return print_long(port, format, args);
        r = make_room(port, 1, &call);
        if (r < 0)
                return r;
        room = writer->capacity - writer->end;
        va_copy(again, args);
        /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): it is, by va_copy */
        length = vsnprintf(writer->data + writer->end, room, format, again);
        if (length < 0)
                r = -EINVAL;
        else if ((size_t)length >= room) /* the terminating byte needs its place too */
                r = print_long(port, format, args);
        else
                taken(port, (size_t)length, &call);
        va_end(again);
        return r < 0 ? r : length;
}

int fib_port_printf(fib_port *port, const char *format, ...)
{
        va_list args;
        int r;

        va_start(args, format);
        r = fib_port_vprintf(port, format, args);
        va_end(args);
        return r;
}
