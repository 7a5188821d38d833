/* SPDX-License-Identifier: Apache-2.0 */
/* Every process whose name begins with "lazaret", and everything that its uid might give away. */
#define _GNU_SOURCE
#include "pry.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define DESCRIPTORS 32

static void tell(int to, const char *who, const char *what, long result)
{
    char line[256];
    int n = snprintf(line, sizeof line, "pry %s %s %d\n", who, what, result < 0 ? errno : 0);
    if (n > 0 && write(to, line, (size_t)n) != n) {
        _exit(98);
    }
}

static int open_of(pid_t pid, const char *name, int flags)
{
    char path[300];
    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    return open(path, flags | O_CLOEXEC | O_NONBLOCK);
}

/* Opening is not enough for some: the check is made when they are read. */
static long read_of(pid_t pid, const char *name)
{
    char bytes[16];
    int fd = open_of(pid, name, O_RDONLY);
    long n = fd < 0 ? -1 : read(fd, bytes, sizeof bytes);
    int saved = errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    errno = saved;
    return n;
}

static void pry_files(pid_t pid, const char *who, int to)
{
    static const char *const names[] = {
            "environ", "maps", "smaps", "auxv", "stack", "syscall", "io", "pagemap", "personality"};
    static const char *const links[] = {"exe", "cwd", "root"};
    static const char *const writable[] = {
            "mem", "comm", "oom_score_adj", "coredump_filter", "timerslack_ns", "clear_refs"};
    static const char value[] = "50000"; /* of timerslack_ns alone, which everybody may open */
    char path[64];
    char target[64];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        tell(to, who, names[i], read_of(pid, names[i]));
    }
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
        (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, links[i]);
        tell(to, who, links[i], readlink(path, target, sizeof target));
    }
    for (size_t i = 0; i < sizeof writable / sizeof writable[0]; i++) {
        int fd = open_of(pid, writable[i], O_WRONLY);
        bool is_slack = strcmp(writable[i], "timerslack_ns") == 0;
        tell(to, who, writable[i], fd >= 0 && is_slack ? write(fd, value, sizeof value - 1) : fd);
    }
    tell(to, who, "fd/", open_of(pid, "fd", O_RDONLY | O_DIRECTORY));
    tell(to, who, "map_files/", open_of(pid, "map_files", O_RDONLY | O_DIRECTORY));
    for (int i = 0; i < DESCRIPTORS; i++) {
        (void)snprintf(path, sizeof path, "fd/%d", i);
        tell(to, who, path, open_of(pid, path, O_RDONLY));
    }
}

static void pry_process(pid_t pid, const char *who, int to)
{
    char bytes[16];
    struct iovec ours = {bytes, sizeof bytes};
    struct iovec theirs = {(void *)4096, sizeof bytes};
    pry_files(pid, who, to);
    tell(to, who, "kill(0)", kill(pid, 0));
    tell(to, who, "kill(USR1)", kill(pid, SIGUSR1));
    tell(to, who, "ptrace(ATTACH)", ptrace(PTRACE_ATTACH, pid, NULL, NULL));
    tell(to, who, "ptrace(SEIZE)", ptrace(PTRACE_SEIZE, pid, NULL, NULL));
    /* EFAULT would say that only the address was wrong. */
    tell(to, who, "process_vm_readv",
            syscall(SYS_process_vm_readv, pid, &ours, 1UL, &theirs, 1UL, 0UL));
    long pidfd = syscall(SYS_pidfd_open, pid, 0U);
    for (int i = 0; pidfd >= 0 && i < DESCRIPTORS; i++) {
        char what[32];
        (void)snprintf(what, sizeof what, "pidfd_getfd(%d)", i);
        tell(to, who, what, syscall(SYS_pidfd_getfd, (int)pidfd, i, 0U));
    }
}

/* What slows a process down, or takes from it what it needs. */
static void hamper_process(pid_t pid, const char *who, int to)
{
    const struct rlimit limit = {0, 0};
    cpu_set_t cpus;
    tell(to, who, "prlimit", prlimit(pid, RLIMIT_NOFILE, &limit, NULL));
    tell(to, who, "setpriority", setpriority(PRIO_PROCESS, (id_t)pid, 19));
    CPU_ZERO(&cpus);
    CPU_SET(0, &cpus);
    tell(to, who, "sched_setaffinity", sched_setaffinity(pid, sizeof cpus, &cpus));
}

static void pry_stdout(int to)
{
    static const char *const names[] = {"/proc/self/fd/1", "/dev/stdout", "/proc/self/fd/2"};
    char what[64];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(what, sizeof what, "write:%s", names[i]);
        tell(to, "own", what, open(names[i], O_WRONLY | O_CLOEXEC));
        (void)snprintf(what, sizeof what, "read:%s", names[i]);
        tell(to, "own", what, open(names[i], O_RDONLY | O_NONBLOCK | O_CLOEXEC));
        (void)snprintf(what, sizeof what, "both:%s", names[i]);
        tell(to, "own", what, open(names[i], O_RDWR | O_NONBLOCK | O_CLOEXEC));
    }
    tell(to, "own", "fchmod", fchmod(STDOUT_FILENO, 0666));
    tell(to, "own", "read-after-fchmod", open(names[0], O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    char byte;
    tell(to, "own", "read(1)", read(STDOUT_FILENO, &byte, 1));
}

static void pry_spool(const char *spool, int to)
{
    char path[300];
    tell(to, "spool", "open", open(spool, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    (void)snprintf(path, sizeof path, "%s/lock", spool);
    tell(to, "spool", "lock", open(path, O_RDONLY | O_CLOEXEC));
    (void)snprintf(path, sizeof path, "%s/00000001.lzs", spool);
    tell(to, "spool", "segment", open(path, O_RDONLY | O_CLOEXEC));
    tell(to, "spool", "unlink", unlink(path));
    tell(to, "spool", "chmod", chmod(spool, 0777));
    (void)snprintf(path, sizeof path, "%s.moved", spool);
    int moved = rename(spool, path);
    tell(to, "spool", "rename", moved);
    if (moved == 0) {
        (void)rename(path, spool);
    }
}

static void each_of_ours(void (*do_it)(pid_t pid, const char *who, int to), int to)
{
    DIR *processes = opendir("/proc");
    const struct dirent *entry = NULL;
    while (processes != NULL && (entry = readdir(processes)) != NULL) {
        char name[32] = "";
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        int fd = pid > 0 ? open_of(pid, "comm", O_RDONLY) : -1;
        ssize_t n = fd < 0 ? -1 : read(fd, name, sizeof name - 1);
        if (fd >= 0) {
            (void)close(fd);
        }
        name[n > 0 ? n - 1 : 0] = '\0'; /* its line feed */
        if (strncmp(name, "lazaret", 7) == 0) {
            do_it(pid, name, to);
        }
    }
    if (processes != NULL) {
        (void)closedir(processes);
    }
}

void pry(const char *spool, int to)
{
    each_of_ours(pry_process, to);
    pry_stdout(to);
    pry_spool(spool, to);
}

void hamper(int to)
{
    each_of_ours(hamper_process, to);
}
