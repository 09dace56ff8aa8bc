/* SPDX-License-Identifier: MIT */
/* biased-lock-test.c - a lock that becomes one thread's own, and is taken from it. */
#include "base/biased-lock.h"
#include <pthread.h>
#include "base/random.h"
#include "tests/harness.h"

static struct biased_lock lock;
static long counter; /* under the lock */

/* Counts up under the lock.  Return: how many times it was entered by bias. */
static long count_up(unsigned seat, long times)
{
        long entered = 0;

        for (long i = 0; i < times; i++) {
                bool mine = biased_lock_acquire(&lock, seat);

                entered += mine;
                counter++;
                biased_lock_release(&lock, seat, mine);
        }
        return entered;
}

static unsigned take_seat(void)
{
        unsigned seat = seat_take();

        if (!seat)
                test_skip("no membarrier(2)");
        return seat;
}

TEST(who_alone_takes_a_lock_comes_to_own_it)
{
        unsigned seat = take_seat();

        biased_lock_init(&lock);
        ck_assert_int_eq(count_up(seat, 10), 0);
        ck_assert_int_ge(count_up(seat, 1000), 900);
        ck_assert_int_eq(count_up(seat, 1000), 1000);
        ck_assert_int_eq(counter, 2010);
        seat_give(seat);
}

TEST(who_has_no_seat_never_owns_a_lock)
{
        biased_lock_init(&lock);
        ck_assert_int_eq(count_up(0, 1000), 0);
        ck_assert_int_eq(counter, 1000);
}

TEST(another_takes_it_from_its_owner_who_must_earn_it_again)
{
        unsigned mine = take_seat(), theirs = take_seat();

        biased_lock_init(&lock);
        count_up(mine, 1000);
        ck_assert_int_eq(count_up(mine, 1), 1);
        ck_assert_int_eq(count_up(theirs, 1), 0);
        ck_assert_int_eq(count_up(mine, 1), 0);
        ck_assert_int_eq(count_up(0, 1), 0);
        /* Now 256 entries earn it; 64 were enough at first. */
        ck_assert_int_eq(count_up(mine, 120), 0);
        ck_assert_int_gt(count_up(mine, 1000), 0);
        seat_give(mine);
        seat_give(theirs);
}

TEST(seats_are_given_to_one_thread_each)
{
        unsigned taken[SEATS];
        unsigned n = 0;

        while ((taken[n] = seat_take()))
                n++;
        if (n == 0)
                test_skip("no membarrier(2)");
        ck_assert_uint_eq(n, SEATS - 1);
        for (unsigned i = 0; i < n; i++) {
                for (unsigned j = 0; j < i; j++)
                        ck_assert_uint_ne(taken[i], taken[j]);
        }
        seat_give(taken[7]);
        ck_assert_uint_eq(seat_take(), taken[7]);
        ck_assert_uint_eq(seat_take(), 0);
        for (unsigned i = 0; i < n; i++)
                seat_give(taken[i]);
}

static atomic_bool stop;

/* Owns it most of the time. */
static void *own(void *arg)
{
        long *count = arg;
        unsigned seat = seat_take();

        while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
                count_up(seat, 1000);
                *count += 1000;
        }
        seat_give(seat);
        return NULL;
}

/* Comes by now and then: rarely enough for the owner to earn it back. */
static void *come_by(void *arg)
{
        long *count = arg;
        unsigned seat = seat_take();
        struct random random;

        random_init(&random, (uintptr_t)arg);
        for (unsigned long i = 0; i < scaled(3000); i++) {
                uint32_t spins = random_below(&random, 20000);

                for (uint32_t spin_count = 0; spin_count < spins; spin_count++)
                        cpu_relax();
                count_up(i % 2 ? seat : 0, 1);
                *count += 1;
        }
        atomic_store_explicit(&stop, true, memory_order_relaxed);
        seat_give(seat);
        return NULL;
}

TEST(no_two_threads_are_inside_at_once)
{
        pthread_t threads[3];
        long counts[3] = { 0 };

        biased_lock_init(&lock);
        counter = 0;
        for (int i = 0; i < 3; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, i < 2 ? own : come_by,
                                                &counts[i]),
                                 0);
        for (int i = 0; i < 3; i++)
                pthread_join(threads[i], NULL);
        ck_assert_int_eq(counter, counts[0] + counts[1] + counts[2]);
}

/* Two owners in turn would seldom own it: so also with one. */
TEST(an_owner_loses_nothing_to_who_comes_by)
{
        pthread_t threads[2];
        long counts[2] = { 0 };

        biased_lock_init(&lock);
        counter = 0;
        for (int i = 0; i < 2; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, i < 1 ? own : come_by,
                                                &counts[i]),
                                 0);
        for (int i = 0; i < 2; i++)
                pthread_join(threads[i], NULL);
        ck_assert_int_eq(counter, counts[0] + counts[1]);
}

TESTS_WITHIN(20, "biased-lock", who_alone_takes_a_lock_comes_to_own_it,
             who_has_no_seat_never_owns_a_lock,
             another_takes_it_from_its_owner_who_must_earn_it_again,
             seats_are_given_to_one_thread_each, no_two_threads_are_inside_at_once,
             an_owner_loses_nothing_to_who_comes_by)
