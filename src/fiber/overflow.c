/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "fiber/fiber.h"
#include "fiber/overflow.h"

static pthread_mutex_t handler_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned handler_users;
static struct sigaction previous; /* written before our handler is in place */

/* Async-signal-safe: no stdio.  Appends; `end` is kept free for nothing. */
static char *append(char *to, const char *end, const char *text)
{
        while (*text && to < end)
                *to++ = *text++;
        return to;
}

static char *append_number(char *to, const char *end, uint64_t number)
{
        char digits[20];
        size_t n = 0;

        do {
                digits[n++] = (char)('0' + number % 10);
                number /= 10;
        } while (number);
        while (n > 0 && to < end)
                *to++ = digits[--n];
        return to;
}

static void report(const struct fib_fiber *fiber)
{
        char message[512];
        char *end = message + sizeof(message);
        char *to = append(message, end, "fibers: stack overflow in fiber ");
        ssize_t r;

        to = append_number(to, end, fiber->id);
        if (fiber->named) {
                to = append(to, end, " '");
                to = append(to, end, fiber->name);
                to = append(to, end, "'");
        }
        to = append(to, end, ": its stack has ");
        to = append_number(to, end, stack_size_of(fiber->stack_class));
        to = append(to, end, " bytes; see stack_size of fib_spawn_with() and fib_run()\n");
        r = write(STDERR_FILENO, message, (size_t)(to - message));
        (void)r;
}

static void pass_on(int signal, siginfo_t *info, void *context)
{
        if (previous.sa_flags & SA_SIGINFO)
                previous.sa_sigaction(signal, info, context);
        else if (previous.sa_handler == SIG_DFL || previous.sa_handler == SIG_IGN)
                /* The fault happens again, and is then not handled. */
                sigaction(SIGSEGV, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
        else
                previous.sa_handler(signal);
}

static void handler(int signal, siginfo_t *info, void *context)
{
        struct frame *frame = frame_current();
        const char *address = info->si_addr;

        if (frame && info->si_code > 0 && address < frame->stack->low &&
            address >= frame->stack->low - guard_size()) {
                report(frame->fiber);
                sigaction(SIGSEGV, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
                return;
        }
        pass_on(signal, info, context);
}

static size_t alternate_size(void)
{
        long size = sysconf(_SC_SIGSTKSZ);

        return size > 32768 ? (size_t)size : 32768;
}

void *overflow_begin(void)
{
        struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK };
        stack_t current;
        stack_t alternate = { .ss_size = alternate_size() };

        pthread_mutex_lock(&handler_lock);
        if (handler_users++ == 0) {
                sigemptyset(&action.sa_mask);
                sigaction(SIGSEGV, NULL, &previous);
                sigaction(SIGSEGV, &action, NULL);
        }
        pthread_mutex_unlock(&handler_lock);
        if (sigaltstack(NULL, &current) < 0 || !(current.ss_flags & SS_DISABLE))
                return NULL;
        alternate.ss_sp = malloc(alternate.ss_size);
        if (alternate.ss_sp)
                sigaltstack(&alternate, NULL);
        return alternate.ss_sp;
}

void overflow_end(void *alternate)
{
        struct sigaction now;

        if (alternate) {
                sigaltstack(&(stack_t){ .ss_flags = SS_DISABLE }, NULL);
                free(alternate);
        }
        pthread_mutex_lock(&handler_lock);
        if (--handler_users == 0) {
                /* Unless somebody has put theirs on top of ours meanwhile. */
                sigaction(SIGSEGV, NULL, &now);
                if (now.sa_flags & SA_SIGINFO && now.sa_sigaction == handler)
                        sigaction(SIGSEGV, &previous, NULL);
        }
        pthread_mutex_unlock(&handler_lock);
}

void stack_check(const struct stack *stack, const struct fib_fiber *fiber)
{
        if (stack->guard != GUARD_CANARY || guard_canary_intact(stack->low - guard_size()))
                return;
        report(fiber);
        abort();
}
