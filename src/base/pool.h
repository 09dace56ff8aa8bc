/* SPDX-License-Identifier: MIT */
/* pool.h - small objects, allocated and freed in a few nanoseconds by any thread.
 *
 * For each size, in steps of 16 bytes: every thread keeps a short list of free objects; behind
 * it stands a depot, under a lock, that hands out and takes back 32 at a time.  The depot carves
 * objects from slabs of 2 MiB, aligned, so that an object's slab is found by its address, and
 * unmaps slabs that are all free but for one.  (malloc(3) was measured: it keeps but seven free
 * objects of a size per thread, and does not give memory back while one at the end is in use.)
 *
 * Under AddressSanitizer all of it is malloc() and free(), so that misuse is seen. */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stddef.h>

#define POOL_LARGEST 256 /* bytes; larger objects come from malloc() */

/* Return: memory that is not cleared, aligned to 16 bytes; or NULL. */
void *pool_alloc(size_t size);

/* `size` as it was given to pool_alloc(); NULL is allowed. */
void pool_free(void *object, size_t size);

#endif
