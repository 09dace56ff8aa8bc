/* SPDX-License-Identifier: MIT */
/* socket.h - listening, connecting and serving, in one call each.
 *
 * The descriptors given are non-blocking and close-on-exec; TCP's have TCP_NODELAY on.  They are
 * for the calls of <fibers/descriptor.h>, for ports (<fibers/port.h>), and for fib_close(). */
#ifndef FIBERS_SOCKET_H
#define FIBERS_SOCKET_H

#include <fibers/condition.h>
#include <fibers/fiber.h>
#include <fibers/value.h>

FIB_BEGIN

typedef struct fib_listen_options {
        /* Connections that may wait to be accepted; 0: as many as the system allows. */
        int backlog;

        /* TCP: others may listen on the same address and port, and share its connections. */
        bool reuse_port;

        /* TCP: "::" and NULL are for IPv6 only; otherwise IPv4 is served too. */
        bool only_v6;

        /* Unix: a socket that a server which is gone has left at this path is removed first. */
        bool replace;
} fib_listen_options;

/* Listens on a numeric IPv4 or IPv6 address ("::1", "fe80::1%eth0"); NULL or "": on all.  Port
 * 0: on one that is free, see fib_socket_port().  An address that a server before has not long
 * left can be used at once (SO_REUSEADDR).
 *
 * Return: a descriptor.  Fails: -EINVAL (no numeric address), and as socket(2), bind(2) and
 * listen(2) do: -EADDRINUSE, -EACCES, -EADDRNOTAVAIL, ... */
FIB_API int fib_listen_tcp(const char *address, uint16_t port, const fib_listen_options *options);

/* The same at a path, or in the abstract namespace if the path begins with '@'.  The file stays
 * when the descriptor is closed.  Fails further: -ENAMETOOLONG. */
FIB_API int fib_listen_unix(const char *path, const fib_listen_options *options);

/* Return: the port that a socket is bound to.  Fails: -EAFNOSUPPORT (it is no TCP or UDP one). */
FIB_API int fib_socket_port(int fd);

/* Waits until it is connected.  Addresses as above; NULL or "": this machine.
 * Return: a descriptor.  Fails as connect(2) does, and -EINVAL, -ENAMETOOLONG. */
FIB_API int fib_connect_tcp(const char *address, uint16_t port);
FIB_API int fib_connect_unix(const char *path);

/* What is done for a connection, in a fiber of its own.  It owns the descriptor. */
typedef void fib_serve_fn(int fd, void *arg);

typedef struct fib_serve_options {
        /* How the fibers are spawned: in parallel, with which stacks ...; NULL: as fib_spawn(). */
        const fib_spawn_options *spawn;

        /* Signalled, it ends fib_serve(); connections that are being served go on. */
        fib_condition *stop;
} fib_serve_options;

/* Accepts connections of a listening socket, and spawns fn(fd, arg) for each, until it is stopped
 * or fib_close() closes the listener.  Connections that ended before they were accepted are
 * passed over.  Out of descriptors or memory, it tries again after a while; connections wait in
 * the socket's backlog meanwhile.
 *
 * The listener stays the caller's, and is better non-blocking: accepting from a blocking one
 * may block the thread if another process accepts from it too.
 *
 * Return: 0 when it was stopped or the listener was closed.  Fails: -EINVAL, -EBADF, -ENOTSOCK,
 * -EOPNOTSUPP (it is no listener from the start), -ESRCH (as fib_spawn()). */
FIB_API int fib_serve(int listener, fib_serve_fn *fn, void *arg, const fib_serve_options *options);

FIB_END

#endif
