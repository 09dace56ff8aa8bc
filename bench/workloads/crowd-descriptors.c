/* SPDX-License-Identifier: MIT */
/* crowd-descriptors.c - what an event costs among so many watched descriptors: a write, a wake, a
 * read, and an answer over a channel. */
#include "workload.h"
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#define EVENTS 100000

static fib_channel *answers;

static void *echo(void *arg)
{
        int fd = (int)(intptr_t)arg;
        uint64_t word;

        for (;;) {
                check(fib_wait_readable(fd));
                expect(read(fd, &word, sizeof(word)) == sizeof(word), "an empty event");
                fib_put(answers, fib_num(fd));
        }
        return NULL;
}

static void allow_descriptors(long count)
{
        struct rlimit limit;

        getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
        if (limit.rlim_max < (rlim_t)count + 100)
                cannot("RLIMIT_NOFILE is less");
}

static void run(long count)
{
        int *fds = allocate((size_t)count, sizeof(fds[0]));
        unsigned seed = 1;

        allow_descriptors(count);
        answers = new_channel();
        for (long i = 0; i < count; i++) {
                fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
                expect(fds[i] >= 0, "no descriptor");
                spawn(echo, (void *)(intptr_t)fds[i]);
        }
        fib_sleep(10 * FIB_MILLISECOND); /* until all wait */
        begin_time();
        for (long i = 0; i < EVENTS; i++) {
                int fd = fds[(long)rand_r(&seed) % count];

                expect(write(fd, &(uint64_t){ 1 }, sizeof(uint64_t)) > 0, "no event");
                expect(fib_get(answers).num == fd, "another's event");
        }
        end_time();
}

static double events(long count)
{
        return EVENTS;
}

const struct workload workload = { .count = 10, .run = run, .steps = events };
