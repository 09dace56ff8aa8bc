/* SPDX-License-Identifier: MIT */
/* port-read.c - a port's input.
 *
 * What was read and not yet taken is reader.data[start .. end - 1].  All input comes through
 * receive(), into the buffer or right into the caller's memory.  An attempt that brought less
 * than there was room for has drained the descriptor: before the next one the port waits, instead
 * of asking the kernel for an EAGAIN.  An empty buffer is freed before a wait. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <fibers/port.h>
#include "io/port.h"

static int wait_for_input(struct fib_port *port, struct port_call *call)
{
        int r;

        if (port->flush_before_wait && port_length(&port->writer)) {
                r = port_flush(port, &(struct port_call){ 0 });
                if (r < 0)
                        return r;
        }
        if (!port_length(&port->reader))
                port_release(&port->reader);
        r = port_wait(port, &port->reader, POLLIN, call);
        if (!r)
                port->drained = false;
        return r;
}

/* Fits the buffer for more input: allocated, moved to its beginning, at last doubled. */
static int make_room(struct fib_port *port)
{
        struct port_side *reader = &port->reader;
        char *data;

        if (!reader->data)
                return port_allocate(port, reader);
        if (!port_length(reader)) {
                reader->start = reader->end = 0;
        } else if (reader->end == reader->capacity && reader->start) {
                memmove(reader->data, reader->data + reader->start, port_length(reader));
                reader->end -= reader->start;
                reader->start = 0;
        } else if (reader->end == reader->capacity) {
                data = realloc(reader->data, reader->capacity * 2);
                if (!data)
                        return -ENOMEM;
                reader->data = data;
                reader->capacity *= 2;
        }
        return 0;
}

/* Reads into `buffer`, or if that is NULL into the port's.
 * Return: how many bytes came; 0: the end. */
static ssize_t receive(struct fib_port *port, char *buffer, size_t size, struct port_call *call)
{
        struct port_side *reader = &port->reader;
        char *to = buffer;
        ssize_t r;

        if (reader->error)
                return port_take_error(reader);
        for (;;) {
                if (port->drained) {
                        r = wait_for_input(port, call);
                        if (r < 0)
                                return r;
                }
                if (!buffer) {
                        r = make_room(port);
                        if (r < 0)
                                return r;
                        to = reader->data + reader->end;
                        size = reader->capacity - reader->end;
                }
                r = transfer_read(port->fd, &port->kind, to, size);
                port->drained = r == -EAGAIN ||
                                (r > 0 && (size_t)r < size && port->kind != TRANSFER_FILE);
                if (r != -EAGAIN)
                        break;
        }
        if (r > 0 && !buffer)
                reader->end += (size_t)r;
        return r;
}

static ssize_t fill(struct fib_port *port, struct port_call *call)
{
        return receive(port, NULL, 0, call);
}

/* NULL if nothing is there. */
static char *in_buffer(struct fib_port *port)
{
        struct port_side *reader = &port->reader;

        return port_length(reader) ? reader->data + reader->start : NULL;
}

static size_t take(struct fib_port *port, void *buffer, size_t size)
{
        struct port_side *reader = &port->reader;

        if (size > port_length(reader))
                size = port_length(reader);
        if (size && buffer)
                memcpy(buffer, in_buffer(port), size);
        reader->start += size;
        return size;
}

static ssize_t read_some(struct fib_port *port, char *buffer, size_t size, struct port_call *call)
{
        ssize_t r;

        if (!size)
                return 0;
        if (!port_length(&port->reader)) {
                if (size >= port->buffer_size)
                        return receive(port, buffer, size, call);
                r = fill(port, call);
                if (r <= 0)
                        return r;
        }
        return (ssize_t)take(port, buffer, size);
}

ssize_t fib_port_read(fib_port *port, void *buffer, size_t size)
{
        return read_some(port, buffer, size, &(struct port_call){ 0 });
}

/* Return: how many bytes are there, `size` or more; fewer: all until the end. */
static ssize_t gather(struct fib_port *port, size_t size, struct port_call *call)
{
        ssize_t r = 1;

        while (port_length(&port->reader) < size && r > 0)
                r = fill(port, call);
        return r < 0 ? r : (ssize_t)port_length(&port->reader);
}

ssize_t fib_port_read_exactly(fib_port *port, void *buffer, size_t size)
{
        struct port_call call = { 0 };
        size_t done = 0;
        ssize_t r;

        if (size <= port->buffer_size) {
                r = gather(port, size, &call);
                return r < 0 ? r : (ssize_t)take(port, buffer, size);
        }
        do {
                r = read_some(port, (char *)buffer + done, size - done, &call);
                if (r > 0)
                        done += (size_t)r;
        } while (r > 0 && done < size);
        if (!done)
                return r;
        if (r < 0)
                port->reader.error = (int)r;
        return (ssize_t)done;
}

ssize_t fib_port_read_until(fib_port *port, char delimiter, size_t limit, char **ret)
{
        struct port_side *reader = &port->reader;
        struct port_call call = { 0 };
        size_t seen = 0; /* so many bytes are no delimiter */
        const char *end;
        char *start;
        size_t length;
        ssize_t r = 1;

        if (!limit)
                limit = port->buffer_size;
        for (;;) {
                start = in_buffer(port);
                length = port_length(reader) < limit ? port_length(reader) : limit;
                end = length > seen ? memchr(start + seen, delimiter, length - seen) : NULL;
                if (end) {
                        length = (size_t)(end + 1 - start);
                        break;
                }
                if (length == limit)
                        return -EMSGSIZE;
                if (r == 0)
                        break;
                seen = length;
                r = fill(port, &call);
                if (r < 0)
                        return r;
        }
        if (ret && length)
                *ret = start;
        reader->start += length;
        return (ssize_t)length;
}

ssize_t fib_port_read_line(fib_port *port, size_t limit, char **ret)
{
        return fib_port_read_until(port, '\n', limit, ret);
}

ssize_t fib_port_peek(fib_port *port, size_t size, char **ret)
{
        ssize_t r = gather(port, size, &(struct port_call){ 0 });

        if (r > 0 && ret)
                *ret = in_buffer(port);
        return r;
}

ssize_t fib_port_skip(fib_port *port, size_t size)
{
        struct port_call call = { 0 };
        size_t done = take(port, NULL, size);
        ssize_t r = 1;

        while (done < size && r > 0) {
                r = fill(port, &call);
                done += take(port, NULL, size - done);
        }
        if (r < 0 && !done)
                return r;
        if (r < 0)
                port->reader.error = (int)r;
        return (ssize_t)done;
}

ssize_t fib_port_skip_line(fib_port *port)
{
        struct port_side *reader = &port->reader;
        struct port_call call = { 0 };
        size_t done = 0;
        const char *start, *end;
        ssize_t r = 1;

        while (r > 0) {
                start = in_buffer(port);
                end = start ? memchr(start, '\n', port_length(reader)) : NULL;
                if (end)
                        return (ssize_t)(done + take(port, NULL, (size_t)(end + 1 - start)));
                done += take(port, NULL, port_length(reader));
                r = fill(port, &call);
        }
        return r < 0 ? r : (ssize_t)done;
}
