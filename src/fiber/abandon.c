/* SPDX-License-Identifier: MIT */
/* abandon.c - the end of fibers whose scheduler goes away.
 *
 * No thread runs the group any more, but threads of other groups, and plain ones, may be about
 * to resume its fibers: those are waited for, since they touch the fiber's stack until then. */
#include "base/spinlock.h"
#include "fiber/fiber.h"
#include "op/perform.h"

/* Takes live fibers out of the group's queues; the rest stays. */
static void take_live(struct group *group)
{
        struct queue queue = group_collect(group);
        struct queue rest = { NULL, NULL };
        struct link *link;

        while ((link = queue_pop(&queue))) {
                struct task *task = task_of_link(link);

                if (task->kind == TASK_RESUME_FIBER)
                        frame_of_task(task)->queued = true;
                else
                        queue_push(&rest, link);
        }
        group->schedulers[0].queue = rest;
}

static bool resumed(struct parker *parker)
{
        struct frame *frame = container_of(parker, struct frame, parker);

        if (!frame->queued)
                take_live(parker->scheduler->group);
        return frame->queued;
}

static void abandon(struct frame *frame)
{
        struct stack *stack = frame->stack;

        if (!frame->queued && frame_perform(frame))
                perform_abandon(frame_perform(frame), resumed);
        else if (frame->parker.perform)
                perform_discard(frame->parker.perform);
        perform_give_up(&frame->parker);
        fiber_finish(frame->fiber, NULL, true);
        stack_put(NULL, stack);
}

void fibers_abandon(struct group *group)
{
        struct stack *stack, *next;

        take_live(group);
        for (stack = stacks_of(group); stack; stack = next) {
                next = stack->next;
                abandon(frame_on(stack));
        }
}
