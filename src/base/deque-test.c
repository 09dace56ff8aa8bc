/* SPDX-License-Identifier: MIT */
/* deque-test.c - each item is taken exactly once, by its owner or by a thief. */
#include <pthread.h>
#include "base/deque.h"
#include "base/random.h"
#include "tests/harness.h"

static struct deque deque;

static void *item(uintptr_t number)
{
        return (void *)(number + 1);
}

static void push(uintptr_t number)
{
        ck_assert(deque_push(&deque, item(number)));
}

TEST(the_first_in_is_the_first_out)
{
        ck_assert(deque_init(&deque));
        ck_assert_ptr_null(deque_take(&deque));
        for (uintptr_t i = 0; i < 100; i++)
                push(i);
        ck_assert_uint_eq(deque_length(&deque), 100);
        for (uintptr_t i = 0; i < 100; i++)
                ck_assert_ptr_eq(deque_take(&deque), item(i));
        ck_assert_ptr_null(deque_take(&deque));
        ck_assert_uint_eq(deque_length(&deque), 0);
        ck_assert_uint_eq(deque_pushed(&deque), 100);
        ck_assert_uint_eq(deque_taken(&deque), 100);
        deque_destroy(&deque);
}

/* Grows from every position of the ring. */
TEST(it_grows_and_keeps_its_order)
{
        for (uintptr_t offset = 0; offset < DEQUE_FIRST_SIZE; offset += 51) {
                ck_assert(deque_init(&deque));
                for (uintptr_t i = 0; i < offset; i++)
                        push(i);
                for (uintptr_t i = 0; i < offset; i++)
                        ck_assert_ptr_eq(deque_take(&deque), item(i));
                for (uintptr_t i = 0; i < 10 * DEQUE_FIRST_SIZE; i++)
                        push(i);
                ck_assert_uint_eq(deque_length(&deque), 10 * DEQUE_FIRST_SIZE);
                for (uintptr_t i = 0; i < 10 * DEQUE_FIRST_SIZE; i++)
                        ck_assert_ptr_eq(deque_take(&deque), item(i));
                ck_assert_ptr_null(deque_take(&deque));
                deque_destroy(&deque);
        }
}

TEST(it_goes_round_its_ring_without_growing)
{
        struct deque_ring *ring;

        ck_assert(deque_init(&deque));
        ring = atomic_load(&deque.ring);
        for (uintptr_t i = 0; i < 100000; i++) {
                push(i);
                if (i % 200 == 199)
                        for (uintptr_t j = i - 199; j <= i; j++)
                                ck_assert_ptr_eq(deque_take(&deque), item(j));
        }
        ck_assert_ptr_eq(atomic_load(&deque.ring), ring);
        deque_destroy(&deque);
}

/* One owner, who pushes and takes, and thieves. */
#define THIEVES 3

static unsigned long item_count;
static atomic_uchar *taken;
static atomic_ulong taken_count;
static atomic_bool all_pushed;

static void take_one(void *found, uintptr_t *last)
{
        uintptr_t number = (uintptr_t)found - 1;

        ck_assert_uint_lt(number, item_count);
        ck_assert_uint_eq(atomic_fetch_add(&taken[number], 1), 0);
        /* Each taker sees them in order. */
        ck_assert(number + 1 > *last);
        *last = number + 1;
        atomic_fetch_add(&taken_count, 1);
}

static void *steal(void *arg)
{
        uintptr_t last = 0;

        for (;;) {
                bool end = atomic_load(&all_pushed);
                void *found = deque_take(&deque);

                if (found)
                        take_one(found, &last);
                else if (end)
                        return NULL;
                else
                        sched_yield();
        }
}

static void share(unsigned long count, unsigned burst, bool owner_takes)
{
        struct random random;
        pthread_t thieves[THIEVES];
        uintptr_t last = 0;
        unsigned long next = 0;
        void *found;

        random_init(&random, burst);
        item_count = count;
        taken = calloc(count, sizeof(*taken));
        ck_assert_ptr_nonnull(taken);
        atomic_store(&taken_count, 0);
        atomic_store(&all_pushed, false);
        ck_assert(deque_init(&deque));
        for (int i = 0; i < THIEVES; i++)
                ck_assert_int_eq(pthread_create(&thieves[i], NULL, steal, NULL), 0);
        while (next < count) {
                for (unsigned n = random_below(&random, burst) + 1; n > 0 && next < count; n--)
                        push(next++);
                for (unsigned n = owner_takes ? random_below(&random, burst) : 0; n > 0; n--) {
                        found = deque_take(&deque);
                        if (found)
                                take_one(found, &last);
                }
                if (!owner_takes && next % 64 == 0)
                        sched_yield();
        }
        atomic_store(&all_pushed, true);
        for (int i = 0; i < THIEVES; i++)
                pthread_join(thieves[i], NULL);
        ck_assert_ptr_null(deque_take(&deque));
        ck_assert_uint_eq(atomic_load(&taken_count), count);
        deque_destroy(&deque);
        free(taken);
}

TEST(thieves_and_the_owner_take_each_item_once)
{
        share(scaled(1000000), 3, true);
        share(scaled(1000000), 50, true);
}

TEST(it_grows_while_thieves_take)
{
        for (int i = 0; i < 10; i++)
                share(scaled(100000), 5000, false);
}

TESTS("deque", the_first_in_is_the_first_out, it_grows_and_keeps_its_order,
      it_goes_round_its_ring_without_growing, thieves_and_the_owner_take_each_item_once,
      it_grows_while_thieves_take)
