/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <fibers/run.h>
#include "base/list.h"
#include "fiber/stack.h"
#include "platform/compiler.h"

#define CACHE 64
#define MANY 64     /* stacks; a program that uses more is given them in advance, by dozens */
#define KEEP_IDLE 4 /* slabs of which no stack is used */
#define SLAB_BYTES ((size_t)64 << 20)
#define SLAB_MOST 256
#define COLOURS 8
#define COLOUR_BYTES 256

/* At the start of the mapping that it describes, and gone with it. */
struct slab {
        struct list link;   /* in the pool's slabs; those with free ones first */
        struct stack *free; /* last in, first out */
        unsigned stack_class;
        unsigned count;
        unsigned used; /* stacks that are not here */
        size_t size;   /* of the mapping */
        struct stack stacks[];
};

/* What all workers share.  A mutex, since system calls are made under it; it is taken for half a
 * cache of stacks at a time. */
static struct pool {
        struct list slabs;
        unsigned idle; /* slabs with used == 0 */
} pools[STACK_CLASSES];

static pthread_mutex_t pools_lock = PTHREAD_MUTEX_INITIALIZER;

int stack_class_of(size_t size)
{
        unsigned class = 0;

        if (size < FIB_STACK_MIN || size > FIB_STACK_MAX)
                return -EINVAL;
        while (stack_size_of(class) < size)
                class ++;
        return (int)class;
}

size_t stack_size_of(unsigned class)
{
        return FIB_STACK_MIN << class;
}

unsigned stack_class(const struct stack *stack)
{
        return stack->slab->stack_class;
}

/* Under the lock, as all down to stack_get(). */
static struct slab *slab_new(unsigned class)
{
        size_t stride = guard_size() + stack_size_of(class);
        size_t count = SLAB_BYTES / stride;
        struct slab *slab;
        size_t head;

        count = count < 1 ? 1 : count > SLAB_MOST ? SLAB_MOST : count;
        head = sizeof(*slab) + count * sizeof(slab->stacks[0]);
        head = (head + guard_size() - 1) / guard_size() * guard_size();
        slab = guard_map(head + count * stride);
        if (!slab)
                return NULL;
        slab->size = head + count * stride;
        slab->stack_class = class;
        slab->count = (unsigned)count;
        for (size_t i = count; i-- > 0;) {
                struct stack *stack = &slab->stacks[i];

                stack->slab = slab;
                stack->next = slab->free;
                slab->free = stack;
                stack->low = (char *)slab + head + i * stride + guard_size();
                stack->top = stack->low + stack_size_of(class) - i % COLOURS * COLOUR_BYTES;
        }
        return slab;
}

static void slab_free(struct slab *slab)
{
        list_remove(&slab->link);
        for (unsigned i = 0; i < slab->count; i++) {
                struct stack *stack = &slab->stacks[i];

                if (!stack->begun)
                        continue;
                sanitizer_stack_destroy(&stack->sanitizer);
                guard_removed(stack->guard);
        }
        guard_unmap(slab, slab->size);
}

/* The first slab with free stacks; NULL without memory for a new one. */
static struct slab *usable(struct pool *pool, unsigned class)
{
        struct slab *slab;

        if (!pool->slabs.next)
                list_init(&pool->slabs);
        if (!list_empty(&pool->slabs)) {
                slab = container_of(pool->slabs.next, struct slab, link);
                if (slab->free)
                        return slab;
        }
        slab = slab_new(class);
        if (slab) {
                list_append(pool->slabs.next, &slab->link); /* at the front */
                pool->idle++;
        }
        return slab;
}

static void pool_take(struct pool *pool, struct slab *slab, struct stack_cache *cache)
{
        struct stack *stack = slab->free;
        unsigned class = slab->stack_class;

        slab->free = stack->next;
        stack->next = cache->free[class];
        cache->free[class] = stack;
        cache->count[class]++;
        if (slab->used++ == 0)
                pool->idle--;
        if (!slab->free) {
                list_remove(&slab->link);
                list_append(&pool->slabs, &slab->link);
        }
}

static void pool_put(struct pool *pool, struct stack *stack)
{
        struct slab *slab = stack->slab;

        if (!slab->free) {
                list_remove(&slab->link);
                list_append(pool->slabs.next, &slab->link);
        }
        stack->next = slab->free;
        slab->free = stack;
        if (--slab->used > 0)
                return;
        if (pool->idle < KEEP_IDLE)
                pool->idle++;
        else
                slab_free(slab);
}

static void refill(struct stack_cache *cache, unsigned class)
{
        struct pool *pool = &pools[class];
        struct slab *slab;

        pthread_mutex_lock(&pools_lock);
        while (cache->count[class] < CACHE / 2 && (slab = usable(pool, class)))
                pool_take(pool, slab, cache);
        pthread_mutex_unlock(&pools_lock);
}

static void give_back(struct stack_cache *cache, unsigned class, unsigned n)
{
        pthread_mutex_lock(&pools_lock);
        while (n-- > 0) {
                struct stack *stack = cache->free[class];

                cache->free[class] = stack->next;
                cache->count[class]--;
                pool_put(&pools[class], stack);
        }
        pthread_mutex_unlock(&pools_lock);
}

static void begin(struct stack *stack, enum guard guard)
{
        sanitizer_stack_create(&stack->sanitizer, stack->low, stack_size_of(stack_class(stack)));
        stack->guard = (uint8_t)guard;
        stack->begun = true;
}

/* Prepares the first stack of a cache that has not begun, and, in a program that has used many,
 * those behind it too. */
static void begin_some(struct stack *stack)
{
        static atomic_uint used;
        struct stack *some[GUARD_MANY];
        void *lows[GUARD_MANY], *tops[GUARD_MANY];
        size_t size = stack_size_of(stack_class(stack));
        size_t n = 0, done = 0;

        if (atomic_fetch_add_explicit(&used, 1, memory_order_relaxed) >= MANY) {
                for (struct stack *next = stack; next && !next->begun && n < GUARD_MANY;
                     next = next->next) {
                        some[n] = next;
                        lows[n] = next->low - guard_size();
                        tops[n++] = next->low + size - guard_size();
                }
                done = guard_install_many(lows, tops, n);
        }
        for (size_t i = 0; i < n && i < done; i++)
                begin(some[i], GUARD_MADVISE);
        if (!stack->begun)
                begin(stack, guard_install(stack->low - guard_size()));
}

struct stack *stack_get(struct stack_cache *cache, unsigned class, void *owner)
{
        struct stack *stack;
        bool reused;

        if (!cache->free[class])
                refill(cache, class);
        stack = cache->free[class];
        if (!stack)
                return NULL;
        reused = stack->begun;
        if (unlikely(!reused))
                begin_some(stack);
        cache->free[class] = stack->next;
        cache->count[class]--;
        if (reused)
                sanitizer_stack_reused(&stack->sanitizer, stack->low, stack_size_of(class));
        /* Relaxed: stacks_of() is called by who has waited for our thread. */
        atomic_store_explicit(&stack->owner, owner, memory_order_relaxed);
        return stack;
}

void stack_put(struct stack_cache *cache, struct stack *stack)
{
        unsigned class = stack_class(stack);
        struct stack_cache single = { .count = { 0 } };

        if (!cache)
                cache = &single;
        atomic_store_explicit(&stack->owner, NULL, memory_order_relaxed);
        stack->next = cache->free[class];
        cache->free[class] = stack;
        if (++cache->count[class] > CACHE)
                give_back(cache, class, CACHE / 2);
        else if (cache == &single)
                give_back(cache, class, 1);
}

void stack_flush(struct stack_cache *cache)
{
        for (unsigned class = 0; class < STACK_CLASSES; class ++) {
                if (cache->count[class])
                        give_back(cache, class, cache->count[class]);
        }
}

struct stack *stacks_of(void *owner)
{
        struct stack *found = NULL;

        pthread_mutex_lock(&pools_lock);
        for (unsigned class = 0; class < STACK_CLASSES; class ++) {
                struct list *slabs = &pools[class].slabs;

                if (!slabs->next)
                        continue;
                for (struct list *node = slabs->next; node != slabs; node = node->next) {
                        struct slab *slab = container_of(node, struct slab, link);

                        for (unsigned i = 0; i < slab->count; i++) {
                                struct stack *stack = &slab->stacks[i];

                                if (atomic_load_explicit(&stack->owner, memory_order_relaxed) !=
                                    owner)
                                        continue;
                                stack->next = found;
                                found = stack;
                        }
                }
        }
        pthread_mutex_unlock(&pools_lock);
        return found;
}
