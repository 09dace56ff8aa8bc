/* SPDX-License-Identifier: MIT */
/* mailbox.c - operations of your own: a buffered channel and a mailbox, made with fib_op_new().
 *
 * Both are a queue of messages that can be waited for.  A put into a buffered channel waits
 * while the queue is full; a mailbox's queue grows instead, so that a put never waits.  Their
 * operations compose with all others: see main().
 *
 * The idea: whoever changes the queue, or joins those who wait for it, does so under its lock
 * and then calls settle(), which moves messages on as long as any can move.  So when the lock is
 * free, nobody waits who need not.  That is also the second look that a `block` owes: what
 * happened between `try` and `block` is found by the settle() of the latter. */
#include <fibers.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* Waiters in the order in which they came; one that is in no line has next == NULL. */
struct line {
        fib_waiter head; /* of a circular list */
};

struct queue {
        pthread_mutex_t lock; /* never held while a fiber waits */
        atomic_uint refs;     /* the caller's, and one for each operation */
        bool grows;           /* a mailbox */
        size_t first, count, size;
        fib_value *messages; /* messages[(first + i) % size] is the i-th */
        struct line putters, getters;
};

/* What each operation carries. */
struct transfer {
        struct queue *queue;
        fib_value message; /* of a put */
};

static void line_init(struct line *line)
{
        line->head.next = line->head.prev = &line->head;
}

static void line_join(struct line *line, fib_waiter *waiter)
{
        waiter->next = &line->head;
        waiter->prev = line->head.prev;
        waiter->prev->next = waiter->next->prev = waiter;
}

static void line_leave(fib_waiter *waiter)
{
        if (!waiter->next)
                return; /* settle() has taken it out */
        waiter->next->prev = waiter->prev;
        waiter->prev->next = waiter->next;
        waiter->next = NULL;
}

static fib_waiter *line_pop(struct line *line)
{
        fib_waiter *waiter = line->head.next;

        if (waiter == &line->head)
                return NULL;
        line_leave(waiter);
        return waiter;
}

static void push(struct queue *queue, fib_value message)
{
        queue->messages[(queue->first + queue->count++) % queue->size] = message;
}

static fib_value pop(struct queue *queue)
{
        fib_value message = queue->messages[queue->first];

        queue->first = (queue->first + 1) % queue->size;
        queue->count--;
        return message;
}

/* Moves messages from putters into the queue, and from the queue to getters.  A waiter whose
 * choice was done otherwise cannot be committed; it is forgotten, and its message not taken. */
static void settle(struct queue *queue)
{
        fib_waiter *waiter;

        for (;;) {
                if (queue->count > 0 && (waiter = line_pop(&queue->getters))) {
                        if (fib_waiter_commit(waiter, queue->messages[queue->first]))
                                pop(queue);
                } else if (queue->count < queue->size && (waiter = line_pop(&queue->putters))) {
                        fib_value message = ((struct transfer *)waiter->state)->message;

                        if (fib_waiter_commit(waiter, fib_num(0)))
                                push(queue, message);
                } else {
                        return;
                }
        }
}

/* Return: whether there is room for a message. */
static bool make_room(struct queue *queue)
{
        fib_value *larger;

        if (queue->count < queue->size || !queue->grows)
                return queue->count < queue->size;
        larger = malloc(2 * queue->size * sizeof(*larger));
        if (!larger)
                return false;
        for (size_t i = 0; i < queue->count; i++)
                larger[i] = queue->messages[(queue->first + i) % queue->size];
        free(queue->messages);
        queue->messages = larger;
        queue->first = 0;
        queue->size *= 2;
        return true;
}

static int put_try(void *state, fib_value *ret)
{
        struct transfer *put = state;
        struct queue *queue = put->queue;
        int r = -EAGAIN;

        pthread_mutex_lock(&queue->lock);
        if (make_room(queue)) {
                push(queue, put->message);
                settle(queue);
                *ret = fib_num(0);
                r = 0;
        } else if (queue->grows) {
                r = -ENOMEM; /* what performing it returns */
        }
        pthread_mutex_unlock(&queue->lock);
        return r;
}

static int get_try(void *state, fib_value *ret)
{
        struct queue *queue = ((struct transfer *)state)->queue;
        int r = -EAGAIN;

        pthread_mutex_lock(&queue->lock);
        if (queue->count > 0) {
                *ret = pop(queue);
                settle(queue);
                r = 0;
        }
        pthread_mutex_unlock(&queue->lock);
        return r;
}

static int wait_in(struct queue *queue, struct line *line, fib_waiter *waiter)
{
        pthread_mutex_lock(&queue->lock);
        line_join(line, waiter);
        settle(queue);
        pthread_mutex_unlock(&queue->lock);
        return 0;
}

static int put_block(void *state, fib_waiter *waiter)
{
        struct queue *queue = ((struct transfer *)state)->queue;

        return wait_in(queue, &queue->putters, waiter);
}

static int get_block(void *state, fib_waiter *waiter)
{
        struct queue *queue = ((struct transfer *)state)->queue;

        return wait_in(queue, &queue->getters, waiter);
}

static void cancel(void *state, fib_waiter *waiter)
{
        struct queue *queue = ((struct transfer *)state)->queue;

        pthread_mutex_lock(&queue->lock);
        line_leave(waiter);
        pthread_mutex_unlock(&queue->lock);
}

static void queue_unref(struct queue *queue)
{
        if (!queue || atomic_fetch_sub(&queue->refs, 1) != 1)
                return;
        pthread_mutex_destroy(&queue->lock);
        free(queue->messages);
        free(queue);
}

static void destroy(void *state)
{
        queue_unref(((struct transfer *)state)->queue);
}

static const fib_op_class put_class = {
        .state_size = sizeof(struct transfer),
        .try = put_try,
        .block = put_block,
        .cancel = cancel,
        .destroy = destroy,
        .name = "queue put",
};

static const fib_op_class get_class = {
        .state_size = sizeof(struct transfer),
        .try = get_try,
        .block = get_block,
        .cancel = cancel,
        .destroy = destroy,
        .name = "queue get",
};

static struct queue *queue_new(size_t size, bool grows)
{
        struct queue *queue = calloc(1, sizeof(*queue));

        if (!queue)
                return NULL;
        queue->messages = calloc(size, sizeof(*queue->messages));
        if (!queue->messages) {
                free(queue);
                return NULL;
        }
        pthread_mutex_init(&queue->lock, NULL);
        atomic_init(&queue->refs, 1);
        queue->grows = grows;
        queue->size = size;
        line_init(&queue->putters);
        line_init(&queue->getters);
        return queue;
}

static struct queue *buffered_channel_new(size_t size)
{
        return queue_new(size, false);
}

static struct queue *mailbox_new(void)
{
        return queue_new(8, true);
}

static fib_op *queue_op(const fib_op_class *op_class, struct queue *queue, fib_value message)
{
        const struct transfer transfer = { .queue = queue, .message = message };

        atomic_fetch_add(&queue->refs, 1); /* given up by destroy() */
        return fib_op_new(op_class, &transfer);
}

static fib_op *queue_put_op(struct queue *queue, fib_value message)
{
        return queue_op(&put_class, queue, message);
}

static fib_op *queue_get_op(struct queue *queue)
{
        return queue_op(&get_class, queue, fib_num(0));
}

/*
 * What they are good for.
 */

#define MESSAGES 1000

static void expect(bool right, const char *what)
{
        printf("%-5s %s\n", right ? "ok" : "WRONG", what);
        if (!right)
                exit(1);
}

struct square {
        struct queue *questions, *answers;
};

/* Takes numbers until 0, and mails back their squares. */
static void *squarer(void *arg)
{
        struct square *square = arg;
        fib_value n;

        while (fib_perform(queue_get_op(square->questions), &n) == 0 && n.num)
                fib_perform(queue_put_op(square->answers, fib_num(n.num * n.num)), NULL);
        return NULL;
}

static void *first_fiber(void *arg)
{
        struct square square = { buffered_channel_new(4), mailbox_new() };
        fib_fiber *fiber;
        fib_value answer;
        intptr_t sum = 0, right = 0;
        int full = 0;

        /* A put goes through until the buffer is full; then it waits, or loses. */
        while (fib_try(queue_put_op(square.questions, fib_num(full + 1)), NULL) == 0)
                full++;
        expect(full == 4, "a buffered channel of 4 takes 4 messages at once");
        expect(fib_perform(fib_choice(queue_put_op(square.questions, fib_num(5)),
                                      fib_sleep_op(FIB_MILLISECOND)),
                           NULL) == 1,
               "the fifth put is a choice that the sleep wins");

        /* The mailbox never makes the squarer wait, so nobody reads it until the end. */
        fib_spawn_with(&(fib_spawn_options){ .parallel = true }, squarer, &square, &fiber);
        for (intptr_t n = 5; n <= MESSAGES; n++)
                fib_perform(queue_put_op(square.questions, fib_num(n)), NULL);
        fib_perform(queue_put_op(square.questions, fib_num(0)), NULL);
        fib_join(fiber, NULL);
        fib_fiber_unref(fiber);
        for (intptr_t n = 1; n <= MESSAGES; n++) {
                fib_perform(queue_get_op(square.answers), &answer);
                sum += answer.num;
                right += n * n;
        }
        expect(sum == right, "a mailbox keeps 1000 answers until they are wanted");
        expect(fib_try(queue_get_op(square.answers), &answer) == -EAGAIN, "and not one more");

        queue_unref(square.questions);
        queue_unref(square.answers);
        return NULL;
}

int main(void)
{
        int r = fib_run(first_fiber, NULL, NULL, NULL);

        expect(r == 0, "the run ended well");
        return 0;
}
