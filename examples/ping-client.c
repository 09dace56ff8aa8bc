/* SPDX-License-Identifier: MIT */
/* ping-client.c - asks a ping server over many connections at once, and takes the time.
 *
 *     ping-client [-a ADDRESS] [-p PORT] [-c CONNECTIONS] [-n REQUESTS] [-w WORKERS] */
#define _GNU_SOURCE 1
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <fibers.h>

static const char *address = "127.0.0.1";
static int port_number = 11211;
static long connections = 1000;
static long requests = 100;
static unsigned workers;   /* 0: one per processor */
static int64_t *latencies; /* of all requests of the first connection, and so on */

static fib_channel *ready;   /* each says how its connecting went */
static fib_condition *start; /* then all begin */
static fib_channel *done;    /* and say how many replies were right */

/* One request.  Return: whether the reply was right. */
static bool ping(fib_port *port, long connection, long request)
{
        char text[64];
        int length = snprintf(text, sizeof(text), "ping %ld of %ld\n", request, connection);
        char *line;

        return fib_port_write(port, text, (size_t)length) == length && fib_port_flush(port) == 0 &&
               fib_port_read_line(port, 0, &line) == length &&
               memcmp(line, text, (size_t)length) == 0;
}

static void *client(void *arg)
{
        long connection = (long)(intptr_t)arg;
        int fd = fib_connect_tcp(address, (uint16_t)port_number);
        fib_port *port = fd < 0 ? NULL : fib_port_new(fd, NULL);
        long right = 0;

        fib_put(ready, fib_num(fd < 0 ? fd : 0));
        fib_condition_wait(start);
        for (long i = 0; port && i < requests; i++) {
                int64_t before = fib_now();

                if (!ping(port, connection, i))
                        break;
                latencies[connection * requests + i] = fib_now() - before;
                right++;
        }
        fib_port_close(port);
        fib_put(done, fib_num(right));
        return NULL;
}

static int compare(const void *a, const void *b)
{
        int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

        return x < y ? -1 : x > y;
}

/* Of the sorted latencies, in milliseconds. */
static double percentile(long percent)
{
        long at = (connections * requests - 1) * percent / 100;

        return (double)latencies[at] / (double)FIB_MILLISECOND;
}

static void report(long right, int64_t ns)
{
        long total = connections * requests;

        qsort(latencies, (size_t)total, sizeof(*latencies), compare);
        printf("%ld of %ld replies right, %.3f s, %.0f requests/s\n", right, total,
               (double)ns / FIB_SECOND, (double)right * FIB_SECOND / (double)ns);
        printf("latency in ms: p50 %.3f  p90 %.3f  p99 %.3f  max %.3f\n", percentile(50),
               percentile(90), percentile(99), percentile(100));
}

/* Return: NULL if all was right. */
static void *run(void *arg)
{
        const fib_spawn_options anywhere = { .parallel = true };
        intptr_t error = 0;
        long right = 0;
        int64_t began;

        for (long i = 0; i < connections; i++) {
                error = fib_spawn_with(&anywhere, client, (void *)(intptr_t)i, NULL);
                if (error < 0)
                        break;
        }
        for (long i = 0; i < connections && error >= 0; i++)
                error = fib_get(ready).num;
        if (error < 0) {
                fprintf(stderr, "ping-client: %s port %d: %s\n", address, port_number,
                        strerror((int)-error));
                return arg;
        }
        began = fib_now();
        fib_condition_signal(start);
        for (long i = 0; i < connections; i++)
                right += fib_get(done).num;
        report(right, fib_now() - began);
        return right == connections * requests ? NULL : arg;
}

static void usage(void)
{
        fputs("usage: ping-client [-a ADDRESS] [-p PORT] [-c CONNECTIONS] [-n REQUESTS] "
              "[-w WORKERS]\n",
              stderr);
        exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
        fib_run_options options = { 0 };
        void *failed = NULL;
        int option, r;

        while ((option = getopt(argc, argv, "a:p:c:n:w:")) != -1) {
                switch (option) {
                case 'a': address = optarg; break;
                case 'p': port_number = atoi(optarg); break;
                case 'c': connections = atol(optarg); break;
                case 'n': requests = atol(optarg); break;
                case 'w': workers = (unsigned)atoi(optarg); break;
                default: usage();
                }
        }
        if (port_number < 1 || port_number > UINT16_MAX || connections < 1 || requests < 1)
                usage();
        latencies = calloc((size_t)(connections * requests), sizeof(*latencies));
        ready = fib_channel_new();
        done = fib_channel_new();
        start = fib_condition_new();
        if (!latencies || !ready || !done || !start)
                return EXIT_FAILURE;
        options.parallelism = workers;
        r = fib_run(run, latencies, &options, &failed);
        if (r < 0)
                fprintf(stderr, "ping-client: %s\n", strerror(-r));
        fib_channel_unref(ready);
        fib_channel_unref(done);
        fib_condition_unref(start);
        free(latencies);
        return r < 0 || failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
