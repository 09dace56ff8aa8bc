/* SPDX-License-Identifier: MIT */
/* time.h - the clock, and waiting for it. */
#ifndef FIBERS_TIME_H
#define FIBERS_TIME_H

#include <fibers/value.h>

FIB_BEGIN

#define FIB_MICROSECOND ((int64_t)1000)
#define FIB_MILLISECOND (1000 * FIB_MICROSECOND)
#define FIB_SECOND (1000 * FIB_MILLISECOND)

/* The library's monotonic clock, in nanoseconds: CLOCK_MONOTONIC of clock_gettime(2), or in a
 * deterministic run (fib_run_options.seed) that run's own. */
FIB_API int64_t fib_now(void);

/* Ready when `ns` have passed since the operation began to be performed; at once for 0 or less.
 * Never early. */
FIB_API fib_op *fib_sleep_op(int64_t ns);

/* A sleep of 0 or less yields. */
FIB_API int fib_sleep(int64_t ns);

/* Ready when fib_now() >= expiry. */
FIB_API fib_op *fib_timer_op(int64_t expiry);

FIB_END

#endif
