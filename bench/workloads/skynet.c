/* SPDX-License-Identifier: MIT */
/* skynet.c - a tree of fibers, ten children each; the leaves' numbers are added up. */
#include "workload.h"

#define CHILDREN 10

struct node {
        fib_channel *parent;
        long first; /* of its leaves */
        long leaves;
};

static void *grow(void *arg)
{
        struct node *node = arg, children[CHILDREN];
        intptr_t sum = 0;
        fib_channel *results;

        if (node->leaves == 1) {
                fib_put(node->parent, fib_num(node->first));
                return NULL;
        }
        results = new_channel();
        for (int i = 0; i < CHILDREN; i++) {
                long leaves = node->leaves / CHILDREN;

                children[i] = (struct node){ results, node->first + i * leaves, leaves };
                spawn(grow, &children[i]);
        }
        for (int i = 0; i < CHILDREN; i++)
                sum += fib_get(results).num;
        fib_channel_unref(results);
        fib_put(node->parent, fib_num(sum));
        return NULL;
}

static void run(long count)
{
        struct node root = { new_channel(), 0, count };

        spawn(grow, &root);
        expect(fib_get(root.parent).num == count * (count - 1) / 2, "a wrong sum");
        fib_channel_unref(root.parent);
}

const struct workload workload = { .count = 1000000, .run = run };
