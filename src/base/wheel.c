/* SPDX-License-Identifier: MIT */
#include "base/wheel.h"
#include "platform/compiler.h"

#define SLOT_MASK ((uint64_t)WHEEL_SLOTS - 1)

void wheel_init(struct wheel *wheel, int64_t now)
{
        *wheel = (struct wheel){ .now = (uint64_t)now >> WHEEL_TICK_BITS };
        list_init(&wheel->expired);
        for (size_t i = 0; i < ARRAY_LENGTH(wheel->slots); i++)
                list_init(&wheel->slots[i]);
}

static uint64_t tick_of(int64_t expiry)
{
        if (expiry <= 0)
                return 0;
        return ((uint64_t)expiry + (1 << WHEEL_TICK_BITS) - 1) >> WHEEL_TICK_BITS;
}

/* Puts a timer, whose link is in no list, where it belongs. */
static void place(struct wheel *wheel, struct wheel_timer *timer)
{
        uint64_t tick = tick_of(timer->expiry);
        unsigned level, slot;

        if (tick <= wheel->now) {
                list_append(&wheel->expired, &timer->link);
                return;
        }
        level = (unsigned)(63 - __builtin_clzll((tick ^ wheel->now) | SLOT_MASK)) / WHEEL_SLOT_BITS;
        slot = (tick >> (level * WHEEL_SLOT_BITS)) & SLOT_MASK;
        list_append(&wheel->slots[level * WHEEL_SLOTS + slot], &timer->link);
        wheel->occupied[level] |= UINT64_C(1) << slot;
}

void wheel_insert(struct wheel *wheel, struct wheel_timer *timer, int64_t expiry)
{
        timer->expiry = expiry;
        wheel->count++;
        place(wheel, timer);
}

bool wheel_cancel(struct wheel *wheel, struct wheel_timer *timer)
{
        struct list *head = timer->link.next;

        if (list_empty(&timer->link))
                return false;
        /* The last one of its slot takes the slot's bit along. */
        if (head == timer->link.prev && head != &wheel->expired) {
                size_t index = (size_t)(head - wheel->slots);

                wheel->occupied[index / WHEEL_SLOTS] &= ~(UINT64_C(1) << (index % WHEEL_SLOTS));
        }
        list_remove(&timer->link);
        wheel->count--;
        return true;
}

/* Finds the earliest occupied slot.  Return: its first tick, or UINT64_MAX if all are empty. */
static uint64_t earliest(const struct wheel *wheel, unsigned *ret_level, unsigned *ret_slot)
{
        for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
                unsigned shift = level * WHEEL_SLOT_BITS;
                uint64_t above;

                if (!wheel->occupied[level])
                        continue;
                *ret_level = level;
                *ret_slot = (unsigned)__builtin_ctzll(wheel->occupied[level]);
                above = wheel->now >> shift >> WHEEL_SLOT_BITS;
                return ((above << WHEEL_SLOT_BITS) | *ret_slot) << shift;
        }
        return UINT64_MAX;
}

void wheel_advance(struct wheel *wheel, int64_t now)
{
        uint64_t until = (uint64_t)now >> WHEEL_TICK_BITS;
        unsigned level, slot;
        uint64_t tick;

        for (;;) {
                struct list due;

                tick = earliest(wheel, &level, &slot);
                if (tick > until)
                        break;
                wheel->now = tick;
                wheel->occupied[level] &= ~(UINT64_C(1) << slot);
                list_init(&due);
                list_splice(&due, &wheel->slots[level * WHEEL_SLOTS + slot]);
                if (level == 0) {
                        list_splice(&wheel->expired, &due);
                        continue;
                }
                while (!list_empty(&due)) {
                        struct list *link = due.next;

                        list_remove(link);
                        place(wheel, container_of(link, struct wheel_timer, link));
                }
        }
        if (until > wheel->now)
                wheel->now = until;
}

struct wheel_timer *wheel_pop_expired(struct wheel *wheel)
{
        struct list *link = wheel->expired.next;

        if (link == &wheel->expired)
                return NULL;
        list_remove(link);
        wheel->count--;
        return container_of(link, struct wheel_timer, link);
}

int64_t wheel_next(const struct wheel *wheel)
{
        unsigned level, slot;
        uint64_t tick;

        if (!list_empty(&wheel->expired))
                return 0;
        tick = earliest(wheel, &level, &slot);
        return tick > (uint64_t)INT64_MAX >> WHEEL_TICK_BITS ? INT64_MAX
                                                             : (int64_t)(tick << WHEEL_TICK_BITS);
}
