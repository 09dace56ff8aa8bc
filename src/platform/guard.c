/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include "platform/guard.h"
#include "platform/sanitizer.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif

#define CANARY UINT64_C(0xf1be25a5c0ffee5a)
#define USUAL_MAX_MAP_COUNT 65530

static atomic_int best = -1;    /* enum guard to begin with; -1: not known yet */
static atomic_bool proven;      /* guards of the best kind were seen to work */
static atomic_long protections; /* mprotect guards in place */

size_t guard_size(void)
{
        return (size_t)sysconf(_SC_PAGESIZE);
}

static int best_guard(void)
{
        const char *name = getenv("FIBERS_STACK_GUARD");

        if (name && !strcmp(name, "mprotect"))
                return GUARD_MPROTECT;
        if (name && !strcmp(name, "canary"))
                return GUARD_CANARY;
        return GUARD_MADVISE;
}

static long most_protections(void)
{
        FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
        long count = USUAL_MAX_MAP_COUNT;

        if (file) {
                if (fscanf(file, "%ld", &count) != 1)
                        count = USUAL_MAX_MAP_COUNT;
                fclose(file);
        }
        return count / 4;
}

void *guard_map(size_t size)
{
        void *mapping = mmap(NULL, size, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

        if (mapping == MAP_FAILED)
                return NULL;
        /* A huge page would be a huge first page of one fiber. */
        madvise(mapping, size, MADV_NOHUGEPAGE);
        return mapping;
}

void guard_unmap(void *mapping, size_t size)
{
        munmap(mapping, size);
}

/* Return: whether there was room for one more. */
static bool protect(void *low)
{
        static atomic_long most;
        long limit = atomic_load_explicit(&most, memory_order_relaxed);

        if (!limit) {
                limit = most_protections();
                atomic_store_explicit(&most, limit, memory_order_relaxed);
        }
        if (atomic_fetch_add_explicit(&protections, 1, memory_order_relaxed) < limit &&
            !mprotect(low, guard_size(), PROT_NONE))
                return true;
        atomic_fetch_sub_explicit(&protections, 1, memory_order_relaxed);
        return false;
}

/* An emulator may take the advice and not act on it: the kernel has to refuse to read there. */
static bool mark(void *low)
{
        *(char *)low = '\0'; /* as a path: empty */
        return !madvise(low, guard_size(), MADV_GUARD_INSTALL) && access(low, F_OK) < 0 &&
               errno == EFAULT;
}

enum guard guard_install(void *low)
{
        int guard = atomic_load_explicit(&best, memory_order_relaxed);

        if (guard < 0) {
                guard = best_guard();
                atomic_store_explicit(&best, guard, memory_order_relaxed);
        }
        if (guard == GUARD_MADVISE) {
                if (atomic_load_explicit(&proven, memory_order_relaxed)
                            ? !madvise(low, guard_size(), MADV_GUARD_INSTALL)
                            : mark(low)) {
                        atomic_store_explicit(&proven, true, memory_order_relaxed);
                        return GUARD_MADVISE;
                }
                guard = GUARD_MPROTECT;
                atomic_store_explicit(&best, guard, memory_order_relaxed);
        }
        if (guard == GUARD_MPROTECT && protect(low))
                return GUARD_MPROTECT;
        *(uint64_t *)((char *)low + guard_size()) = CANARY;
        return GUARD_CANARY;
}

/* Return: for how many of the pages the kernel took the advice, the first ones. */
static size_t advise_many(void *const pages[], size_t n, int advice)
{
        struct iovec ranges[GUARD_MANY];
        ssize_t advised;
        int self;

        for (size_t i = 0; i < n; i++)
                ranges[i] = (struct iovec){ pages[i], guard_size() };
        self = (int)syscall(SYS_pidfd_open, getpid(), 0);
        if (self < 0)
                return 0;
        advised = syscall(SYS_process_madvise, self, ranges, n, advice, 0);
        close(self);
        return advised < 0 ? 0 : (size_t)advised / guard_size();
}

size_t guard_install_many(void *const lows[], void *const pages[], size_t n)
{
        if (sanitizer_has_old_kernel() || !atomic_load_explicit(&proven, memory_order_relaxed) ||
            atomic_load_explicit(&best, memory_order_relaxed) != GUARD_MADVISE)
                return 0;
        n = advise_many(lows, n, MADV_GUARD_INSTALL);
        if (n > 0)
                advise_many(pages, n, MADV_POPULATE_WRITE); /* or they are when they are touched */
        return n;
}

void guard_removed(enum guard guard)
{
        if (guard == GUARD_MPROTECT)
                atomic_fetch_sub_explicit(&protections, 1, memory_order_relaxed);
}

bool guard_canary_intact(const void *low)
{
        return *(const uint64_t *)((const char *)low + guard_size()) == CANARY;
}
