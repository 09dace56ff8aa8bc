/* SPDX-License-Identifier: MIT */
/* channel.h - where a putter and a getter meet and a message goes from one to the other. */
#ifndef FIBERS_CHANNEL_H
#define FIBERS_CHANNEL_H

#include <fibers/value.h>

FIB_BEGIN

typedef struct fib_channel fib_channel;

/* An unbuffered channel: a put ends when a get has taken its message. */
FIB_API fib_channel *fib_channel_new(void);
FIB_API fib_channel *fib_channel_ref(fib_channel *channel);
FIB_API void fib_channel_unref(fib_channel *channel);

/* Waiters are served first come, first served.  An operation holds a reference to its channel;
 * a direct call relies on the caller's. */
FIB_API fib_op *fib_put_op(fib_channel *channel, fib_value message);
FIB_API void fib_put(fib_channel *channel, fib_value message);

/* The value is the message. */
FIB_API fib_op *fib_get_op(fib_channel *channel);
FIB_API fib_value fib_get(fib_channel *channel);

FIB_END

#endif
