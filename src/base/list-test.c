/* SPDX-License-Identifier: MIT */
/* list-test.c - a doubly linked list, whole from both ends. */
#include "base/list.h"
#include "tests/harness.h"

static struct list list, nodes[50];

static void begin(int count)
{
        list_init(&list);
        for (int i = 0; i < 50; i++)
                list_init(&nodes[i]);
        for (int i = 0; i < count; i++)
                list_append(&list, &nodes[i]);
}

/* From both ends. */
static void expect(struct list *head, const int numbers[], int count)
{
        struct list *node = head;

        for (int i = 0; i < count; i++) {
                node = node->next;
                ck_assert_ptr_eq(node, &nodes[numbers[i]]);
        }
        ck_assert_ptr_eq(node->next, head);
        node = head;
        for (int i = count; i-- > 0;) {
                node = node->prev;
                ck_assert_ptr_eq(node, &nodes[numbers[i]]);
        }
        ck_assert_ptr_eq(node->prev, head);
        ck_assert_int_eq(list_empty(head), count == 0);
}

TEST(nodes_are_appended_in_order)
{
        begin(0);
        expect(&list, NULL, 0);
        begin(4);
        expect(&list, (int[]){ 0, 1, 2, 3 }, 4);
}

TEST(any_node_may_be_removed)
{
        for (int gone = 0; gone < 3; gone++) {
                int rest[2], n = 0;

                begin(3);
                for (int i = 0; i < 3; i++)
                        if (i != gone)
                                rest[n++] = i;
                list_remove(&nodes[gone]);
                expect(&list, rest, 2);
                ck_assert(list_empty(&nodes[gone]));
                list_remove(&nodes[gone]); /* twice does no harm */
                expect(&list, rest, 2);
                list_append(&list, &nodes[gone]);
                expect(&list, (int[]){ rest[0], rest[1], gone }, 3);
        }
        begin(1);
        list_remove(&nodes[0]);
        expect(&list, NULL, 0);
}

TEST(one_is_moved_to_the_end_of_another)
{
        struct list from;

        list_init(&from);
        begin(2);
        list_splice(&list, &from);
        expect(&list, (int[]){ 0, 1 }, 2);
        list_append(&from, &nodes[2]);
        list_append(&from, &nodes[3]);
        list_splice(&list, &from);
        expect(&list, (int[]){ 0, 1, 2, 3 }, 4);
        expect(&from, NULL, 0);
        list_splice(&from, &list);
        expect(&from, (int[]){ 0, 1, 2, 3 }, 4);
        expect(&list, NULL, 0);
        list_remove(&nodes[1]);
        expect(&from, (int[]){ 0, 2, 3 }, 3);
}

TESTS("list", nodes_are_appended_in_order, any_node_may_be_removed,
      one_is_moved_to_the_end_of_another)
