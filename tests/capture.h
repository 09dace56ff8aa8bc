/* SPDX-License-Identifier: MIT */
/* capture.h - what is written to stderr, by this process or by one that dies of it. */
#ifndef TESTS_CAPTURE_H
#define TESTS_CAPTURE_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/harness.h"

struct capture {
        int file;
        int saved; /* the real stderr */
};

static inline struct capture capture_begin(void)
{
        struct capture capture = { memfd_create("stderr", 0), dup(STDERR_FILENO) };

        ck_assert_int_ge(capture.file, 0);
        ck_assert_int_ge(capture.saved, 0);
        ck_assert_int_ge(dup2(capture.file, STDERR_FILENO), 0);
        return capture;
}

/* Writes what was captured to `ret`, as a string. */
static inline void capture_end(struct capture *capture, char *ret, size_t size)
{
        ssize_t length;

        fflush(stderr);
        dup2(capture->saved, STDERR_FILENO);
        length = pread(capture->file, ret, size - 1, 0);
        ck_assert_int_ge(length, 0);
        ret[length] = '\0';
        close(capture->saved);
        close(capture->file);
}

/* Calls fn() in a child process, which then exits with 0 if it still can.
 * Return: its status, as waitpid(2) has it, with its stderr in `ret`. */
static inline int capture_child(void (*fn)(void), char *ret, size_t size)
{
        struct capture capture = capture_begin();
        int status = 0;
        pid_t pid = fork();

        if (pid == 0) {
                setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
                fn();
                _exit(0);
        }
        if (pid > 0)
                while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                        continue;
        capture_end(&capture, ret, size);
        ck_assert_int_gt(pid, 0);
        return status;
}

#endif
