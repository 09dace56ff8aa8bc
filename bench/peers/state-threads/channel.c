/* A hand-over between two State Threads.
 * SPDX-License-Identifier: MIT */
#include "bench.h"
#include <stdlib.h>

struct channel *channel_new(void)
{
        struct channel *channel = calloc(1, sizeof(*channel));

        check(channel, "no memory");
        channel->full = st_cond_new();
        channel->empty = st_cond_new();
        channel->got = st_cond_new();
        check(channel->full && channel->empty && channel->got, "no memory");
        return channel;
}

void channel_free(struct channel *channel)
{
        check(st_cond_destroy(channel->full) == 0, "a channel in use");
        check(st_cond_destroy(channel->empty) == 0, "a channel in use");
        check(st_cond_destroy(channel->got) == 0, "a channel in use");
        free(channel);
}

void put(struct channel *channel, long value)
{
        while (channel->is_full)
                st_cond_wait(channel->empty);
        channel->value = value;
        channel->is_full = true;
        st_cond_signal(channel->full);
        st_cond_wait(channel->got);
}

static long take(struct channel *channel)
{
        channel->is_full = false;
        st_cond_signal(channel->got);
        st_cond_signal(channel->empty);
        return channel->value;
}

long get(struct channel *channel)
{
        while (!channel->is_full)
                st_cond_wait(channel->full);
        return take(channel);
}

bool get_within(struct channel *channel, st_utime_t timeout, long *ret)
{
        while (!channel->is_full) {
                if (st_cond_timedwait(channel->full, timeout) < 0)
                        return false;
        }
        *ret = take(channel);
        return true;
}
