/* SPDX-License-Identifier: MIT */
/* ping-server.c - sends every line back; a fiber for each connection.
 *
 *     ping-server [-a ADDRESS] [-p PORT] [-w WORKERS] [-l LINE_LIMIT] [-t IDLE_SECONDS] */
#define _GNU_SOURCE 1
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <fibers.h>

static const char *address = "127.0.0.1";
static int port_number = 11211;
static unsigned workers; /* 0: one per processor */
static size_t line_limit = 4096;
static int64_t idle = 60 * FIB_SECOND;
static fib_condition *stop;

static void on_signal(int signal_number)
{
        (void)signal_number;
        fib_condition_signal_from_handler(stop);
}

static bool wait_for_input(fib_port *port)
{
        return fib_perform(fib_choice(fib_port_readable_op(port), fib_sleep_op(idle)), NULL) == 0;
}

static void answer(int fd, void *arg)
{
        const fib_port_options options = {
                .flush_before_wait = true, /* requests that came together are answered together */
                .read_timeout = idle,      /* for a client that stops in the middle of a line */
                .write_timeout = idle,     /* for one that does not read its answers */
        };
        fib_port *port = fib_port_new(fd, &options);
        ssize_t length = 1;
        char *line;

        (void)arg;
        if (!port) {
                fib_close(fd);
                return;
        }
        while (length > 0 && wait_for_input(port)) {
                length = fib_port_read_line(port, line_limit, &line);
                if (length > 0) {
                        length = fib_port_write(port, line, (size_t)length);
                } else if (length == -EMSGSIZE) {
                        fib_port_printf(port, "error: more than %zu bytes\n", line_limit);
                        length = fib_port_skip_line(port);
                }
        }
        fib_port_close(port);
}

static void *run(void *arg)
{
        const fib_spawn_options anywhere = { .parallel = true };
        const fib_serve_options options = { .spawn = &anywhere, .stop = stop };
        int listener = fib_listen_tcp(address, (uint16_t)port_number, NULL);
        int r = listener;

        (void)arg;
        if (listener >= 0) {
                printf("listening on %s port %d\n", address, fib_socket_port(listener));
                fflush(stdout);
                r = fib_serve(listener, answer, NULL, &options);
                fib_close(listener);
        }
        if (r < 0)
                fprintf(stderr, "ping-server: %s port %d: %s\n", address, port_number,
                        strerror(-r));
        return r < 0 ? &address : NULL;
}

static void usage(void)
{
        fputs("usage: ping-server [-a ADDRESS] [-p PORT] [-w WORKERS] [-l LINE_LIMIT] "
              "[-t IDLE_SECONDS]\n",
              stderr);
        exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
        const struct sigaction action = { .sa_handler = on_signal };
        fib_run_options options = { 0 };
        void *failed = NULL;
        int option, r;

        while ((option = getopt(argc, argv, "a:p:w:l:t:")) != -1) {
                switch (option) {
                case 'a': address = optarg; break;
                case 'p': port_number = atoi(optarg); break;
                case 'w': workers = (unsigned)atoi(optarg); break;
                case 'l': line_limit = (size_t)atol(optarg); break;
                case 't': idle = (int64_t)(atof(optarg) * FIB_SECOND); break;
                default: usage();
                }
        }
        if (port_number < 0 || port_number > UINT16_MAX || line_limit == 0 || idle <= 0)
                usage();
        stop = fib_condition_new();
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
        options.parallelism = workers;
        r = fib_run(run, NULL, &options, &failed);
        if (r < 0)
                fprintf(stderr, "ping-server: %s\n", strerror(-r));
        fib_condition_unref(stop);
        return r < 0 || failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
