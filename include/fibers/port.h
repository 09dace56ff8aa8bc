/* SPDX-License-Identifier: MIT */
/* port.h - a buffered stream of bytes over a descriptor.
 *
 * One fiber at a time may read from a port, and one write to it, which may be two different
 * ones.  No buffer is held while a port waits for input, or has nothing left to write: an idle
 * connection costs some 150 bytes.
 *
 * A call that fails has lost nothing: what was read but not given is still there to be read, and
 * what was taken but not written is still there to be written.  So one that returns -ETIMEDOUT
 * may be made again. */
#ifndef FIBERS_PORT_H
#define FIBERS_PORT_H

#include <stdarg.h>
#include <sys/types.h>
#include <fibers/value.h>

FIB_BEGIN

typedef struct fib_port fib_port;

/* When what was written goes out, besides in fib_port_flush() and fib_port_close(). */
typedef enum fib_port_buffering {
        FIB_PORT_BLOCK, /* when the buffer is full */
        FIB_PORT_LINE,  /* and at each newline */
        FIB_PORT_NONE   /* at once */
} fib_port_buffering;

#define FIB_PORT_BUFFER_DEFAULT 4096u

typedef struct fib_port_options {
        /* Of each direction, in bytes; 0: FIB_PORT_BUFFER_DEFAULT. */
        size_t buffer_size;

        fib_port_buffering buffering;

        /* Before reading waits for input, what was written is flushed: all the answers to
         * requests that came together go out together.  For ports that one fiber uses alone;
         * reading may then fail as writing does. */
        bool flush_before_wait;

        /* See fib_port_set_read_timeout(). */
        int64_t read_timeout;
        int64_t write_timeout;
} fib_port_options;

/* Takes the descriptor, blocking or not; without memory (NULL) it stays the caller's. */
FIB_API fib_port *fib_port_new(int fd, const fib_port_options *options);

/* Flushes, closes the descriptor with fib_close(), and frees the port, even when it fails.
 * Nobody else may be using it then.  Fails: as fib_port_flush(), and what could not be written is
 * dropped; or as close(2). */
FIB_API int fib_port_close(fib_port *port);

/* Its descriptor, borrowed. */
FIB_API int fib_port_fd(const fib_port *port);

/* How long a call may wait in all, in nanoseconds, before it fails with -ETIMEDOUT; 0 or less:
 * for ever. */
FIB_API void fib_port_set_read_timeout(fib_port *port, int64_t ns);
FIB_API void fib_port_set_write_timeout(fib_port *port, int64_t ns);

FIB_API void fib_port_set_buffering(fib_port *port, fib_port_buffering buffering);

/* Gives what is there, up to `size` bytes; waits only if there is nothing.
 * Return: how many; 0: the end. */
FIB_API ssize_t fib_port_read(fib_port *port, void *buffer, size_t size);

/* Return: `size`; fewer at the end; also fewer when more than the port's buffer size was asked
 * for and a failure came in between, which the next call then tells. */
FIB_API ssize_t fib_port_read_exactly(fib_port *port, void *buffer, size_t size);

/* A line is given with its newline, which only the last one may lack; it is not terminated
 * otherwise.  It lies in the port's buffer: the caller's to change, until the next reading call.
 *
 * `limit` is the most that a line may have, newline included; 0: the port's buffer size.
 *
 * Return: its length; 0: the end.  Fails: -EMSGSIZE (it is longer, and all of it is still there
 * to be read, by pieces or with another limit, or skipped), -ENOMEM. */
FIB_API ssize_t fib_port_read_line(fib_port *port, size_t limit, char **ret);

/* The same with another byte for the newline. */
FIB_API ssize_t fib_port_read_until(fib_port *port, char delimiter, size_t limit, char **ret);

/* Waits until `size` bytes are there, and leaves them there.  `ret` is as above, and tells of all
 * that has been read so far; with 0, that is all it does.
 * Return: how many; fewer than `size` at the end.  Fails: -ENOMEM. */
FIB_API ssize_t fib_port_peek(fib_port *port, size_t size, char **ret);

/* Drops `size` bytes; or all up to the next newline and that too.  Made again after -ETIMEDOUT,
 * fib_port_skip_line() goes on.  Return: how many; 0: the end. */
FIB_API ssize_t fib_port_skip(fib_port *port, size_t size);
FIB_API ssize_t fib_port_skip_line(fib_port *port);

/* Return: how many bytes can be read without asking the kernel. */
FIB_API size_t fib_port_buffered(const fib_port *port);

/* Ready when fib_port_read() would not wait: the buffer counts.  The value is poll's events.  To
 * be performed by whoever reads; if the port flushes before it waits, that is done first.  The
 * port must outlive it. */
FIB_API fib_op *fib_port_readable_op(fib_port *port);

/* Data that fits into the buffer is taken as a whole, or not at all when it fails.  Of larger
 * data, and of any without buffering, a part may have been written before a failure.
 * Return: `size`; or the size of that part, and the next call tells the failure. */
FIB_API ssize_t fib_port_write(fib_port *port, const void *data, size_t size);

/* Return: how many bytes.  Fails further: -ENOMEM (for longer texts than the buffer). */
FIB_API int fib_port_printf(fib_port *port, const char *format, ...) FIB_PRINTF(2, 3);
FIB_API int fib_port_vprintf(fib_port *port, const char *format, va_list args) FIB_PRINTF(2, 0);

/* Writes what was taken. */
FIB_API int fib_port_flush(fib_port *port);

/* Flushes, and ends the stream for the other side; reading goes on (shutdown(2), SHUT_WR).
 * Fails further: -ENOTSOCK. */
FIB_API int fib_port_shutdown(fib_port *port);

FIB_END

#endif
