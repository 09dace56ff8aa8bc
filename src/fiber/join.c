/* SPDX-License-Identifier: MIT */
/* join.c - how a fiber ends, and waiting for that. */
#include <errno.h>
#include <stdlib.h>
#include "base/pool.h"
#include "fiber/fiber.h"
#include "fiber/parameter.h"
#include "op/perform.h"

static void fiber_free(struct fib_fiber *fiber)
{
        pool_free(fiber, fiber->named ? fiber_size(fiber->name) : sizeof(*fiber));
}

void fib_fiber_unref(fib_fiber *fiber)
{
        if (!fiber)
                return;
        /* With one owner nobody else can be touching the count; pairs with the release below. */
        if (atomic_load_explicit(&fiber->done.refs, memory_order_acquire) != 1 &&
            atomic_fetch_sub_explicit(&fiber->done.refs, 1, memory_order_acq_rel) != 1)
                return;
        fiber_free(fiber);
}

fib_fiber *fib_fiber_ref(fib_fiber *fiber)
{
        if (fiber)
                atomic_fetch_add_explicit(&fiber->done.refs, 1, memory_order_relaxed);
        return fiber;
}

void fiber_finish(struct fib_fiber *fiber, void *result, bool cancelled)
{
        if (fiber->environment) {
                environment_unref(fiber->environment);
                fiber->environment = NULL;
        }
        fiber->arg = result;
        fiber->cancelled = cancelled;
        /* Who might join it has a reference. */
        if (atomic_load_explicit(&fiber->done.refs, memory_order_acquire) > 1)
                condition_signal(&fiber->done, false);
        fib_fiber_unref(fiber);
}

static int result_of(struct fib_fiber *fiber, fib_value *ret)
{
        if (fiber->cancelled)
                return -ECANCELED;
        *ret = fib_ptr(fiber->arg);
        return 0;
}

static int join_try(void *state, fib_value *ret)
{
        struct fib_fiber *fiber = *(struct fib_fiber **)state;

        return condition_signalled(&fiber->done) ? result_of(fiber, ret) : -EAGAIN;
}

static int join_block(void *state, fib_waiter *waiter)
{
        return condition_block(&(*(struct fib_fiber **)state)->done, waiter);
}

static void join_cancel(void *state, fib_waiter *waiter)
{
        condition_cancel(&(*(struct fib_fiber **)state)->done, waiter);
}

static void join_destroy(void *state)
{
        fib_fiber_unref(*(struct fib_fiber **)state);
}

static const fib_op_class join_class = {
        .state_size = sizeof(struct fib_fiber *),
        .FIB_TRY_MEMBER = join_try,
        .block = join_block,
        .cancel = join_cancel,
        .destroy = join_destroy,
        .name = "join",
};

/* The condition gives no value: the result is read by the performer, from the fiber. */
static int take_result(fib_value *value, void *arg)
{
        return result_of(arg, value);
}

fib_op *fib_join_op(fib_fiber *fiber)
{
        if (!fiber)
                return NULL;
        fib_fiber_ref(fiber);
        /* The inner operation holds the reference that the wrap uses. */
        return fib_wrap(fib_op_new(&join_class, &fiber), take_result, fiber);
}

int fib_join(fib_fiber *fiber, void **ret)
{
        struct arm arm = { .index = 0 };
        fib_value value;
        int r;

        if (!fiber)
                return -EINVAL;
        if (!condition_signalled(&fiber->done))
                perform_alone(&join_class, &fiber, &arm);
        r = result_of(fiber, &value);
        if (r == 0 && ret)
                *ret = value.ptr;
        return r;
}
