/* SPDX-License-Identifier: MIT */
/* clock.h - the monotonic clock, in nanoseconds. */
#ifndef PLATFORM_CLOCK_H
#define PLATFORM_CLOCK_H

#include <stdint.h>
#include <time.h>

#define CLOCK_NEVER INT64_MAX

static inline int64_t clock_now(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static inline struct timespec clock_timespec(int64_t ns)
{
        return (struct timespec){ ns / 1000000000, ns % 1000000000 };
}

/* The sum, or CLOCK_NEVER where that would overflow: 292 years from the start of the machine. */
static inline int64_t clock_add(int64_t time, int64_t ns)
{
        int64_t sum;

        return __builtin_add_overflow(time, ns, &sum) ? CLOCK_NEVER : sum;
}

#endif
