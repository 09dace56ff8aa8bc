/* SPDX-License-Identifier: MIT */
/* Ports: writing. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <fibers.h>
#include "tests/harness.h"

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
        setting.peer = fds[1];
        return setting;
}

static void tear_down(struct setting *setting)
{
        ck_assert_int_eq(fib_port_close(setting->port), 0);
        ck_assert_int_eq(fib_close(setting->peer), 0);
}

/* What has arrived by now is this, and no more. */
static void check_arrived(struct setting *setting, const char *expected)
{
        char text[256];
        ssize_t n = recv(setting->peer, text, sizeof(text), MSG_DONTWAIT);

        ck_assert_int_eq(n > 0 ? n : 0, (ssize_t)strlen(expected));
        ck_assert(!memcmp(text, expected, strlen(expected)));
}

static void *buffering(void *arg)
{
        const fib_port_options options = { .buffer_size = 8 };
        struct setting setting = set_up(&options);

        ck_assert_int_eq(fib_port_write(setting.port, "ab\ncd", 5), 5);
        check_arrived(&setting, "");
        ck_assert_int_eq(fib_port_flush(setting.port), 0);
        check_arrived(&setting, "ab\ncd");
        ck_assert_int_eq(fib_port_write(setting.port, "12345678", 8), 8);
        check_arrived(&setting, "");
        ck_assert_int_eq(fib_port_write(setting.port, "9", 1), 1);
        check_arrived(&setting, "12345678");
        ck_assert_int_eq(fib_port_write(setting.port, "larger than the buffer", 22), 22);
        check_arrived(&setting, "9larger than the buffer");
        ck_assert_int_eq(fib_port_write(setting.port, "", 0), 0);

        fib_port_set_buffering(setting.port, FIB_PORT_LINE);
        ck_assert_int_eq(fib_port_write(setting.port, "no", 2), 2);
        check_arrived(&setting, "");
        ck_assert_int_eq(fib_port_printf(setting.port, "w\n"), 2);
        check_arrived(&setting, "now\n");

        fib_port_set_buffering(setting.port, FIB_PORT_NONE);
        ck_assert_int_eq(fib_port_write(setting.port, "x", 1), 1);
        check_arrived(&setting, "x");
        ck_assert_int_eq(fib_port_printf(setting.port, "%d", 1234), 4);
        check_arrived(&setting, "1234");

        fib_port_set_buffering(setting.port, FIB_PORT_BLOCK);
        ck_assert_int_eq(fib_port_printf(setting.port, "%s", "1234567"), 7);
        ck_assert_int_eq(fib_port_printf(setting.port, "%s", ""), 0);
        ck_assert_int_eq(fib_port_printf(setting.port, "%s", "89"), 2);
        ck_assert_int_eq(fib_port_printf(setting.port, "%0100d|", 0), 101);
        ck_assert_int_eq(fib_port_flush(setting.port), 0);
        ck_assert_int_eq(recv(setting.peer, (char[256]){ 0 }, 256, MSG_DONTWAIT), 110);
        tear_down(&setting);
        return arg;
}

TEST(block_line_and_no_buffering)
{
        run_fibers(1, buffering, NULL);
        buffering(NULL);
}

static void *close_flushes(void *arg)
{
        struct setting setting = set_up(NULL);
        char text[8];

        ck_assert_int_eq(fib_port_printf(setting.port, "last"), 4);
        ck_assert_int_eq(fib_port_close(setting.port), 0);
        ck_assert_int_eq(fib_read(setting.peer, text, sizeof(text)), 4);
        ck_assert_int_eq(fib_read(setting.peer, text, sizeof(text)), 0);
        fib_close(setting.peer);

        setting = set_up(NULL);
        ck_assert_int_eq(fib_port_printf(setting.port, "lost"), 4);
        fib_close(setting.peer);
        ck_assert_int_eq(fib_port_close(setting.port), -EPIPE);
        return arg;
}

TEST(closing_flushes_and_tells_if_it_could_not)
{
        run_fibers(1, close_flushes, NULL);
}

static void *shut_down(void *arg)
{
        struct setting setting = set_up(NULL);
        char text[8];
        char *line;

        ck_assert_int_eq(fib_port_printf(setting.port, "ask"), 3);
        ck_assert_int_eq(fib_port_shutdown(setting.port), 0);
        ck_assert_int_eq(fib_read(setting.peer, text, sizeof(text)), 3);
        ck_assert_int_eq(fib_read(setting.peer, text, sizeof(text)), 0);
        ck_assert_int_eq(fib_write(setting.peer, "answer\n", 7), 7);
        ck_assert_int_eq(fib_port_read_line(setting.port, 0, &line), 7);
        ck_assert_int_eq(fib_port_printf(setting.port, "more"), 4);
        ck_assert_int_eq(fib_port_flush(setting.port), -EPIPE);
        ck_assert_int_eq(fib_port_close(setting.port), -EPIPE);
        fib_close(setting.peer);
        return arg;
}

TEST(a_port_can_be_closed_by_half)
{
        run_fibers(1, shut_down, NULL);
}

static void *write_with_timeouts(void *arg)
{
        const fib_port_options options = { .write_timeout = 5 * FIB_MILLISECOND };
        struct setting setting = set_up(&options);
        size_t taken = 0, read = 0;
        char data[1000] = "";
        int64_t before;
        ssize_t r;

        do {
                before = fib_now();
                r = fib_port_write(setting.port, data, sizeof(data));
                taken += r > 0 ? (size_t)r : 0;
        } while (r > 0);
        ck_assert_int_eq(r, -ETIMEDOUT);
        ck_assert_int_ge(fib_now() - before, 5 * FIB_MILLISECOND);
        ck_assert_uint_eq(taken % sizeof(data), 0);
        ck_assert_int_eq(fib_port_flush(setting.port), -ETIMEDOUT);
        while ((r = recv(setting.peer, data, sizeof(data), MSG_DONTWAIT)) > 0)
                read += (size_t)r;
        ck_assert_int_eq(fib_port_flush(setting.port), 0);
        while ((r = recv(setting.peer, data, sizeof(data), MSG_DONTWAIT)) > 0)
                read += (size_t)r;
        ck_assert_uint_eq(read, taken);
        tear_down(&setting);
        return arg;
}

TEST_WORKERS(a_write_that_timed_out_can_be_made_again)
{
        run_fibers(workers, write_with_timeouts, NULL);
        if (workers == 1)
                write_with_timeouts(NULL);
}

#define LARGE ((size_t)3 << 20)

static void *write_large(void *arg)
{
        char *data = calloc(1, LARGE);

        for (size_t i = 0; i < LARGE; i++)
                data[i] = (char)(i * 31 >> 3);
        ck_assert_int_eq(fib_port_write(arg, "-", 1), 1);
        ck_assert_int_eq(fib_port_write(arg, data, LARGE), LARGE);
        ck_assert_int_eq(fib_port_flush(arg), 0);
        free(data);
        return NULL;
}

/* Both directions of one port, in two fibers. */
static void *both_directions(void *arg)
{
        struct setting setting = set_up(NULL);
        fib_port *peer = fib_port_new(setting.peer, NULL);
        fib_port *const ports[] = { setting.port, peer };
        struct crew crew = { .count = 0 };
        char *data = malloc(LARGE + 1);

        for (int i = 0; i < 2; i++)
                crew_add_parallel(&crew, write_large, ports[i]);
        for (int i = 0; i < 2; i++) {
                ck_assert_int_eq(fib_port_read_exactly(ports[i], data, LARGE + 1), LARGE + 1);
                ck_assert_int_eq(data[0], '-');
                for (size_t k = 0; k < LARGE; k++)
                        if (data[k + 1] != (char)(k * 31 >> 3))
                                ck_abort_msg("byte %zu is wrong", k);
        }
        crew_join(&crew);
        ck_assert_int_eq(fib_port_close(setting.port), 0);
        ck_assert_int_eq(fib_port_close(peer), 0);
        free(data);
        return arg;
}

TEST_WORKERS(one_fiber_reads_while_another_writes)
{
        run_fibers(workers, both_directions, NULL);
}

static void *answer(void *arg)
{
        ssize_t n;
        char *line;

        while ((n = fib_port_read_line(arg, 0, &line)) > 0)
                ck_assert_int_eq(fib_port_write(arg, line, (size_t)n), n);
        return NULL;
}

static void *wait_together(void *arg)
{
        const fib_port_options options = { .flush_before_wait = true,
                                           .write_timeout = FIB_MILLISECOND };
        struct setting setting = set_up(&options);
        char text[16];

        ck_assert_int_eq(fib_port_printf(setting.port, "ask"), 3);
        ck_assert_int_eq(fib_perform(fib_choice(fib_port_readable_op(setting.port),
                                                fib_sleep_op(FIB_MILLISECOND)),
                                     NULL),
                         1);
        check_arrived(&setting, "ask");
        ck_assert_int_eq(fib_port_printf(setting.port, "again"), 5);
        fib_close(setting.peer);
        ck_assert_int_eq(fib_perform(fib_port_readable_op(setting.port), NULL), 0);
        ck_assert_int_eq(fib_port_read(setting.port, text, sizeof(text)), -EPIPE);
        ck_assert_int_eq(fib_port_close(setting.port), -EPIPE);
        return arg;
}

TEST_WORKERS(readiness_of_a_port_that_flushes_before_it_waits)
{
        run_fibers(workers, wait_together, NULL);
}

static void *answer_together(void *arg)
{
        const fib_port_options options = { .flush_before_wait = true };
        struct setting setting = set_up(&options);
        struct crew crew = { .count = 0 };
        char text[16];

        crew_add(&crew, answer, setting.port);
        ck_assert_int_eq(fib_write(setting.peer, "a\nb\nc\nd", 7), 7);
        ck_assert_int_eq(fib_read(setting.peer, text, sizeof(text)), 6);
        ck_assert_int_eq(fib_write(setting.peer, "\n", 1), 1);
        ck_assert_int_eq(fib_read(setting.peer, text, sizeof(text)), 2);
        shutdown(setting.peer, SHUT_WR);
        crew_join(&crew);
        tear_down(&setting);
        return arg;
}

TEST_WORKERS(answers_go_out_together_before_a_read_waits)
{
        run_fibers(workers, answer_together, NULL);
}

TESTS("port-write", block_line_and_no_buffering, closing_flushes_and_tells_if_it_could_not,
      a_port_can_be_closed_by_half, a_write_that_timed_out_can_be_made_again,
      one_fiber_reads_while_another_writes, answers_go_out_together_before_a_read_waits,
      readiness_of_a_port_that_flushes_before_it_waits)
