/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A workload that says as much as it is let, and beside that answers: one process writes numbered
 * lines at a rate, its parent notes when a SIGUSR1 has reached it and how long a refused call took.
 *
 * flood SHARED LINES MBYTES_PER_S SECONDS CODE: LINES has what is said, in turn; runs until TERM.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BURST         (64U << 10)
#define LINES_LONGEST (64U << 10)
#define NUMBER_MAX    32

/* In SHARED, as 64-bit numbers in this order. */
struct shared {
    volatile uint64_t bytes;
    volatile uint64_t lines;
    volatile uint64_t pings;
    volatile uint64_t reached_ns; /* CLOCK_MONOTONIC: when the last signal was here */
    volatile uint64_t refused_ns; /* how long the last refused call took */
    volatile uint64_t is_done;
};

static struct shared *shared;
static char burst[BURST + LINES_LONGEST + NUMBER_MAX];

static _Noreturn void die(const char *what)
{
    dprintf(STDERR_FILENO, "flood: %s: %s\n", what, strerror(errno));
    _exit(99);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static void *map_of(const char *path, int flags, int rights, size_t *ret_size)
{
    struct stat st;
    int fd = open(path, flags | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0) {
        die(path);
    }
    *ret_size = (size_t)st.st_size;
    void *map = mmap(NULL, *ret_size, rights, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        die(path);
    }
    return map;
}

static void put(size_t length)
{
    for (size_t done = 0; done < length;) {
        ssize_t n = write(STDOUT_FILENO, burst + done, length - done);
        if (n < 0 && errno != EINTR) {
            die("write");
        }
        done += n < 0 ? 0 : (size_t)n;
    }
    shared->bytes += length;
}

/* Whole bursts of whole lines: what was said is what SHARED says, whenever it ends. */
static _Noreturn void say(const char *lines, size_t size, uint64_t mbytes, uint64_t seconds)
{
    uint64_t began_ns = now_ns();
    uint64_t number = 0;
    for (size_t at = 0; now_ns() - began_ns < seconds * 1000000000U;) {
        size_t length = 0;
        while (length < BURST) {
            const char *end = memchr(lines + at, '\n', size - at);
            size_t n = end == NULL ? 0 : (size_t)(end - lines) + 1 - at;
            if (n == 0 || n > LINES_LONGEST) {
                die("the lines");
            }
            length += (size_t)snprintf(
                    burst + length, NUMBER_MAX, "%08llu ", (unsigned long long)++number);
            memcpy(burst + length, lines + at, n);
            length += n;
            at = at + n == size ? 0 : at + n;
        }
        put(length);
        shared->lines = number;
        while (shared->bytes * 1000U > (now_ns() - began_ns) * mbytes) {
            const struct timespec pause = {.tv_nsec = 200000};
            (void)nanosleep(&pause, NULL);
        }
    }
    shared->is_done = 1;
    _exit(0);
}

static void ping(void)
{
    uint64_t before_ns = now_ns();
    shared->reached_ns = before_ns;
    if (syscall(SYS_swapoff, "/") == 0) {
        die("swapoff");
    }
    shared->refused_ns = now_ns() - before_ns;
    shared->pings++;
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        return 2;
    }
    size_t size = 0;
    shared = map_of(argv[1], O_RDWR, PROT_READ | PROT_WRITE, &size);
    const char *lines = map_of(argv[2], O_RDONLY, PROT_READ, &size);
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGUSR1);
    (void)sigaddset(&set, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    pid_t child = fork();
    if (child < 0) {
        die("fork");
    }
    if (child == 0) {
        say(lines, size, strtoul(argv[3], NULL, 10), strtoul(argv[4], NULL, 10));
    }
    for (int number = 0; number != SIGTERM;) {
        number = sigwaitinfo(&set, NULL);
        if (number == SIGUSR1) {
            ping();
        }
    }
    (void)waitpid(child, NULL, 0);
    return (int)strtol(argv[5], NULL, 10);
}
