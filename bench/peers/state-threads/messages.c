/* Workloads of State Threads that are mostly about messages.
 * SPDX-License-Identifier: MIT */
#include "bench.h"
#include <math.h>
#include <stdlib.h>

struct pair {
        struct channel *ping, *pong;
        long count;
};

static void *ask(void *arg)
{
        struct pair *pair = arg;

        for (long i = 0; i < pair->count; i++) {
                put(pair->ping, i);
                check(get(pair->pong) == i, "a wrong answer");
        }
        return NULL;
}

static void *answer(void *arg)
{
        struct pair *pair = arg;

        for (long i = 0; i < pair->count; i++)
                put(pair->pong, get(pair->ping));
        return NULL;
}

void pingpong(void)
{
        struct pair pair = { channel_new(), channel_new(), count };
        double begin = ns_now();
        st_thread_t other = spawn(answer, &pair);

        ask(&pair);
        join(other);
        print_each(begin, count);
}

void ping_pong(void)
{
        struct pair *pairs = calloc(count, sizeof(*pairs));
        st_thread_t *threads = calloc(count, 2 * sizeof(*threads));
        double begin;

        check(pairs && threads, "no memory");
        for (long i = 0; i < count; i++) {
                pairs[i].ping = pairs[i].pong = channel_new();
                pairs[i].count = 10000;
        }
        begin = ns_now();
        for (long i = 0; i < count; i++) {
                threads[2 * i] = spawn(answer, &pairs[i]);
                threads[2 * i + 1] = spawn(ask, &pairs[i]);
        }
        for (long i = 0; i < 2 * count; i++)
                join(threads[i]);
        print_ms(begin);
}

struct link {
        struct channel *in, *out;
};

static struct link *links_new(long n)
{
        struct link *links = calloc(n, sizeof(*links));

        check(links, "no memory");
        for (long i = 0; i < n; i++)
                links[i].in = channel_new();
        for (long i = 0; i < n; i++)
                links[i].out = links[(i + 1) % n].in;
        return links;
}

static struct channel *last;

static void *pass_token(void *arg)
{
        struct link *link = arg;

        for (;;) {
                long hops = get(link->in);

                if (hops == 0)
                        put(last, (long)link);
                put(link->out, hops - 1);
        }
        return NULL;
}

void ring(void)
{
        const long n = 503;
        struct link *links = links_new(n);
        double begin = ns_now();

        st_randomize_stacks(true); /* pays for many that do the same; see its reference */
        last = channel_new();
        for (long i = 0; i < n; i++)
                spawn_detached(pass_token, &links[i]);
        put(links[0].in, count);
        check(get(last) == (long)&links[count % n], "the token is elsewhere");
        print_each(begin, count);
}

static void *count_up(void *arg)
{
        for (long n = 0;; n++)
                put(arg, n);
        return NULL;
}

struct filter {
        struct channel *in, *out;
        long prime;
};

static void *filter(void *arg)
{
        struct filter *filter = arg;

        for (;;) {
                long n = get(filter->in);

                if (n % filter->prime != 0)
                        put(filter->out, n);
        }
        return NULL;
}

static bool is_prime(long n)
{
        for (long d = 2; d * d <= n; d++) {
                if (n % d == 0)
                        return false;
        }
        return n > 1;
}

void sieve(void)
{
        struct filter *filters = calloc(count, sizeof(*filters));
        struct channel *in = channel_new();
        double begin = ns_now();
        long expected = 1;

        check(filters, "no memory");
        st_randomize_stacks(true);
        spawn_detached(count_up, in);
        check(get(in) == 0 && get(in) == 1, "a wrong number");
        for (long i = 0; i < count; i++) {
                filters[i] = (struct filter){ in, channel_new(), get(in) };
                do
                        expected++;
                while (!is_prime(expected));
                check(filters[i].prime == expected, "a wrong prime");
                in = filters[i].out;
                spawn_detached(filter, &filters[i]);
        }
        print_ms(begin);
}

static void *produce(void *arg)
{
        for (long i = 0; i < count; i++)
                put(arg, i);
        return NULL;
}

void select_timeout(void)
{
        struct channel *channel = channel_new();
        double begin = ns_now();
        st_thread_t producer = spawn(produce, channel);
        long value;

        for (long i = 0; i < count; i++) {
                check(get_within(channel, 1000000, &value), "timed out");
                check(value == i, "a lost message");
        }
        join(producer);
        print_each(begin, count);
}

static void *pass_on(void *arg)
{
        struct link *link = arg;

        for (;;)
                put(link->out, get(link->in));
        return NULL;
}

void chain(void)
{
        struct link *links = links_new(count + 1);
        double begin = ns_now();

        spawn_detached(count_up, links[0].in);
        for (long i = 0; i < count; i++)
                spawn_detached(pass_on, &links[i]);
        for (long i = 0; i < 10000; i++)
                check(get(links[count].in) == i, "a wrong message");
        print_ms(begin);
}

static struct link *squarers;
static struct channel *ints, *sums, *lengths;

static void *broadcast(void *arg)
{
        for (;;) {
                long n = get(ints);

                for (long i = 0; i < count; i++)
                        put(squarers[i].in, n);
        }
        return arg;
}

static void *square(void *arg)
{
        struct link *link = arg;

        for (;;) {
                long n = get(link->in);

                put(link->out, n * n);
        }
        return NULL;
}

static void *add(void *arg)
{
        for (;;) {
                long sum = 0;

                for (long i = 0; i < count; i++)
                        sum += get(squarers[i].out);
                put(sums, sum);
        }
        return arg;
}

union number {
        double real;
        long bits;
};

static void *root(void *arg)
{
        for (;;) {
                union number length = { .real = sqrt(get(sums)) };

                put(lengths, length.bits);
        }
        return arg;
}

void diagonal(void)
{
        double begin;

        ints = channel_new();
        sums = channel_new();
        lengths = channel_new();
        squarers = calloc(count, sizeof(*squarers));
        check(squarers, "no memory");
        for (long i = 0; i < count; i++)
                squarers[i] = (struct link){ channel_new(), channel_new() };
        begin = ns_now();
        spawn_detached(count_up, ints);
        spawn_detached(broadcast, NULL);
        for (long i = 0; i < count; i++)
                spawn_detached(square, &squarers[i]);
        spawn_detached(add, NULL);
        spawn_detached(root, NULL);
        for (long i = 0; i < 20000; i++) {
                union number length = { .bits = get(lengths) };

                check(length.real == sqrt(count * i * i), "a wrong length");
        }
        print_ms(begin);
}

static long sum;

static void *add_up(void *arg)
{
        for (;;)
                sum += get(arg);
        return NULL;
}

void fan_out(void)
{
        const long messages = 200000;
        struct channel *channel = channel_new();
        double begin = ns_now();

        for (long i = 0; i < count; i++)
                spawn_detached(add_up, channel);
        for (long i = 0; i < messages; i++)
                put(channel, i);
        print_ms(begin);
        check(sum == messages * (messages - 1) / 2, "a lost message");
}
