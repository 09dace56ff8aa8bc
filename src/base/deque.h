/* SPDX-License-Identifier: MIT */
/* deque.h - a queue that its owner pushes to and everybody takes from: one producer, many
 * consumers.
 *
 * First in, first out, for the owner too: fibers begin in the order in which they were spawned.
 * That makes it simpler than the deque of Chase and Lev (SPAA 2005), from which the growing ring
 * comes: there is no last item for the owner and a thief to fight over from two ends; all who
 * take move `top` by compare-and-swap, and push needs no atomic read-modify-write at all.
 *
 * Invariant: top <= bottom; the items are slots[top .. bottom - 1], modulo the ring's size.
 * An outgrown ring is kept until the deque is destroyed, since a slow thief may still read it:
 * what it finds there is either right or is refused by its compare-and-swap. */
#ifndef BASE_DEQUE_H
#define BASE_DEQUE_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include "platform/compiler.h"

struct deque_ring {
        struct deque_ring *outgrown; /* the one before it */
        uint64_t size;               /* a power of two */
        _Atomic(void *) slots[];
};

struct deque {
        alignas(CACHE_LINE) atomic_uint_least64_t top;    /* whoever takes moves it by CAS */
        alignas(CACHE_LINE) atomic_uint_least64_t bottom; /* written by the owner only */
        _Atomic(struct deque_ring *) ring;                /* likewise */
};

#define DEQUE_FIRST_SIZE 256

static inline struct deque_ring *deque_ring_new(uint64_t size, struct deque_ring *outgrown)
{
        struct deque_ring *ring = malloc(sizeof(*ring) + size * sizeof(ring->slots[0]));

        if (ring) {
                ring->outgrown = outgrown;
                ring->size = size;
        }
        return ring;
}

/* Return: false when there is no memory. */
static inline bool deque_init(struct deque *deque)
{
        struct deque_ring *ring = deque_ring_new(DEQUE_FIRST_SIZE, NULL);

        atomic_init(&deque->top, 0);
        atomic_init(&deque->bottom, 0);
        atomic_init(&deque->ring, ring);
        return ring;
}

static inline void deque_destroy(struct deque *deque)
{
        struct deque_ring *ring, *outgrown;

        ring = atomic_load_explicit(&deque->ring, memory_order_relaxed);
        for (; ring; ring = outgrown) {
                outgrown = ring->outgrown;
                free(ring);
        }
}

/* How many were pushed so far: the position that the next one will have. */
static inline uint64_t deque_pushed(struct deque *deque)
{
        return atomic_load_explicit(&deque->bottom, memory_order_relaxed);
}

/* How many were taken so far. */
static inline uint64_t deque_taken(struct deque *deque)
{
        return atomic_load_explicit(&deque->top, memory_order_relaxed);
}

/* How many are there; a guess for anyone but the owner. */
static inline uint64_t deque_length(struct deque *deque)
{
        uint64_t top = atomic_load_explicit(&deque->top, memory_order_seq_cst);
        uint64_t bottom = atomic_load_explicit(&deque->bottom, memory_order_seq_cst);

        return bottom > top ? bottom - top : 0;
}

static inline struct deque_ring *deque_grow(struct deque *deque, struct deque_ring *ring,
                                            uint64_t top, uint64_t bottom)
{
        struct deque_ring *bigger = deque_ring_new(2 * ring->size, ring);
        void *item;

        if (!bigger)
                return NULL;
        for (uint64_t i = top; i < bottom; i++) {
                item = atomic_load_explicit(&ring->slots[i & (ring->size - 1)],
                                            memory_order_relaxed);
                atomic_store_explicit(&bigger->slots[i & (bigger->size - 1)], item,
                                      memory_order_relaxed);
        }
        /* Pairs with the load in deque_take: who sees the ring sees its slots. */
        atomic_store_explicit(&deque->ring, bigger, memory_order_release);
        return bigger;
}

/* The owner only.  Return: false when there is no memory to grow. */
static inline bool deque_push(struct deque *deque, void *item)
{
        uint64_t bottom = atomic_load_explicit(&deque->bottom, memory_order_relaxed);
        /* Pairs with the compare-exchange in deque_take: slots below top have been read. */
        uint64_t top = atomic_load_explicit(&deque->top, memory_order_acquire);
        struct deque_ring *ring = atomic_load_explicit(&deque->ring, memory_order_relaxed);

        if (unlikely(bottom - top >= ring->size)) {
                ring = deque_grow(deque, ring, top, bottom);
                if (!ring)
                        return false;
        }
        atomic_store_explicit(&ring->slots[bottom & (ring->size - 1)], item, memory_order_relaxed);
        /* Pairs with the load in deque_take: the slot, and what the item points to. */
        atomic_store_explicit(&deque->bottom, bottom + 1, memory_order_release);
        return true;
}

/* Anyone.  Return: the oldest item, or NULL. */
static inline void *deque_take(struct deque *deque)
{
        uint64_t top = atomic_load_explicit(&deque->top, memory_order_acquire);
        struct deque_ring *ring;
        void *item;

        for (;;) {
                /* Pairs with the store in deque_push. */
                if (top >= atomic_load_explicit(&deque->bottom, memory_order_acquire))
                        return NULL;
                /* Pairs with the store in deque_grow.  Read after bottom, so not older. */
                ring = atomic_load_explicit(&deque->ring, memory_order_acquire);
                item = atomic_load_explicit(&ring->slots[top & (ring->size - 1)],
                                            memory_order_relaxed);
                /* Release: the slot was read before; pairs with the load in deque_push. */
                if (atomic_compare_exchange_weak_explicit(&deque->top, &top, top + 1,
                                                          memory_order_acq_rel,
                                                          memory_order_acquire))
                        return item;
        }
}

#endif
