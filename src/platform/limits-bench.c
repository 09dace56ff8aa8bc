/* SPDX-License-Identifier: MIT */
/* limits-bench.c - what the machine allows: the figures next to which ours are to be read. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "platform/clock.h"
#include "platform/compiler.h"
#include "platform/context.h"

#define RUNS 5
#define STACK_SIZE 65536

static struct context outside, inside;
static _Atomic unsigned word;

static void bounce(void *arg)
{
        for (;;)
                context_switch(&inside, &outside);
}

/* Two switches. */
static void bench_switch(long rounds)
{
        for (long i = 0; i < rounds; i++)
                context_switch(&outside, &inside);
}

static void bench_exchange(long rounds)
{
        for (long i = 0; i < rounds; i++)
                atomic_exchange_explicit(&word, (unsigned)i, memory_order_acquire);
}

static void bench_compare_exchange(long rounds)
{
        unsigned expected = atomic_load(&word);

        for (long i = 0; i < rounds; i++) {
                if (atomic_compare_exchange_strong(&word, &expected, expected + 1))
                        expected++;
        }
}

static void bench_malloc(long rounds)
{
        for (long i = 0; i < rounds; i++) {
                void *object = malloc(80);

                __asm__ volatile("" : : "r"(object) : "memory");
                free(object);
        }
}

static void bench_clock(long rounds)
{
        for (long i = 0; i < rounds; i++) {
                int64_t now = clock_now();

                __asm__ volatile("" : : "r"(now));
        }
}

static int compare(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

static void measure(const char *name, void (*fn)(long rounds), long rounds, long per_round)
{
        double ns[RUNS];

        fn(rounds / 10);
        for (int i = 0; i < RUNS; i++) {
                int64_t begin = clock_now();

                fn(rounds);
                ns[i] = (double)(clock_now() - begin) / (double)(rounds * per_round);
        }
        qsort(ns, RUNS, sizeof(ns[0]), compare);
        printf("%-34s %10.1f ns   (%.1f - %.1f)\n", name, ns[RUNS / 2], ns[0], ns[RUNS - 1]);
        fflush(stdout);
}

/* What it costs to touch four lines in each of so many pages, as far apart as stacks are, when each
 * tells where the next one is: what no scheduler with so many fibers can go below. */
#define PAGE_STRIDE ((size_t)260 << 10)
#define LINE (64 / sizeof(void *))
#define TOUCHES 2000000

static int touch_pages(size_t pages)
{
        char *memory = mmap(NULL, pages * PAGE_STRIDE, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        size_t turns = TOUCHES / pages + 1;
        void **page;
        int64_t begin;

        if (memory == MAP_FAILED)
                return 1;
        madvise(memory, pages * PAGE_STRIDE, MADV_NOHUGEPAGE);
        for (size_t i = 0; i < pages; i++) {
                page = (void **)(memory + i * PAGE_STRIDE + i % 8 * 256);
                *page = memory + (i + 1) % pages * PAGE_STRIDE + (i + 1) % pages % 8 * 256;
                for (size_t line = 1; line < 4; line++)
                        page[line * LINE] = *page;
        }
        page = (void **)memory;
        begin = clock_now();
        for (size_t i = 0; i < turns * pages; i++) {
                page[LINE] = page[2 * LINE];
                page[3 * LINE] = page[LINE];
                page = *page;
                __asm__ volatile("" : "+r"(page) : : "memory");
        }
        printf("%.2f\n", (double)(clock_now() - begin) / (double)(turns * pages));
        munmap(memory, pages * PAGE_STRIDE);
        return 0;
}

/* Without arguments: all of the above; "pages COUNT": touch_pages(). */
int main(int argc, char *argv[])
{
        char *stack;

        if (argc == 3)
                return touch_pages((size_t)atol(argv[2]));
        stack = malloc(STACK_SIZE);
        if (!stack)
                return 1;
        context_init(&inside, stack + STACK_SIZE, bounce, NULL);
        measure("limit: bare context switch", bench_switch, 10000000, 2);
        measure("limit: uncontended exchange", bench_exchange, 10000000, 1);
        measure("limit: uncontended compare-exchange", bench_compare_exchange, 10000000, 1);
        measure("limit: malloc and free of 80 bytes", bench_malloc, 10000000, 1);
        measure("limit: reading the clock", bench_clock, 3000000, 1);
        free(stack);
        return 0;
}
