/* SPDX-License-Identifier: MIT */
/* queue-test.c - first in, first out. */
#include "base/queue.h"
#include "tests/harness.h"

static struct link links[100];

static void push_range(struct queue *queue, int from, int to)
{
        for (int i = from; i < to; i++)
                queue_push(queue, &links[i]);
}

static void expect_range(struct queue *queue, int from, int to)
{
        for (int i = from; i < to; i++)
                ck_assert_ptr_eq(queue_pop(queue), &links[i]);
}

TEST(the_first_in_is_the_first_out)
{
        struct queue queue = { NULL, NULL };

        ck_assert_ptr_null(queue_pop(&queue));
        push_range(&queue, 0, 100);
        expect_range(&queue, 0, 100);
        ck_assert_ptr_null(queue_pop(&queue));
        ck_assert_ptr_null(queue_pop(&queue));
}

TEST(it_may_be_pushed_to_and_popped_from_in_turn)
{
        struct queue queue = { NULL, (struct link *)8 }; /* the tail of an empty one is anything */

        for (int round = 0; round < 50; round++) {
                push_range(&queue, 0, 2);
                expect_range(&queue, 0, 1);
                push_range(&queue, 2, 3);
                expect_range(&queue, 1, 3);
                ck_assert_ptr_null(queue.head);
        }
}

TEST(one_is_appended_to_another)
{
        /* Both with some, the first empty, the second empty, both empty. */
        for (int way = 0; way < 4; way++) {
                struct queue queue = { NULL, NULL }, from = { NULL, NULL };
                int middle = way & 1 ? 0 : 40, end = way & 2 ? middle : 80;

                push_range(&queue, 0, middle);
                push_range(&from, middle, end);
                queue_splice(&queue, &from);
                ck_assert_ptr_null(from.head);
                push_range(&queue, end, 100); /* the tail is right */
                push_range(&from, 0, 0);
                expect_range(&queue, 0, 100);
                ck_assert_ptr_null(queue_pop(&queue));
        }
}

TESTS("queue", the_first_in_is_the_first_out, it_may_be_pushed_to_and_popped_from_in_turn,
      one_is_appended_to_another)
