/* Workloads of State Threads that are mostly about threads.
 * SPDX-License-Identifier: MIT */
#include "bench.h"
#include <stdio.h>
#include <stdlib.h>

/* How many are still to come, and who waits for them. */
static long left;
static st_cond_t all_done;

static void done(void)
{
        if (--left == 0)
                st_cond_signal(all_done);
}

static void expect(long n)
{
        left = n;
        all_done = st_cond_new();
}

static void wait_for_all(void)
{
        while (left > 0)
                st_cond_wait(all_done);
}

static void *nothing(void *arg)
{
        done();
        return arg;
}

void spawning(void)
{
        double begin = ns_now();

        expect(count);
        for (long i = 1; i <= count; i++) {
                spawn_detached(nothing, NULL);
                if (i % 128 == 0)
                        st_usleep(0); /* so that they run, and their stacks are used again */
        }
        wait_for_all();
        print_each(begin, count);
}

struct node {
        struct channel *parent;
        long number, size;
};

static void *skynet_node(void *arg)
{
        struct node *node = arg;
        struct node children[10];
        struct channel *sums;
        long sum = 0;

        if (node->size == 1) {
                put(node->parent, node->number);
                return NULL;
        }
        sums = channel_new();
        for (long i = 0; i < 10; i++) {
                long size = node->size / 10;

                children[i] = (struct node){ sums, node->number + i * size, size };
                spawn_detached(skynet_node, &children[i]);
        }
        for (long i = 0; i < 10; i++)
                sum += get(sums);
        put(node->parent, sum);
        channel_free(sums); /* by now the children have left their puts */
        return NULL;
}

void skynet(void)
{
        double begin = ns_now();
        struct node root = { channel_new(), 0, count };

        spawn_detached(skynet_node, &root);
        check(get(root.parent) == count * (count - 1) / 2, "a wrong sum");
        print_ms(begin);
}

static void *yield_often(void *arg)
{
        for (long i = 0; i < count; i++)
                st_usleep(0);
        return arg;
}

void yield(void)
{
        double begin = ns_now();
        st_thread_t other = spawn(yield_often, NULL);

        yield_often(NULL);
        join(other);
        print_each(begin, 2.0 * count);
}

struct call {
        struct channel *out;
        long n;
};

static void *fib_call(void *arg)
{
        struct call *call = arg;
        struct channel *results;
        struct call a, b;
        long sum;

        if (call->n < 2) {
                put(call->out, call->n);
                return NULL;
        }
        results = channel_new();
        a = (struct call){ results, call->n - 1 };
        b = (struct call){ results, call->n - 2 };
        spawn_detached(fib_call, &a);
        spawn_detached(fib_call, &b);
        sum = get(results);
        sum += get(results);
        put(call->out, sum);
        channel_free(results); /* as above */
        return NULL;
}

void fib(void)
{
        double begin = ns_now();
        struct call call = { channel_new(), count };
        long a = 0, b = 1, found;

        spawn_detached(fib_call, &call);
        found = get(call.out);
        print_ms(begin);
        for (long i = 0; i < count; i++) {
                long next = a + b;

                a = b;
                b = next;
        }
        check(found == a, "a wrong number");
}

static st_mutex_t lock;
static long increments;

static void *increment(void *arg)
{
        for (long i = (long)arg; i < count; i += 8) {
                st_mutex_lock(lock);
                increments++;
                st_mutex_unlock(lock);
        }
        return NULL;
}

void mutex(void)
{
        st_thread_t threads[8];
        double begin = ns_now();

        lock = st_mutex_new();
        for (long i = 0; i < 8; i++)
                threads[i] = spawn(increment, (void *)i);
        for (long i = 0; i < 8; i++)
                join(threads[i]);
        print_each(begin, count);
        check(increments == count, "a lost increment");
}

enum { NAPS = 20 };

static double *late;

static void *nap(void *arg)
{
        unsigned seed = (unsigned)(long)arg + 1;
        double *ours = late + (long)arg * NAPS;

        for (int i = 0; i < NAPS; i++) {
                st_utime_t us = 1000 + rand_r(&seed) % 99000;
                double begin = ns_now();

                st_usleep(us);
                ours[i] = (ns_now() - begin) / 1e3 - us;
        }
        done();
        return NULL;
}

static int compare(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

void timers(void)
{
        late = calloc(count, NAPS * sizeof(*late));
        expect(count);
        for (long i = 0; i < count; i++)
                spawn_detached(nap, (void *)i);
        wait_for_all();
        qsort(late, count * NAPS, sizeof(*late), compare);
        /* State Threads counts from when it last looked at the clock, so a little is in order. */
        check(late[0] > -10e3, "woken too early");
        printf("%.1f %.1f\n", late[count * NAPS / 2], late[count * NAPS * 99 / 100]);
}

static void *sleep_once(void *arg)
{
        st_sleep(1);
        done();
        return arg;
}

void sleepers(void)
{
        double begin = ns_now();

        expect(count);
        for (long i = 0; i < count; i++)
                spawn_detached(sleep_once, NULL);
        wait_for_all();
        check(ns_now() - begin > 0.99e9, "woken too early");
        print_ms(begin);
}

static double resident_bytes(void)
{
        FILE *status = fopen("/proc/self/status", "r");
        char line[256];
        double kib = 0;

        check(status, "no /proc");
        while (fgets(line, sizeof(line), status) && sscanf(line, "VmRSS: %lf", &kib) != 1)
                continue;
        fclose(status);
        check(kib > 0, "no VmRSS");
        return kib * 1024;
}

static void *wait_for_one(void *arg)
{
        done();
        check(get(arg) == 1, "a wrong message");
        done();
        return NULL;
}

void idle(void)
{
        struct channel *channel = channel_new();
        double before = resident_bytes();

        expect(count);
        for (long i = 0; i < count; i++)
                spawn_detached(wait_for_one, channel);
        wait_for_all();
        printf("%.1f\n", (resident_bytes() - before) / count);
        expect(count);
        for (long i = 0; i < count; i++)
                put(channel, 1);
        wait_for_all();
}

static void *compute(void *arg)
{
        uint64_t x = 1;

        for (long i = 0; i < 15000000; i++)
                x = x * 6364136223846793005U + 1442695040888963407U;
        *(uint64_t *)arg = x;
        return NULL;
}

void speedup(void)
{
        uint64_t results[64];
        st_thread_t threads[64];
        double begin = ns_now();

        for (int i = 0; i < 64; i++)
                threads[i] = spawn(compute, &results[i]);
        for (int i = 0; i < 64; i++)
                join(threads[i]);
        print_ms(begin);
        for (int i = 0; i < 64; i++)
                check(results[i] == results[0], "a wrong result");
}
