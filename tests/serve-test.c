/* SPDX-License-Identifier: MIT */
/* fib_serve(), with whole servers on loopback. */
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <fibers.h>
#include "tests/harness.h"

struct server {
        int listener;
        fib_serve_options options;
        fib_spawn_options spawn;
        fib_fiber *fiber;
        atomic_int served;
        atomic_int open;
};

static void echo(int fd, void *arg)
{
        struct server *server = arg;
        char data[256];
        ssize_t n;

        atomic_fetch_add(&server->open, 1);
        while ((n = fib_read(fd, data, sizeof(data))) > 0)
                ck_assert_int_eq(fib_write(fd, data, (size_t)n), n);
        fib_close(fd);
        atomic_fetch_add(&server->served, 1);
        atomic_fetch_sub(&server->open, 1);
}

static void *serve(void *arg)
{
        struct server *server = arg;

        return (void *)(intptr_t)fib_serve(server->listener, echo, server, &server->options);
}

static void begin(struct server *server)
{
        server->listener = fib_listen_tcp("127.0.0.1", 0, NULL);
        ck_assert_int_ge(server->listener, 0);
        server->options.spawn = &server->spawn;
        ck_assert_int_eq(fib_spawn_with(NULL, serve, server, &server->fiber), 0);
}

/* Return: what fib_serve() did. */
static int end(struct server *server)
{
        void *value = NULL;

        ck_assert_int_eq(fib_join(server->fiber, &value), 0);
        fib_fiber_unref(server->fiber);
        return (int)(intptr_t)value;
}

static int connect_to(struct server *server)
{
        int fd = fib_connect_tcp("127.0.0.1", (uint16_t)fib_socket_port(server->listener));

        ck_assert_int_ge(fd, 0);
        return fd;
}

static void wait_until_closed(struct server *server)
{
        while (atomic_load(&server->open))
                fib_sleep(FIB_MILLISECOND);
}

#define CLIENTS 200
#define REQUESTS 20

static void *ask(void *arg)
{
        struct server *server = arg;
        int fd = connect_to(server);
        uint64_t question = fib_fiber_id(fib_self()), answer;

        for (int i = 0; i < REQUESTS; i++) {
                question += UINT64_C(1) << 32;
                ck_assert_int_eq(fib_write(fd, &question, sizeof(question)), sizeof(question));
                ck_assert_int_eq(fib_recv(fd, &answer, sizeof(answer), MSG_WAITALL),
                                 sizeof(answer));
                ck_assert_uint_eq(answer, question);
        }
        fib_close(fd);
        return NULL;
}

static void *ask_much(void *arg)
{
        const fib_spawn_options anywhere = { .parallel = true };
        struct server server = { .spawn.parallel = true };
        fib_fiber *clients[CLIENTS];

        begin(&server);
        for (int i = 0; i < CLIENTS; i++)
                ck_assert_int_eq(fib_spawn_with(&anywhere, ask, &server, &clients[i]), 0);
        for (int i = 0; i < CLIENTS; i++) {
                ck_assert_int_eq(fib_join(clients[i], NULL), 0);
                fib_fiber_unref(clients[i]);
        }
        wait_until_closed(&server);
        ck_assert_int_eq(atomic_load(&server.served), CLIENTS);
        ck_assert_int_eq(fib_close(server.listener), 0);
        ck_assert_int_eq(end(&server), 0);
        return arg;
}

TEST_WORKERS(a_server_answers_200_clients)
{
        run_fibers(workers, ask_much, NULL);
}

static void *stop(void *arg)
{
        for (int early = 0; early < 2; early++) {
                struct server server = { .options.stop = fib_condition_new() };
                int fd = -1;

                begin(&server);
                if (!early) {
                        fd = connect_to(&server);
                        ck_assert_int_eq(fib_write(fd, "a", 1), 1);
                        ck_assert_int_ne(fib_wait_readable(fd) & POLLIN, 0);
                }
                fib_condition_signal(server.options.stop);
                ck_assert_int_eq(end(&server), 0);
                if (!early) { /* what is being served goes on */
                        ck_assert_int_eq(fib_write(fd, "b", 1), 1);
                        ck_assert_int_eq(fib_recv(fd, (char[2]){ 0 }, 2, MSG_WAITALL), 2);
                        fib_close(fd);
                }
                wait_until_closed(&server);
                fib_close(server.listener);
                fib_condition_unref(server.options.stop);
        }
        return arg;
}

TEST_WORKERS(a_condition_stops_a_server)
{
        run_fibers(workers, stop, NULL);
}

static void *misuse(void *arg)
{
        struct server server = { .listener = -1 };
        int fds[2];

        ck_assert_int_eq(fib_serve(-1, echo, &server, NULL), -EBADF);
        ck_assert_int_eq(pipe(fds), 0);
        ck_assert_int_eq(fib_serve(fds[0], echo, &server, NULL), -ENOTSOCK);
        fib_close(fds[0]);
        fib_close(fds[1]);
        fds[0] = socket(AF_INET, SOCK_STREAM, 0);
        ck_assert_int_eq(fib_serve(fds[0], echo, &server, NULL), -EINVAL);
        fib_close(fds[0]);
        fds[0] = fib_listen_tcp(NULL, 0, NULL);
        ck_assert_int_eq(fib_serve(fds[0], NULL, &server, NULL), -EINVAL);
        fib_close(fds[0]);
        return arg;
}

TEST(serving_what_is_no_listener_is_an_error)
{
        run_fibers(1, misuse, NULL);
}

static void limit_descriptors(rlim_t n)
{
        struct rlimit limit;

        ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
        limit.rlim_cur = n;
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

#define WAITING 50

/* The server may have two connections at a time; the others are served as these end. */
static void *starve(void *arg)
{
        struct server server = { .spawn.parallel = true };
        int clients[WAITING], spare;
        int64_t before;

        server.listener = -1;
        begin(&server);
        for (int i = 0; i < WAITING; i++)
                clients[i] = connect_to(&server);
        while (atomic_load(&server.open) < WAITING)
                fib_sleep(FIB_MILLISECOND);
        for (int i = 0; i < WAITING; i++)
                fib_close(clients[i]);
        wait_until_closed(&server);

        /* All is warmed up.  Now with no descriptor left. */
        atomic_store(&server.served, 0);
        for (int i = 0; i < WAITING; i++) {
                clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
                ck_assert_int_ge(clients[i], 0);
        }
        spare = dup(0);
        fib_close(spare);
        limit_descriptors((rlim_t)spare);
        for (int i = 0; i < WAITING; i++) {
                struct sockaddr_storage address;
                socklen_t length = sizeof(address);

                getsockname(server.listener, (struct sockaddr *)&address, &length);
                ck_assert_int_eq(fib_connect(clients[i], (struct sockaddr *)&address, length), 0);
                ck_assert_int_eq(fib_write(clients[i], "a", 1), 1);
        }
        before = cpu_time_ns();
        fib_sleep(300 * FIB_MILLISECOND);
        ck_assert_int_lt(cpu_time_ns() - before, slowness() * 30 * FIB_MILLISECOND);
        ck_assert_int_eq(atomic_load(&server.open), 0);
        limit_descriptors((rlim_t)spare + 2);
        for (int i = 0; i < WAITING; i++) {
                char byte;

                ck_assert_int_eq(fib_read(clients[i], &byte, 1), 1);
                fib_close(clients[i]);
        }
        limit_descriptors(1024);
        wait_until_closed(&server);
        ck_assert_int_eq(atomic_load(&server.served), WAITING);
        fib_close(server.listener);
        ck_assert_int_eq(end(&server), 0);
        return arg;
}

TEST_WORKERS(a_server_without_descriptors_waits_for_some)
{
        run_fibers(workers, starve, NULL);
}

static void *abort_connections(void *arg)
{
        const struct linger linger = { .l_onoff = 1, .l_linger = 0 };
        struct server server = { .listener = -1 };
        int fd;

        begin(&server);
        for (int i = 0; i < 50; i++) {
                fd = connect_to(&server);
                setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
                fib_close(fd);
        }
        fd = connect_to(&server);
        ck_assert_int_eq(fib_write(fd, "a", 1), 1);
        ck_assert_int_eq(fib_read(fd, (char[1]){ 0 }, 1), 1);
        fib_close(fd);
        wait_until_closed(&server);
        fib_close(server.listener);
        ck_assert_int_eq(end(&server), 0);
        return arg;
}

TEST_WORKERS(connections_that_were_reset_are_passed_over)
{
        run_fibers(workers, abort_connections, NULL);
}

TESTS("serve", a_server_answers_200_clients, a_condition_stops_a_server,
      serving_what_is_no_listener_is_an_error, a_server_without_descriptors_waits_for_some,
      connections_that_were_reset_are_passed_over)
