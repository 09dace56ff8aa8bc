/* SPDX-License-Identifier: MIT */
/* inbox-test.c - what producers push, the consumer takes, once and in each one's order. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include "base/inbox.h"
#include "platform/compiler.h"
#include "tests/harness.h"

static struct inbox inbox;

struct item {
        struct link link;
        unsigned producer;
        unsigned long number;
        bool taken;
};

TEST(it_is_emptied_whole_and_in_order)
{
        struct item items[100];
        struct queue queue;

        ck_assert(inbox_empty(&inbox));
        queue = inbox_take(&inbox);
        ck_assert_ptr_null(queue_pop(&queue));
        for (int round = 0; round < 3; round++) {
                for (int i = 0; i < 100; i++)
                        inbox_push(&inbox, &items[i].link);
                ck_assert(!inbox_empty(&inbox));
                queue = inbox_take(&inbox);
                ck_assert(inbox_empty(&inbox));
                ck_assert_ptr_eq(queue.tail, &items[99].link);
                for (int i = 0; i < 100; i++)
                        ck_assert_ptr_eq(queue_pop(&queue), &items[i].link);
                ck_assert_ptr_null(queue_pop(&queue));
        }
}

#define PRODUCERS 3

struct producer {
        pthread_t thread;
        unsigned index;
        unsigned long count;
        struct item *items;
};

static void *produce(void *arg)
{
        struct producer *producer = arg;

        for (unsigned long i = 0; i < producer->count; i++) {
                producer->items[i].producer = producer->index;
                producer->items[i].number = i;
                inbox_push(&inbox, &producer->items[i].link);
                if (i % 1000 == 999)
                        sched_yield();
        }
        return NULL;
}

TEST(each_item_comes_once_and_after_its_producers_earlier_ones)
{
        struct producer producers[PRODUCERS];
        unsigned long next[PRODUCERS] = { 0 }, left = 0;

        for (unsigned i = 0; i < PRODUCERS; i++) {
                struct producer *producer = &producers[i];

                *producer = (struct producer){ .index = i, .count = scaled(300000) };
                producer->items = calloc(producer->count, sizeof(*producer->items));
                ck_assert_ptr_nonnull(producer->items);
                left += producer->count;
                ck_assert_int_eq(pthread_create(&producer->thread, NULL, produce, producer), 0);
        }
        while (left > 0) {
                struct queue queue = inbox_take(&inbox);
                struct link *link;

                while ((link = queue_pop(&queue))) {
                        struct item *item = container_of(link, struct item, link);

                        ck_assert(!item->taken);
                        item->taken = true;
                        ck_assert_uint_eq(item->number, next[item->producer]++);
                        left--;
                }
        }
        ck_assert(inbox_empty(&inbox));
        for (int i = 0; i < PRODUCERS; i++) {
                pthread_join(producers[i].thread, NULL);
                free(producers[i].items);
        }
}

/* A signal handler that pushes interrupts a push, or a take. */
static struct item from_handler[100000];
static volatile sig_atomic_t handled;

static void push_in_handler(int signal)
{
        if (handled < (int)(sizeof(from_handler) / sizeof(*from_handler)))
                inbox_push(&inbox, &from_handler[handled++].link);
}

static atomic_bool over;

static void *shoot(void *arg)
{
        while (!atomic_load(&over)) {
                pthread_kill(*(pthread_t *)arg, SIGUSR1);
                sched_yield();
        }
        return NULL;
}

TEST(a_handler_may_push_at_any_moment)
{
        static struct item mine[100];
        unsigned long pushed = 0, taken = 0;
        pthread_t self = pthread_self(), shooter;
        struct queue queue;

        signal(SIGUSR1, push_in_handler);
        ck_assert_int_eq(pthread_create(&shooter, NULL, shoot, &self), 0);
        for (unsigned long i = 0; i < scaled(20000) || !handled; i++) {
                for (int j = 0; j < 100; j++, pushed++)
                        inbox_push(&inbox, &mine[j].link);
                queue = inbox_take(&inbox);
                while (queue_pop(&queue))
                        taken++;
        }
        atomic_store(&over, true);
        pthread_join(shooter, NULL);
        queue = inbox_take(&inbox);
        while (queue_pop(&queue))
                taken++;
        ck_assert_uint_eq(taken, pushed + (unsigned long)handled);
}

TESTS("inbox", it_is_emptied_whole_and_in_order,
      each_item_comes_once_and_after_its_producers_earlier_ones, a_handler_may_push_at_any_moment)
