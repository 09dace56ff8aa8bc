/* SPDX-License-Identifier: MIT */
/* demo.c - the program of the README. */
#include <fibers.h>
#include <stdio.h>

static void *count(void *channel)
{
        for (int i = 1; i <= 3; i++) {
                fib_sleep(100 * FIB_MILLISECOND);
                fib_put(channel, fib_num(i));
        }
        return NULL;
}

static void *first(void *channel)
{
        fib_value n;

        fib_spawn(count, channel);
        while (fib_perform(fib_choice(fib_get_op(channel), fib_sleep_op(FIB_SECOND)), &n) == 0)
                printf("%d\n", (int)n.num);
        puts("nothing for a second");
        return NULL;
}

int main(void)
{
        fib_channel *channel = fib_channel_new();
        int r = fib_run(first, channel, NULL, NULL);

        fib_channel_unref(channel);
        return r < 0;
}
