/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/pool.h"
#include "fiber/fiber.h"
#include "fiber/parameter.h"

#define IDS 1024

static atomic_uint_least64_t next_ids = 1;

static uint64_t new_id(void)
{
        struct fib_scheduler *scheduler = scheduler_current();
        struct worker *worker = scheduler ? worker_of(scheduler) : NULL;

        if (!worker)
                return atomic_fetch_add_explicit(&next_ids, 1, memory_order_relaxed);
        if (worker->next_id == worker->end_id) {
                worker->next_id = atomic_fetch_add_explicit(&next_ids, IDS, memory_order_relaxed);
                worker->end_id = worker->next_id + IDS;
        }
        return worker->next_id++;
}

struct fib_fiber *fiber_new(fib_fn *fn, void *arg, const fib_spawn_options *options,
                            struct group *group)
{
        struct fib_fiber *fiber = pool_alloc(sizeof(*fiber));

        if (!fiber)
                return NULL;
        *fiber = (struct fib_fiber){
                .task = { .kind = &fiber_kind, .stealable = TASK_FREE },
                .state = FIBER_NEW,
                .stack_class = group->stack_class,
                .migratable = group->migratable,
                .fn = fn,
                .arg = arg,
        };
        condition_init(&fiber->done);
        fiber->id = new_id();
        if (!options) {
                fiber->environment = environment_inherit();
                return fiber;
        }
        if (options->stack_size)
                fiber->stack_class = (uint8_t)stack_class_of(options->stack_size);
        fiber->migratable |= options->migratable;
        if (options->name) {
                fiber->name = strdup(options->name);
                if (!fiber->name) {
                        pool_free(fiber, sizeof(*fiber));
                        return NULL;
                }
        }
        fiber->environment = environment_inherit();
        return fiber;
}

int fib_spawn_with(const fib_spawn_options *options, fib_fn *fn, void *arg, fib_fiber **ret)
{
        struct fib_scheduler *scheduler = scheduler_current();
        struct fib_fiber *fiber;

        if (options && options->scheduler)
                scheduler = options->scheduler;
        if (!scheduler)
                return -ESRCH;
        if (!fn || (options && options->stack_size && stack_class_of(options->stack_size) < 0))
                return -EINVAL;
        fiber = fiber_new(fn, arg, options, scheduler->group);
        if (!fiber)
                return -ENOMEM;
        if (options && options->parallel)
                scheduler = fib_scheduler_choose_parallel(scheduler);
        if (ret)
                *ret = fib_fiber_ref(fiber);
        scheduler_give(scheduler, &fiber->task);
        return 0;
}

int fib_spawn(fib_fn *fn, void *arg)
{
        return fib_spawn_with(NULL, fn, arg, NULL);
}

fib_fiber *fib_self(void)
{
        struct frame *frame = frame_current();

        return frame ? frame->fiber : NULL;
}

const char *fib_fiber_name(const fib_fiber *fiber)
{
        return fiber && fiber->name ? fiber->name : "";
}

uint64_t fib_fiber_id(const fib_fiber *fiber)
{
        return fiber ? fiber->id : 0;
}
