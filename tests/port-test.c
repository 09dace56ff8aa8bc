/* SPDX-License-Identifier: MIT */
/* Ports: reading. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <fibers.h>
#include "tests/harness.h"

/* A port on one end of a socket pair, and the other end. */
struct setting {
        fib_port *port;
        int peer;
};

static struct setting set_up(const fib_port_options *options)
{
        struct setting setting;
        int fds[2];

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        setting.port = fib_port_new(fds[0], options);
        ck_assert_ptr_nonnull(setting.port);
        ck_assert_int_eq(fib_port_fd(setting.port), fds[0]);
        setting.peer = fds[1];
        return setting;
}

static void send_text(struct setting *setting, const char *text)
{
        ck_assert_int_eq(write(setting->peer, text, strlen(text)), (ssize_t)strlen(text));
}

static void end_input(struct setting *setting)
{
        ck_assert_int_eq(shutdown(setting->peer, SHUT_WR), 0);
}

static void tear_down(struct setting *setting)
{
        ck_assert_int_eq(fib_port_close(setting->port), 0);
        ck_assert_int_eq(fib_close(setting->peer), 0);
}

static void check_line(fib_port *port, size_t limit, const char *expected)
{
        char *line = NULL;
        ssize_t length = fib_port_read_line(port, limit, &line);

        ck_assert_int_eq(length, (ssize_t)strlen(expected));
        ck_assert(length == 0 || !memcmp(line, expected, (size_t)length));
        if (length > 0)
                memset(line, '#', (size_t)length); /* they are ours */
}

static void *lines(void *arg)
{
        struct setting setting = set_up(NULL);

        send_text(&setting, "one\n\ntwo\r\nthree\nfo");
        check_line(setting.port, 0, "one\n");
        ck_assert_uint_gt(fib_port_buffered(setting.port), 0);
        check_line(setting.port, 0, "\n");
        check_line(setting.port, 0, "two\r\n");
        check_line(setting.port, 0, "three\n");
        send_text(&setting, "ur\nfive");
        check_line(setting.port, 0, "four\n");
        end_input(&setting);
        check_line(setting.port, 0, "five");
        check_line(setting.port, 0, "");
        check_line(setting.port, 0, "");
        tear_down(&setting);
        return arg;
}

TEST(lines_come_with_their_newline)
{
        run_fibers(1, lines, NULL);
        lines(NULL);
}

static void *long_lines(void *arg)
{
        const fib_port_options options = { .buffer_size = 8 };
        struct setting setting = set_up(&options);
        char text[9] = "";
        char *line;

        send_text(&setting, "1234567\n12345678\nnext\n");
        check_line(setting.port, 0, "1234567\n");
        ck_assert_int_eq(fib_port_read_line(setting.port, 0, &line), -EMSGSIZE);
        ck_assert_int_eq(fib_port_read_line(setting.port, 0, &line), -EMSGSIZE);
        ck_assert_int_eq(fib_port_read_line(setting.port, 8, &line), -EMSGSIZE);
        check_line(setting.port, 9, "12345678\n"); /* another limit */
        send_text(&setting, "123456789\n");
        check_line(setting.port, 0, "next\n");
        ck_assert_int_eq(fib_port_read_line(setting.port, 8, &line), -EMSGSIZE);
        ck_assert_int_eq(fib_port_read(setting.port, text, 8), 8); /* by pieces */
        ck_assert_str_eq(text, "12345678");
        check_line(setting.port, 0, "9\n");
        send_text(&setting, "123456789 and a lot more than fits\nnext\n");
        ck_assert_int_eq(fib_port_read_line(setting.port, 8, &line), -EMSGSIZE);
        ck_assert_int_eq(fib_port_skip_line(setting.port), 35); /* skipped */
        check_line(setting.port, 0, "next\n");
        send_text(&setting, "12345678"); /* at its limit, and no newline at the end */
        end_input(&setting);
        ck_assert_int_eq(fib_port_read_line(setting.port, 7, &line), -EMSGSIZE);
        check_line(setting.port, 9, "12345678");
        check_line(setting.port, 9, "");
        ck_assert_int_eq(fib_port_skip_line(setting.port), 0);
        tear_down(&setting);
        return arg;
}

TEST(a_line_longer_than_the_limit_is_not_lost)
{
        run_fibers(1, long_lines, NULL);
}

#define MANY scaled(20000)

static size_t line_length(unsigned long i)
{
        return i * 7919 % 300;
}

static void *write_lines(void *arg)
{
        fib_port *port = fib_port_new(*(int *)arg, NULL);
        char text[300];

        memset(text, 'x', sizeof(text));
        for (unsigned long i = 0; i < MANY; i++) {
                size_t length = line_length(i);

                ck_assert_int_eq(fib_port_write(port, text, length), (ssize_t)length);
                ck_assert_int_eq(fib_port_write(port, "\n", 1), 1);
        }
        ck_assert_int_eq(fib_port_close(port), 0);
        return NULL;
}

static void *many_lines(void *arg)
{
        const size_t sizes[] = { 16, 64, 4096 };

        for (size_t s = 0; s < 3; s++) {
                const fib_port_options options = { .buffer_size = sizes[s] };
                struct setting setting = set_up(&options);
                struct crew crew = { .count = 0 };
                char *line;

                crew_add_parallel(&crew, write_lines, &setting.peer);
                for (unsigned long i = 0; i < MANY; i++)
                        ck_assert_int_eq(fib_port_read_line(setting.port, 301, &line),
                                         (ssize_t)line_length(i) + 1);
                check_line(setting.port, 0, "");
                crew_join(&crew);
                ck_assert_int_eq(fib_port_close(setting.port), 0);
        }
        return arg;
}

TEST_WORKERS(lines_of_all_lengths_pass_buffers_of_all_sizes)
{
        run_fibers(workers, many_lines, NULL);
}

static void *pieces(void *arg)
{
        const fib_port_options options = { .buffer_size = 8 };
        struct setting setting = set_up(&options);
        char text[32] = "";
        char *ahead;

        ck_assert_int_eq(fib_port_read(setting.port, text, 0), 0);
        send_text(&setting, "abcdefghijklmnopqrstuvwxyz");
        ck_assert_int_eq(fib_port_peek(setting.port, 3, &ahead), 8);
        ck_assert(!memcmp(ahead, "abcdefgh", 8));
        ck_assert_int_eq(fib_port_peek(setting.port, 0, NULL), 8);
        ck_assert_int_eq(fib_port_peek(setting.port, 12, &ahead), 16); /* grows */
        ck_assert_int_eq(fib_port_read(setting.port, text, 1), 1);
        ck_assert_int_eq(fib_port_skip(setting.port, 2), 2);
        ck_assert_int_eq(fib_port_read_exactly(setting.port, text, 5), 5);
        ck_assert(!memcmp(text, "defgh", 5));
        ck_assert_int_eq(fib_port_read_exactly(setting.port, text, 12), 12);
        ck_assert(!memcmp(text, "ijklmnopqrst", 12));
        ck_assert_int_eq(fib_port_read_until(setting.port, 'v', 0, &ahead), 2);
        ck_assert(!memcmp(ahead, "uv", 2));
        ck_assert_int_eq(fib_port_skip(setting.port, 1), 1);
        end_input(&setting);
        ck_assert_int_eq(fib_port_peek(setting.port, 4, &ahead), 3);
        ck_assert_int_eq(fib_port_read_exactly(setting.port, text, 4), 3);
        ck_assert(!memcmp(text, "xyz", 3));
        ck_assert_int_eq(fib_port_read_exactly(setting.port, text, 4), 0);
        ck_assert_int_eq(fib_port_read_exactly(setting.port, text, 20), 0);
        ck_assert_int_eq(fib_port_peek(setting.port, 1, &ahead), 0);
        ck_assert_int_eq(fib_port_skip(setting.port, 5), 0);
        ck_assert_int_eq(fib_port_read(setting.port, text, 20), 0);
        tear_down(&setting);
        return arg;
}

TEST(some_exactly_peek_until_and_skip)
{
        run_fibers(1, pieces, NULL);
}

static void *read_with_timeouts(void *arg)
{
        const fib_port_options options = { .read_timeout = 5 * FIB_MILLISECOND };
        struct setting setting = set_up(&options);
        char large[FIB_PORT_BUFFER_DEFAULT * 2];
        int64_t before = fib_now();
        char *line;

        ck_assert_int_eq(fib_port_read(setting.port, large, 1), -ETIMEDOUT);
        ck_assert_int_ge(fib_now() - before, 5 * FIB_MILLISECOND);
        send_text(&setting, "be");
        ck_assert_int_eq(fib_port_read_line(setting.port, 0, &line), -ETIMEDOUT);
        send_text(&setting, "gun\n12");
        check_line(setting.port, 0, "begun\n");
        ck_assert_int_eq(fib_port_read_exactly(setting.port, large, 4), -ETIMEDOUT);
        ck_assert_int_eq(fib_port_peek(setting.port, 4, &line), -ETIMEDOUT);
        send_text(&setting, "34");
        ck_assert_int_eq(fib_port_read_exactly(setting.port, large, 4), 4);
        ck_assert(!memcmp(large, "1234", 4));
        send_text(&setting, "abc"); /* more than the buffer: what came, then why not more */
        ck_assert_int_eq(fib_port_read_exactly(setting.port, large, sizeof(large)), 3);
        ck_assert_int_eq(fib_perform(fib_port_readable_op(setting.port), NULL), 0);
        ck_assert_int_eq(fib_port_read(setting.port, large, 1), -ETIMEDOUT);
        send_text(&setting, "long, long");
        ck_assert_int_eq(fib_port_skip_line(setting.port), -ETIMEDOUT);
        send_text(&setting, " line\nz");
        ck_assert_int_eq(fib_port_skip_line(setting.port), 6);
        ck_assert_int_eq(fib_port_read(setting.port, large, 100), 1);
        fib_port_set_read_timeout(setting.port, 0);
        end_input(&setting);
        ck_assert_int_eq(fib_port_read(setting.port, large, 100), 0);
        tear_down(&setting);
        return arg;
}

TEST_WORKERS(a_read_that_timed_out_can_be_made_again)
{
        run_fibers(workers, read_with_timeouts, NULL);
        if (workers == 1)
                read_with_timeouts(NULL);
}

static void *trickle(void *arg)
{
        for (int i = 0; i < 20 && fib_write(*(int *)arg, "x", 1) == 1; i++)
                fib_sleep(2 * FIB_MILLISECOND);
        return NULL;
}

static void *read_a_trickle(void *arg)
{
        const fib_port_options options = { .read_timeout = 10 * FIB_MILLISECOND };
        struct setting setting = set_up(&options);
        struct crew crew = { .count = 0 };
        char *line;

        crew_add(&crew, trickle, &setting.peer);
        ck_assert_int_eq(fib_port_read_line(setting.port, 0, &line), -ETIMEDOUT);
        ck_assert_uint_gt(fib_port_buffered(setting.port), 0);
        crew_join(&crew);
        tear_down(&setting);
        return arg;
}

TEST(a_timeout_is_for_the_whole_call)
{
        run_fibers(1, read_a_trickle, NULL);
}

static int wait_a_little(fib_port *port)
{
        return fib_perform(fib_choice(fib_port_readable_op(port),
                                      fib_sleep_op(2 * FIB_MILLISECOND)),
                           NULL);
}

static void *readiness(void *arg)
{
        struct setting setting = set_up(NULL);
        fib_op *op = fib_port_readable_op(setting.port);
        fib_value value;
        char byte;

        ck_assert_int_eq(wait_a_little(setting.port), 1);
        send_text(&setting, "ab");
        ck_assert_int_eq(wait_a_little(setting.port), 0);
        ck_assert_int_eq(fib_port_read(setting.port, &byte, 1), 1);
        ck_assert_int_eq(fib_perform(fib_op_ref(op), &value), 0); /* "b" is buffered */
        ck_assert_int_eq(value.num, POLLIN);
        ck_assert_int_eq(fib_port_read(setting.port, &byte, 1), 1);
        ck_assert_int_eq(fib_try(op, NULL), -EAGAIN);
        ck_assert_int_eq(wait_a_little(setting.port), 1);
        end_input(&setting);
        ck_assert_int_eq(wait_a_little(setting.port), 0);
        ck_assert_int_eq(fib_port_read(setting.port, &byte, 1), 0);
        ck_assert_int_eq(wait_a_little(setting.port), 0);
        tear_down(&setting);
        return arg;
}

TEST_WORKERS(readiness_counts_what_is_buffered)
{
        run_fibers(workers, readiness, NULL);
}

static void *read_reset(void *arg)
{
        const struct linger linger = { .l_onoff = 1, .l_linger = 0 };
        int listener = fib_listen_tcp("127.0.0.1", 0, NULL);
        int peer = fib_connect_tcp(NULL, (uint16_t)fib_socket_port(listener));
        fib_port *port = fib_port_new(fib_accept(listener, NULL, NULL, 0), NULL);
        char *line;

        ck_assert_int_eq(fib_write(peer, "half a li", 9), 9);
        ck_assert_int_eq(fib_port_peek(port, 9, &line), 9);
        setsockopt(peer, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
        fib_close(peer);
        ck_assert_int_eq(fib_port_read_line(port, 0, &line), -ECONNRESET);
        ck_assert_uint_eq(fib_port_buffered(port), 9);
        check_line(port, 0, "half a li");
        check_line(port, 0, "");
        ck_assert_int_eq(fib_port_close(port), 0);
        fib_close(listener);
        return arg;
}

TEST_WORKERS(a_reset_in_the_middle_of_a_line_keeps_what_came)
{
        run_fibers(workers, read_reset, NULL);
}

static void *blocking_port(void *arg)
{
        for (int nonblocking = 0; nonblocking < 2; nonblocking++) {
                struct crew crew = { .count = 0 };
                struct setting setting;
                int fds[2];
                char *line;

                ck_assert_int_eq(pipe2(fds, nonblocking ? O_NONBLOCK : 0), 0);
                setting.port = fib_port_new(fds[0], NULL);
                crew_add(&crew, write_lines, &fds[1]);
                for (unsigned long i = 0; i < MANY; i++)
                        ck_assert_int_eq(fib_port_read_line(setting.port, 0, &line),
                                         (ssize_t)line_length(i) + 1);
                check_line(setting.port, 0, "");
                crew_join(&crew);
                ck_assert_int_eq(fib_port_close(setting.port), 0);
        }
        return arg;
}

TEST_WORKERS(ports_work_over_pipes_blocking_or_not)
{
        run_fibers(workers, blocking_port, NULL);
}

TEST(a_port_over_no_descriptor_fails_when_used)
{
        fib_port *port = fib_port_new(-1, NULL);
        char byte;

        ck_assert_int_eq(fib_port_read(port, &byte, 1), -EBADF);
        ck_assert_int_eq(fib_port_printf(port, "x"), 1);
        ck_assert_int_eq(fib_port_flush(port), -EBADF);
        ck_assert_int_eq(fib_port_close(port), -EBADF);
        ck_assert_int_eq(fib_port_close(NULL), 0);
}

TESTS("port", lines_come_with_their_newline, a_line_longer_than_the_limit_is_not_lost,
      lines_of_all_lengths_pass_buffers_of_all_sizes, some_exactly_peek_until_and_skip,
      a_read_that_timed_out_can_be_made_again, a_timeout_is_for_the_whole_call,
      readiness_counts_what_is_buffered, a_reset_in_the_middle_of_a_line_keeps_what_came,
      ports_work_over_pipes_blocking_or_not, a_port_over_no_descriptor_fails_when_used)
