/* SPDX-License-Identifier: MIT */
/* random.h - xorshift64* (S. Vigna, 2016): fast, small, not for secrets. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stdint.h>

struct random {
        uint64_t state; /* never 0 */
};

static inline void random_init(struct random *random, uint64_t seed)
{
        /* One step of splitmix64, so that neighbouring seeds part at once. */
        seed += UINT64_C(0x9e3779b97f4a7c15);
        seed = (seed ^ (seed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        seed = (seed ^ (seed >> 27)) * UINT64_C(0x94d049bb133111eb);
        seed ^= seed >> 31;
        random->state = seed ? seed : 1;
}

static inline uint32_t random_next(struct random *random)
{
        uint64_t x = random->state;

        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        random->state = x;
        return (uint32_t)((x * UINT64_C(0x2545f4914f6cdd1d)) >> 32);
}

/* Return: 0 to bound - 1, each with the same chance to within bound / 2^32. */
static inline uint32_t random_below(struct random *random, uint32_t bound)
{
        return (uint32_t)(((uint64_t)random_next(random) * bound) >> 32);
}

#endif
