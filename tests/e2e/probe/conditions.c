/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Brings about what an init inherits; see conditions.h.
 * Runs in the child between clone and exec: what fails ends that child, never the machine's
 * own namespaces. Must never be called outside a namespace of its own.
 */
#define _GNU_SOURCE
#include "conditions.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wire.h"

/* "nr", "nr=errno" or "nr:arg0=errno", all numbers; ENOSYS when no errno is named. */
static struct refusal refusal_parse(const char *text)
{
    char copy[64] = {0};
    struct refusal refusal = {.arg0 = -1, .error = ENOSYS};
    if (strlen(text) >= sizeof copy) {
        (void)number_or_die(NULL, "refusal");
    }
    memcpy(copy, text, strlen(text));
    char *error = strchr(copy, '=');
    if (error != NULL) {
        *error++ = '\0';
        refusal.error = (int)number_or_die(error, "errno");
    }
    char *argument = strchr(copy, ':');
    if (argument != NULL) {
        *argument++ = '\0';
        refusal.arg0 = number_or_die(argument, "argument");
    }
    refusal.call = (long)number_or_die(copy, "system call");
    return refusal;
}

static struct limit limit_parse(const char *text)
{
    char copy[64] = {0};
    memcpy(copy, text, strnlen(text, sizeof copy - 1));
    char *value = strchr(copy, '=');
    if (value == NULL) {
        return (struct limit){.resource = (int)number_or_die(NULL, "limit")};
    }
    *value++ = '\0';
    return (struct limit){.resource = (int)number_or_die(copy, "resource"),
            .value = (uint64_t)number_or_die(value, "limit")};
}

static bool list_parse(struct conditions *to, const char *name, const char *value)
{
    if (strcmp(name, "refuse") == 0 && to->refusal_count < MAX_REFUSALS) {
        to->refusals[to->refusal_count++] = refusal_parse(value);
    } else if (strcmp(name, "limit") == 0 && to->limit_count < MAX_LIMITS) {
        to->limits[to->limit_count++] = limit_parse(value);
    } else if (strcmp(name, "writable") == 0 && to->writable_count < MAX_WRITABLE) {
        to->writable[to->writable_count++] = value;
    } else if (strcmp(name, "extra-fd") == 0 && to->extra_fd_count < MAX_EXTRA_FDS) {
        to->extra_fds[to->extra_fd_count++] = (int)number_or_die(value, "descriptor");
    } else {
        return false;
    }
    return true;
}

static bool flag_parse(struct conditions *to, const char *name)
{
    if (strcmp(name, "no-proc") == 0) {
        to->no_proc = true;
    } else if (strcmp(name, "read-only") == 0) {
        to->read_only = true;
    } else if (strcmp(name, "no-new-privs") == 0) {
        to->no_new_privs = true;
    } else if (strcmp(name, "cwd-deleted") == 0) {
        to->cwd_deleted = true;
    } else if (strcmp(name, "hold") == 0) {
        to->hold = true;
    } else if (strcmp(name, "tty") == 0) {
        to->terminal = TERMINAL_FOREGROUND;
    } else if (strcmp(name, "tty-background") == 0) {
        to->terminal = TERMINAL_BACKGROUND;
    } else {
        return false;
    }
    return true;
}

bool condition_parse(struct conditions *conditions, const char *name, const char *value)
{
    if (value == NULL) {
        return flag_parse(conditions, name);
    }
    if (strcmp(name, "block") == 0) {
        conditions->blocked = signals_or_die(value);
    } else if (strcmp(name, "ignore") == 0) {
        conditions->ignored = signals_or_die(value);
    } else if (strcmp(name, "drop-caps") == 0) {
        conditions->dropped_caps = (uint64_t)number_or_die(value, "capabilities");
    } else if (strcmp(name, "uid") == 0) {
        conditions->uid = number_or_die(value, "uid");
    } else if (strcmp(name, "cwd") == 0) {
        conditions->cwd = value;
    } else if (strcmp(name, "root") == 0) {
        conditions->root = value;
    } else if (strcmp(name, "closed") == 0) {
        conditions->closed = (unsigned)number_or_die(value, "descriptors");
    } else if (strcmp(name, "children-exited") == 0) {
        conditions->children_exited = (int)number_or_die(value, "children");
    } else if (strcmp(name, "children-living") == 0) {
        conditions->children_living = (int)number_or_die(value, "children");
    } else {
        return list_parse(conditions, name, value);
    }
    return true;
}

static void file_systems_apply(const struct conditions *c)
{
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        die("mount private");
    }
    for (int i = 0; i < c->writable_count; i++) {
        if (mount(c->writable[i], c->writable[i], NULL, MS_BIND, NULL) != 0) {
            die(c->writable[i]);
        }
    }
    if (c->read_only && mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) != 0) {
        die("mount / read-only");
    }
    if (c->root != NULL && (chroot(c->root) != 0 || chdir("/") != 0)) {
        die(c->root);
    }
    if (c->no_proc) {
        if (mount("none", "/proc", "tmpfs", MS_RDONLY, NULL) != 0) {
            die("mount over /proc");
        }
    } else if ((c->new_proc || c->root != NULL) && mount("proc", "/proc", "proc", 0, NULL) != 0) {
        die("mount /proc");
    }
    if (c->cwd != NULL && chdir(c->cwd) != 0) {
        die(c->cwd);
    }
    if (c->cwd_deleted && rmdir(c->cwd) != 0) {
        die("rmdir");
    }
}

/* The number of a group that is gone stays the terminal's: that makes this process background. */
static void terminal_leave_foreground(void)
{
    pid_t holder = fork();
    if (holder < 0) {
        die("fork");
    }
    if (holder == 0) {
        (void)setpgid(0, 0);
        _exit(0);
    }
    (void)setpgid(holder, holder);
    disposition_set(SIGTTOU, true);
    if (ioctl(STDIN_FILENO, TIOCSPGRP, &holder) != 0) {
        die("TIOCSPGRP");
    }
    disposition_set(SIGTTOU, false);
    (void)waitpid(holder, NULL, 0);
}

static void terminal_apply(const struct conditions *c, int terminal_fd)
{
    if (c->terminal == TERMINAL_NONE) {
        return;
    }
    /* As PID 1 of a namespace this process may lead a session already; that is as good. */
    if (setsid() < 0 && getsid(0) != getpid()) {
        die("setsid");
    }
    if (ioctl(terminal_fd, TIOCSCTTY, 0) != 0) {
        die("TIOCSCTTY");
    }
    for (int fd = 0; fd < 3; fd++) {
        if (dup2(terminal_fd, fd) < 0) {
            die("dup2");
        }
    }
    if (c->terminal == TERMINAL_BACKGROUND) {
        terminal_leave_foreground();
    }
}

static void descriptors_apply(const struct conditions *c)
{
    for (int i = 0; i < c->extra_fd_count; i++) {
        int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (fd < 0 || dup2(fd, c->extra_fds[i]) < 0) {
            die("extra descriptor");
        }
        (void)close(fd);
    }
    for (int fd = 0; fd < 3; fd++) {
        if ((c->closed & (1U << fd)) != 0) {
            (void)close(fd);
        }
    }
}

/* Children that the init did not start: a container runtime's exec chain can leave such. */
static void children_apply(const struct conditions *c)
{
    for (int i = 0; i < c->children_exited + c->children_living; i++) {
        pid_t child = fork();
        if (child < 0) {
            die("fork");
        }
        if (child == 0) {
            while (i >= c->children_exited) {
                (void)pause();
            }
            _exit(9);
        }
        if (i < c->children_exited) {
            siginfo_t info;
            (void)waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
        }
    }
}

static void refusals_apply(const struct conditions *c)
{
    struct sock_filter code[4 + 5 * MAX_REFUSALS];
    unsigned short n = 0;
    if (c->refusal_count == 0) {
        return;
    }
    code[n++] = (struct sock_filter)BPF_STMT(
            BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (int i = 0; i < c->refusal_count; i++) {
        const struct refusal *r = &c->refusals[i];
        uint32_t answer = SECCOMP_RET_ERRNO | ((uint32_t)r->error & SECCOMP_RET_DATA);
        if (r->arg0 < 0) {
            code[n++] = (struct sock_filter)BPF_JUMP(
                    BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)r->call, 0, 1);
            code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, answer);
            continue;
        }
        code[n++] =
                (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)r->call, 0, 4);
        code[n++] = (struct sock_filter)BPF_STMT(
                BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args));
        code[n++] =
                (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)r->arg0, 0, 1);
        code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, answer);
        code[n++] = (struct sock_filter)BPF_STMT(
                BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    }
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {.len = n, .filter = code};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) {
        die("seccomp");
    }
}

static void capabilities_apply(const struct conditions *c)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (c->dropped_caps == 0) {
        return;
    }
    for (unsigned long cap = 0; cap < 64; cap++) {
        /* EINVAL above the kernel's last capability is the end of the list. */
        if ((c->dropped_caps >> cap & 1) != 0 && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0 &&
                errno != EINVAL) {
            die("PR_CAPBSET_DROP");
        }
    }
    if (syscall(SYS_capget, &header, data) != 0) {
        die("capget");
    }
    for (int half = 0; half < 2; half++) {
        uint32_t keep = ~(uint32_t)(c->dropped_caps >> (32 * half));
        data[half].effective &= keep;
        data[half].permitted &= keep;
        data[half].inheritable &= keep;
    }
    if (syscall(SYS_capset, &header, data) != 0) {
        die("capset");
    }
}

static void identity_apply(const struct conditions *c)
{
    if (c->uid >= 0) {
        uid_t uid = (uid_t)c->uid;
        if (syscall(SYS_setgroups, 0, NULL) != 0 || syscall(SYS_setresgid, uid, uid, uid) != 0 ||
                syscall(SYS_setresuid, uid, uid, uid) != 0) {
            die("uid");
        }
    }
    if (c->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        die("no_new_privs");
    }
}

void conditions_apply_in_child(const struct conditions *c, int terminal_fd)
{
    for (int number = 1; number <= LAST_SIGNAL; number++) {
        disposition_set(number, false);
    }
    file_systems_apply(c);
    terminal_apply(c, terminal_fd);
    descriptors_apply(c);
    children_apply(c);
    refusals_apply(c);
    capabilities_apply(c);
    identity_apply(c);
    for (int i = 0; i < c->limit_count; i++) {
        struct rlimit limit = {.rlim_cur = c->limits[i].value, .rlim_max = c->limits[i].value};
        if (setrlimit(c->limits[i].resource, &limit) != 0) {
            die("setrlimit");
        }
    }
    for (int number = 1; number <= LAST_SIGNAL; number++) {
        if ((c->ignored & signal_bit(number)) != 0) {
            disposition_set(number, true);
        }
    }
    mask_set(SIG_SETMASK, c->blocked);
}
