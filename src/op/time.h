/* SPDX-License-Identifier: MIT */
/* time.h - waiting for a point in time, directly. */
#ifndef OP_TIME_H
#define OP_TIME_H

#include <stdint.h>

/* Waits until fib_now() >= expiry, later than now. */
void time_wait(int64_t expiry);

#endif
