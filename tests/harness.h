/* SPDX-License-Identifier: MIT */
/* harness.h - what every test program is made of.
 *
 *     #include "tests/harness.h"
 *
 *     TEST(a_put_that_loses_keeps_its_message)
 *     {
 *             ck_assert_int_eq(1, fib_perform(...));
 *     }
 *
 *     TESTS("channel", a_put_that_loses_keeps_its_message)
 *
 * Each case runs in a process of its own, by Check, or by a few lines of ours where there is no
 * Check.  It fails by an assertion (in any thread, on any stack), a signal, an exit that is not
 * 0 (a sanitizer's report), by taking too long, and by leaving descriptors or threads behind.
 *
 * The assertions bear Check's names, but are ours: Check's write to a file whenever they hold,
 * which is slow in a loop and keeps the threads that are being tested in step.
 *
 * FIBERS_TEST=PART or the first argument: run the cases whose names contain it.
 * FIBERS_TEST_LOG=FILE: append a line for each case, "ok NAME", "not ok NAME MESSAGE" or "skip
 * NAME WHY".  CK_FORK=no: all in this process, for a debugger.  CK_DEFAULT_TIMEOUT (seconds a
 * case, 4 if unset) and CK_TIMEOUT_MULTIPLIER are as in Check's manual. */
#ifndef TESTS_HARNESS_H
#define TESTS_HARNESS_H

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <fibers/fiber.h>
#include <fibers/run.h>
#include <fibers/scheduler.h>

struct test_case {
        const char *name;
        void (*run)(void);
        void (*run_workers)(unsigned workers); /* if not NULL: instead, once for each number */
};

#define TEST(name_)                                                                                \
        static void name_##_case(void);                                                            \
        static const struct test_case name_[1] = { { #name_, name_##_case, NULL } };               \
        static void name_##_case(void)

/* Runs three times, with 1, as many as processors, and 4 per processor in `workers`; logged
 * as name[1], name[2], name[8]. */
#define TEST_WORKERS(name_)                                                                        \
        static void name_##_case(unsigned workers);                                                \
        static const struct test_case name_[1] = { { #name_, NULL, name_##_case } };               \
        static void name_##_case(unsigned workers)

/* Defines main(). */
#define TESTS(suite, ...) TESTS_WITHIN(0, suite, __VA_ARGS__)

/* With a time limit for each case, in seconds, instead of CK_DEFAULT_TIMEOUT. */
#define TESTS_WITHIN(seconds, suite, ...)                                                          \
        int main(int argc, char **argv)                                                            \
        {                                                                                          \
                static const struct test_case *const cases[] = { __VA_ARGS__ };                    \
                                                                                                   \
                return test_main(suite, seconds, cases, sizeof(cases) / sizeof(*cases), argc,      \
                                 argv);                                                            \
        }

int test_main(const char *suite, unsigned seconds, const struct test_case *const cases[],
              size_t count, int argc, char **argv);

/* Ends the case.  From any thread and any stack of 8 KiB. */
__attribute__((noreturn, format(printf, 3, 4))) void test_fail(const char *file, int line,
                                                               const char *format, ...);
__attribute__((noreturn, format(printf, 1, 2))) void test_skip(const char *format, ...);

#define ck_abort_msg(...) test_fail(__FILE__, __LINE__, __VA_ARGS__)

#define ck_assert(condition)                                                                       \
        do {                                                                                       \
                if (!(condition))                                                                  \
                        test_fail(__FILE__, __LINE__, "%s", "'" #condition "' is false");          \
        } while (0)

#define ck_assert_msg(condition, ...)                                                              \
        do {                                                                                       \
                if (!(condition))                                                                  \
                        test_fail(__FILE__, __LINE__, __VA_ARGS__);                                \
        } while (0)

#define TEST_COMPARE(type, format, a, op, b, text)                                                 \
        do {                                                                                       \
                type test_a = (type)(a);                                                           \
                type test_b = (type)(b);                                                           \
                                                                                                   \
                if (!(test_a op test_b))                                                           \
                        test_fail(__FILE__, __LINE__, "'%s' is false: %" format " and %" format,   \
                                  text, test_a, test_b);                                           \
        } while (0)

#define ck_assert_int_eq(a, b) TEST_COMPARE(intmax_t, PRIdMAX, a, ==, b, #a " == " #b)
#define ck_assert_int_ne(a, b) TEST_COMPARE(intmax_t, PRIdMAX, a, !=, b, #a " != " #b)
#define ck_assert_int_lt(a, b) TEST_COMPARE(intmax_t, PRIdMAX, a, <, b, #a " < " #b)
#define ck_assert_int_le(a, b) TEST_COMPARE(intmax_t, PRIdMAX, a, <=, b, #a " <= " #b)
#define ck_assert_int_gt(a, b) TEST_COMPARE(intmax_t, PRIdMAX, a, >, b, #a " > " #b)
#define ck_assert_int_ge(a, b) TEST_COMPARE(intmax_t, PRIdMAX, a, >=, b, #a " >= " #b)
#define ck_assert_uint_eq(a, b) TEST_COMPARE(uintmax_t, PRIuMAX, a, ==, b, #a " == " #b)
#define ck_assert_uint_ne(a, b) TEST_COMPARE(uintmax_t, PRIuMAX, a, !=, b, #a " != " #b)
#define ck_assert_uint_lt(a, b) TEST_COMPARE(uintmax_t, PRIuMAX, a, <, b, #a " < " #b)
#define ck_assert_uint_le(a, b) TEST_COMPARE(uintmax_t, PRIuMAX, a, <=, b, #a " <= " #b)
#define ck_assert_uint_gt(a, b) TEST_COMPARE(uintmax_t, PRIuMAX, a, >, b, #a " > " #b)
#define ck_assert_uint_ge(a, b) TEST_COMPARE(uintmax_t, PRIuMAX, a, >=, b, #a " >= " #b)
#define ck_assert_ptr_eq(a, b) TEST_COMPARE(uintptr_t, PRIxPTR, a, ==, b, #a " == " #b)
#define ck_assert_ptr_ne(a, b) TEST_COMPARE(uintptr_t, PRIxPTR, a, !=, b, #a " != " #b)
#define ck_assert_ptr_null(a) TEST_COMPARE(uintptr_t, PRIxPTR, a, ==, 0, #a " == NULL")
#define ck_assert_ptr_nonnull(a) TEST_COMPARE(uintptr_t, PRIxPTR, a, !=, 0, #a " != NULL")

#define ck_assert_str_eq(a, b)                                                                     \
        do {                                                                                       \
                const char *test_a = (a);                                                          \
                const char *test_b = (b);                                                          \
                                                                                                   \
                if (!test_a || !test_b || strcmp(test_a, test_b) != 0)                             \
                        test_fail(__FILE__, __LINE__, "'%s' is false: \"%s\" and \"%s\"",          \
                                  #a " == " #b, test_a ? test_a : "(null)",                        \
                                  test_b ? test_b : "(null)");                                     \
        } while (0)

/* A count of rounds, divided by 10 under AddressSanitizer, by 50 where all is slower still
 * (ThreadSanitizer, Valgrind, an emulated processor); at least 1. */
unsigned long scaled(unsigned long count);

/* How much slower than usual the clock is to be taken: 1, 3, 10 under the same. */
unsigned slowness(void);

unsigned processor_count(void); /* that this process may run on */
size_t descriptor_count(void);  /* open in this process */
size_t thread_count(void);
size_t mapping_count(void);
size_t resident_bytes(void);
int64_t cpu_time_ns(void); /* of all threads */

/* fib_run() with so many schedulers, which is to go well.  Inline, so that the tests of floors
 * below it link without. */
static inline void *run_fibers(unsigned workers, fib_fn *fn, void *arg)
{
        const fib_run_options options = { .parallelism = workers };
        void *value = NULL;

        ck_assert_int_eq(fib_run(fn, arg, &options, &value), 0);
        return value;
}

/* The same, until nothing is runnable and no timer is pending. */
static inline void *drain_fibers(unsigned workers, fib_fn *fn, void *arg)
{
        const fib_run_options options = { .parallelism = workers, .drain = true };
        void *value = NULL;

        ck_assert_int_eq(fib_run(fn, arg, &options, &value), 0);
        return value;
}

#ifndef __cplusplus
/* Fibers that are waited for together: crew_add() any number, then crew_join(). */
struct crew {
        struct crew_start {
                fib_fn *fn;
                void *arg;
                atomic_bool begun;
        } starts[64];
        fib_fiber *fibers[64];
        unsigned count;
};

/* On the scheduler of the caller, in this order. */
static inline void crew_add(struct crew *crew, fib_fn *fn, void *arg)
{
        ck_assert_uint_lt(crew->count, 64);
        ck_assert_int_eq(fib_spawn_with(NULL, fn, arg, &crew->fibers[crew->count++]), 0);
}

/* On any scheduler. */
static inline void crew_add_parallel(struct crew *crew, fib_fn *fn, void *arg)
{
        const fib_spawn_options options = { .parallel = true };

        ck_assert_uint_lt(crew->count, 64);
        ck_assert_int_eq(fib_spawn_with(&options, fn, arg, &crew->fibers[crew->count++]), 0);
}

static inline void *crew_begin(void *arg)
{
        struct crew_start *start = arg;

        atomic_store(&start->begun, true);
        return start->fn(start->arg);
}

/* On another scheduler than the caller's, if there is one: we do not let go of ours before the
 * fiber has begun, so that it cannot have been stolen back. */
static inline void crew_add_elsewhere(struct crew *crew, fib_fn *fn, void *arg)
{
        struct crew_start *start = &crew->starts[crew->count];
        fib_spawn_options options = { .scheduler = NULL };

        ck_assert_uint_lt(crew->count, 64);
        start->fn = fn;
        start->arg = arg;
        atomic_store(&start->begun, false);
        fib_scheduler_remote_peers(fib_scheduler_current(), &options.scheduler, 1);
        ck_assert_int_eq(fib_spawn_with(&options, crew_begin, start, &crew->fibers[crew->count++]),
                         0);
        while (options.scheduler && !atomic_load(&start->begun))
                sched_yield();
}

static inline void crew_join(struct crew *crew)
{
        for (unsigned i = 0; i < crew->count; i++) {
                ck_assert_int_eq(fib_join(crew->fibers[i], NULL), 0);
                fib_fiber_unref(crew->fibers[i]);
        }
        crew->count = 0;
}
#endif

#endif
