/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the probe can say about itself, asked by system calls and not read from /proc: the claims
 * that are tested must not rest on the file system that an init could have replaced.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "probe.h"

#define HIGHEST_FD 20000

extern char **environ;

static void add_string(struct text *text, const char *value)
{
    text_add(text, "\"");
    for (; *value != '\0'; value++) {
        unsigned char byte = (unsigned char)*value;
        if (byte < 0x20 || byte == '"' || byte == '\\' || byte >= 0x7f) {
            text_add(text, "\\u%04x", byte);
        } else {
            text_add(text, "%c", byte);
        }
    }
    text_add(text, "\"");
}

static void add_ids(struct text *text)
{
    uid_t ids[3] = {0};
    gid_t groups[64] = {0};
    text_add(text, "\"pid\":%d,\"ppid\":%d,\"pgid\":%d,\"sid\":%d", getpid(), getppid(), getpgid(0),
            getsid(0));
    (void)syscall(SYS_getresuid, &ids[0], &ids[1], &ids[2]);
    text_add(text, ",\"uids\":[%u,%u,%u]", ids[0], ids[1], ids[2]);
    (void)syscall(SYS_getresgid, &ids[0], &ids[1], &ids[2]);
    text_add(text, ",\"gids\":[%u,%u,%u],\"groups\":[", ids[0], ids[1], ids[2]);
    int count = getgroups(64, groups);
    for (int i = 0; i < count; i++) {
        text_add(text, "%s%u", i == 0 ? "" : ",", groups[i]);
    }
    text_add(text, "]");
}

static void add_signals(struct text *text)
{
    uint64_t ignored = 0;
    for (int number = 1; number <= LAST_SIGNAL; number++) {
        ignored |= disposition_is_ignored(number) ? signal_bit(number) : 0;
    }
    text_add(text, ",\"blocked\":\"%016llx\",\"ignored\":\"%016llx\"",
            (unsigned long long)mask_get(), (unsigned long long)ignored);
}

static void add_descriptors(struct text *text)
{
    bool first = true;
    text_add(text, ",\"fds\":[");
    for (int fd = 0; fd < HIGHEST_FD; fd++) {
        if (fcntl(fd, F_GETFD) >= 0) {
            text_add(text, "%s%d", first ? "" : ",", fd);
            first = false;
        }
    }
    text_add(text, "]");
}

static void add_capabilities(struct text *text)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};
    uint64_t bounding = 0;
    uint64_t ambient = 0;
    (void)syscall(SYS_capget, &header, data);
    for (unsigned long cap = 0; cap < 64; cap++) {
        bounding |= prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1 ? 1ULL << cap : 0;
        ambient |= prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) == 1 ? 1ULL << cap : 0;
    }
    text_add(text, ",\"caps\":{\"eff\":\"%08x%08x\",\"prm\":\"%08x%08x\",\"inh\":\"%08x%08x\"",
            data[1].effective, data[0].effective, data[1].permitted, data[0].permitted,
            data[1].inheritable, data[0].inheritable);
    text_add(text, ",\"bnd\":\"%016llx\",\"amb\":\"%016llx\"}", (unsigned long long)bounding,
            (unsigned long long)ambient);
}

static void add_attributes(struct text *text)
{
    int death_signal = -1;
    int subreaper = -1;
    (void)prctl(PR_GET_PDEATHSIG, &death_signal);
    (void)prctl(PR_GET_CHILD_SUBREAPER, &subreaper);
    /* A strict filter may refuse prctl: the errno is then the answer, negative. */
    int seccomp = prctl(PR_GET_SECCOMP, 0, 0, 0, 0);
    text_add(text, ",\"pdeathsig\":%d,\"subreaper\":%d,\"seccomp\":%d", death_signal, subreaper,
            seccomp < 0 ? -errno : seccomp);
    text_add(text, ",\"nnp\":%d,\"dumpable\":%d,\"securebits\":%d",
            prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), prctl(PR_GET_DUMPABLE),
            prctl(PR_GET_SECUREBITS));
    mode_t mask = umask(0);
    (void)umask(mask);
    text_add(text, ",\"umask\":\"%04o\"", mask);
}

static void add_limits(struct text *text)
{
    static const int wanted[] = {RLIMIT_NOFILE, RLIMIT_CORE, RLIMIT_NPROC, RLIMIT_SIGPENDING};
    static const char *const names[] = {"nofile", "core", "nproc", "sigpending"};
    text_add(text, ",\"limits\":{");
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        struct rlimit limit = {0};
        (void)getrlimit(wanted[i], &limit);
        text_add(text, "%s\"%s\":[%lld,%lld]", i == 0 ? "" : ",", names[i],
                (long long)limit.rlim_cur, (long long)limit.rlim_max);
    }
    text_add(text, "}");
}

static void add_terminal(struct text *text)
{
    pid_t group = -1;
    if (ioctl(STDIN_FILENO, TIOCGPGRP, &group) == 0) {
        text_add(text, ",\"tty_group\":%d", group);
    }
}

static void add_surroundings(struct text *text, const char *name)
{
    char cwd[4096] = {0};
    text_add(text, ",\"cwd\":");
    add_string(text, getcwd(cwd, sizeof cwd) != NULL ? cwd : strerror(errno));
    text_add(text, ",\"name\":");
    add_string(text, name);
    text_add(text, ",\"env\":[");
    for (char **item = environ; *item != NULL; item++) {
        text_add(text, "%s", item == environ ? "" : ",");
        add_string(text, *item);
    }
    text_add(text, "]");
}

void probe_log_state(const struct probe *probe)
{
    struct text text;
    text.used = 0;
    text_add(&text, "{\"ev\":\"state\",\"t\":%lld,", (long long)now_ns());
    add_ids(&text);
    add_signals(&text);
    add_descriptors(&text);
    add_capabilities(&text);
    add_attributes(&text);
    add_limits(&text);
    add_terminal(&text);
    add_surroundings(&text, probe->name);
    text_add(&text, "}\n");
    ssize_t written = write(probe->log, text.bytes, text.used);
    (void)written;
}

void probe_pry(const struct probe *probe, pid_t pid)
{
    static const char *const files[] = {"mem", "environ", "maps", "auxv", "fd", "cwd"};
    char byte = 0;
    char path[64];
    struct iovec local = {.iov_base = &byte, .iov_len = 1};
    struct iovec remote = {.iov_base = &byte, .iov_len = 1};
    struct text text;
    text.used = 0;
    text_add(&text, "{\"ev\":\"pry\",\"t\":%lld,\"got\":{", (long long)now_ns());
    int answer = ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0 ? 0 : errno;
    text_add(&text, "\"ptrace\":%d", answer);
    answer = process_vm_readv(pid, &local, 1, &remote, 1, 0) >= 0 ? 0 : errno;
    /* EFAULT means that the look was allowed and only the address was a guess. */
    text_add(&text, ",\"process_vm_readv\":%d", answer == EFAULT ? 0 : answer);
    long pidfd = syscall(SYS_pidfd_open, pid, 0);
    answer = pidfd >= 0 && syscall(SYS_pidfd_getfd, pidfd, 2, 0) >= 0 ? 0 : errno;
    text_add(&text, ",\"pidfd_getfd\":%d", answer);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char target[8];
        (void)snprintf(path, sizeof path, "/proc/%d/%s", pid, files[i]);
        if (strcmp(files[i], "cwd") == 0) {
            answer = readlink(path, target, sizeof target) >= 0 ? 0 : errno;
        } else {
            int fd = open(path, O_RDONLY | O_CLOEXEC);
            answer = fd >= 0 ? 0 : errno;
            (void)close(fd);
        }
        text_add(&text, ",\"%s\":%d", files[i], answer);
    }
    text_add(&text, "}}\n");
    ssize_t written = write(probe->log, text.bytes, text.used);
    (void)written;
}
