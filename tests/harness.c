/* SPDX-License-Identifier: MIT */
/* harness.c - runs the cases of a test program, each in a process of its own.
 *
 * What a case has to say goes through a page that parent and child share: it can be written
 * from any thread, and is there however the child ends.  Check forks, waits and explains. */
#include <pthread.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "tests/harness.h"

#ifndef FIBERS_NO_CHECK
#include <check.h> /* its assertions have taken the place of ours, and are not used here */
#endif

#ifdef __has_feature
#define HAS_FEATURE(feature) __has_feature(feature)
#else
#define HAS_FEATURE(feature) 0
#endif

#define NAME_SIZE 160

/* Shared by parent and child. */
struct said {
        atomic_flag taken; /* by the first thread that fails or skips: the only one to write */
        bool skipped;
        char text[900]; /* "" until then */
};

static struct said *said;

/* What is to be run; set before each fork. */
static struct {
        const struct test_case *test;
        unsigned workers;
        unsigned seconds;
} current;

static bool in_process; /* CK_FORK=no */

__attribute__((format(printf, 3, 0))) static void say(const char *file, int line,
                                                      const char *format, va_list args)
{
        int length = 0;

        while (atomic_flag_test_and_set(&said->taken))
                pause(); /* the first thread to come here ends the process */
        if (file)
                length = snprintf(said->text, sizeof(said->text), "%s:%d: ", file, line);
        vsnprintf(said->text + length, sizeof(said->text) - (size_t)length, format, args);
        for (char *at = said->text; *at; at++)
                if (*at == '\n')
                        *at = ' ';
}

void test_fail(const char *file, int line, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        say(file, line, format, args);
        va_end(args);
        if (in_process) {
                fprintf(stderr, "%s\n", said->text);
                abort();
        }
        _exit(1);
}

void test_skip(const char *format, ...)
{
        va_list args;

        said->skipped = true;
        va_start(args, format);
        say(NULL, 0, format, args);
        va_end(args);
        _exit(0);
}

/* A joined thread is gone for the joiner a moment before it is gone for the kernel. */
static void expect_no_more_than(size_t before, size_t (*count)(void), const char *what)
{
        const struct timespec moment = { .tv_nsec = 2000000 };
        size_t now = count();

        for (unsigned i = 0; i < 500 && now > before; i++) {
                nanosleep(&moment, NULL);
                now = count();
        }
        if (now > before)
                test_fail(__FILE__, __LINE__, "leaves %zu %s behind (%zu before, %zu after)",
                          now - before, what, before, now);
}

#if defined(__SANITIZE_THREAD__)
#define HAS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HAS_TSAN 1
#endif
#endif
#ifndef HAS_TSAN
#define HAS_TSAN 0
#endif

static void *nothing(void *arg)
{
        return arg;
}

/* TSan starts a thread of its own along with the first thread of a forked process. */
static void start_sanitizer_thread(void)
{
        pthread_t thread;

        if (HAS_TSAN && !pthread_create(&thread, NULL, nothing, NULL))
                pthread_join(thread, NULL);
}

static void run_current(void)
{
        size_t descriptors, threads;

        start_sanitizer_thread();
        if (!in_process)
                prctl(PR_SET_PDEATHSIG, SIGKILL);
        descriptors = descriptor_count();
        threads = thread_count();
        if (current.test->run)
                current.test->run();
        else
                current.test->run_workers(current.workers);
        expect_no_more_than(threads, thread_count, "threads");
        expect_no_more_than(descriptors, descriptor_count, "descriptors");
}

#ifndef FIBERS_NO_CHECK

START_TEST(one_case)
{
        run_current();
}
END_TEST

/* Runs the current case.  Return: whether its process ended well; if not, why, in `ret`. */
static bool run_forked(char *ret, size_t size)
{
        Suite *suite = suite_create("");
        TCase *tcase = tcase_create("");
        SRunner *runner = srunner_create(suite);
        bool passed;

        suite_add_tcase(suite, tcase);
        if (current.seconds)
                tcase_set_timeout(tcase, current.seconds);
        tcase_add_test(tcase, one_case);
        srunner_set_fork_status(runner, CK_FORK);
        srunner_run_all(runner, CK_SILENT);
        passed = srunner_ntests_failed(runner) == 0;
        if (!passed) {
                TestResult **failures = srunner_failures(runner);

                snprintf(ret, size, "%s", tr_msg(failures[0]));
                free(failures);
        }
        srunner_free(runner);
        return passed;
}

#else

static unsigned number_from(const char *variable, unsigned otherwise)
{
        const char *text = getenv(variable);
        unsigned long number = text ? strtoul(text, NULL, 10) : 0;

        return number ? (unsigned)number : otherwise;
}

static bool run_forked(char *ret, size_t size)
{
        unsigned limit = current.seconds ? current.seconds : number_from("CK_DEFAULT_TIMEOUT", 4);
        int status = 0;
        pid_t pid;

        limit *= number_from("CK_TIMEOUT_MULTIPLIER", 1);
        pid = fork();
        if (pid == 0) {
                setpgid(0, 0);
                alarm(limit);
                run_current();
                exit(0);
        }
        if (pid < 0 || waitpid(pid, &status, 0) != pid) {
                snprintf(ret, size, "no process: %s", strerror(errno));
                return false;
        }
        kill(-pid, SIGKILL); /* what it has left behind */
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
                snprintf(ret, size, "did not end within %u seconds", limit);
        else if (WIFSIGNALED(status))
                snprintf(ret, size, "died of signal %d (%s)", WTERMSIG(status),
                         strsignal(WTERMSIG(status)));
        else if (WEXITSTATUS(status))
                snprintf(ret, size, "exited with %d", WEXITSTATUS(status));
        return status == 0;
}

#endif

static void log_line(const char *verdict, const char *name, const char *text)
{
        const char *path = getenv("FIBERS_TEST_LOG");
        char line[NAME_SIZE + sizeof(said->text) + 16];
        int length, fd;

        if (!path)
                return;
        length = snprintf(line, sizeof(line), "%s %s%s%s\n", verdict, name, *text ? " " : "", text);
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
        if (fd < 0 || write(fd, line, (size_t)length) != length)
                fprintf(stderr, "%s: %s\n", path, strerror(errno));
        if (fd >= 0)
                close(fd);
}

/* Return: whether it did not fail. */
static bool run_one(const char *name)
{
        char why[sizeof(said->text)] = "";
        bool passed = true;

        memset(said, 0, sizeof(*said));
        fflush(NULL);
        if (in_process)
                run_current();
        else
                passed = run_forked(why, sizeof(why));
        if (!passed && !said->text[0])
                snprintf(said->text, sizeof(said->text), "%s", why);
        if (!passed) {
                printf("FAIL %s: %s\n", name, said->text);
                log_line("not ok", name, said->text);
        } else if (said->skipped) {
                printf("skip %s: %s\n", name, said->text);
                log_line("skip", name, said->text);
        } else {
                log_line("ok", name, "");
        }
        fflush(stdout);
        return passed;
}

/* Runs one case for each of its numbers of workers. */
static void run_all_of(const struct test_case *test, const char *part, unsigned *run,
                       unsigned *failed)
{
        const unsigned numbers[] = { 1, processor_count(), 4 * processor_count() };
        char name[NAME_SIZE];

        current.test = test;
        for (unsigned i = 0; i < (test->run ? 1 : 3); i++) {
                current.workers = numbers[i];
                if (i == 1 && numbers[1] == 1)
                        continue;
                if (test->run)
                        snprintf(name, sizeof(name), "%s", test->name);
                else
                        snprintf(name, sizeof(name), "%s[%u]", test->name, numbers[i]);
                if (part && !strstr(name, part))
                        continue;
                ++*run;
                *failed += !run_one(name);
        }
}

int test_main(const char *suite, unsigned seconds, const struct test_case *const cases[],
              size_t count, int argc, char **argv)
{
        const char *part = argc > 1 ? argv[1] : getenv("FIBERS_TEST");
        const char *forks = getenv("CK_FORK");
        unsigned run = 0, failed = 0;

        said = mmap(NULL, sizeof(*said), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (said == MAP_FAILED) {
                perror("mmap");
                return 1;
        }
        in_process = forks && strcmp(forks, "no") == 0;
        current.seconds = seconds;
        for (size_t i = 0; i < count; i++)
                run_all_of(cases[i], part, &run, &failed);
        printf("%s: %u passed, %u failed\n", suite, run - failed, failed);
        munmap(said, sizeof(*said));
        return failed || run == 0;
}

unsigned slowness(void)
{
        const char *preloaded = getenv("LD_PRELOAD");

#ifdef FIBERS_NO_CHECK
        return 10; /* emulated */
#endif
        if (preloaded && strstr(preloaded, "vgpreload"))
                return 10;
#if defined(__SANITIZE_THREAD__) || HAS_FEATURE(thread_sanitizer)
        return 10;
#elif defined(__SANITIZE_ADDRESS__) || HAS_FEATURE(address_sanitizer)
        return 3;
#else
        return 1;
#endif
}

unsigned long scaled(unsigned long count)
{
        unsigned slow = slowness();
        unsigned long smaller = count / (slow == 1 ? 1 : slow == 3 ? 10 : 50);

        return smaller ? smaller : 1;
}

unsigned processor_count(void)
{
        cpu_set_t set;

        return sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

static size_t entry_count(const char *path)
{
        DIR *folder = opendir(path);
        size_t count = 0;

        if (!folder)
                test_fail(__FILE__, __LINE__, "%s: %s", path, strerror(errno));
        while (readdir(folder))
                count++;
        closedir(folder);
        return count - 2; /* "." and ".." */
}

size_t descriptor_count(void)
{
        return entry_count("/proc/self/fd") - 1; /* the folder's own */
}

size_t thread_count(void)
{
        return entry_count("/proc/self/task");
}

static FILE *open_file(const char *path)
{
        FILE *file = fopen(path, "re");

        if (!file)
                test_fail(__FILE__, __LINE__, "%s: %s", path, strerror(errno));
        return file;
}

size_t mapping_count(void)
{
        FILE *file = open_file("/proc/self/maps");
        size_t count = 0;
        int c;

        while ((c = getc(file)) != EOF)
                count += c == '\n';
        fclose(file);
        return count;
}

size_t resident_bytes(void)
{
        FILE *file = open_file("/proc/self/statm");
        unsigned long all, resident = 0;

        if (fscanf(file, "%lu %lu", &all, &resident) != 2)
                test_fail(__FILE__, __LINE__, "/proc/self/statm is not understood");
        fclose(file);
        return resident * (size_t)sysconf(_SC_PAGESIZE);
}

int64_t cpu_time_ns(void)
{
        struct timespec time;

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
        return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}
