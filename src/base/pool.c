/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "base/list.h"
#include "base/pool.h"
#include "base/spinlock.h"
#include "platform/compiler.h"
#include "platform/sanitizer.h"
#include "platform/thread-local.h"

#define STEP 16
#define CLASSES (POOL_LARGEST / STEP)
#define BATCH 32
#define SLAB_SIZE ((size_t)2 << 20)

struct object {
        struct object *next;
};

/* At the start of each slab.  All fields are under the depot's lock. */
struct slab {
        struct list link; /* in depot->usable, unless nothing is free */
        struct object *free;
        size_t carved; /* bytes from the slab's start that were ever handed out */
        size_t used;   /* objects that are not here */
};

static struct depot {
        struct spinlock lock;
        struct list usable; /* slabs with something free; next == NULL: not begun */
        atomic_uint slabs;  /* read without the lock as a hint */
        unsigned idle;      /* slabs all free */
} depots[CLASSES];

/* The calling thread's own. */
struct cache {
        struct object *free;
        unsigned count;
};

struct caches {
        struct cache classes[CLASSES];
        bool registered; /* will be flushed when the thread ends */
};

static _Thread_local struct caches thread_caches;
static pthread_key_t flush_key;
static bool has_flush_key;
static pthread_once_t flush_once = PTHREAD_ONCE_INIT;

static NOINLINE struct caches *caches(void)
{
        return LAUNDER(&thread_caches);
}

static size_t class_size(size_t index)
{
        return (index + 1) * STEP;
}

static struct slab *slab_of(void *object)
{
        return (struct slab *)((uintptr_t)object & ~(uintptr_t)(SLAB_SIZE - 1));
}

/* Maps a slab, aligned to its size: twice as much, and the rest given back. */
static struct slab *slab_new(bool huge)
{
        char *mapping = mmap(NULL, 2 * SLAB_SIZE, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        char *start;

        if (mapping == MAP_FAILED)
                return NULL;
        start = (char *)slab_of(mapping + SLAB_SIZE - 1);
        if (start > mapping)
                munmap(mapping, (size_t)(start - mapping));
        munmap(start + SLAB_SIZE, (size_t)(mapping + SLAB_SIZE - start));
        /* A program with many objects saves 500 page faults a slab; one with few, memory. */
        madvise(start, SLAB_SIZE, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
        return (struct slab *)start;
}

static void slab_init(struct slab *slab)
{
        slab->free = NULL;
        /* So that what has the size of a cache line is one. */
        slab->carved = (sizeof(*slab) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
        slab->used = 0;
        list_init(&slab->link);
}

static struct object *slab_take(struct slab *slab, size_t size)
{
        struct object *object = slab->free;

        if (object) {
                slab->free = object->next;
        } else {
                if (slab->carved + size > SLAB_SIZE)
                        return NULL;
                object = (struct object *)((char *)slab + slab->carved);
                slab->carved += size;
        }
        slab->used++;
        return object;
}

/* Fills an empty cache from the depot's usable slabs. */
static void depot_take(struct depot *depot, size_t size, struct cache *cache)
{
        spinlock_acquire(&depot->lock);
        if (!depot->usable.next)
                list_init(&depot->usable);
        while (cache->count < BATCH && !list_empty(&depot->usable)) {
                struct slab *slab = container_of(depot->usable.next, struct slab, link);
                bool idle = slab->used == 0;
                struct object *object = slab_take(slab, size);

                if (!object) {
                        list_remove(&slab->link);
                        continue;
                }
                if (idle)
                        depot->idle--;
                object->next = cache->free;
                cache->free = object;
                cache->count++;
        }
        spinlock_release(&depot->lock);
}

/* Gives the depot one more slab.  The system calls are made without the lock. */
static bool depot_extend(struct depot *depot)
{
        struct slab *slab = slab_new(atomic_load_explicit(&depot->slabs, memory_order_relaxed) > 0);

        if (!slab)
                return false;
        slab_init(slab);
        spinlock_acquire(&depot->lock);
        list_append(&depot->usable, &slab->link);
        atomic_fetch_add_explicit(&depot->slabs, 1, memory_order_relaxed);
        depot->idle++;
        spinlock_release(&depot->lock);
        return true;
}

/* Takes `count` objects back from a cache. */
static void depot_put(struct depot *depot, struct cache *cache, unsigned count)
{
        struct list surplus;

        list_init(&surplus);
        spinlock_acquire(&depot->lock);
        for (; count; count--) {
                struct object *object = cache->free;
                struct slab *slab = slab_of(object);

                cache->free = object->next;
                cache->count--;
                object->next = slab->free;
                slab->free = object;
                if (list_empty(&slab->link))
                        list_append(&depot->usable, &slab->link);
                if (--slab->used > 0)
                        continue;
                if (depot->idle > 0) {
                        list_remove(&slab->link);
                        list_append(&surplus, &slab->link);
                        atomic_fetch_sub_explicit(&depot->slabs, 1, memory_order_relaxed);
                } else {
                        depot->idle++;
                }
        }
        spinlock_release(&depot->lock);
        while (!list_empty(&surplus)) {
                struct list *link = surplus.next;

                list_remove(link);
                munmap(container_of(link, struct slab, link), SLAB_SIZE);
        }
}

static void flush(void *arg)
{
        struct caches *mine = arg;

        for (size_t i = 0; i < CLASSES; i++)
                depot_put(&depots[i], &mine->classes[i], mine->classes[i].count);
        /* Another destructor of the thread may still allocate: then once more. */
        mine->registered = false;
}

static void make_flush_key(void)
{
        has_flush_key = !pthread_key_create(&flush_key, flush);
}

/* Without a key, what the thread keeps is lost to the others when it ends. */
static void register_flush(struct caches *mine)
{
        pthread_once(&flush_once, make_flush_key);
        mine->registered = !has_flush_key || !pthread_setspecific(flush_key, mine);
}

static NOINLINE void *alloc_slowly(struct caches *mine, size_t index)
{
        struct cache *cache = &mine->classes[index];
        struct object *object;

        if (!mine->registered) {
                register_flush(mine);
        }
        do {
                depot_take(&depots[index], class_size(index), cache);
        } while (!cache->free && depot_extend(&depots[index]));
        object = cache->free;
        if (object) {
                cache->free = object->next;
                cache->count--;
        }
        return object;
}

#if SANITIZER_ADDRESS
static const bool pooled = false;
#else
static const bool pooled = true;
#endif

void *pool_alloc(size_t size)
{
        size_t index = (size - 1) / STEP;
        struct caches *mine;
        struct object *object;

        if (!pooled || index >= CLASSES)
                return malloc(size);
        mine = caches();
        object = mine->classes[index].free;
        if (unlikely(!object))
                return alloc_slowly(mine, index);
        mine->classes[index].free = object->next;
        mine->classes[index].count--;
        return object;
}

void pool_free(void *memory, size_t size)
{
        size_t index = (size - 1) / STEP;
        struct object *object = memory;
        struct caches *mine;
        struct cache *cache;

        if (!object)
                return;
        if (!pooled || index >= CLASSES) {
                free(object);
                return;
        }
        mine = caches();
        cache = &mine->classes[index];
        if (unlikely(!mine->registered)) {
                register_flush(mine);
        }
        object->next = cache->free;
        cache->free = object;
        if (unlikely(++cache->count >= 2 * BATCH))
                depot_put(&depots[index], cache, BATCH);
}
