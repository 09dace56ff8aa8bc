/* SPDX-License-Identifier: MIT */
/* fibers.h - lightweight concurrency in the tradition of Concurrent ML.
 *
 * True of every function, unless its own comment says otherwise:
 *
 * - It may be called from a fiber and from a plain kernel thread, inside and outside fib_run(),
 *   by many at once.  From a plain thread, waiting blocks that thread.
 * - It returns 0 or more on success and a negative errno value on failure; `errno` itself is
 *   not touched.  A constructor whose only failure is memory returns NULL.
 * - An output (`ret`) may be NULL, and is written only on success.
 * - _new, _ref and _unref count references; _unref(NULL) does nothing.
 * - A function that takes an operation takes the caller's reference to it, even when it fails.
 *   It takes NULL for an operation that there was no memory for, gives up its other arguments,
 *   and fails likewise; so one look at what fib_perform() returns (-ENOMEM) is enough.
 * - fib_x(a) is fib_perform(fib_x_op(a)), without the allocation.
 * - Times are int64_t nanoseconds; points in time are those of fib_now(). */
#ifndef FIBERS_H
#define FIBERS_H

#include <fibers/value.h>
#include <fibers/run.h>
#include <fibers/fiber.h>
#include <fibers/operation.h>
#include <fibers/channel.h>
#include <fibers/condition.h>
#include <fibers/mutex.h>
#include <fibers/time.h>
#include <fibers/parameter.h>
#include <fibers/scheduler.h>
#include <fibers/descriptor.h>
#include <fibers/socket.h>
#include <fibers/port.h>

#endif
