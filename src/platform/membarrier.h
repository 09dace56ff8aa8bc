/* SPDX-License-Identifier: MIT */
/* membarrier.h - a full fence in every running thread of the process, paid for by who asks.
 *
 * For protocols in which one side is common and the other rare: the common side keeps its stores
 * and loads in order for the compiler only, the rare one calls membarrier_everywhere() where the
 * two would need a fence each.  See membarrier(2), MEMBARRIER_CMD_PRIVATE_EXPEDITED (Linux 4.14);
 * a microsecond or two. */
#ifndef PLATFORM_MEMBARRIER_H
#define PLATFORM_MEMBARRIER_H

#include <linux/membarrier.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

/* To be called once, early: in a process with many threads it takes milliseconds.
 * Return: whether membarrier_everywhere() works here. */
static inline bool membarrier_begin(void)
{
        return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
}

static inline bool membarrier_everywhere(void)
{
        return syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
}

#endif
