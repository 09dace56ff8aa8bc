/* SPDX-License-Identifier: MIT */
/* mutex.c - one holder at a time, and a queue of those who wait.
 *
 * The queue and the flag are under a lock of a few instructions, which is biased: a mutex that one
 * scheduler uses costs no atomic operation, any other two for a lock and an unlock.
 *
 * Where there are several schedulers, who finds it locked looks on for a moment before it joins
 * the queue: most holders are about to unlock, and to be woken costs more.  Meanwhile it gives way
 * to others of its scheduler, for the mutex may have been handed to one of those.  (Without that,
 * 8 fibers on 2 processors: 2,000 to 10,000 ns a lock instead of 50; without looking on, 640.)
 * After that, first come, first served: an unlock hands the mutex to the first who waits, and
 * `locked` never goes false in between. */
#include <assert.h>
#include <errno.h>
#include "base/biased-lock.h"
#include "base/pool.h"
#include "op/perform.h"
#include "op/waitq.h"
#include <fibers/mutex.h>

/* In pauses of the processor, of some 40 ns: twice as long after each look, lest the holder's
 * cache line be taken away all the time. */
#define FIRST_PAUSE 1
#define LAST_PAUSE 512

struct fib_mutex {
        struct biased_lock lock;
        atomic_uint refs;
        struct waitq waiting; /* under the lock */
        atomic_bool locked;   /* likewise; read without it as a hint */
};

fib_mutex *fib_mutex_new(void)
{
        fib_mutex *mutex = pool_alloc(sizeof(*mutex));

        if (!mutex)
                return NULL;
        biased_lock_init(&mutex->lock);
        atomic_init(&mutex->refs, 1);
        atomic_init(&mutex->waiting.first, NULL);
        atomic_init(&mutex->locked, false);
        return mutex;
}

fib_mutex *fib_mutex_ref(fib_mutex *mutex)
{
        if (mutex)
                atomic_fetch_add_explicit(&mutex->refs, 1, memory_order_relaxed);
        return mutex;
}

void fib_mutex_unref(fib_mutex *mutex)
{
        /* Acquire: what others did before they gave up theirs; pairs with their release. */
        if (!mutex || (atomic_load_explicit(&mutex->refs, memory_order_acquire) != 1 &&
                       atomic_fetch_sub_explicit(&mutex->refs, 1, memory_order_acq_rel) != 1))
                return;
        assert(!waitq_first(&mutex->waiting) &&
               "a mutex's last reference is given up while somebody waits");
        pool_free(mutex, sizeof(*mutex));
}

static inline bool is_locked(const fib_mutex *mutex)
{
        return atomic_load_explicit(&mutex->locked, memory_order_relaxed);
}

static inline void set_locked(fib_mutex *mutex, bool locked)
{
        atomic_store_explicit(&mutex->locked, locked, memory_order_relaxed);
}

static inline bool try_lock(fib_mutex *mutex)
{
        unsigned seat = scheduler_seat();
        bool entered = biased_lock_acquire(&mutex->lock, seat);
        bool done = !is_locked(mutex);

        if (done)
                set_locked(mutex, true);
        biased_lock_release(&mutex->lock, seat, entered);
        return done;
}

static int lock_try(void *state, fib_value *ret)
{
        if (!try_lock(*(fib_mutex **)state))
                return -EAGAIN;
        *ret = fib_num(0);
        return 0;
}

static int lock_block(void *state, fib_waiter *waiter)
{
        fib_mutex *mutex = *(fib_mutex **)state;
        unsigned seat = scheduler_seat();
        bool entered = biased_lock_acquire(&mutex->lock, seat);

        waiter->value = fib_num(0);
        if (is_locked(mutex)) {
                waitq_append(&mutex->waiting, waiter);
        } else if (commit_sync(&waiter->perform->commit)) {
                set_locked(mutex, true);
                perform_done_by_self(waiter->perform, waiter);
        }
        biased_lock_release(&mutex->lock, seat, entered);
        return 0;
}

static void lock_cancel(void *state, fib_waiter *waiter)
{
        fib_mutex *mutex = *(fib_mutex **)state;
        unsigned seat = scheduler_seat();
        bool entered = biased_lock_acquire(&mutex->lock, seat);

        waitq_remove(&mutex->waiting, waiter);
        biased_lock_release(&mutex->lock, seat, entered);
}

static void lock_destroy(void *state)
{
        fib_mutex_unref(*(fib_mutex **)state);
}

static const fib_op_class lock_class = {
        .state_size = sizeof(fib_mutex *),
        .FIB_TRY_MEMBER = lock_try,
        .block = lock_block,
        .cancel = lock_cancel,
        .destroy = lock_destroy,
        .name = "lock",
};

fib_op *fib_mutex_lock_op(fib_mutex *mutex)
{
        fib_mutex_ref(mutex);
        return mutex ? fib_op_new(&lock_class, &mutex) : NULL;
}

/* Lets others run, among them perhaps who holds it. */
static void give_way(struct parker *parker)
{
        scheduler_push_last(parker->scheduler, &parker->task);
        parker->ops->park(parker);
}

/* Return: whether the caller holds it now. */
static bool look_on(fib_mutex *mutex)
{
        struct parker *parker = *parker_slot();

        if (!parker || !parker->scheduler || parker->task.stealable || !parker->scheduler->shares)
                return false;
        for (int pause = FIRST_PAUSE; pause <= LAST_PAUSE; pause *= 2) {
                if (parker->scheduler->group->crowded)
                        sched_yield(); /* the holder may need this very processor */
                for (int i = 0; i < pause; i++)
                        cpu_relax();
                give_way(parker);
                if (!is_locked(mutex) && try_lock(mutex))
                        return true;
        }
        return false;
}

static NOINLINE void lock_slowly(fib_mutex *mutex)
{
        struct arm arm = { .index = 0 };

        if (!look_on(mutex))
                perform_alone(&lock_class, &mutex, &arm);
}

void fib_mutex_lock(fib_mutex *mutex)
{
        assert(mutex);
        if (mutex && unlikely(!try_lock(mutex)))
                lock_slowly(mutex);
}

bool fib_mutex_trylock(fib_mutex *mutex)
{
        assert(mutex);
        return mutex && try_lock(mutex);
}

/* Takes the first who still waits off the queue.  Under the lock. */
static fib_waiter *next_holder(fib_mutex *mutex)
{
        fib_waiter *first;

        while ((first = waitq_first(&mutex->waiting))) {
                waitq_remove(&mutex->waiting, first);
                if (commit_sync(&first->perform->commit))
                        return first;
        }
        return NULL;
}

void fib_mutex_unlock(fib_mutex *mutex)
{
        unsigned seat = scheduler_seat();
        fib_waiter *next;
        bool entered;

        assert(mutex && is_locked(mutex));
        if (!mutex)
                return;
        entered = biased_lock_acquire(&mutex->lock, seat);
        next = waitq_first(&mutex->waiting) ? next_holder(mutex) : NULL;
        if (!next)
                set_locked(mutex, false);
        biased_lock_release(&mutex->lock, seat, entered);
        if (next)
                perform_wake(next->perform, next, false);
}
