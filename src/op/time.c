/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fibers/time.h>
#include "op/perform.h"
#include "op/time.h"
#include "platform/clock.h"

int64_t fib_now(void)
{
        return scheduler_now(scheduler_current());
}

static bool timer_admit(struct timer *timer)
{
        return commit_sync(&container_of(timer, struct arm, timer)->waiter.perform->commit);
}

static void timer_fire(struct timer *timer)
{
        struct arm *arm = container_of(timer, struct arm, timer);

        perform_wake(arm->waiter.perform, &arm->waiter, false);
}

static int timer_block(int64_t expiry, fib_waiter *waiter)
{
        struct parker *parker = waiter->perform->parker;
        struct timer *timer = &arm_of(waiter)->timer;

        waiter->value = fib_num(0);
        list_init(&timer->wheel.link);
        timer->admit = timer_admit;
        timer->fire = timer_fire;
        parker->ops->add_timer(parker, timer, expiry);
        return 0;
}

static void timer_cancel(void *state, fib_waiter *waiter)
{
        struct parker *parker = waiter->perform->parker;

        parker->ops->cancel_timer(parker, &arm_of(waiter)->timer);
}

/* The state is the expiry. */
static int expiry_try(void *state, fib_value *ret)
{
        if (fib_now() < *(int64_t *)state)
                return -EAGAIN;
        *ret = fib_num(0);
        return 0;
}

static int expiry_block(void *state, fib_waiter *waiter)
{
        return timer_block(*(int64_t *)state, waiter);
}

static const fib_op_class expiry_class = {
        .state_size = sizeof(int64_t),
        .FIB_TRY_MEMBER = expiry_try,
        .block = expiry_block,
        .cancel = timer_cancel,
        .name = "timer",
};

/* The state is the time to sleep, from the perform on. */
static int sleep_try(void *state, fib_value *ret)
{
        if (*(int64_t *)state > 0)
                return -EAGAIN;
        *ret = fib_num(0);
        return 0;
}

static int sleep_block(void *state, fib_waiter *waiter)
{
        struct fib_perform *perform = waiter->perform;

        if (perform->began == 0)
                perform->began = fib_now();
        return timer_block(clock_add(perform->began, *(int64_t *)state), waiter);
}

static const fib_op_class sleep_class = {
        .state_size = sizeof(int64_t),
        .FIB_TRY_MEMBER = sleep_try,
        .block = sleep_block,
        .cancel = timer_cancel,
        .name = "sleep",
};

fib_op *fib_timer_op(int64_t expiry)
{
        return fib_op_new(&expiry_class, &expiry);
}

fib_op *fib_sleep_op(int64_t ns)
{
        return fib_op_new(&sleep_class, &ns);
}

void time_wait(int64_t expiry)
{
        struct arm arm = { .index = 0 };

        perform_alone(&expiry_class, &expiry, &arm);
}
