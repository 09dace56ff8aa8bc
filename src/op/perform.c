/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/random.h"
#include "op/condition.h"
#include "op/path.h"
#include "platform/clock.h"
#include "platform/thread-local.h"
#include "sched/scheduler.h"

/* How many arms and paths have room on the performer's stack. */
#define FEW_ARMS 4
#define FEW_PATHS 8

/* How many arms a choice may have to be tried without being laid out. */
#define PLAIN_MOST 32

static _Thread_local struct parker *thread_parker;
static _Thread_local struct random thread_random;

/* In a plain thread. */
static NOINLINE struct parker **thread_slot(void)
{
        return LAUNDER(&thread_parker);
}

static NOINLINE struct random *thread_randomness(void)
{
        struct random *random = LAUNDER(&thread_random);

        if (!random->state)
                random_init(random, (uint64_t)clock_now() ^ (uintptr_t)random);
        return random;
}

struct parker **parker_thread_slot(void)
{
        return thread_slot();
}

static struct random *randomness(void)
{
        struct fib_scheduler *scheduler = scheduler_current();

        return scheduler ? &scheduler->random : thread_randomness();
}

/* Any order has the same chance (R. Durstenfeld's shuffle, 1964): from a random start on, an arm
 * behind one that is never ready would be done twice as often. */
static void shuffle_arms(struct fib_perform *perform)
{
        struct arm *arms = perform->arms;
        struct random *random = perform->count > 1 ? randomness() : NULL;

        for (unsigned i = 0; i < perform->count; i++) {
                unsigned at = random ? random_below(random, i + 1) : 0;

                arms[i].order = arms[at].order;
                arms[at].order = i;
        }
}

static int try_op(fib_op *op, fib_value *ret)
{
        return op->op_class->FIB_TRY_MEMBER(op_state(op), ret);
}

/* Tries each arm.  Return: whether one was done, or failed: it is the winner. */
static bool try_arms(struct fib_perform *perform)
{
        for (unsigned i = 0; i < perform->count; i++) {
                struct arm *arm = perform_arm(perform, i);
                int r = try_op(arm->op, &arm->waiter.value);

                if (r == -EAGAIN)
                        continue;
                perform->winner = &arm->waiter;
                perform->status = r;
                return true;
        }
        return false;
}

/* A block gave an error: the perform ends with it, unless another arm is done already. */
static void fail_block(struct fib_perform *perform, int error)
{
        if (!commit_sync(&perform->commit))
                return;
        perform->status = error;
        perform->by_self = true;
}

static void publish_arms(struct fib_perform *perform)
{
        for (unsigned i = 0; i < perform->count; i++) {
                struct arm *arm = perform_arm(perform, i);
                fib_waiter *waiter = &arm->waiter;
                int r;

                if (commit_state(&perform->commit) == COMMIT_SYNCHED)
                        break;
                arm->condition = NULL;
                waiter->next = waiter->prev = NULL;
                waiter->perform = perform;
                waiter->op_class = arm->op->op_class;
                waiter->state = op_state(arm->op);
                r = waiter->op_class->block(waiter->state, waiter);
                if (r < 0) {
                        fail_block(perform, r);
                        break;
                }
                perform->published = i + 1;
        }
        perform_recheck(perform);
}

static void withdraw_arms(struct fib_perform *perform)
{
        for (unsigned i = 0; i < perform->published; i++) {
                fib_waiter *waiter = &perform_arm(perform, i)->waiter;

                if (waiter != perform->winner && waiter->op_class->cancel)
                        waiter->op_class->cancel(waiter->state, waiter);
        }
}

/* Publishes, waits and withdraws, if it is to wait. */
static void block(struct fib_perform *perform, bool wait)
{
        if (!wait) {
                perform->status = -EAGAIN;
                return;
        }
        publish_arms(perform);
        if (!perform->by_self)
                perform_park(perform);
        withdraw_arms(perform);
}

int perform_alone(const fib_op_class *op_class, void *state, struct arm *arm)
{
        struct thread_parker thread;
        struct fib_perform perform;
        int r;

        perform_begin(&perform, COMMIT_SOLO, arm, 1, &thread);
        arm->condition = NULL;
        arm->order = 0;
        arm->waiter = (fib_waiter){
                .perform = &perform,
                .op_class = op_class,
                .state = state,
                .value = arm->waiter.value,
        };
        perform.published = 1;
        r = op_class->block(state, &arm->waiter);
        if (r < 0)
                perform.published = 0;
        else if (!perform.by_self)
                perform_park(&perform);
        perform_end(&perform, &thread);
        return r < 0 ? r : perform.status;
}

/* Runs the wraps around the winner. */
static int run_wraps(const struct path *path, fib_value *value)
{
        for (; path; path = path->outer) {
                int r = path->wrap ? path->wrap->fn(value, path->wrap->arg) : 0;

                if (r < 0)
                        return r;
        }
        return 0;
}

/* What a perform owns besides the stack, so that it can be given up from outside. */
struct general {
        struct fib_perform perform;
        struct layout layout;
        void *memory;          /* arms and paths, if they are many */
        fib_op *op;            /* a reference */
        struct parker *parker; /* that knows of it; NULL: a plain thread, which is not given up */
        struct general *outer; /* the next in parker->owning */
};

static void general_begin(struct general *general, fib_op *op)
{
        general->memory = NULL;
        general->op = op;
        general->parker = *parker_slot();
        if (general->parker) {
                general->outer = general->parker->owning;
                general->parker->owning = general;
        }
}

static void general_end(struct general *general)
{
        if (general->parker)
                general->parker->owning = general->outer;
        layout_forget(&general->layout);
        free(general->memory);
        fib_op_unref(general->op);
}

void perform_give_up(struct parker *parker)
{
        while (parker->owning) {
                layout_nack(&parker->owning->layout, NULL);
                general_end(parker->owning);
        }
}

/* Finds room for the arms and paths that were counted.  Return: false without memory. */
static bool make_room(struct general *general, struct arm *few_arms, struct path *few_paths)
{
        struct layout *layout = &general->layout;
        size_t arms = layout->arm_count * sizeof(struct arm);

        layout->arms = few_arms;
        layout->paths = few_paths;
        if (layout->arm_count <= FEW_ARMS && layout->path_count <= FEW_PATHS)
                return true;
        general->memory = malloc(arms + layout->path_count * sizeof(struct path) + 1);
        if (!general->memory)
                return false;
        layout->arms = general->memory;
        layout->paths = (struct path *)((char *)general->memory + arms);
        return true;
}

/* Lays out a plain operation. */
static void lay_out_plainly(struct layout *layout, fib_op *op, const uint8_t *order)
{
        for (unsigned i = 0; i < layout->arm_count; i++) {
                struct arm *arm = &layout->arms[i];

                arm->op = op->kind == OP_BASE ? op : ((struct op_choice *)op)->arms[i];
                arm->index = op->kind == OP_BASE ? -1 : (int)i;
                arm->path = NULL;
                arm->order = order[i];
        }
}

/* Performs any operation, whose reference it takes.  `tried`: the order in which the arms of a
 * plain one were just tried; or NULL. */
static ALWAYS_INLINE int perform_general(fib_op *op, fib_value *ret, bool wait,
                                         const uint8_t *tried)
{
        struct general general;
        struct fib_perform *perform = &general.perform;
        struct arm few_arms[FEW_ARMS];
        struct path few_paths[FEW_PATHS];
        const struct arm *winner = NULL;
        struct thread_parker thread;
        fib_value value;
        int64_t began = 0;
        int r = 0, index;

        general_begin(&general, op);
        if (tried)
                general.layout = (struct layout){ .arm_count = op->arms };
        else
                r = layout_force(&general.layout, op);
        if (r == 0 && !make_room(&general, few_arms, few_paths))
                r = -ENOMEM;
        if (r < 0)
                goto give_up;
        if (tried)
                lay_out_plainly(&general.layout, op, tried);
        else
                layout_expand(&general.layout, op);
        do {
                perform_begin(perform, COMMIT_WAITING, general.layout.arms,
                              (unsigned)general.layout.arm_count, &thread);
                perform->began = began;
                if (!tried)
                        shuffle_arms(perform);
                if (tried || !try_arms(perform))
                        block(perform, wait);
                perform_end(perform, &thread);
                began = perform->began;
                r = perform->status;
                tried = NULL;
        } while (r == -EAGAIN && wait); /* an arm was ready, but no longer is */
        if (r < 0)
                goto give_up;
        winner = arm_of(perform->winner);
        layout_nack(&general.layout, winner->path);
        value = winner->waiter.value;
        index = winner->index;
        r = run_wraps(winner->path, &value);
        general_end(&general);
        if (r < 0)
                return r;
        if (ret)
                *ret = value;
        return index < 0 ? 0 : index;
give_up:
        layout_nack(&general.layout, NULL);
        general_end(&general);
        return r;
}

/* Tries a plain operation, without laying it out.  `ret_order`: that in which its arms were, if
 * all of them were.  Return: as fib_try(), the operation's reference not taken. */
static int try_plainly(fib_op *op, fib_value *ret, uint8_t ret_order[PLAIN_MOST])
{
        static const uint8_t first_to_last[PLAIN_MOST] = {
                0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
        };
        struct op_choice *choice = (struct op_choice *)op;
        struct random *random;
        fib_value value;
        int r;

        memcpy(ret_order, first_to_last, sizeof(first_to_last));
        if (op->kind == OP_BASE) {
                r = try_op(op, &value);
                if (r == 0 && ret)
                        *ret = value;
                return r;
        }
        random = randomness();
        for (unsigned i = 0; i < choice->count; i++) {
                /* One of those that are left, as shuffle_arms() would. */
                unsigned other = i + random_below(random, (uint32_t)choice->count - i);
                uint8_t at = ret_order[other];

                ret_order[other] = ret_order[i];
                ret_order[i] = at;
                r = try_op(choice->arms[at], &value);
                if (r == -EAGAIN)
                        continue;
                if (r < 0)
                        return r;
                if (ret)
                        *ret = value;
                return (int)at;
        }
        return -EAGAIN;
}

/* One function with perform_general() in it: a return after a wait is predicted wrongly, and there
 * is one then. */
static NOINLINE int perform_op(fib_op *op, fib_value *ret, bool wait)
{
        uint8_t order[PLAIN_MOST];
        const uint8_t *tried = NULL;
        int r;

        if (!op)
                return -ENOMEM;
        if (atomic_load_explicit(&op->refs, memory_order_relaxed) == 0)
                return -EINVAL; /* at best: the memory may be another operation's by now */
        if (op->plain && op->arms <= PLAIN_MOST) {
                r = try_plainly(op, ret, order);
                if (r != -EAGAIN || !wait) {
                        fib_op_unref(op);
                        return r;
                }
                tried = order;
        }
        return perform_general(op, ret, wait, tried);
}

int fib_perform(fib_op *op, fib_value *ret)
{
        return perform_op(op, ret, true);
}

int fib_try(fib_op *op, fib_value *ret)
{
        return perform_op(op, ret, false);
}

/* One that began as COMMIT_SOLO is taken off its queue, and synched, under one lock: take it off
 * first, and what the state is then it remains.  Return: whether somebody has committed it. */
static bool abandon_solo(struct fib_perform *perform)
{
        fib_waiter *waiter = &perform->arms[0].waiter;

        if (commit_state(&perform->commit) == COMMIT_SOLO && perform->published)
                waiter->op_class->cancel(waiter->state, waiter);
        return commit_state(&perform->commit) == COMMIT_SYNCHED;
}

void perform_abandon(struct fib_perform *perform, bool (*resumed)(struct parker *parker))
{
        bool solo = perform->count == 1 && !perform->arms[0].op;
        unsigned rounds = 0;

        if (solo ? abandon_solo(perform) : !commit_sync(&perform->commit)) {
                while (!resumed(perform->parker))
                        spin(&rounds);
        }
        if (!solo)
                withdraw_arms(perform);
}

void perform_discard(struct fib_perform *perform)
{
        withdraw_arms(perform);
}
