/* SPDX-License-Identifier: MIT */
/* parameter-test.c - what a spawner sets before is seen, what is set after is not. */
#include <pthread.h>
#include <stdint.h>
#include <fibers.h>
#include "tests/harness.h"

static fib_parameter *parameter;

static void set(intptr_t value)
{
        ck_assert_int_eq(fib_parameter_set(parameter, (void *)value), 0);
}

static void expect(intptr_t value)
{
        ck_assert_int_eq((intptr_t)fib_parameter_get(parameter), value);
}

static fib_fiber *spawn(fib_fn *fn, void *arg, unsigned way)
{
        const fib_spawn_options options = { .parallel = way & 1, .migratable = way & 2 };
        fib_fiber *fiber;

        ck_assert_int_eq(fib_spawn_with(&options, fn, arg, &fiber), 0);
        return fiber;
}

static void join(fib_fiber *fiber)
{
        ck_assert_int_eq(fib_join(fiber, NULL), 0);
        fib_fiber_unref(fiber);
}

static void begin(void)
{
        parameter = fib_parameter_new((void *)1);
        ck_assert_ptr_nonnull(parameter);
}

static void end(void)
{
        fib_parameter_unref(parameter);
}

static void *find_initial(void *arg)
{
        expect(1);
        return NULL;
}

static void *find_initial_everywhere(void *arg)
{
        expect(1);
        for (unsigned way = 0; way < 4; way++)
                join(spawn(find_initial, NULL, way));
        return NULL;
}

TEST_WORKERS(a_parameter_has_its_initial_value_until_it_is_set)
{
        begin();
        expect(1);
        run_fibers(workers, find_initial_everywhere, NULL);
        end();
}

/* Runs after its spawner has set another value, and sets its own. */
static void *see_before_not_after(void *arg)
{
        expect((intptr_t)arg);
        fib_yield();
        expect((intptr_t)arg);
        set((intptr_t)arg + 1000);
        fib_sleep(FIB_MILLISECOND);
        expect((intptr_t)arg + 1000);
        return NULL;
}

static void *set_before_and_after(void *arg)
{
        for (intptr_t i = 10; i < 90; i += 10) {
                fib_fiber *fiber;

                set(i);
                fiber = spawn(see_before_not_after, (void *)i, (unsigned)i / 10);
                set(i + 1);
                fib_sleep(100 * FIB_MICROSECOND);
                expect(i + 1);
                join(fiber);
                expect(i + 1);
        }
        return NULL;
}

TEST_WORKERS(a_fiber_inherits_what_was_set_before_it_was_spawned)
{
        begin();
        run_fibers(workers, set_before_and_after, NULL);
        expect(1);
        end();
}

static void *inherit_deeply(void *arg)
{
        intptr_t depth = (intptr_t)arg;

        expect(depth < 5 ? 7 : 8);
        if (depth == 4)
                set(8);
        if (depth < 20)
                join(spawn(inherit_deeply, (void *)(depth + 1), (unsigned)depth));
        expect(depth < 4 ? 7 : 8);
        return NULL;
}

static void *inherit_first(void *arg)
{
        set(7);
        return inherit_deeply(arg);
}

TEST_WORKERS(grandchildren_inherit_too)
{
        begin();
        run_fibers(workers, inherit_first, NULL);
        end();
}

/* Fibers that share the value they inherited do not see each other's. */
static void *set_own(void *arg)
{
        for (int i = 0; i < 100; i++) {
                expect(i ? (intptr_t)arg : 5);
                set((intptr_t)arg);
                if (i % 10 == 0)
                        fib_yield();
        }
        return NULL;
}

static void *share(void *arg)
{
        fib_fiber *fibers[40];

        set(5);
        for (unsigned i = 0; i < 40; i++)
                fibers[i] = spawn(set_own, (void *)(intptr_t)(100 + i), i);
        for (unsigned i = 0; i < 40; i++)
                join(fibers[i]);
        expect(5);
        return NULL;
}

TEST_WORKERS(siblings_do_not_see_each_other)
{
        begin();
        run_fibers(workers, share, NULL);
        end();
}

static void *in_extent(void *arg)
{
        expect(20);
        fib_yield();
        expect(20);
        set(21); /* ends with the extent */
        *(fib_fiber **)arg = spawn(see_before_not_after, (void *)21, 1);
        return arg;
}

static void *nest(void *arg)
{
        void *ret = NULL;

        expect(15);
        ck_assert_int_eq(fib_parameterize(parameter, (void *)20, in_extent, arg, &ret), 0);
        ck_assert_ptr_eq(ret, arg);
        expect(15);
        return NULL;
}

static void *parameterize(void *arg)
{
        fib_fiber *fiber;

        set(2);
        ck_assert_int_eq(fib_parameterize(parameter, (void *)20, in_extent, &fiber, NULL), 0);
        expect(2);
        join(fiber);
        ck_assert_int_eq(fib_parameterize(parameter, (void *)15, nest, &fiber, NULL), 0);
        expect(2);
        join(fiber);
        return NULL;
}

TEST_WORKERS(parameterize_sets_for_one_call)
{
        begin();
        run_fibers(workers, parameterize, NULL);
        end();
}

TEST(a_thread_has_values_of_its_own)
{
        fib_fiber *fiber = NULL;
        void *ret;

        begin();
        ck_assert_int_eq(fib_parameterize(parameter, (void *)1, find_initial, &fiber, &ret), 0);
        ck_assert_ptr_null(ret);
        set(3);
        expect(3);
        end();
}

static void *thread_sets(void *arg)
{
        expect(1); /* threads inherit nothing */
        set((intptr_t)arg);
        expect((intptr_t)arg);
        return NULL;
}

TEST(threads_do_not_see_each_other)
{
        pthread_t threads[4];

        begin();
        set(9);
        for (intptr_t i = 0; i < 4; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, thread_sets, (void *)i), 0);
        for (int i = 0; i < 4; i++)
                pthread_join(threads[i], NULL);
        expect(9);
        set(0);
        end();
}

static void *expect_nine(void *arg)
{
        expect(9);
        set(10);
        for (unsigned way = 0; way < 4; way++)
                join(spawn(see_before_not_after, (void *)10, way));
        return NULL;
}

TEST_WORKERS(the_first_fiber_inherits_from_the_caller_of_the_run)
{
        begin();
        set(9);
        run_fibers(workers, expect_nine, NULL);
        expect(9);
        end();
}

#define MANY 200

static fib_parameter *many[MANY];

static void expect_many(intptr_t base)
{
        for (intptr_t i = 0; i < MANY; i++)
                ck_assert_int_eq((intptr_t)fib_parameter_get(many[i]), base + i);
}

static void *see_many(void *arg)
{
        expect_many(1000);
        for (intptr_t i = 0; i < MANY; i++)
                ck_assert_int_eq(fib_parameter_set(many[i], (void *)(2000 + i)), 0);
        expect_many(2000);
        return NULL;
}

static void *set_many(void *arg)
{
        for (intptr_t i = MANY - 1; i >= 0; i--)
                ck_assert_int_eq(fib_parameter_set(many[i], (void *)(1000 + i)), 0);
        for (unsigned way = 0; way < 4; way++)
                join(spawn(see_many, NULL, way));
        expect_many(1000);
        return NULL;
}

TEST_WORKERS(there_may_be_many_parameters)
{
        for (intptr_t i = 0; i < MANY; i++)
                many[i] = fib_parameter_new((void *)i);
        run_fibers(workers, set_many, NULL);
        expect_many(0);
        for (int i = 0; i < MANY; i++)
                fib_parameter_unref(many[i]);
}

static void *drop_while_set(void *arg)
{
        fib_parameter *mine = fib_parameter_new(NULL);

        ck_assert_int_eq(fib_parameter_set(mine, arg), 0);
        fib_parameter_unref(mine); /* the fiber's value keeps a reference */
        ck_assert_ptr_eq(fib_parameter_get(mine), arg);
        fib_perform(fib_choice(fib_never(), fib_sleep_op((intptr_t)arg * FIB_SECOND)), NULL);
        return NULL;
}

static void *end_while_set(void *arg)
{
        for (unsigned way = 0; way < 4; way++)
                fib_fiber_unref(spawn(drop_while_set, (void *)3600, way));
        fib_sleep(FIB_MILLISECOND);
        return NULL;
}

TEST_WORKERS(values_are_forgotten_with_their_fiber)
{
        run_fibers(workers, end_while_set, NULL); /* LeakSanitizer would tell */
}

static void *not_called(void *arg)
{
        ck_abort_msg("called");
}

TEST(bad_parameters_are_refused)
{
        int object;
        void *ret = &object;

        begin();
        ck_assert_ptr_null(fib_parameter_get(NULL));
        ck_assert_int_eq(fib_parameter_set(NULL, &object), -EINVAL);
        ck_assert_int_eq(fib_parameterize(NULL, &object, not_called, NULL, &ret), -EINVAL);
        ck_assert_int_eq(fib_parameterize(parameter, &object, NULL, NULL, &ret), -EINVAL);
        ck_assert_ptr_eq(ret, &object);
        ck_assert_ptr_null(fib_parameter_ref(NULL));
        fib_parameter_unref(NULL);
        fib_parameter_unref(fib_parameter_ref(parameter));
        expect(1);
        end();
}

TESTS("parameter", a_parameter_has_its_initial_value_until_it_is_set,
      a_fiber_inherits_what_was_set_before_it_was_spawned, grandchildren_inherit_too,
      siblings_do_not_see_each_other, parameterize_sets_for_one_call,
      a_thread_has_values_of_its_own, threads_do_not_see_each_other,
      the_first_fiber_inherits_from_the_caller_of_the_run, there_may_be_many_parameters,
      values_are_forgotten_with_their_fiber, bad_parameters_are_refused)
