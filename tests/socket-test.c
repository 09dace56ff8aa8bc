/* SPDX-License-Identifier: MIT */
/* Listening, connecting, accepting, serving; on loopback. */
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <fibers.h>
#include "tests/harness.h"

static bool nodelay(int fd)
{
        int value = 0;
        socklen_t length = sizeof(value);

        return !getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &length) && value;
}

static void check_flags(int fd)
{
        ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
        ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
}

/* Accepts what was just connected, and sends a byte in both directions. */
static void exchange(int listener, int client, bool tcp)
{
        int server = fib_accept(listener, NULL, NULL, SOCK_NONBLOCK);
        char byte = 0;

        ck_assert_int_ge(server, 0);
        check_flags(listener);
        check_flags(client);
        ck_assert_int_eq(nodelay(server), tcp);
        ck_assert_int_eq(nodelay(client), tcp);
        ck_assert_int_eq(fib_write(client, "a", 1), 1);
        ck_assert_int_eq(fib_read(server, &byte, 1), 1);
        ck_assert_int_eq(fib_write(server, "b", 1), 1);
        ck_assert_int_eq(fib_read(client, &byte, 1), 1);
        ck_assert_int_eq(byte, 'b');
        fib_close(server);
        fib_close(client);
}

static void tcp(const char *listen_address, const char *connect_address)
{
        int listener = fib_listen_tcp(listen_address, 0, NULL);
        int port = fib_socket_port(listener);

        if (listener == -EAFNOSUPPORT || listener == -EADDRNOTAVAIL)
                test_skip("no IPv6 here");
        ck_assert_int_ge(listener, 0);
        ck_assert_int_gt(port, 0);
        exchange(listener, fib_connect_tcp(connect_address, (uint16_t)port), true);
        fib_close(listener);
        ck_assert_int_eq(fib_connect_tcp(connect_address, (uint16_t)port), -ECONNREFUSED);
}

static void *tcp_v4(void *arg)
{
        tcp("127.0.0.1", "127.0.0.1");
        tcp("0.0.0.0", "127.0.0.2");
        tcp("", NULL);
        return arg;
}

static void *tcp_v6(void *arg)
{
        tcp("::1", "::1");
        tcp(NULL, "::1");
        tcp("::", "127.0.0.1");
        return arg;
}

TEST(tcp_over_v4)
{
        run_fibers(1, tcp_v4, NULL);
        tcp_v4(NULL);
}

TEST(tcp_over_v6)
{
        run_fibers(1, tcp_v6, NULL);
}

static void *only_v6(void *arg)
{
        const fib_listen_options options = { .only_v6 = true };
        int listener = fib_listen_tcp("::", 0, &options);
        int port = fib_socket_port(listener);

        if (listener == -EAFNOSUPPORT)
                test_skip("no IPv6 here");
        ck_assert_int_eq(fib_connect_tcp("127.0.0.1", (uint16_t)port), -ECONNREFUSED);
        fib_close(listener);
        return arg;
}

TEST(a_listener_may_be_for_v6_only)
{
        run_fibers(1, only_v6, NULL);
}

TEST(addresses_are_numbers)
{
        const char *const bad[] = { "localhost",
                                    "127.0.0.1.2",
                                    "::1::",
                                    "1.2.3",
                                    ":",
                                    "%lo",
                                    "127.0.0.1%lo",
                                    "fe80::1%no-such-interface",
                                    " 127.0.0.1",
                                    "::1%",
                                    "0000:0000:0000:0000:0000:0000:0000:0000:0000:0001" };

        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
                ck_assert_int_eq(fib_listen_tcp(bad[i], 0, NULL), -EINVAL);
                ck_assert_int_eq(fib_connect_tcp(bad[i], 1), -EINVAL);
        }
        ck_assert_int_eq(fib_socket_port(-1), -EBADF);
        ck_assert_int_eq(fib_socket_port(0) < 0, true);
}

TEST(a_port_is_taken_once_unless_shared)
{
        fib_listen_options options = { .backlog = 5 };
        int first = fib_listen_tcp("127.0.0.1", 0, &options), second;
        uint16_t port = (uint16_t)fib_socket_port(first);

        ck_assert_int_eq(fib_listen_tcp("127.0.0.1", port, NULL), -EADDRINUSE);
        fib_close(first);
        options.reuse_port = true;
        first = fib_listen_tcp("127.0.0.1", port, &options);
        second = fib_listen_tcp("127.0.0.1", port, &options);
        ck_assert_int_ge(first, 0);
        ck_assert_int_ge(second, 0);
        fib_close(first);
        fib_close(second);
}

static void *unix_sockets(void *arg)
{
        const fib_listen_options replace = { .replace = true };
        char folder[] = "/tmp/fibers-socket-XXXXXX";
        char path[64], name[64], longer[200];
        int listener;

        ck_assert_ptr_nonnull(mkdtemp(folder));
        snprintf(path, sizeof(path), "%s/socket", folder);
        snprintf(name, sizeof(name), "@%s", folder);
        ck_assert_int_eq(fib_connect_unix(path), -ENOENT);
        listener = fib_listen_unix(path, NULL);
        ck_assert_int_ge(listener, 0);
        ck_assert_int_eq(fib_socket_port(listener), -EAFNOSUPPORT);
        exchange(listener, fib_connect_unix(path), false);
        ck_assert_int_eq(fib_listen_unix(path, NULL), -EADDRINUSE);
        ck_assert_int_eq(fib_listen_unix(path, &replace), -EADDRINUSE); /* its server lives */
        fib_close(listener);
        ck_assert_int_eq(fib_connect_unix(path), -ECONNREFUSED);
        ck_assert_int_eq(fib_listen_unix(path, NULL), -EADDRINUSE);
        listener = fib_listen_unix(path, &replace);
        ck_assert_int_ge(listener, 0);
        exchange(listener, fib_connect_unix(path), false);
        fib_close(listener);
        unlink(path);
        rmdir(folder);

        listener = fib_listen_unix(name, NULL);
        ck_assert_int_ge(listener, 0);
        exchange(listener, fib_connect_unix(name), false);
        fib_close(listener);

        memset(longer, 'x', sizeof(longer) - 1);
        longer[sizeof(longer) - 1] = '\0';
        ck_assert_int_eq(fib_listen_unix(longer, NULL), -ENAMETOOLONG);
        ck_assert_int_eq(fib_connect_unix(longer), -ENAMETOOLONG);
        ck_assert_int_eq(fib_connect_unix(""), -EINVAL);
        ck_assert_int_eq(fib_connect_unix(NULL), -EINVAL);
        ck_assert_int_eq(fib_listen_unix(NULL, NULL), -EINVAL);
        return arg;
}

TEST(unix_sockets_at_a_path_and_abstract)
{
        run_fibers(1, unix_sockets, NULL);
        unix_sockets(NULL);
}

static void *accept_blocking(void *arg)
{
        struct sockaddr_in6 peer;
        socklen_t length = sizeof(peer);
        int fd = fib_accept(*(int *)arg, (struct sockaddr *)&peer, &length, SOCK_CLOEXEC);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(peer.sin6_family, AF_INET);
        ck_assert_int_eq(fib_close(fd), 0);
        return NULL;
}

/* Sockets as a program has made them: blocking. */
static void *connect_blocking(void *arg)
{
        struct sockaddr_in address = { .sin_family = AF_INET };
        socklen_t length = sizeof(address);
        int listener = socket(AF_INET, SOCK_STREAM, 0);
        struct crew crew = { .count = 0 };

        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, length), 0);
        ck_assert_int_eq(listen(listener, 5), 0);
        ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &length), 0);
        for (int i = 0; i < 4; i++) {
                int fd = socket(AF_INET, SOCK_STREAM, 0);

                crew_add(&crew, accept_blocking, &listener);
                fib_sleep(FIB_MILLISECOND);
                ck_assert_int_eq(fib_connect(fd, (struct sockaddr *)&address, length), 0);
                ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
                ck_assert_int_eq(fib_connect(fd, (struct sockaddr *)&address, length), -EISCONN);
                crew_join(&crew);
                fib_close(fd);
        }
        ck_assert_int_eq(fcntl(listener, F_GETFL) & O_NONBLOCK, 0);
        fib_close(listener);
        listener = socket(AF_INET, SOCK_STREAM, 0);
        ck_assert_int_eq(fib_connect(listener, (struct sockaddr *)&address, length), -ECONNREFUSED);
        fib_close(listener);
        return arg;
}

TEST_WORKERS(blocking_sockets_accept_and_connect_without_blocking)
{
        run_fibers(workers, connect_blocking, NULL);
}

static void *accept_late(void *arg)
{
        fib_sleep(20 * FIB_MILLISECOND);
        for (int i = 0; i < 8; i++) {
                int fd = fib_accept(*(int *)arg, NULL, NULL, 0);

                ck_assert_int_ge(fd, 0);
                fib_close(fd);
        }
        return NULL;
}

/* A Unix listener's full queue is no error, and nothing tells when it has room. */
static void *overfill(void *arg)
{
        const fib_listen_options options = { .backlog = 1 };
        char name[64];
        int listener, clients[8];
        struct crew crew = { .count = 0 };

        snprintf(name, sizeof(name), "@fibers-test-%d", (int)getpid());
        listener = fib_listen_unix(name, &options);
        ck_assert_int_ge(listener, 0);
        crew_add(&crew, accept_late, &listener);
        for (int i = 0; i < 8; i++) {
                clients[i] = fib_connect_unix(name);
                ck_assert_int_ge(clients[i], 0);
        }
        crew_join(&crew);
        for (int i = 0; i < 8; i++)
                fib_close(clients[i]);
        fib_close(listener);
        return arg;
}

TEST_WORKERS(a_full_backlog_is_waited_out)
{
        run_fibers(workers, overfill, NULL);
}

static void *send_nothing(void *arg)
{
        for (int i = 0; i < 1000; i++)
                ck_assert_int_eq(fib_send(*(int *)arg, "", 0, 0), 0);
        return NULL;
}

/* More of them than a socket's queue holds. */
static void *empty_datagrams(void *arg)
{
        struct crew crew = { .count = 0 };
        char byte;
        int fds[2];

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
        crew_add(&crew, send_nothing, &fds[1]);
        fib_sleep(FIB_MILLISECOND);
        for (int i = 0; i < 1000; i++)
                ck_assert_int_eq(fib_recv(fds[0], &byte, i % 2, 0), 0);
        crew_join(&crew);
        ck_assert_int_eq(fib_recv(fds[0], &byte, 1, MSG_DONTWAIT), -EAGAIN);
        fib_close(fds[0]);
        fib_close(fds[1]);
        return arg;
}

TEST_WORKERS(an_empty_datagram_waits_for_its_place)
{
        run_fibers(workers, empty_datagrams, NULL);
}

TESTS("socket", tcp_over_v4, tcp_over_v6, a_listener_may_be_for_v6_only, addresses_are_numbers,
      a_port_is_taken_once_unless_shared, unix_sockets_at_a_path_and_abstract,
      blocking_sockets_accept_and_connect_without_blocking, a_full_backlog_is_waited_out,
      an_empty_datagram_waits_for_its_place)
