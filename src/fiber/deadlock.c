/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include "fiber/deadlock.h"
#include "fiber/fiber.h"
#include "op/perform.h"

#if SANITIZER_THREAD
/* Reads the word behind `key` in a file that the kernel keeps for a thread. */
static bool read_of_thread(const char *thread, const char *name, const char *key, char ret[32])
{
        char path[300], line[128];
        bool found = false;
        FILE *file;

        snprintf(path, sizeof(path), "/proc/self/task/%s/%s", thread, name);
        file = fopen(path, "re");
        if (!file)
                return false;
        while (!found && fgets(line, sizeof(line), file))
                found = !strncmp(line, key, strlen(key)) &&
                        sscanf(line + strlen(key), "%31s", ret) == 1;
        fclose(file);
        return found;
}

/* ThreadSanitizer's own threads, of which there are more after a fork: they sleep for a while over
 * and over, with SIGSEGV blocked. */
static unsigned sanitizer_threads(void)
{
        DIR *tasks = opendir("/proc/self/task");
        const struct dirent *task;
        unsigned count = 0;

        while (tasks && (task = readdir(tasks))) {
                char blocked[32], where[32];

                if (read_of_thread(task->d_name, "status", "SigBlk:", blocked) &&
                    strtoull(blocked, NULL, 16) >> (SIGSEGV - 1) & 1 &&
                    read_of_thread(task->d_name, "wchan", "", where) &&
                    !strcmp(where, "hrtimer_nanosleep"))
                        count++;
        }
        if (tasks)
                closedir(tasks);
        return count;
}
#else
static unsigned sanitizer_threads(void)
{
        return 0;
}
#endif

/* Each thread is a directory there, and so a link; return a guess on the safe side. */
static bool has_foreign_threads(struct group *group)
{
        struct stat tasks;

        if (stat("/proc/self/task", &tasks) < 0)
                return true;
        return tasks.st_nlink - 2 > group->active + sanitizer_threads();
}

/* alarm(2), setitimer(2), and timer_create(2), which has the kernel list them. */
static bool expects_signal(void)
{
        struct itimerval itimer;
        FILE *timers;
        bool any = false;

        if (!getitimer(ITIMER_REAL, &itimer) &&
            (itimer.it_value.tv_sec || itimer.it_value.tv_usec)) {
                struct sigaction action;

                return !sigaction(SIGALRM, NULL, &action) && action.sa_handler != SIG_DFL;
        }
        timers = fopen("/proc/self/timers", "re");
        if (timers) {
                any = fgetc(timers) != EOF;
                fclose(timers);
        }
        return any;
}

bool deadlock_may_be_woken(struct group *group)
{
        for (unsigned i = 0; i < group->count; i++) {
                if (atomic_load_explicit(&group->schedulers[i].watches, memory_order_relaxed))
                        return true;
        }
        return has_foreign_threads(group) || expects_signal();
}

static void describe_arms(const struct fib_perform *perform)
{
        if (perform->published == 0)
                fputs(" nothing that ever happens", stderr);
        for (unsigned i = 0; i < perform->published; i++) {
                const fib_waiter *waiter = &perform_arm(perform, i)->waiter;
                const char *name = waiter->op_class->name;

                /* The state is the object, or begins with it, in the library's own operations. */
                fprintf(stderr, "%s %s", i ? " or" : "", name ? name : "an operation");
                if (name && waiter->op_class->state_size == 0)
                        fprintf(stderr, " (%p)", waiter->state);
                else if (name && waiter->op_class->state_size >= sizeof(void *))
                        fprintf(stderr, " (%p)", *(void **)waiter->state);
        }
}

void deadlock_describe(struct group *group)
{
        const struct stack *stack;

        fputs("fibers: deadlock: every fiber waits, and nothing will wake one:\n", stderr);
        for (stack = stacks_of(group); stack; stack = stack->next) {
                struct frame *frame = frame_on(stack);
                const struct fib_perform *perform = frame_perform(frame);
                const struct fib_fiber *fiber = frame->fiber;

                fprintf(stderr, "fibers:   fiber %llu", (unsigned long long)fiber->id);
                if (fiber->named)
                        fprintf(stderr, " '%s'", fiber->name);
                fputs(" waits for", stderr);
                if (perform)
                        describe_arms(perform);
                else
                        fputs(" fib_resume()", stderr);
                fputc('\n', stderr);
        }
}
