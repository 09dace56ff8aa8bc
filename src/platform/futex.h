/* SPDX-License-Identifier: MIT */
/* futex.h - parking a kernel thread on a word (futex(2)). */
#ifndef PLATFORM_FUTEX_H
#define PLATFORM_FUTEX_H

#include <errno.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "platform/clock.h"

/* Sleeps while *word is `value`, until `deadline` on the monotonic clock (CLOCK_NEVER: none).
 * May return early: look at the word again. */
static inline void futex_wait(atomic_uint *word, unsigned value, int64_t deadline)
{
        struct timespec until = clock_timespec(deadline);

        syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, value,
                deadline == CLOCK_NEVER ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);
}

/* Only the address counts: the word may be gone by now, since whoever slept on it may have gone
 * on as soon as it changed; at worst another waiter looks at its word again. */
static inline void futex_wake_one(atomic_uint *word)
{
        syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

#endif
