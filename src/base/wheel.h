/* SPDX-License-Identifier: MIT */
/* wheel.h - a hierarchical timer wheel: insert and cancel in constant time, however many.
 *
 * After G. Varghese and T. Lauck (SOSP 1987), scheme 7.  Time is counted in ticks of 1,024 ns.
 * A timer lies in the level of the highest group of six bits in which its tick differs from
 * now, in the slot which that group numbers.  When now reaches a slot of a higher level, its
 * timers move down: at most eight times in a timer's life.
 *
 * Invariants: in each level, only slots after now's own are occupied, so the first occupied slot
 * of the first occupied level is the earliest; `occupied` has a bit for each slot with a timer.
 *
 * Never early: a timer's tick is rounded up, now's is rounded down.  At most 1,024 ns late. */
#ifndef BASE_WHEEL_H
#define BASE_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/list.h"

#define WHEEL_TICK_BITS 10
#define WHEEL_SLOT_BITS 6
#define WHEEL_SLOTS (1 << WHEEL_SLOT_BITS)
#define WHEEL_LEVELS 9 /* 9 * 6 + 10 bits: all of int64_t */

struct wheel_timer {
        struct list link; /* points to itself while in no wheel */
        int64_t expiry;
};

struct wheel {
        uint64_t now; /* in ticks; all timers up to here are in `expired` */
        size_t count; /* timers in slots and in `expired` */
        struct list expired;
        uint64_t occupied[WHEEL_LEVELS];
        struct list slots[WHEEL_LEVELS * WHEEL_SLOTS];
};

void wheel_init(struct wheel *wheel, int64_t now);

void wheel_insert(struct wheel *wheel, struct wheel_timer *timer, int64_t expiry);

/* Takes a timer out again; one that is in no wheel is left alone.  Return: whether it was in. */
bool wheel_cancel(struct wheel *wheel, struct wheel_timer *timer);

/* Moves what expires up to `now` to wheel->expired, the earliest first. */
void wheel_advance(struct wheel *wheel, int64_t now);

/* Takes one timer out of wheel->expired.  Return: NULL if there is none. */
struct wheel_timer *wheel_pop_expired(struct wheel *wheel);

/* When to call wheel_advance() next: not after the earliest expiry, rounded up to a tick.
 * Return: INT64_MAX if the wheel is empty. */
int64_t wheel_next(const struct wheel *wheel);

#endif
