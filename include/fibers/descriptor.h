/* SPDX-License-Identifier: MIT */
/* descriptor.h - file descriptors: readiness, and input and output that suspend the fiber. */
#ifndef FIBERS_DESCRIPTOR_H
#define FIBERS_DESCRIPTOR_H

#include <sys/socket.h>
#include <sys/types.h>
#include <fibers/value.h>

FIB_BEGIN

/* Ready while the descriptor is readable (writable), at its end, in error or hung up: as poll(2)
 * has it.  The value is poll's events.  Performing it gives -EBADF for a descriptor that is not
 * open, or when fib_close() closes it meanwhile.  That another reader was faster is possible. */
FIB_API fib_op *fib_readable_op(int fd);
FIB_API fib_op *fib_writable_op(int fd);

/* Return: poll's events. */
FIB_API int fib_wait_readable(int fd);
FIB_API int fib_wait_writable(int fd);

/* Accepts a connection of a listening socket; `flags` as for accept4(2).  The value is the new
 * descriptor.  Another process or fiber that takes the connection first is waited out.
 * Performing it fails as accept4(2) does. */
FIB_API fib_op *fib_accept_op(int fd, int flags);

/* Direct calls: as their namesakes of POSIX, except that they return -errno, that they suspend
 * the calling fiber where those would block or say EAGAIN, and that EINTR does not happen.
 * Blocking and non-blocking descriptors both work; their flags are left as they are.
 *
 * A write to a blocking descriptor takes all, one to a non-blocking descriptor what fits.  On
 * sockets SIGPIPE is not raised (-EPIPE says it all); on pipes it is, as by write(2).  Flags that
 * ask not to wait are obeyed: with MSG_DONTWAIT (for fib_recv(), MSG_OOB and MSG_ERRQUEUE too)
 * -EAGAIN is returned. */
FIB_API ssize_t fib_read(int fd, void *buffer, size_t size);
FIB_API ssize_t fib_write(int fd, const void *buffer, size_t size);
FIB_API ssize_t fib_recv(int fd, void *buffer, size_t size, int flags);
FIB_API ssize_t fib_send(int fd, const void *buffer, size_t size, int flags);
FIB_API int fib_accept(int fd, struct sockaddr *address, socklen_t *length, int flags);
FIB_API int fib_connect(int fd, const struct sockaddr *address, socklen_t length);

/* Closes a descriptor and wakes whoever waits for it with -EBADF.  A descriptor that the library
 * has waited for is to be closed with it, not with close(2). */
FIB_API int fib_close(int fd);

FIB_END

#endif
