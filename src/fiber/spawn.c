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
        const char *name = options ? options->name : NULL;
        struct fib_fiber *fiber = pool_alloc(fiber_size(name));

        if (!fiber)
                return NULL;
        *fiber = (struct fib_fiber){
                .task = { .kind = TASK_BEGIN_FIBER, .stealable = TASK_FREE },
                .stack_class = group->stack_class,
                .migratable = group->migratable,
                .fn = fn,
                .arg = arg,
                .environment = environment_inherit(),
                .id = new_id(),
        };
        condition_init(&fiber->done);
        if (!options)
                return fiber;
        if (options->stack_size)
                fiber->stack_class = (unsigned)stack_class_of(options->stack_size);
        fiber->migratable |= options->migratable;
        if (name) {
                fiber->named = true;
                memcpy(fiber->name, name, strlen(name) + 1);
        }
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
        return fiber && fiber->named ? fiber->name : "";
}

uint64_t fib_fiber_id(const fib_fiber *fiber)
{
        return fiber ? fiber->id : 0;
}
