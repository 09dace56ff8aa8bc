/* SPDX-License-Identifier: MIT */
/* pool-test.c - small objects: apart from each other, over all threads, and given back. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include "base/pool.h"
#include "base/random.h"
#include "tests/harness.h"

/* Each byte of an object says whose it is. */
static void mark(void *object, size_t size, unsigned char who)
{
        memset(object, who, size);
}

static void expect_mark(void *object, size_t size, unsigned char who)
{
        const unsigned char *bytes = object;

        for (size_t i = 0; i < size; i++)
                ck_assert_uint_eq(bytes[i], who);
}

TEST(objects_of_all_sizes_are_aligned_and_apart)
{
        static void *objects[2 * POOL_LARGEST];

        for (int round = 0; round < 3; round++) {
                for (size_t size = 1; size < 2 * POOL_LARGEST; size++) {
                        objects[size] = pool_alloc(size);
                        ck_assert_ptr_nonnull(objects[size]);
                        ck_assert_uint_eq((uintptr_t)objects[size] % 16, 0);
                        mark(objects[size], size, (unsigned char)(size + (unsigned)round));
                }
                for (size_t size = 1; size < 2 * POOL_LARGEST; size++) {
                        expect_mark(objects[size], size, (unsigned char)(size + (unsigned)round));
                        pool_free(objects[size], size);
                }
        }
        pool_free(NULL, 16);
        pool_free(NULL, 10000);
}

static size_t sizes[] = { 1, 16, 17, 100, 256, 257, 5000 };

#define HELD 400

/* A walk that holds some hundred objects, of which it frees and allocates any. */
static void *walk(void *arg)
{
        struct random random;
        struct {
                unsigned char *object;
                size_t size;
                unsigned char who;
        } held[HELD] = { { NULL } };

        random_init(&random, (uintptr_t)arg);
        for (unsigned long i = 0; i < scaled(300000); i++) {
                unsigned at = random_below(&random, HELD);

                if (held[at].object) {
                        expect_mark(held[at].object, held[at].size < 32 ? held[at].size : 32,
                                    held[at].who);
                        pool_free(held[at].object, held[at].size);
                        held[at].object = NULL;
                } else {
                        held[at].size = sizes[random_below(&random, 7)];
                        held[at].who = (unsigned char)random_next(&random);
                        held[at].object = pool_alloc(held[at].size);
                        ck_assert_ptr_nonnull(held[at].object);
                        mark(held[at].object, held[at].size, held[at].who);
                }
        }
        for (unsigned at = 0; at < HELD; at++)
                pool_free(held[at].object, held[at].size);
        return NULL;
}

TEST(threads_do_not_share_an_object)
{
        pthread_t threads[4];

        for (uintptr_t i = 0; i < 4; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, walk, (void *)i), 0);
        for (int i = 0; i < 4; i++)
                pthread_join(threads[i], NULL);
}

/* One allocates, another frees: neither's cache grows for ever. */
#define RING 1024

static _Atomic(void *) ring[RING];

static unsigned long handed(void)
{
        return scaled(500000);
}

static void *free_handed(void *arg)
{
        for (unsigned long i = 0; i < handed(); i++) {
                void *object;

                while (!(object = atomic_exchange(&ring[i % RING], NULL)))
                        sched_yield();
                expect_mark(object, 48, (unsigned char)i);
                pool_free(object, 48);
        }
        return NULL;
}

TEST(what_one_thread_frees_another_gets_again)
{
        size_t before = resident_bytes();
        pthread_t thread;

        ck_assert_int_eq(pthread_create(&thread, NULL, free_handed, NULL), 0);
        for (unsigned long i = 0; i < handed(); i++) {
                void *object = pool_alloc(48);

                mark(object, 48, (unsigned char)i);
                while (atomic_load(&ring[i % RING]))
                        sched_yield();
                atomic_store(&ring[i % RING], object);
        }
        pthread_join(thread, NULL);
        if (slowness() == 1)
                ck_assert_uint_lt(resident_bytes(), before + (8u << 20));
}

static void *alloc_and_end(void *arg)
{
        void *objects[200];

        for (int i = 0; i < 200; i++)
                objects[i] = pool_alloc(64);
        for (int i = 0; i < 200; i++)
                pool_free(objects[i], 64);
        return NULL;
}

TEST(a_thread_that_ends_leaves_its_objects_to_the_others)
{
        size_t before;

        alloc_and_end(NULL);
        before = resident_bytes();
        for (unsigned long i = 0; i < scaled(2000); i++) {
                pthread_t thread;

                ck_assert_int_eq(pthread_create(&thread, NULL, alloc_and_end, NULL), 0);
                pthread_join(thread, NULL);
        }
        if (slowness() == 1)
                ck_assert_uint_lt(resident_bytes(), before + (16u << 20));
}

/* Allocates many, and frees them with a stride; not in a multiple of their number. */
#define PEAK 500000

static void **peak_objects;
static size_t peak_bytes;

static void *peak_and_fall(void *arg)
{
        size_t stride = (size_t)arg;

        for (size_t i = 0; i < PEAK; i++) {
                peak_objects[i] = pool_alloc(128);
                mark(peak_objects[i], 128, 1);
        }
        peak_bytes = resident_bytes();
        for (size_t i = 0; i < PEAK; i++)
                pool_free(peak_objects[i * stride % PEAK], 128);
        return NULL;
}

TEST(memory_is_given_back_after_a_peak)
{
        size_t before;
        pthread_t thread;

        if (slowness() > 1)
                test_skip("the sanitizers keep memory of their own");
        peak_objects = malloc(PEAK * sizeof(*peak_objects));
        ck_assert_ptr_nonnull(peak_objects);
        memset(peak_objects, 0, PEAK * sizeof(*peak_objects));
        before = resident_bytes();
        for (int round = 0; round < 2; round++) {
                peak_and_fall((void *)1);
                ck_assert_uint_ge(peak_bytes, before + PEAK * 128ul);
                ck_assert_uint_lt(resident_bytes(), before + (16u << 20));
                /* In no order: the few that a thread keeps may be anywhere, until it ends. */
                ck_assert_int_eq(pthread_create(&thread, NULL, peak_and_fall, (void *)7919), 0);
                pthread_join(thread, NULL);
                ck_assert_uint_lt(resident_bytes(), before + (16u << 20));
        }
        free(peak_objects);
}

TESTS("pool", objects_of_all_sizes_are_aligned_and_apart, threads_do_not_share_an_object,
      what_one_thread_frees_another_gets_again, a_thread_that_ends_leaves_its_objects_to_the_others,
      memory_is_given_back_after_a_peak)
