/* What the workloads of State Threads have in common.
 * SPDX-License-Identifier: MIT */
#pragma once
#include <st.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

extern long count;

void pingpong(void), ring(void), sieve(void), select_timeout(void);
void chain(void), diagonal(void), fan_out(void), ping_pong(void);
void spawning(void), skynet(void), yield(void), fib(void), mutex(void);
void timers(void), sleepers(void), idle(void), speedup(void);

void check(bool ok, const char *what);
double ns_now(void);
void print_each(double begin, double n);
void print_ms(double begin);

/* State Threads has no channels: a slot and who waits for it.  A put returns when it was got. */
struct channel {
        st_cond_t full, empty, got;
        long value;
        bool is_full;
};

struct channel *channel_new(void);
void channel_free(struct channel *channel);
void put(struct channel *channel, long value);
long get(struct channel *channel);
bool get_within(struct channel *channel, st_utime_t timeout, long *ret);

st_thread_t spawn(void *(*fn)(void *), void *arg);
void spawn_detached(void *(*fn)(void *), void *arg);
void join(st_thread_t thread);
