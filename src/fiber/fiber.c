/* SPDX-License-Identifier: MIT */
/* fiber.c - how fibers begin, follow each other on a thread, and end.
 *
 * A fiber that leaves takes the next task itself.  If that is a fiber, it switches straight to
 * it; anything else is handed to scheduler_run()'s own stack.  A fiber that ends runs the next
 * one that has not begun on its own stack, without any switch. */
#include <assert.h>
#include <unistd.h>
#include "base/pool.h"
#include "fiber/fiber.h"
#include "fiber/parameter.h"
#include "fiber/overflow.h"
#include "op/perform.h"

/* How long to wait for memory when there is none for a stack. */
#define NO_STACK_US 1000

/* Notes that a fiber is about to run in the calling thread. */
static ALWAYS_INLINE void enter(struct fib_scheduler *scheduler, struct frame *frame)
{
        frame->parker.scheduler = scheduler;
        frame->context.value = frame->parker.value;
        scheduler->running = &frame->parker;
}

static void fiber_main(void *arg);

static uint8_t stealable(const struct fib_fiber *fiber)
{
        return fiber->migratable ? TASK_OFFERED : TASK_PINNED;
}

/* Puts the frame of a fiber that begins at the top of a stack.  Not cleared as a whole: what is not
 * written here is written before it is read. */
static struct frame *begin(struct fib_fiber *fiber, struct stack *stack)
{
        struct frame *frame = frame_on(stack);

        frame->parker = (struct parker){
                .task = { .kind = TASK_RESUME_FIBER, .stealable = stealable(fiber) },
                .ops = &fiber_parker_ops,
                .direct = &frame->direct,
        };
        frame->fiber = fiber;
        frame->stack = stack;
        frame->exceptions = (struct exception_state){ .caught = NULL };
        frame->suspended = false;
        frame->queued = false;
        direct_init(&frame->direct, &frame->parker);
        return frame;
}

/* Prepares a fiber that has not begun.  Return: NULL: it cannot, for want of memory. */
static NOINLINE struct frame *frame_new(struct fib_scheduler *scheduler, struct fib_fiber *fiber)
{
        struct worker *worker = worker_of(scheduler);
        struct stack *stack = stack_get(&worker->stacks, fiber->stack_class, scheduler->group);
        struct frame *frame;

        if (unlikely(!stack))
                return NULL;
        frame = begin(fiber, stack);
        context_init(&frame->context, frame, fiber_main, frame);
        return frame;
}

/* The frame to switch to for a task.  Return: NULL: to none: it is no fiber, or has no stack. */
static ALWAYS_INLINE struct frame *frame_for(struct fib_scheduler *scheduler, struct task *task)
{
        if (likely(task->kind == TASK_RESUME_FIBER))
                return frame_of_task(task);
        if (task->kind == TASK_BEGIN_FIBER)
                return frame_new(scheduler, fiber_of_task(task));
        return NULL;
}

/* Runs a fiber from scheduler_run()'s own stack, and what it hands over when it is left. */
static void fiber_run(struct task *task, struct fib_scheduler *scheduler)
{
        struct worker *worker = worker_of(scheduler);
        struct frame *frame;

        while (task && (frame = frame_for(scheduler, task))) {
                enter(scheduler, frame);
                exception_swap(worker->exception_globals, &worker->exceptions, &frame->exceptions);
                sanitizer_before_switch(&worker->sanitizer, &frame->stack->sanitizer, false);
                context_switch(&worker->context, &frame->context);
                sanitizer_after_switch(&worker->sanitizer);
                if (worker->after) {
                        void (*after)(struct worker *) = worker->after;

                        worker->after = NULL;
                        after(worker);
                }
                task = worker->handoff;
                worker->handoff = NULL;
        }
        if (!task)
                return;
        if (task->kind != TASK_BEGIN_FIBER) {
                scheduler_run_task(scheduler, task);
                return;
        }
        /* It stays queued until another fiber has given up its stack. */
        task->stealable = TASK_PINNED;
        scheduler_push(scheduler, task);
        usleep(NO_STACK_US);
}

/* The last thing that a fiber does before it waits, or for good (`dies`). */
static ALWAYS_INLINE intptr_t switch_to(struct frame *self, struct context *to,
                                        struct sanitizer_stack *to_sanitizer, bool dies)
{
#if SANITIZER_ADDRESS || SANITIZER_THREAD
        sanitizer_before_switch(&self->stack->sanitizer, to_sanitizer, dies);
        context_switch(&self->context, to);
        sanitizer_after_switch(&self->stack->sanitizer);
        return self->context.value.num;
#else
        return context_switch_last(&self->context, to);
#endif
}

static ALWAYS_INLINE intptr_t switch_to_fiber(struct fib_scheduler *scheduler, struct frame *self,
                                              struct frame *next, bool dies)
{
        exception_swap(worker_of(scheduler)->exception_globals, &self->exceptions,
                       &next->exceptions);
        enter(scheduler, next);
        return switch_to(self, &next->context, &next->stack->sanitizer, dies);
}

static ALWAYS_INLINE intptr_t switch_to_worker(struct fib_scheduler *scheduler, struct frame *self,
                                               bool dies)
{
        struct worker *worker = worker_of(scheduler);

        exception_swap(worker->exception_globals, &self->exceptions, &worker->exceptions);
        scheduler->running = NULL;
        return switch_to(self, &worker->context, &worker->sanitizer, dies);
}

intptr_t fiber_leave_then(struct frame *self, void (*after)(struct worker *worker))
{
        struct fib_scheduler *scheduler = self->parker.scheduler;

        worker_of(scheduler)->after = after;
        worker_of(scheduler)->left = self;
        return switch_to_worker(scheduler, self, false);
}

/* The same as leave().  `task`: the next one; NULL: not known yet. */
static NOINLINE intptr_t leave_slowly(struct frame *self, struct task *task)
{
        struct fib_scheduler *scheduler = self->parker.scheduler;
        struct frame *next;

        /* It may be in the inbox already, which the scheduler empties, and then a peer may take
         * it: off its stack first. */
        if (self->parker.task.stealable)
                return switch_to_worker(scheduler, self, false);
        if (!task)
                task = scheduler_next_slowly(scheduler);
        if (task == &self->parker.task)
                return self->parker.value.num;
        next = task ? frame_for(scheduler, task) : NULL;
        if (next)
                return switch_to_fiber(scheduler, self, next, false);
        worker_of(scheduler)->handoff = task;
        return switch_to_worker(scheduler, self, false);
}

/* Without a call in between, so that nothing is saved but by the switch. */
static ALWAYS_INLINE intptr_t leave(struct frame *self)
{
        struct fib_scheduler *scheduler = self->parker.scheduler;
        struct task *task = NULL;

        if (likely(!self->parker.task.stealable)) {
                task = scheduler_next_quickly(scheduler);
                if (likely(task && task->kind == TASK_RESUME_FIBER && task != &self->parker.task))
                        return switch_to_fiber(scheduler, self, frame_of_task(task), false);
        }
        return leave_slowly(self, task);
}

intptr_t fiber_leave(struct frame *self)
{
        return leave(self);
}

/* Ends it for good: on to the next task, with nothing left here to come back to. */
static void die(struct frame *self, struct task *task)
{
        struct fib_scheduler *scheduler = self->parker.scheduler;
        struct worker *worker = worker_of(scheduler);
        struct frame *next = task ? frame_for(scheduler, task) : NULL;

        /* Not before: its stack might have been given to the next one. */
        if (worker->dying)
                stack_put(&worker->stacks, worker->dying);
        worker->dying = self->stack;
        atomic_store_explicit(&self->stack->owner, NULL, memory_order_relaxed);
        if (next) {
                switch_to_fiber(scheduler, self, next, true);
        } else {
                worker->handoff = task;
                switch_to_worker(scheduler, self, true);
        }
        __builtin_unreachable();
}

/* The bottom of a fiber's stack: one fiber after the other. */
static void fiber_main(void *arg)
{
        struct frame *frame = arg;
        struct stack *stack = frame->stack;

        sanitizer_after_switch(&stack->sanitizer);
        for (;;) {
                struct fib_fiber *fiber = frame->fiber;
                struct fib_scheduler *scheduler;
                struct task *task;
                void *result;

                float_control_set(worker_of(frame->parker.scheduler)->float_control);
                result = fiber->fn(fiber->arg);
                stack_check(stack, fiber);
                fiber_finish(fiber, result, false);
                scheduler = frame->parker.scheduler;
                task = scheduler_next(scheduler);
                if (!task || task->kind != TASK_BEGIN_FIBER ||
                    fiber_of_task(task)->stack_class != stack_class(stack))
                        die(frame, task);
                sanitizer_stack_reused(&stack->sanitizer, stack->low,
                                       stack_size_of(stack_class(stack)));
                /* The frame is as begin() left it, but for whose it is. */
                frame->fiber = fiber_of_task(task);
                frame->parker.task.stealable = stealable(frame->fiber);
                enter(scheduler, frame);
        }
}

static void drop_new(struct task *task)
{
        fiber_finish(fiber_of_task(task), NULL, true);
}

/* fibers_abandon() has taken them all. */
static void drop_live(struct task *task)
{
        assert(!"a fiber that has begun is in a queue");
}

void fiber_set_kinds(struct group *group)
{
        static const struct task_kind begin_kind = { fiber_run, drop_new };
        static const struct task_kind resume_kind = { fiber_run, drop_live };

        group->kinds[TASK_BEGIN_FIBER] = &begin_kind;
        group->kinds[TASK_RESUME_FIBER] = &resume_kind;
}

static struct frame *frame_of(struct parker *parker)
{
        return container_of(parker, struct frame, parker);
}

static intptr_t park(struct parker *parker)
{
        return leave(frame_of(parker));
}

static void resume(struct parker *parker, bool in_handler)
{
        struct fib_scheduler *current = in_handler ? NULL : scheduler_current();

        /* Who readies itself must not be offered to peers before it has left its stack. */
        if (current && parker->scheduler == current && current->running != parker)
                scheduler_push(current, &parker->task);
        else
                scheduler_send(parker->scheduler, &parker->task);
}

static struct arm *arm_of_timer(struct timer *timer)
{
        return container_of(timer, struct arm, timer);
}

static void add_timer(struct parker *parker, struct timer *timer, int64_t expiry)
{
        struct fib_scheduler *scheduler = parker->scheduler;

        arm_of_timer(timer)->scheduler = scheduler;
        scheduler_add_timer(scheduler, timer, expiry);
}

static void cancel_timer(struct parker *parker, struct timer *timer)
{
        timers_cancel(&arm_of_timer(timer)->scheduler->timers, scheduler_seat(), timer);
}

static int watch(struct parker *parker, struct watch *watch)
{
        watch->scheduler = parker->scheduler;
        return descriptor_watch(watch);
}

static void forget(struct parker *parker, struct watch *watch)
{
        descriptor_forget(watch);
}

const struct parker_ops fiber_parker_ops = {
        .park = park,
        .resume = resume,
        .add_timer = add_timer,
        .cancel_timer = cancel_timer,
        .watch = watch,
        .forget = forget,
};
