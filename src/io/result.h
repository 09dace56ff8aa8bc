/* SPDX-License-Identifier: MIT */
/* result.h - what a system call returned, with -errno for its -1. */
#ifndef IO_RESULT_H
#define IO_RESULT_H

#include <errno.h>
#include <sys/types.h>
#include "platform/compiler.h"

/* Not inlined, as compilers keep the address of errno across calls, and the fiber may have
 * changed threads in one of them. */
__attribute__((unused)) static NOINLINE ssize_t result(ssize_t r)
{
        return r < 0 ? -errno : r;
}

#endif
