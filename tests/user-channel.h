/* SPDX-License-Identifier: MIT */
/* user-channel.h - a rendezvous made outside the library, with fib_waiter_commit_both().
 *
 * A waiter that has been committed is no longer ours: its performer goes on at once.  So it is
 * taken off its queue first, and put back where it was if it could not be committed only because
 * we ourselves need nobody any more. */
#ifndef TESTS_USER_CHANNEL_H
#define TESTS_USER_CHANNEL_H

#include <errno.h>
#include <pthread.h>
#include <fibers/operation.h>

enum user_side { USER_PUT, USER_GET };

struct user_channel {
        pthread_mutex_t lock;
        fib_waiter *first[2], *last[2]; /* by side, under the lock; in no queue: next == waiter */
};

struct user_exchange {
        struct user_channel *channel;
        enum user_side side;
        fib_value message;
};

static inline void user_channel_init(struct user_channel *channel)
{
        *channel = (struct user_channel){ .first = { NULL } };
        pthread_mutex_init(&channel->lock, NULL);
}

static inline void user_remove(struct user_channel *channel, enum user_side side,
                               fib_waiter *waiter)
{
        if (waiter->next == waiter)
                return;
        *(waiter->prev ? &waiter->prev->next : &channel->first[side]) = waiter->next;
        *(waiter->next ? &waiter->next->prev : &channel->last[side]) = waiter->prev;
        waiter->next = waiter;
}

/* Undoes the last user_remove(), the lock being held since. */
static inline void user_restore(struct user_channel *channel, enum user_side side,
                                fib_waiter *waiter, fib_waiter *next)
{
        waiter->next = next;
        *(waiter->prev ? &waiter->prev->next : &channel->first[side]) = waiter;
        *(next ? &next->prev : &channel->last[side]) = waiter;
}

static inline void user_append(struct user_channel *channel, enum user_side side,
                               fib_waiter *waiter)
{
        waiter->next = NULL;
        waiter->prev = channel->last[side];
        *(waiter->prev ? &waiter->prev->next : &channel->first[side]) = waiter;
        channel->last[side] = waiter;
}

/* One that waits is committed alone: who tries is published nowhere. */
static inline int user_try(void *state, fib_value *ret)
{
        struct user_exchange *mine = state;
        struct user_channel *channel = mine->channel;
        fib_waiter *theirs, *next;
        int r = -EAGAIN;

        pthread_mutex_lock(&channel->lock);
        for (theirs = channel->first[!mine->side]; theirs && r == -EAGAIN; theirs = next) {
                fib_value message = ((struct user_exchange *)theirs->state)->message;

                next = theirs->next;
                user_remove(channel, !mine->side, theirs);
                if (fib_waiter_commit(theirs, mine->message)) {
                        *ret = message;
                        r = 0;
                }
        }
        pthread_mutex_unlock(&channel->lock);
        return r;
}

static inline int user_block(void *state, fib_waiter *waiter)
{
        struct user_exchange *mine = state;
        struct user_channel *channel = mine->channel;
        fib_waiter *theirs, *next;
        int r = -EAGAIN;

        pthread_mutex_lock(&channel->lock);
        for (theirs = channel->first[!mine->side]; theirs && r == -EAGAIN; theirs = next) {
                fib_value message = ((struct user_exchange *)theirs->state)->message;

                next = theirs->next;
                if (theirs->perform == waiter->perform)
                        continue; /* another arm of ours */
                user_remove(channel, !mine->side, theirs);
                r = fib_waiter_commit_both(waiter, message, theirs, mine->message);
                if (r == -ECANCELED)
                        user_restore(channel, !mine->side, theirs, next);
        }
        if (r == -EAGAIN)
                user_append(channel, mine->side, waiter);
        else
                waiter->next = waiter;
        pthread_mutex_unlock(&channel->lock);
        return 0;
}

static inline void user_cancel(void *state, fib_waiter *waiter)
{
        struct user_exchange *mine = state;

        pthread_mutex_lock(&mine->channel->lock);
        user_remove(mine->channel, mine->side, waiter);
        pthread_mutex_unlock(&mine->channel->lock);
}

static const fib_op_class user_class = {
        .state_size = sizeof(struct user_exchange),
        .try = user_try,
        .block = user_block,
        .cancel = user_cancel,
        .name = "user exchange",
};

static inline fib_op *user_put_op(struct user_channel *channel, fib_value message)
{
        return fib_op_new(&user_class, &(struct user_exchange){ channel, USER_PUT, message });
}

static inline fib_op *user_get_op(struct user_channel *channel)
{
        return fib_op_new(&user_class, &(struct user_exchange){ channel, USER_GET, fib_num(0) });
}

#endif
