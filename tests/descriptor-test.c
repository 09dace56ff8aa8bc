/* SPDX-License-Identifier: MIT */
/* Reading and writing: on descriptors of every kind, blocking and not. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>
#include <fibers.h>
#include "tests/harness.h"

enum kind { PIPE, LOCAL, TCP, TERMINAL, KINDS };

static void open_tcp(int fds[2])
{
        int listener = fib_listen_tcp("127.0.0.1", 0, NULL);

        ck_assert_int_ge(listener, 0);
        fds[1] = fib_connect_tcp("127.0.0.1", (uint16_t)fib_socket_port(listener));
        ck_assert_int_ge(fds[1], 0);
        fds[0] = fib_accept(listener, NULL, NULL, 0);
        ck_assert_int_ge(fds[0], 0);
        ck_assert_int_eq(fib_close(listener), 0);
}

static void open_terminal(int fds[2])
{
        struct termios raw;
        char name[64];

        fds[1] = posix_openpt(O_RDWR | O_NOCTTY);
        if (fds[1] < 0)
                test_skip("no terminals here");
        ck_assert_int_eq(grantpt(fds[1]), 0);
        ck_assert_int_eq(unlockpt(fds[1]), 0);
        ck_assert_int_eq(ptsname_r(fds[1], name, sizeof(name)), 0);
        fds[0] = open(name, O_RDWR | O_NOCTTY);
        ck_assert_int_ge(fds[0], 0);
        ck_assert_int_eq(tcgetattr(fds[0], &raw), 0);
        cfmakeraw(&raw);
        ck_assert_int_eq(tcsetattr(fds[0], TCSANOW, &raw), 0);
}

static int flags_of(int fd)
{
        return fcntl(fd, F_GETFL);
}

static void set_nonblocking(int fd, bool nonblocking)
{
        int flags = flags_of(fd) & ~O_NONBLOCK;

        ck_assert_int_eq(fcntl(fd, F_SETFL, flags | (nonblocking ? O_NONBLOCK : 0)), 0);
}

/* What is written to fds[1] can be read from fds[0]. */
static void open_pair(enum kind kind, bool nonblocking, int fds[2])
{
        if (kind == PIPE)
                ck_assert_int_eq(pipe(fds), 0);
        else if (kind == LOCAL)
                ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        else if (kind == TCP)
                open_tcp(fds);
        else
                open_terminal(fds);
        set_nonblocking(fds[0], nonblocking);
        set_nonblocking(fds[1], nonblocking);
}

static void close_pair(const int fds[2])
{
        ck_assert_int_eq(fib_close(fds[0]), 0);
        ck_assert_int_eq(fib_close(fds[1]), 0);
}

struct transfer {
        int fds[2];
        size_t size; /* to be read */
        size_t done;
        ssize_t result; /* the last read's */
};

static void *read_all(void *arg)
{
        struct transfer *transfer = arg;
        char buffer[16384];

        do {
                transfer->result = fib_read(transfer->fds[0], buffer, sizeof(buffer));
                if (transfer->result > 0)
                        transfer->done += (size_t)transfer->result;
        } while (transfer->result > 0 && transfer->done < transfer->size);
        return NULL;
}

static void *read_waits_for_a_byte(void *arg)
{
        struct crew crew = { .count = 0 };

        for (int i = 0; i < KINDS * 2; i++) {
                struct transfer transfer = { .size = 1 };
                int flags[2];

                open_pair((enum kind)(i / 2), i % 2, transfer.fds);
                flags[0] = flags_of(transfer.fds[0]);
                flags[1] = flags_of(transfer.fds[1]);
                crew_add(&crew, read_all, &transfer);
                /* With one worker this would hang if the reader blocked its thread. */
                fib_sleep(2 * FIB_MILLISECOND);
                ck_assert_int_eq(fib_write(transfer.fds[1], "x", 1), 1);
                crew_join(&crew);
                ck_assert_int_eq(transfer.result, 1);
                ck_assert_int_eq(flags_of(transfer.fds[0]), flags[0]);
                ck_assert_int_eq(flags_of(transfer.fds[1]), flags[1]);
                close_pair(transfer.fds);
        }
        return arg;
}

TEST_WORKERS(a_read_waits_for_a_byte_on_every_kind_of_descriptor)
{
        run_fibers(workers, read_waits_for_a_byte, NULL);
}

#define LARGE ((size_t)1 << 18)

static void *write_large(void *arg)
{
        struct crew crew = { .count = 0 };
        char *data = calloc(1, LARGE);

        for (int kind = 0; kind < KINDS; kind++) {
                struct transfer transfer = { .size = LARGE };

                open_pair((enum kind)kind, false, transfer.fds);
                crew_add(&crew, read_all, &transfer);
                ck_assert_int_eq(fib_write(transfer.fds[1], data, LARGE), LARGE);
                crew_join(&crew);
                ck_assert_uint_eq(transfer.done, LARGE);
                close_pair(transfer.fds);
        }
        free(data);
        return arg;
}

TEST_WORKERS(a_blocking_descriptor_takes_a_large_write_whole)
{
        run_fibers(workers, write_large, NULL);
}

static void *write_what_fits(void *arg)
{
        struct crew crew = { .count = 0 };
        char *data = calloc(1, LARGE * 16);

        for (int kind = 0; kind < KINDS; kind++) {
                struct transfer transfer = { .size = 0 };
                ssize_t first;

                open_pair((enum kind)kind, true, transfer.fds);
                first = fib_write(transfer.fds[1], data, LARGE * 16);
                ck_assert_int_gt(first, 0);
                ck_assert_int_lt(first, LARGE * 16);
                transfer.size = (size_t)first + 1;
                crew_add(&crew, read_all, &transfer);
                ck_assert_int_eq(fib_write(transfer.fds[1], data, 1), 1);
                crew_join(&crew);
                ck_assert_uint_eq(transfer.done, transfer.size);
                close_pair(transfer.fds);
        }
        free(data);
        return arg;
}

TEST(a_nonblocking_descriptor_takes_what_fits_and_then_suspends)
{
        run_fibers(1, write_what_fits, NULL);
}

static void *count_events(void *arg)
{
        int fd = *(int *)arg;
        uint64_t count = 0;

        ck_assert_int_eq(fib_read(fd, &count, sizeof(count)), sizeof(count));
        ck_assert_uint_eq(count, 3);
        return NULL;
}

static void *use_eventfds(void *arg)
{
        struct crew crew = { .count = 0 };
        uint64_t three = 3;

        for (int nonblocking = 0; nonblocking < 2; nonblocking++) {
                int fd = eventfd(0, nonblocking ? EFD_NONBLOCK : 0);

                crew_add(&crew, count_events, &fd);
                fib_yield();
                fib_yield();
                ck_assert_int_eq(fib_write(fd, &three, sizeof(three)), sizeof(three));
                crew_join(&crew);
                ck_assert_int_eq(fib_read(fd, &three, 1), -EINVAL);
                fib_close(fd);
        }
        return arg;
}

TEST_WORKERS(an_eventfd_is_read_and_written)
{
        run_fibers(workers, use_eventfds, NULL);
}

static void *read_file(void *arg)
{
        char name[] = "/tmp/fibers-descriptor-XXXXXX";
        int fd = mkstemp(name);
        char text[8] = "";

        ck_assert_int_ge(fd, 0);
        unlink(name);
        ck_assert_int_eq(fib_write(fd, "hello", 5), 5);
        ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
        ck_assert_int_eq(fib_wait_readable(fd) & POLLIN, POLLIN);
        ck_assert_int_eq(fib_read(fd, text, sizeof(text)), 5);
        ck_assert_str_eq(text, "hello");
        ck_assert_int_eq(fib_read(fd, text, sizeof(text)), 0);
        fib_close(fd);
        return arg;
}

TEST(a_regular_file_never_waits)
{
        run_fibers(1, read_file, NULL);
}

static void *end_streams(void *arg)
{
        struct crew crew = { .count = 0 };

        for (int kind = PIPE; kind <= TCP; kind++) {
                struct transfer transfer = { .size = 10 };

                open_pair((enum kind)kind, false, transfer.fds);
                crew_add(&crew, read_all, &transfer);
                fib_sleep(FIB_MILLISECOND);
                ck_assert_int_eq(fib_write(transfer.fds[1], "abc", 3), 3);
                ck_assert_int_eq(fib_close(transfer.fds[1]), 0);
                crew_join(&crew);
                ck_assert_int_eq(transfer.result, 0);
                ck_assert_uint_eq(transfer.done, 3);
                fib_close(transfer.fds[0]);
        }
        return arg;
}

TEST_WORKERS(a_reader_sees_the_end)
{
        run_fibers(workers, end_streams, NULL);
}

static void *half_close(void *arg)
{
        struct crew crew = { .count = 0 };
        char byte;

        for (int kind = LOCAL; kind <= TCP; kind++) {
                struct transfer transfer = { .size = 10 };

                open_pair((enum kind)kind, true, transfer.fds);
                crew_add(&crew, read_all, &transfer);
                fib_sleep(FIB_MILLISECOND);
                ck_assert_int_eq(shutdown(transfer.fds[1], SHUT_WR), 0);
                crew_join(&crew);
                ck_assert_int_eq(transfer.result, 0);
                ck_assert_int_eq(fib_write(transfer.fds[0], "y", 1), 1);
                ck_assert_int_eq(fib_read(transfer.fds[1], &byte, 1), 1);
                close_pair(transfer.fds);
        }
        return arg;
}

TEST_WORKERS(a_half_closed_socket_goes_on_in_the_other_direction)
{
        run_fibers(workers, half_close, NULL);
}

static void *reset(void *arg)
{
        const struct linger linger = { .l_onoff = 1, .l_linger = 0 };
        struct transfer transfer = { .size = 1 };
        struct crew crew = { .count = 0 };

        open_pair(TCP, false, transfer.fds);
        crew_add(&crew, read_all, &transfer);
        fib_sleep(FIB_MILLISECOND);
        setsockopt(transfer.fds[1], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
        fib_close(transfer.fds[1]);
        crew_join(&crew);
        ck_assert_int_eq(transfer.result, -ECONNRESET);
        /* No SIGPIPE, which would end this process. */
        ck_assert_int_eq(fib_write(transfer.fds[0], "x", 1), -EPIPE);
        ck_assert_int_eq(fib_send(transfer.fds[0], "x", 1, 0), -EPIPE);
        fib_close(transfer.fds[0]);
        return arg;
}

TEST_WORKERS(a_reset_is_an_error_and_no_signal)
{
        run_fibers(workers, reset, NULL);
}

static void *fill_pipe(void *arg)
{
        char data[4096] = "";
        ssize_t r;

        do {
                r = fib_write(*(int *)arg, data, sizeof(data));
        } while (r > 0);
        return (void *)r;
}

static void *break_pipe(void *arg)
{
        fib_fiber *writer;
        void *value;
        int fds[2];

        signal(SIGPIPE, SIG_IGN);
        open_pair(PIPE, false, fds);
        ck_assert_int_eq(fib_spawn_with(NULL, fill_pipe, &fds[1], &writer), 0);
        fib_sleep(5 * FIB_MILLISECOND);
        fib_close(fds[0]);
        ck_assert_int_eq(fib_join(writer, &value), 0);
        ck_assert_int_eq((ssize_t)value, -EPIPE);
        fib_fiber_unref(writer);
        fib_close(fds[1]);
        return arg;
}

TEST_WORKERS(a_writer_that_waits_learns_of_a_broken_pipe)
{
        run_fibers(workers, break_pipe, NULL);
}

static void *receive(void *arg)
{
        char text[8] = "";
        int fds[2];

        open_pair(LOCAL, false, fds);
        ck_assert_int_eq(fib_recv(fds[0], text, 1, MSG_DONTWAIT), -EAGAIN);
        ck_assert_int_eq(fib_send(fds[1], "ab", 2, 0), 2);
        ck_assert_int_eq(fib_recv(fds[0], text, sizeof(text), MSG_PEEK), 2);
        ck_assert_int_eq(fib_recv(fds[0], text, 1, 0), 1);
        ck_assert_int_eq(text[0], 'a');
        fib_send(fds[1], "c", 1, 0);
        shutdown(fds[1], SHUT_WR);
        ck_assert_int_eq(fib_recv(fds[0], text, 3, MSG_WAITALL), 2);
        ck_assert_int_eq(fib_recv(fds[0], text, 3, MSG_WAITALL), 0);
        ck_assert_int_eq(fib_read(fds[1], text, 0), 0);
        close_pair(fds);
        return arg;
}

static void *send_late(void *arg)
{
        fib_sleep(2 * FIB_MILLISECOND);
        fib_send(*(int *)arg, "de", 2, 0);
        fib_sleep(2 * FIB_MILLISECOND);
        fib_send(*(int *)arg, "f", 1, 0);
        return NULL;
}

static void *receive_all(void *arg)
{
        struct crew crew = { .count = 0 };
        char text[8] = "";
        int fds[2];

        open_pair(TCP, false, fds);
        crew_add(&crew, send_late, &fds[1]);
        ck_assert_int_eq(fib_recv(fds[0], text, 3, MSG_WAITALL), 3);
        ck_assert_str_eq(text, "def");
        crew_join(&crew);
        close_pair(fds);
        return receive(arg);
}

TEST_WORKERS(recv_obeys_its_flags)
{
        run_fibers(workers, receive_all, NULL);
}

static void *misuse(void *arg)
{
        struct sockaddr address = { .sa_family = AF_INET };
        const int bad[] = { -1, 999999, INT32_MAX, INT32_MIN };
        char byte = 0;
        int fds[2];

        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
                ck_assert_int_eq(fib_read(bad[i], &byte, 1), -EBADF);
                ck_assert_int_eq(fib_read(bad[i], &byte, 0), -EBADF);
                ck_assert_int_eq(fib_write(bad[i], &byte, 1), -EBADF);
                ck_assert_int_eq(fib_recv(bad[i], &byte, 1, 0), -EBADF);
                ck_assert_int_eq(fib_send(bad[i], &byte, 1, 0), -EBADF);
                ck_assert_int_eq(fib_accept(bad[i], NULL, NULL, 0), -EBADF);
                ck_assert_int_eq(fib_connect(bad[i], &address, sizeof(address)), -EBADF);
                ck_assert_int_eq(fib_close(bad[i]), -EBADF);
                ck_assert_int_eq(fib_wait_readable(bad[i]), -EBADF);
                ck_assert_int_eq(fib_wait_writable(bad[i]), -EBADF);
                ck_assert_int_eq(fib_perform(fib_readable_op(bad[i]), NULL), -EBADF);
                ck_assert_int_eq(fib_perform(fib_accept_op(bad[i], 0), NULL), -EBADF);
        }
        open_pair(PIPE, false, fds);
        ck_assert_int_eq(fib_read(fds[1], &byte, 1), -EBADF);
        ck_assert_int_eq(fib_write(fds[0], &byte, 1), -EBADF);
        ck_assert_int_eq(fib_recv(fds[0], &byte, 1, 0), -ENOTSOCK);
        ck_assert_int_eq(fib_accept(fds[0], NULL, NULL, 0), -ENOTSOCK);
        ck_assert_int_eq(fib_write(fds[1], &byte, 1), 1);
        ck_assert_int_eq(fib_read(fds[0], NULL, 1), -EFAULT);
        close_pair(fds);
        return arg;
}

TEST(misuse_is_an_error)
{
        run_fibers(1, misuse, NULL);
        misuse(NULL); /* as a plain thread */
}

static void *thread_reads(void *arg)
{
        char byte;

        return (void *)fib_read(*(int *)arg, &byte, 1);
}

static void ignore(int signal_number) {}

static void *on_threads(bool nonblocking, bool closed)
{
        const struct sigaction action = { .sa_handler = ignore }; /* no SA_RESTART */
        void *value = NULL;

        sigaction(SIGUSR1, &action, NULL);
        for (int kind = PIPE; kind < KINDS; kind++) {
                pthread_t thread;
                int fds[2];

                open_pair((enum kind)kind, nonblocking, fds);
                ck_assert_int_eq(pthread_create(&thread, NULL, thread_reads, &fds[0]), 0);
                for (int i = 0; i < 5; i++) {
                        fib_sleep(FIB_MILLISECOND);
                        pthread_kill(thread, SIGUSR1);
                }
                if (closed)
                        fib_close(fds[0]);
                else
                        ck_assert_int_eq(fib_write(fds[1], "x", 1), 1);
                pthread_join(thread, &value);
                ck_assert_int_eq((ssize_t)value, closed ? -EBADF : 1);
                if (!closed)
                        fib_close(fds[0]);
                fib_close(fds[1]);
        }
        return NULL;
}

TEST(a_plain_thread_blocks_and_no_signal_disturbs_it)
{
        on_threads(false, false);
        on_threads(true, false);
}

TEST(a_plain_thread_learns_of_a_close)
{
        on_threads(true, true);
}

TESTS("descriptor", a_read_waits_for_a_byte_on_every_kind_of_descriptor,
      a_blocking_descriptor_takes_a_large_write_whole,
      a_nonblocking_descriptor_takes_what_fits_and_then_suspends, an_eventfd_is_read_and_written,
      a_regular_file_never_waits, a_reader_sees_the_end,
      a_half_closed_socket_goes_on_in_the_other_direction, a_reset_is_an_error_and_no_signal,
      a_writer_that_waits_learns_of_a_broken_pipe, recv_obeys_its_flags, misuse_is_an_error,
      a_plain_thread_blocks_and_no_signal_disturbs_it, a_plain_thread_learns_of_a_close)
