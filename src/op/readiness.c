/* SPDX-License-Identifier: MIT */
/* readiness.c - waiting for a descriptor, and doing something with it as soon as it is ready.
 *
 * An event commits the arm before anything is done with the descriptor.  If another was faster
 * by the time the performer goes on (accepting), the arm's status is -EAGAIN: nothing has
 * happened, and the performer begins anew with all of its arms. */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <fibers/descriptor.h>
#include "op/perform.h"

struct readiness {
        int fd;
        short events;
        int flags; /* of the attempt */

        /* `revents`: 0: not ready.  Return: 0 or more, the operation's value; -EAGAIN: wait on;
         * or its error. */
        int (*attempt)(const struct readiness *readiness, short revents);
};

static int attempt_nothing(const struct readiness *readiness, short revents)
{
        return revents ? revents : -EAGAIN;
}

/* What accept(2) says without waiting; a socket that does not listen is never readable. */
static int check_listening(int fd)
{
        int listens = 0;
        socklen_t size = sizeof(listens);

        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0)
                return -errno;
        return listens ? -EAGAIN : -EINVAL;
}

static int attempt_accept(const struct readiness *readiness, short revents)
{
        int fd;

        if (revents == 0)
                return check_listening(readiness->fd);

        do {
                fd = accept4(readiness->fd, NULL, NULL, readiness->flags);
        } while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
        if (fd >= 0)
                return fd;
        return errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

/* Return: as the attempt; -EAGAIN too when the descriptor is not ready. */
static int look(const struct readiness *readiness)
{
        int revents = descriptor_poll(readiness->fd, readiness->events);

        return revents < 0 ? revents : readiness->attempt(readiness, (short)revents);
}

static int readiness_try(void *state, fib_value *ret)
{
        int r = look(state);

        if (r < 0)
                return r;
        *ret = fib_num(r);
        return 0;
}

static bool watch_admit(struct watch *watch, short revents)
{
        return commit_sync(&container_of(watch, struct arm, watch)->waiter.perform->commit);
}

static void watch_fire(struct watch *watch, short revents)
{
        struct arm *arm = container_of(watch, struct arm, watch);
        struct fib_perform *perform = arm->waiter.perform;
        const struct readiness *readiness = arm->waiter.state;

        arm->waiter.value = fib_num(revents);
        if (revents & POLLNVAL)
                perform->status = -EBADF;
        else if (readiness->attempt != attempt_nothing)
                perform->status = -EAGAIN;
        perform_wake(perform, &arm->waiter, false);
}

static int readiness_block(void *state, fib_waiter *waiter)
{
        const struct readiness *readiness = state;
        struct parker *parker = waiter->perform->parker;
        struct watch *watch = &arm_of(waiter)->watch;

        *watch = (struct watch){
                .fd = readiness->fd,
                .events = readiness->events,
                .admit = watch_admit,
                .fire = watch_fire,
        };
        /* No second look is needed: to arm the descriptor reports what is ready already. */
        return parker->ops->watch(parker, watch);
}

static void readiness_cancel(void *state, fib_waiter *waiter)
{
        struct parker *parker = waiter->perform->parker;

        parker->ops->forget(parker, &arm_of(waiter)->watch);
}

#define READINESS_CLASS(title)                                                                     \
        {                                                                                          \
                .state_size = sizeof(struct readiness), .FIB_TRY_MEMBER = readiness_try,           \
                .block = readiness_block, .cancel = readiness_cancel, .name = (title),             \
        }

static const fib_op_class readable_class = READINESS_CLASS("readable");
static const fib_op_class writable_class = READINESS_CLASS("writable");
static const fib_op_class accept_class = READINESS_CLASS("accept");

static struct readiness readable(int fd)
{
        return (struct readiness){ .fd = fd, .events = POLLIN, .attempt = attempt_nothing };
}

static struct readiness writable(int fd)
{
        return (struct readiness){ .fd = fd, .events = POLLOUT, .attempt = attempt_nothing };
}

fib_op *fib_readable_op(int fd)
{
        struct readiness readiness = readable(fd);

        return fib_op_new(&readable_class, &readiness);
}

fib_op *fib_writable_op(int fd)
{
        struct readiness readiness = writable(fd);

        return fib_op_new(&writable_class, &readiness);
}

fib_op *fib_accept_op(int fd, int flags)
{
        struct readiness readiness = { .fd = fd,
                                       .events = POLLIN,
                                       .flags = flags,
                                       .attempt = attempt_accept };

        return fib_op_new(&accept_class, &readiness);
}

static int wait_now(const fib_op_class *op_class, struct readiness *readiness)
{
        struct arm arm = { .index = 0 };
        int r = look(readiness);

        if (r != -EAGAIN)
                return r;
        r = perform_alone(op_class, readiness, &arm);
        return r < 0 ? r : (int)arm.waiter.value.num;
}

int fib_wait_readable(int fd)
{
        struct readiness readiness = readable(fd);

        return wait_now(&readable_class, &readiness);
}

int fib_wait_writable(int fd)
{
        struct readiness readiness = writable(fd);

        return wait_now(&writable_class, &readiness);
}
