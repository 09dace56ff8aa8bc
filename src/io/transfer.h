/* SPDX-License-Identifier: MIT */
/* transfer.h - one attempt to read or write that does not block the thread, whether or not the
 * descriptor is non-blocking; and the wait between two attempts.
 *
 *   sockets         recv(2), send(2) with MSG_DONTWAIT
 *   all the others  preadv2(2), pwritev2(2) with RWF_NOWAIT where the kernel has it for them
 *                   (pipes since 6.4, most event descriptors); else poll(2), and the call if it
 *                   says ready.  In a blocking descriptor that somebody else is faster on, that
 *                   call may block.
 *   regular files   the call: for them a disk's delay is not "would block".  (Later io_uring.)
 *
 * Setting O_NONBLOCK for a moment was refused: the flag is that of all processes that share the
 * open file, a terminal's most of all. */
#ifndef IO_TRANSFER_H
#define IO_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum transfer_kind { TRANSFER_SOCKET, TRANSFER_STREAM, TRANSFER_FILE };

/* One system call; nothing is known for longer than the descriptor surely stays open.  A
 * descriptor that is not open counts as a stream; the attempt then fails. */
enum transfer_kind transfer_kind(int fd);

/* Return: as read(2) and write(2), -errno; -EAGAIN: wait first.  Never -EINTR.  A write may be
 * partial.  `kind` is corrected if it says "socket" wrongly. */
ssize_t transfer_read(int fd, enum transfer_kind *kind, void *buffer, size_t size);
ssize_t transfer_write(int fd, enum transfer_kind *kind, const void *buffer, size_t size);

/* The same for sockets only, with flags. */
ssize_t transfer_recv(int fd, void *buffer, size_t size, int flags);
ssize_t transfer_send(int fd, const void *buffer, size_t size, int flags);

/* Waits after an attempt that said -EAGAIN, for POLLIN or POLLOUT.
 *
 * An error that no attempt takes away (a socket's error queue) keeps a descriptor "ready" for
 * ever; `futile`, 0 before the first attempt, counts such rounds, and from the second one on
 * they sleep instead of spinning. */
int transfer_wait(int fd, short events, unsigned *futile);

/* What to do with what fib_wait_readable() and its like returned: the rest of transfer_wait(). */
int transfer_waited(int revents, short events, unsigned *futile);

bool transfer_is_nonblocking(int fd);

#endif
