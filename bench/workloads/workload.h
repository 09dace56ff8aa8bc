/* SPDX-License-Identifier: MIT */
/* workload.h - what the benchmark programs share.  Each defines `workload`; main() is here. */
#ifndef WORKLOAD_H
#define WORKLOAD_H

#include <fibers.h>

struct workload {
        long count;       /* if the command line gives none */
        unsigned workers; /* at least so many; 0: any number */
        bool drain;       /* the run ends when all its fibers have */

        /* Runs it, as the first fiber. */
        void (*run)(long count);

        /* What the time is divided by, to give nanoseconds for each; NULL: milliseconds in all. */
        double (*steps)(long count);

        /* Prints the figures, if they are no time; instead of the above. */
        void (*print)(long count);
};

extern const struct workload workload;

/* For steps: each of count, or two for each. */
double once(long count);
double twice(long count);

/* Ends the program when r is an error. */
void check(int r);

/* Ends the program, saying what was wrong, unless `right`. */
void expect(bool right, const char *what);

/* Ends the program with the status of one that cannot do this. */
void cannot(const char *why);

/* The time begins and ends here, and not with the run. */
void begin_time(void);
void end_time(void);

void spawn(fib_fn *fn, void *arg);

/* On another worker; and to be joined. */
fib_fiber *spawn_elsewhere(fib_fn *fn, void *arg);
fib_fiber *spawn_joinable(fib_fn *fn, void *arg);
void join(fib_fiber *fiber);

/* Ends the program without memory. */
fib_channel *new_channel(void);
void *allocate(size_t count, size_t size);

#endif
