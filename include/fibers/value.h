/* SPDX-License-Identifier: MIT */
/* value.h - what all other headers need: the message word, opaque types, visibility. */
#ifndef FIBERS_VALUE_H
#define FIBERS_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FIB_VERSION_MAJOR 0
#define FIB_VERSION_MINOR 1

#ifdef __cplusplus
#define FIB_BEGIN extern "C" {
#define FIB_END }
#else
#define FIB_BEGIN
#define FIB_END
#endif

#if defined(__GNUC__)
#define FIB_API __attribute__((visibility("default")))
#define FIB_MUST_CHECK __attribute__((warn_unused_result))
#define FIB_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define FIB_API
#define FIB_MUST_CHECK
#define FIB_PRINTF(text, first)
#endif

FIB_BEGIN

typedef struct fib_fiber fib_fiber;
typedef struct fib_op fib_op;
typedef struct fib_scheduler fib_scheduler;

/* A fiber's function has pthread_create(3)'s shape. */
typedef void *fib_fn(void *arg);

/* A message is one word.  What a pointer points to belongs to the receiver from then on; a put
 * that loses a choice leaves it with the sender. */
typedef union fib_value {
        void *ptr;
        intptr_t num;
} fib_value;

static inline fib_value fib_ptr(void *ptr)
{
        fib_value value;

        value.ptr = ptr;
        return value;
}

static inline fib_value fib_num(intptr_t num)
{
        fib_value value;

        value.num = num;
        return value;
}

FIB_END

#endif
