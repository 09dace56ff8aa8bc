/* SPDX-License-Identifier: MIT */
/* guard-test.c - pages that nobody may touch, in the ways that older and newer kernels have. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "platform/guard.h"
#include "tests/harness.h"

#define PAGES 8

/* Return: the signal that a process dies of which writes there; 0: none. */
static int signal_of_write(char *address)
{
        int status;
        pid_t pid = fork();

        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
                signal(SIGSEGV, SIG_DFL);
                *(volatile char *)address = 1;
                _exit(0);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static char *map(size_t pages)
{
        char *mapping = guard_map(pages * guard_size());

        ck_assert_ptr_nonnull(mapping);
        ck_assert_uint_eq((uintptr_t)mapping % guard_size(), 0);
        return mapping;
}

static void expect_guarded(enum guard kind)
{
        size_t page = guard_size();
        char *mapping = map(PAGES);

        memset(mapping, 7, PAGES * page);
        ck_assert_int_eq(guard_install(mapping + 2 * page), kind);
        ck_assert_int_eq(signal_of_write(mapping + 2 * page), SIGSEGV);
        ck_assert_int_eq(signal_of_write(mapping + 3 * page - 1), SIGSEGV);
        /* Nothing else is touched. */
        ck_assert_int_eq(signal_of_write(mapping + 2 * page - 1), 0);
        ck_assert_int_eq(signal_of_write(mapping + 3 * page), 0);
        for (size_t i = 0; i < PAGES * page; i += 64)
                if (i / page != 2)
                        ck_assert_int_eq(mapping[i], 7);
        guard_removed(kind);
        guard_unmap(mapping, PAGES * page);
}

static bool kernel_has_guards(void)
{
        size_t page = guard_size();
        char *mapping = map(1);
        /* MADV_GUARD_INSTALL, Linux 6.13; emulators say yes and do nothing. */
        bool has = !madvise(mapping, page, 102) && signal_of_write(mapping) == SIGSEGV;

        guard_unmap(mapping, page);
        return has;
}

TEST(the_best_guard_is_a_mark_in_the_page_table)
{
        unsetenv("FIBERS_STACK_GUARD");
        expect_guarded(kernel_has_guards() ? GUARD_MADVISE : GUARD_MPROTECT);
}

TEST(it_may_be_asked_for_by_name)
{
        setenv("FIBERS_STACK_GUARD", "madvise", 1);
        expect_guarded(kernel_has_guards() ? GUARD_MADVISE : GUARD_MPROTECT);
}

TEST(older_kernels_protect_the_page)
{
        setenv("FIBERS_STACK_GUARD", "mprotect", 1);
        expect_guarded(GUARD_MPROTECT);
}

TEST(a_canary_tells_afterwards)
{
        size_t page = guard_size();
        char *mapping = map(PAGES);
        char *low = mapping + 2 * page;

        setenv("FIBERS_STACK_GUARD", "canary", 1);
        ck_assert_int_eq(guard_install(low), GUARD_CANARY);
        ck_assert(guard_canary_intact(low));
        memset(low + page + 8, 1, page);
        memset(low, 1, page);
        ck_assert(guard_canary_intact(low)); /* it is the word right above the guard */
        for (size_t i = 0; i < 8; i++) {
                low[page + i] ^= 1;
                ck_assert(!guard_canary_intact(low));
                low[page + i] ^= 1;
                ck_assert(guard_canary_intact(low));
        }
        guard_removed(GUARD_CANARY);
        guard_unmap(mapping, PAGES * page);
}

static long max_map_count(void)
{
        FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
        long count;

        if (!file)
                test_skip("there is no /proc/sys/vm/max_map_count");
        ck_assert_int_eq(fscanf(file, "%ld", &count), 1);
        fclose(file);
        return count;
}

TEST(protected_pages_end_at_a_quarter_of_what_the_kernel_allows)
{
        size_t page = guard_size();
        long quarter = max_map_count() / 4, count = 0;
        size_t pages;
        char *mapping;

        if (slowness() > 1 || quarter > 100000)
                test_skip("it would take too long");
        setenv("FIBERS_STACK_GUARD", "mprotect", 1);
        pages = 2 * (size_t)quarter + 100;
        mapping = map(pages);
        while (guard_install(mapping + 2 * (size_t)count * page) == GUARD_MPROTECT)
                count++;
        ck_assert_int_eq(count, quarter);
        ck_assert_int_eq(guard_install(mapping + 2 * (size_t)count * page), GUARD_CANARY);
        ck_assert(guard_canary_intact(mapping + 2 * (size_t)count * page));
        /* Room again for those that were given up. */
        for (int i = 0; i < 10; i++)
                guard_removed(GUARD_MPROTECT);
        for (int i = 0; i < 10; i++)
                ck_assert_int_eq(guard_install(mapping + (2 * (size_t)i + 1) * page),
                                 GUARD_MPROTECT);
        ck_assert_int_eq(guard_install(mapping + (2 * (size_t)count + 4) * page), GUARD_CANARY);
        guard_unmap(mapping, pages * page);
}

TEST(marks_take_no_mapping)
{
        size_t page = guard_size(), before;
        char *mapping;

        unsetenv("FIBERS_STACK_GUARD");
        if (!kernel_has_guards())
                test_skip("the kernel has no MADV_GUARD_INSTALL");
        mapping = map(20000);
        before = mapping_count();
        for (size_t i = 0; i < 20000; i += 2)
                ck_assert_int_eq(guard_install(mapping + i * page), GUARD_MADVISE);
        ck_assert_uint_le(mapping_count(), before + 2);
        guard_unmap(mapping, 20000 * page);
}

TEST(without_address_space_there_is_no_mapping)
{
        ck_assert_ptr_null(guard_map((size_t)1 << 62));
}

TESTS("guard", the_best_guard_is_a_mark_in_the_page_table, it_may_be_asked_for_by_name,
      older_kernels_protect_the_page, a_canary_tells_afterwards,
      protected_pages_end_at_a_quarter_of_what_the_kernel_allows, marks_take_no_mapping,
      without_address_space_there_is_no_mapping)
