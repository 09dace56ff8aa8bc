/* SPDX-License-Identifier: MIT */
/* channel.c - a rendezvous between a putter and a getter.
 *
 * Two queues of waiters and a lock.  A putter that finds a getter gives it the message and
 * wakes it; else it joins the putters.  A getter likewise.  To look and to join is one step
 * under the lock, so a direct call takes it once, and of two that come at the same time the
 * second sees the first.
 *
 * Both queues are non-empty only while one holds waiters of a single choice that both puts and
 * gets, or waiters whose performer is done already and about to withdraw them. */
#include <assert.h>
#include "base/biased-lock.h"
#include "base/pool.h"
#include "op/perform.h"
#include "op/waitq.h"
#include <fibers/channel.h>

enum side { PUT, GET };

struct fib_channel {
        struct biased_lock lock;
        atomic_uint refs;
        struct waitq waiting[2]; /* by side; under the lock */
};

/* The state of a put or get operation; that of a direct call is the channel itself. */
struct exchange {
        fib_channel *channel;
        fib_value message; /* of a put */
};

fib_channel *fib_channel_new(void)
{
        fib_channel *channel = pool_alloc(sizeof(*channel));

        if (!channel)
                return NULL;
        biased_lock_init(&channel->lock);
        atomic_init(&channel->refs, 1);
        atomic_init(&channel->waiting[PUT].first, NULL);
        atomic_init(&channel->waiting[GET].first, NULL);
        return channel;
}

fib_channel *fib_channel_ref(fib_channel *channel)
{
        if (channel)
                atomic_fetch_add_explicit(&channel->refs, 1, memory_order_relaxed);
        return channel;
}

void fib_channel_unref(fib_channel *channel)
{
        /* Acquire: what others did before they gave up theirs; pairs with their release. */
        if (!channel || (atomic_load_explicit(&channel->refs, memory_order_acquire) != 1 &&
                         atomic_fetch_sub_explicit(&channel->refs, 1, memory_order_acq_rel) != 1))
                return;
        assert(!waitq_first(&channel->waiting[PUT]) && !waitq_first(&channel->waiting[GET]) &&
               "a channel's last reference is given up while somebody waits");
        pool_free(channel, sizeof(*channel));
}

/* Moves the message between the two who meet, and takes the one who waited off its queue.
 * `mine`: the caller's message.  Return: what the caller gets. */
static ALWAYS_INLINE fib_value pass(fib_channel *channel, enum side side, fib_value mine,
                                    fib_waiter *theirs)
{
        waitq_remove(&channel->waiting[!side], theirs);
        if (side == GET)
                return theirs->value;
        theirs->value = mine;
        return mine;
}

/* Meets the first partner that is still waiting.  The caller is not published; it holds the
 * lock.  Return: the partner, to be woken without the lock; NULL: there is none. */
static fib_waiter *meet(fib_channel *channel, enum side side, fib_value *mine)
{
        fib_waiter *theirs = waitq_first(&channel->waiting[!side]);

        for (; theirs; theirs = waitq_next(&channel->waiting[!side], theirs)) {
                if (commit_sync(&theirs->perform->commit)) {
                        *mine = pass(channel, side, *mine, theirs);
                        return theirs;
                }
        }
        return NULL;
}

/* Wakes a partner that was in a direct call. */
static ALWAYS_INLINE void wake_direct(fib_waiter *theirs)
{
        struct parker *parker = theirs->perform->parker;

        parker->value = theirs->value;
        parker_resume(parker, false);
}

/* The same for a choice, which may have been published elsewhere.  `*done` is set when the
 * caller need not wait here: it has met somebody, or another of its arms was done. */
static fib_waiter *meet_claimed(fib_channel *channel, enum side side, fib_waiter *mine, bool *done)
{
        fib_waiter *theirs = waitq_first(&channel->waiting[!side]);

        for (; theirs; theirs = waitq_next(&channel->waiting[!side], theirs)) {
                int r;

                if (theirs->perform == mine->perform)
                        continue;
                r = commit_pair(&mine->perform->commit, &theirs->perform->commit);
                *done = r != -EAGAIN;
                if (r == 0)
                        mine->value = pass(channel, side, mine->value, theirs);
                if (*done)
                        return r == 0 ? theirs : NULL;
        }
        return NULL;
}

static NOINLINE int try_slowly(fib_channel *channel, enum side side, fib_value *value)
{
        unsigned seat = scheduler_seat();
        bool entered = biased_lock_acquire(&channel->lock, seat);
        fib_waiter *theirs = meet(channel, side, value);

        biased_lock_release(&channel->lock, seat, entered);
        if (!theirs)
                return -EAGAIN;
        perform_wake(theirs->perform, theirs, false);
        return 0;
}

/* As exchange_now(), without a wait. */
static ALWAYS_INLINE int try_exchange(fib_channel *channel, enum side side, fib_value *value)
{
        unsigned seat = scheduler_seat();
        fib_waiter *theirs;

        if (!waitq_first(&channel->waiting[!side]))
                return -EAGAIN; /* a partner that comes right now comes later */
        if (unlikely(!biased_lock_enter(&channel->lock, seat)))
                return try_slowly(channel, side, value);
        theirs = waitq_first(&channel->waiting[!side]);
        if (unlikely(!theirs || !commit_solo(&theirs->perform->commit))) {
                biased_lock_leave(seat);
                return try_slowly(channel, side, value);
        }
        *value = pass(channel, side, *value, theirs);
        biased_lock_leave(seat);
        wake_direct(theirs);
        return 0;
}

static int block_exchange(fib_channel *channel, enum side side, fib_waiter *mine)
{
        unsigned seat = scheduler_seat();
        bool entered = biased_lock_acquire(&channel->lock, seat);
        fib_waiter *theirs;
        bool done = false;

        theirs = meet_claimed(channel, side, mine, &done);
        if (!done)
                waitq_append(&channel->waiting[side], mine);
        biased_lock_release(&channel->lock, seat, entered);
        if (theirs) {
                perform_done_by_self(mine->perform, mine);
                perform_wake(theirs->perform, theirs, false);
        }
        return 0;
}

static void cancel_exchange(fib_channel *channel, enum side side, fib_waiter *waiter)
{
        unsigned seat = scheduler_seat();
        bool entered = biased_lock_acquire(&channel->lock, seat);

        waitq_remove(&channel->waiting[side], waiter);
        biased_lock_release(&channel->lock, seat, entered);
}

static int put_try(void *state, fib_value *ret)
{
        struct exchange *exchange = state;
        fib_value message = exchange->message;
        int r = try_exchange(exchange->channel, PUT, &message);

        if (r == 0)
                *ret = fib_num(0);
        return r;
}

static int put_block(void *state, fib_waiter *waiter)
{
        struct exchange *exchange = state;

        waiter->value = exchange->message;
        return block_exchange(exchange->channel, PUT, waiter);
}

static void put_cancel(void *state, fib_waiter *waiter)
{
        cancel_exchange(((struct exchange *)state)->channel, PUT, waiter);
}

static int get_try(void *state, fib_value *ret)
{
        return try_exchange(((struct exchange *)state)->channel, GET, ret);
}

static int get_block(void *state, fib_waiter *waiter)
{
        return block_exchange(((struct exchange *)state)->channel, GET, waiter);
}

static void get_cancel(void *state, fib_waiter *waiter)
{
        cancel_exchange(((struct exchange *)state)->channel, GET, waiter);
}

static void exchange_destroy(void *state)
{
        fib_channel_unref(((struct exchange *)state)->channel);
}

static const fib_op_class put_class = {
        .state_size = sizeof(struct exchange),
        .FIB_TRY_MEMBER = put_try,
        .block = put_block,
        .cancel = put_cancel,
        .destroy = exchange_destroy,
        .name = "put",
};

static const fib_op_class get_class = {
        .state_size = sizeof(struct exchange),
        .FIB_TRY_MEMBER = get_try,
        .block = get_block,
        .cancel = get_cancel,
        .destroy = exchange_destroy,
        .name = "get",
};

fib_op *fib_put_op(fib_channel *channel, fib_value message)
{
        struct exchange exchange = { fib_channel_ref(channel), message };

        return channel ? fib_op_new(&put_class, &exchange) : NULL;
}

fib_op *fib_get_op(fib_channel *channel)
{
        struct exchange exchange = { .channel = fib_channel_ref(channel) };

        return channel ? fib_op_new(&get_class, &exchange) : NULL;
}

static void direct_put_cancel(void *state, fib_waiter *waiter)
{
        cancel_exchange(state, PUT, waiter);
}

static void direct_get_cancel(void *state, fib_waiter *waiter)
{
        cancel_exchange(state, GET, waiter);
}

/* What direct calls leave in the queues is never tried or blocked again. */
static const fib_op_class direct_put_class = { .cancel = direct_put_cancel, .name = "put" };
static const fib_op_class direct_get_class = { .cancel = direct_get_cancel, .name = "get" };

/* Joins those who wait; the lock is held. */
static ALWAYS_INLINE void wait_in(fib_channel *channel, enum side side, struct direct *direct,
                                  fib_value value)
{
        fib_waiter *waiter = &direct->arm.waiter;

        commit_init(&direct->perform.commit, COMMIT_SOLO);
        waiter->op_class = side == PUT ? &direct_put_class : &direct_get_class;
        waiter->state = channel;
        waiter->value = value;
        waitq_append(&channel->waiting[side], waiter);
}

/* A direct call that needs some care: the lock is not the caller's, or the partner is in a choice,
 * or the caller is no fiber.  `entered`: the lock is held, by bias. */
static NOINLINE intptr_t exchange_slowly(fib_channel *channel, enum side side, fib_value value,
                                         bool entered)
{
        struct parker *parker = *parker_slot();
        unsigned seat = scheduler_seat();
        struct thread_parker thread;
        struct direct direct;
        fib_waiter *theirs;
        intptr_t got;

        if (!entered)
                entered = biased_lock_acquire(&channel->lock, seat);
        theirs = meet(channel, side, &value);
        if (theirs) {
                biased_lock_release(&channel->lock, seat, entered);
                perform_wake(theirs->perform, theirs, false);
                return value.num;
        }
        if (parker && parker->direct) {
                wait_in(channel, side, parker->direct, value);
                biased_lock_release(&channel->lock, seat, entered);
                return parker->ops->park(parker);
        }
        perform_begin(&direct.perform, COMMIT_SOLO, &direct.arm, 1, &thread);
        direct_init(&direct, direct.perform.parker);
        wait_in(channel, side, &direct, value);
        biased_lock_release(&channel->lock, seat, entered);
        got = perform_park(&direct.perform);
        perform_end(&direct.perform, &thread);
        return got;
}

/* A direct call: one look and, if nobody is there, one wait, under one lock.  Here for who owns
 * the lock, and a partner in a direct call of its own: without a call in between. */
static ALWAYS_INLINE intptr_t exchange_now(fib_channel *channel, enum side side, fib_value value)
{
        struct fib_scheduler *scheduler = scheduler_current();
        struct parker *parker = scheduler ? scheduler->running : NULL;
        fib_waiter *theirs;

        if (unlikely(!parker || !parker->direct ||
                     !biased_lock_enter(&channel->lock, scheduler->seat)))
                return exchange_slowly(channel, side, value, false);
        theirs = waitq_first(&channel->waiting[!side]);
        if (!theirs) {
                wait_in(channel, side, parker->direct, value);
                biased_lock_leave(scheduler->seat);
                return parker->ops->park(parker);
        }
        if (unlikely(!commit_solo(&theirs->perform->commit)))
                return exchange_slowly(channel, side, value, true);
        value = pass(channel, side, value, theirs);
        biased_lock_leave(scheduler->seat);
        wake_direct(theirs);
        return value.num;
}

void fib_put(fib_channel *channel, fib_value message)
{
        assert(channel);
        if (channel)
                exchange_now(channel, PUT, message);
}

/* fib_get(), which returns the word as a union: in the same register on every processor here. */
FIB_API intptr_t get_word(fib_channel *channel) __asm__("fib_get");

intptr_t get_word(fib_channel *channel)
{
        assert(channel);
        return channel ? exchange_now(channel, GET, fib_num(0)) : 0;
}
