/* SPDX-License-Identifier: MIT */
/* Waiting for descriptors: what wakes a waiter, what must not, and what is left afterwards. */
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>
#include <fibers.h>
#include "tests/harness.h"

static void open_socketpair(int fds[2])
{
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
}

static void close_pair(const int fds[2])
{
        ck_assert_int_eq(fib_close(fds[0]), 0);
        ck_assert_int_eq(fib_close(fds[1]), 0);
}

/* Fills a socket or pipe until there is no room. */
static void fill(int fd)
{
        static const char data[4096];

        while (write(fd, data, sizeof(data)) > 0)
                ;
}

static void *wait_readable(void *arg)
{
        return (void *)(intptr_t)fib_wait_readable(*(int *)arg);
}

static void *wait_writable(void *arg)
{
        return (void *)(intptr_t)fib_wait_writable(*(int *)arg);
}

static void *wait_in_choice(void *arg)
{
        fib_value value;
        int r = fib_perform(fib_choice(fib_sleep_op(100 * FIB_SECOND),
                                       fib_readable_op(*(int *)arg)),
                            &value);

        return (void *)(r < 0 ? r : value.num);
}

static void *wait_accept(void *arg)
{
        return (void *)(intptr_t)fib_perform(fib_accept_op(*(int *)arg, 0), NULL);
}

static void *read_byte(void *arg)
{
        char byte;

        return (void *)fib_read(*(int *)arg, &byte, 1);
}

static intptr_t join(fib_fiber *fiber)
{
        void *value = NULL;

        ck_assert_int_eq(fib_join(fiber, &value), 0);
        fib_fiber_unref(fiber);
        return (intptr_t)value;
}

static fib_fiber *spawn(fib_fn *fn, void *arg)
{
        const fib_spawn_options options = { .parallel = true };
        fib_fiber *fiber;

        ck_assert_int_eq(fib_spawn_with(&options, fn, arg, &fiber), 0);
        return fiber;
}

static void *hang_up(void *arg)
{
        int fds[2];
        fib_fiber *reader, *writer;

        open_socketpair(fds);
        fill(fds[0]);
        reader = spawn(wait_readable, &fds[0]);
        writer = spawn(wait_writable, &fds[0]);
        fib_sleep(2 * FIB_MILLISECOND);
        fib_close(fds[1]);
        ck_assert_int_ne(join(reader) & (POLLIN | POLLHUP), 0);
        ck_assert_int_ne(join(writer) & (POLLOUT | POLLHUP | POLLERR), 0);
        fib_close(fds[0]);

        ck_assert_int_eq(pipe2(fds, O_NONBLOCK), 0);
        fill(fds[1]);
        writer = spawn(wait_writable, &fds[1]);
        fib_sleep(2 * FIB_MILLISECOND);
        fib_close(fds[0]);
        ck_assert_int_ne(join(writer) & POLLERR, 0);
        fib_close(fds[1]);
        return arg;
}

TEST_WORKERS(a_hang_up_wakes_both_directions)
{
        run_fibers(workers, hang_up, NULL);
}

static void *hang_up_quietly(void *arg)
{
        int64_t before;
        int fds[2];
        char byte;

        open_socketpair(fds);
        ck_assert_int_eq(fib_perform(fib_choice(fib_readable_op(fds[0]),
                                                fib_sleep_op(FIB_MILLISECOND)),
                                     NULL),
                         1);
        fib_close(fds[1]);
        before = cpu_time_ns();
        fib_sleep(200 * FIB_MILLISECOND);
        ck_assert_int_lt(cpu_time_ns() - before, slowness() * 20 * FIB_MILLISECOND);
        ck_assert_int_eq(fib_read(fds[0], &byte, 1), 0);
        fib_close(fds[0]);
        return arg;
}

TEST_WORKERS(a_hang_up_that_nobody_waits_for_costs_nothing)
{
        run_fibers(workers, hang_up_quietly, NULL);
}

/* Errors in a socket's error queue keep it "ready" though there is nothing to read. */
static void *queue_error(void *arg)
{
        struct sockaddr_in nobody = { .sin_family = AF_INET };
        socklen_t length = sizeof(nobody);
        int fd = socket(AF_INET, SOCK_DGRAM, 0);
        int other = socket(AF_INET, SOCK_DGRAM, 0);
        fib_fiber *reader;
        int64_t before;
        char byte;

        nobody.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ck_assert_int_eq(bind(other, (struct sockaddr *)&nobody, sizeof(nobody)), 0);
        getsockname(other, (struct sockaddr *)&nobody, &length);
        fib_close(other);
        setsockopt(fd, IPPROTO_IP, IP_RECVERR, &(int){ 1 }, sizeof(int));
        ck_assert_int_eq(fib_connect(fd, (struct sockaddr *)&nobody, sizeof(nobody)), 0);
        ck_assert_int_eq(fib_send(fd, "x", 1, 0), 1);
        ck_assert_int_eq(fib_recv(fd, &byte, 1, 0), -ECONNREFUSED);
        reader = spawn(read_byte, &fd);
        fib_sleep(20 * FIB_MILLISECOND);
        before = cpu_time_ns();
        fib_sleep(200 * FIB_MILLISECOND);
        ck_assert_int_lt(cpu_time_ns() - before, slowness() * 20 * FIB_MILLISECOND);
        length = sizeof(nobody);
        other = socket(AF_INET, SOCK_DGRAM, 0);
        ck_assert_int_eq(bind(other, (struct sockaddr *)&nobody, sizeof(nobody)), 0);
        getsockname(fd, (struct sockaddr *)&nobody, &length);
        ck_assert_int_eq(sendto(other, "y", 1, 0, (struct sockaddr *)&nobody, length), 1);
        ck_assert_int_eq(join(reader), 1);
        fib_close(fd);
        fib_close(other);
        return arg;
}

TEST(an_error_that_stays_does_not_spin)
{
        run_fibers(1, queue_error, NULL);
}

static void *close_under_waiters(void *arg)
{
        fib_fiber *waiters[20];
        int fds[2], listener = fib_listen_tcp(NULL, 0, NULL);
        fib_fiber *acceptor;
        size_t n = 0;

        open_socketpair(fds);
        fill(fds[0]);
        for (int i = 0; i < 5; i++) {
                waiters[n++] = spawn(wait_readable, &fds[0]);
                waiters[n++] = spawn(wait_writable, &fds[0]);
                waiters[n++] = spawn(wait_in_choice, &fds[0]);
                waiters[n++] = spawn(read_byte, &fds[0]);
        }
        acceptor = spawn(wait_accept, &listener);
        fib_sleep(5 * FIB_MILLISECOND * slowness()); /* until all wait */
        ck_assert_int_eq(fib_close(fds[0]), 0);
        ck_assert_int_eq(fib_close(listener), 0);
        while (n > 0)
                ck_assert_int_eq(join(waiters[--n]), -EBADF);
        ck_assert_int_eq(join(acceptor), -EBADF);
        ck_assert_int_eq(fib_close(fds[0]), -EBADF);
        fib_close(fds[1]);
        return arg;
}

TEST_WORKERS(a_close_wakes_all_who_wait)
{
        run_fibers(workers, close_under_waiters, NULL);
}

static void *reuse(void *arg)
{
        fib_fiber *old, *new;
        int fds[2], again[2], number;
        char byte;

        open_socketpair(fds);
        number = fds[0];
        old = spawn(wait_readable, &number);
        fib_sleep((slowness() > 1 ? 100 : 10) * FIB_MILLISECOND); /* for it to wait by then */
        fib_close(fds[0]);
        open_socketpair(again);
        ck_assert_int_eq(again[0], number);
        ck_assert_int_eq(write(again[1], "x", 1), 1);
        ck_assert_int_eq(join(old), -EBADF);
        ck_assert_int_eq(fib_wait_readable(number), POLLIN);
        ck_assert_int_eq(read(number, &byte, 1), 1);
        new = spawn(wait_readable, &number);
        fib_sleep(2 * FIB_MILLISECOND);
        ck_assert_int_eq(write(again[1], "y", 1), 1);
        ck_assert_int_eq(join(new), POLLIN);
        close_pair(again);
        fib_close(fds[1]);
        return arg;
}

TEST_WORKERS(a_number_that_is_used_again_wakes_no_old_waiter)
{
        for (int i = 0; i < 20; i++)
                run_fibers(workers, reuse, NULL);
}

/* With close(2), against the rules but common: what was registered is gone. */
static void *reuse_behind_our_back(void *arg)
{
        int fds[2], number;
        fib_fiber *waiter;

        open_socketpair(fds);
        number = fds[0];
        ck_assert_int_eq(fib_perform(fib_choice(fib_readable_op(number),
                                                fib_sleep_op(FIB_MILLISECOND)),
                                     NULL),
                         1);
        close(fds[0]);
        close(fds[1]);
        open_socketpair(fds);
        ck_assert_int_eq(fds[0], number);
        waiter = spawn(wait_readable, &number);
        fib_sleep(2 * FIB_MILLISECOND);
        ck_assert_int_eq(write(fds[1], "x", 1), 1);
        ck_assert_int_eq(join(waiter), POLLIN);
        close_pair(fds);
        return arg;
}

TEST_WORKERS(a_number_closed_without_our_knowing_can_be_used_again)
{
        run_fibers(workers, reuse_behind_our_back, NULL);
}

#define RECORDS scaled(20000)

static atomic_ulong received;
static atomic_ulong sum;

static void *read_records(void *arg)
{
        uint32_t record;

        while (fib_read(*(int *)arg, &record, sizeof(record)) == sizeof(record)) {
                atomic_fetch_add(&received, 1);
                atomic_fetch_add(&sum, record);
        }
        return NULL;
}

static void *share_reading(void *arg)
{
        fib_fiber *readers[4];
        int fds[2];

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
        for (int i = 0; i < 4; i++)
                readers[i] = spawn(read_records, &fds[0]);
        for (uint32_t i = 1; i <= RECORDS; i++)
                ck_assert_int_eq(fib_write(fds[1], &i, sizeof(i)), sizeof(i));
        fib_close(fds[1]);
        for (int i = 0; i < 4; i++)
                join(readers[i]);
        ck_assert_uint_eq(atomic_load(&received), RECORDS);
        ck_assert_uint_eq(atomic_load(&sum), RECORDS * (RECORDS + 1) / 2);
        fib_close(fds[0]);
        return arg;
}

TEST_WORKERS(fibers_that_read_one_descriptor_share_what_comes)
{
        atomic_store(&received, 0);
        atomic_store(&sum, 0);
        run_fibers(workers, share_reading, NULL);
}

static void *watch_twice(void *arg)
{
        fib_spawn_options options = { 0 };
        fib_fiber *here, *there;
        int fds[2];
        char byte;

        if (!fib_scheduler_remote_peers(fib_scheduler_current(), &options.scheduler, 1))
                test_skip("there is one scheduler only");
        open_socketpair(fds);
        for (int i = 0; i < 100; i++) {
                ck_assert_int_eq(fib_spawn_with(&options, wait_readable, fds, &there), 0);
                ck_assert_int_eq(fib_spawn_with(NULL, wait_readable, fds, &here), 0);
                if (i % 2)
                        fib_sleep(FIB_MILLISECOND);
                ck_assert_int_eq(write(fds[1], "x", 1), 1);
                ck_assert_int_eq(join(here), POLLIN);
                ck_assert_int_eq(join(there), POLLIN);
                ck_assert_int_eq(fib_read(fds[0], &byte, 1), 1);
        }
        close_pair(fds);
        return arg;
}

TEST(two_schedulers_watch_one_descriptor)
{
        run_fibers(2, watch_twice, NULL);
}

static void *lose_to_sleep(void *arg)
{
        fib_op *op;
        fib_value value;
        int fds[2];

        open_socketpair(fds);
        op = fib_choice(fib_readable_op(fds[0]), fib_sleep_op(20 * FIB_MICROSECOND));
        for (unsigned long i = 0; i < scaled(5000); i++)
                ck_assert_int_eq(fib_perform(fib_op_ref(op), NULL), 1);
        ck_assert_int_eq(write(fds[1], "x", 1), 1);
        fib_op_unref(op);
        op = fib_readable_op(fds[0]);
        for (int i = 0; i < 3; i++) { /* it stays ready while nobody reads */
                ck_assert_int_eq(fib_perform(fib_op_ref(op), &value), 0);
                ck_assert_int_eq(value.num, POLLIN);
                ck_assert_int_eq(fib_try(fib_op_ref(op), NULL), 0);
        }
        ck_assert_int_eq(fib_read(fds[0], &value, sizeof(value)), 1);
        ck_assert_int_eq(fib_try(op, NULL), -EAGAIN);
        ck_assert_int_eq(fib_perform(fib_choice(fib_readable_op(fds[0]), fib_writable_op(fds[0])),
                                     &value),
                         1);
        ck_assert_int_eq(value.num, POLLOUT);
        close_pair(fds);
        return arg;
}

TEST_WORKERS(readiness_in_a_choice_may_lose_and_win)
{
        run_fibers(workers, lose_to_sleep, NULL);
}

struct busy {
        fib_channel *channel;
        int fds[2];
};

static void *put_busily(void *arg)
{
        struct busy *busy = arg;

        for (unsigned long i = 0; i < scaled(200000); i++)
                fib_put(busy->channel, fib_num((intptr_t)i));
        return NULL;
}

static void *lose_often(void *arg)
{
        struct busy *busy = arg;
        size_t before = 0;

        for (int round = 0; round < 3; round++) {
                fib_fiber *putter = spawn(put_busily, busy);

                for (unsigned long i = 0; i < scaled(200000); i++) {
                        ck_assert_int_eq(fib_perform(fib_choice(fib_readable_op(busy->fds[0]),
                                                                fib_get_op(busy->channel)),
                                                     NULL),
                                         1);
                }
                join(putter);
                if (round == 0)
                        before = resident_bytes();
        }
        if (slowness() == 1)
                ck_assert_uint_lt(resident_bytes(), before + ((size_t)1 << 20));
        return NULL;
}

TEST_WORKERS(a_descriptor_that_loses_often_leaves_nothing_behind)
{
        struct busy busy = { .channel = fib_channel_new() };

        open_socketpair(busy.fds);
        run_fibers(workers, lose_often, &busy);
        close_pair(busy.fds);
        fib_channel_unref(busy.channel);
}

TESTS("readiness", a_hang_up_wakes_both_directions, a_hang_up_that_nobody_waits_for_costs_nothing,
      an_error_that_stays_does_not_spin, a_close_wakes_all_who_wait,
      a_number_that_is_used_again_wakes_no_old_waiter,
      a_number_closed_without_our_knowing_can_be_used_again,
      fibers_that_read_one_descriptor_share_what_comes, two_schedulers_watch_one_descriptor,
      readiness_in_a_choice_may_lose_and_win, a_descriptor_that_loses_often_leaves_nothing_behind)
