/* SPDX-License-Identifier: MIT */
/* stack-test.c - stacks: their guards, their sizes, their number. */
#include <stdatomic.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <fibers.h>
#include "capture.h"
#include "tests/harness.h"
#include "tests/stress/fiber-load.h"

static char text[8192];

static size_t recurse(size_t depth)
{
        volatile char block[512];

        block[0] = (char)depth;
        return depth > 0 ? recurse(depth - 1) + (size_t)block[0] : 0;
}

static void *overflow(void *arg)
{
        fib_yield();
        dprintf(STDERR_FILENO, "id %" PRIu64 "\n", fib_fiber_id(fib_self()));
        return (void *)recurse(SIZE_MAX);
}

struct victim {
        unsigned workers;
        size_t stack_size;
        const char *name;
} victim;

static void *spawn_victim(void *arg)
{
        fib_fiber *fiber;
        const fib_spawn_options options = { .name = victim.name,
                                            .stack_size = victim.stack_size,
                                            .parallel = true };

        ck_assert_int_eq(fib_spawn_with(&options, overflow, NULL, &fiber), 0);
        fib_join(fiber, NULL);
        return NULL;
}

static void run_victim(void)
{
        run_fibers(victim.workers, spawn_victim, NULL);
}

static void expect_overflow(unsigned workers, size_t size, const char *name, int signal)
{
        size_t expected = size ? size : FIB_STACK_DEFAULT;
        unsigned long long id = 0;
        char says[200];
        int status;

        victim = (struct victim){ workers, size, name };
        status = capture_child(run_victim, text, sizeof(text));
        ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == signal, "status %x: %s", status,
                      text);
        ck_assert_int_eq(sscanf(text, "id %llu", &id), 1);
        snprintf(says, sizeof(says), "stack overflow in fiber %llu%s%s%s: its stack has %zu bytes",
                 id, name ? " '" : "", name ? name : "", name ? "'" : "", expected);
        ck_assert_msg(strstr(text, says), "no '%s' in '%s'", says, text);
}

TEST_WORKERS(an_overflow_ends_the_process_with_a_message)
{
        expect_overflow(workers, 0, NULL, SIGSEGV);
        expect_overflow(workers, 0, "deep one", SIGSEGV);
        expect_overflow(workers, FIB_STACK_MIN, "small one", SIGSEGV);
        expect_overflow(workers, (size_t)4 << 20, "large one", SIGSEGV);
}

TEST_WORKERS(a_guard_may_be_a_protected_page)
{
        setenv("FIBERS_STACK_GUARD", "mprotect", 1);
        expect_overflow(workers, 0, "protected", SIGSEGV);
        expect_overflow(workers, (size_t)1 << 20, "protected", SIGSEGV);
}

/* A stack that has no guard page is looked at when its fiber ends: this one goes one page too
 * far, into its neighbour's, and comes back. */
static void *overflow_a_little(void *arg)
{
        size_t size = victim.stack_size + 2048;
        volatile char *block = __builtin_alloca(size);

        for (size_t i = 0; i < size; i += 8)
                block[i] = 1;
        return NULL;
}

static void *spawn_canary_victim(void *arg)
{
        const fib_spawn_options options = { .name = "canary", .stack_size = victim.stack_size };
        fib_fiber *fiber;

        ck_assert_int_eq(fib_spawn_with(&options, overflow_a_little, NULL, &fiber), 0);
        fib_join(fiber, NULL);
        return NULL;
}

static void run_canary_victim(void)
{
        run_fibers(1, spawn_canary_victim, NULL);
}

TEST(a_guard_may_be_a_canary)
{
        int status;

        setenv("FIBERS_STACK_GUARD", "canary", 1);
        victim = (struct victim){ .stack_size = 64 << 10 };
        status = capture_child(run_canary_victim, text, sizeof(text));
        ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "status %x: %s", status,
                      text);
        ck_assert_msg(strstr(text, "stack overflow in fiber"), "%s", text);
        ck_assert_msg(strstr(text, "'canary': its stack has 65536 bytes"), "%s", text);
}

static void *use_deeply(void *arg)
{
        recurse((size_t)arg);
        fib_yield();
        recurse((size_t)arg);
        return NULL;
}

/* Each with the deepest recursion that is safe. */
static void *go_deep(void *arg)
{
        struct crew crew = { .count = 0 };

        for (int round = 0; round < 3; round++) {
                for (int i = 0; i < 40; i++)
                        crew_add_parallel(&crew, use_deeply,
                                          (void *)(uintptr_t)(slowness() == 1 ? 300 : 60));
                crew_join(&crew);
        }
        return NULL;
}

TEST_WORKERS(deep_stacks_do_not_touch_each_other)
{
        const char *const guards[] = { "madvise", "mprotect", "canary" };

        for (int i = 0; i < 3; i++) {
                setenv("FIBERS_STACK_GUARD", guards[i], 1);
                /* A process has one kind of guard: so once in a child for each. */
                if (i < 2) {
                        pid_t pid = fork();
                        int status;

                        ck_assert_int_ge(pid, 0);
                        if (pid == 0) {
                                run_fibers(workers, go_deep, NULL);
                                _exit(0);
                        }
                        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
                        ck_assert_int_eq(status, 0);
                } else {
                        run_fibers(workers, go_deep, NULL);
                }
        }
}

/*
 * Other faults.
 */

static void *fault(void *arg)
{
        *(volatile int *)arg = 1;
        return NULL;
}

static void handle_fault(int signal, siginfo_t *info, void *context)
{
        static const char message[] = "the user's handler: ";

        if (write(STDERR_FILENO, message, sizeof(message) - 1) < 0 || info->si_addr != (void *)8)
                _exit(2);
        _exit(info->si_signo == SIGSEGV ? 42 : 3);
}

static void handle_simply(int signal)
{
        _exit(signal == SIGSEGV ? 43 : 3);
}

static void fault_in_fiber(void)
{
        run_fibers(victim.workers, fault, (void *)8);
}

static void fault_with_handler(void)
{
        struct sigaction action = { .sa_sigaction = handle_fault, .sa_flags = SA_SIGINFO };

        sigaction(SIGSEGV, &action, NULL);
        fault_in_fiber();
}

static void fault_with_simple_handler(void)
{
        signal(SIGSEGV, handle_simply);
        fault_in_fiber();
}

static void overflow_with_handler(void)
{
        struct sigaction action = { .sa_sigaction = handle_fault, .sa_flags = SA_SIGINFO };

        sigaction(SIGSEGV, &action, NULL);
        run_victim();
}

static void fault_default(void)
{
        signal(SIGSEGV, SIG_DFL);
        fault_in_fiber();
}

static void *raise_fault(void *arg)
{
        raise(SIGSEGV);
        return NULL;
}

static void send_signal(void)
{
        struct sigaction action = { .sa_handler = handle_simply };

        sigaction(SIGSEGV, &action, NULL);
        run_fibers(victim.workers, raise_fault, NULL);
}

TEST_WORKERS(other_faults_go_to_the_handler_that_was_there)
{
        int status;

        victim = (struct victim){ .workers = workers };
        status = capture_child(fault_with_handler, text, sizeof(text));
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 42, "%x: %s", status, text);
        ck_assert_str_eq(text, "the user's handler: ");
        status = capture_child(fault_with_simple_handler, text, sizeof(text));
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 43, "%x: %s", status, text);
        status = capture_child(fault_default, text, sizeof(text));
        ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "%x: %s", status, text);
        ck_assert_ptr_null(strstr(text, "overflow"));
        status = capture_child(send_signal, text, sizeof(text));
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 43, "%x: %s", status, text);
}

TEST(an_overflow_is_told_before_the_users_handler_sees_it)
{
        victim = (struct victim){ 1, 0, "mine" };
        capture_child(overflow_with_handler, text, sizeof(text));
        ck_assert_msg(strstr(text, "stack overflow in fiber"), "%s", text);
}

/*
 * Memory.
 */

static fib_channel *gate;

static atomic_ulong touched;

static void *touch_and_wait(void *arg)
{
        volatile char block[8192];

        for (size_t i = 0; i < sizeof(block); i += 512)
                block[i] = 1;
        __asm__ volatile("" : : "r"(block) : "memory"); /* clang keeps only what it must */
        atomic_fetch_add(&touched, 1);
        fib_get(gate);
        return NULL;
}

static size_t peak;

static void *peak_and_fall(void *arg)
{
        unsigned long count = (unsigned long)(uintptr_t)arg;

        atomic_store(&touched, 0);
        for (unsigned long i = 0; i < count; i++)
                ck_assert_int_eq(fib_spawn_with(&(fib_spawn_options){ .parallel = true },
                                                touch_and_wait, NULL, NULL),
                                 0);
        while (atomic_load(&touched) < count)
                fib_sleep(FIB_MILLISECOND);
        peak = resident_bytes();
        for (unsigned long i = 0; i < count; i++)
                fib_put(gate, fib_num(0));
        fib_sleep(FIB_MILLISECOND);
        return NULL;
}

static void *spawn_few(void *arg)
{
        for (int i = 0; i < 100; i++)
                ck_assert_int_eq(fib_spawn(use_deeply, (void *)10), 0);
        fib_yield();
        return NULL;
}

TEST_WORKERS(memory_is_given_back_after_a_peak)
{
        size_t before, after;

        if (slowness() > 1)
                test_skip("the sanitizers keep memory of their own");
        gate = fib_channel_new();
        run_fibers(workers, peak_and_fall, (void *)1000);
        before = resident_bytes();
        run_fibers(workers, peak_and_fall, (void *)20000);
        run_fibers(workers, spawn_few, NULL);
        after = resident_bytes();
        ck_assert_uint_gt(peak, before + (100u << 20)); /* so that there was something to give */
        ck_assert_msg(after < before + (24u << 20), "%zu MiB before, %zu at the peak, %zu after",
                      before >> 20, peak >> 20, after >> 20);
        fib_channel_unref(gate);
}

TEST(many_stacks_take_few_mappings)
{
        size_t mappings;

        if (slowness() > 1)
                test_skip("TSan has no room for so many");
        gate = fib_channel_new();
        mappings = mapping_count();
        crowd_load(1, 20000);
        ck_assert_uint_lt(mapping_count(), mappings + 200);
        fib_channel_unref(gate);
}

TESTS("stack", an_overflow_ends_the_process_with_a_message, a_guard_may_be_a_protected_page,
      a_guard_may_be_a_canary, deep_stacks_do_not_touch_each_other,
      other_faults_go_to_the_handler_that_was_there,
      an_overflow_is_told_before_the_users_handler_sees_it, memory_is_given_back_after_a_peak,
      many_stacks_take_few_mappings)
