/* SPDX-License-Identifier: Apache-2.0
 *
 * The order of operations that confines the workload, exactly once, from the first instruction
 * after fork to execve. The child executes a fixed list of system calls; it parses nothing,
 * allocates nothing, and tells what failed through a shared page, because its own filter may forbid
 * write(2) by then.
 */
#ifndef LAZ_CONFINE_CONFINE_H
#define LAZ_CONFINE_CONFINE_H

#include "confine/probe.h"

/* The steps, in their order. X(ENUM, "what is being done", why it stands here) */
#define LAZ_CONFINE_STEPS(X)                                                                       \
    X(FORK, "start", "")                                                                           \
    X(SIGNALS, "reset signal dispositions", "an ignored signal would survive execve")              \
    X(DESCRIPTORS, "mark descriptors close-on-exec", "nothing of ours may leak (CVE-2024-21626)")  \
    X(LIMITS, "set limits", "raising one needs the old user")                                      \
    X(CWD, "change the directory", "the new user may not reach it by name")                        \
    X(LANDLOCK_BUILD, "build the Landlock rules", "paths may be unreachable for the new user")     \
    X(BOUNDING, "drop the bounding set", "needs CAP_SETPCAP, which goes below")                    \
    X(SECUREBITS, "lock securebits", "the last use of CAP_SETPCAP without kept capabilities")      \
    X(GROUPS, "set groups", "needs CAP_SETGID, so before the user")                                \
    X(GID, "set the group", "before the user, for the same reason")                                \
    X(UID, "set the user", "after this, nothing of root is left but what is kept")                 \
    X(CAPABILITIES, "set the capability sets", "after the user; kept ones become ambient")         \
    X(DEATH_SIGNAL, "set the death signal", "every change of credentials clears it")               \
    X(NO_NEW_PRIVS, "set no_new_privs", "Landlock and seccomp need it without CAP_SYS_ADMIN")      \
    X(LANDLOCK_RESTRICT, "enforce the Landlock rules", "late, but before seccomp could forbid it") \
    X(LANDLOCK_PROBE, "see a forbidden path refused",                                              \
            "the kernel does not show Landlock in /proc")                                          \
    X(WRITE_XOR_EXECUTE, "forbid writable code", "irrevocable and inherited")                      \
    X(VALUES, "read secrets into the environment", "late: they are in no memory but the child's")  \
    X(MASK, "unblock all signals", "rt_sigprocmask may be forbidden below")                        \
    X(SECCOMP, "load the filter", "last: it may forbid every call above")                          \
    X(GATE, "wait at the gate", "init reads back what was done before anything runs")              \
    X(EXEC, "execute the command", "the one budgeted execve")

enum laz_confine_step {
#define X(id, name, why) LAZ_STEP_##id,
    LAZ_CONFINE_STEPS(X)
#undef X
    LAZ_STEP_COUNT
};

const char *laz_confine_step_name(enum laz_confine_step step);

#define LAZ_CONFINE_DETAIL_MAX 256 /* as much of a path as a message shows */

/* One page, shared between init and the child (MAP_SHARED). The child writes, init reads. */
struct laz_confine_page {
    volatile int32_t step;   /* enum laz_confine_step: the last one done, or the one that failed */
    volatile int32_t failed; /* 1: `step` failed with `sys_errno`, and the child exits */
    volatile int32_t sys_errno;
    volatile int32_t listener; /* the number of the listener; -1 not yet, -2 none */
    volatile int32_t wait_killable;
    volatile int32_t securebits;         /* read back; -1 not read */
    volatile int32_t landlock_probe;     /* errno seen, or -1 where nothing could be learnt */
    volatile int32_t mdwe;               /* read back; -1 not read */
    char detail[LAZ_CONFINE_DETAIL_MAX]; /* a path to blame, or "" */
};

/* A variable that is a secret: its name is in front of `at`, and a NUL behind `length`. */
struct laz_confine_value {
    const char *name;
    int fd; /* a sealed memfd */
    char *at;
    size_t length;
};

/* For one that starts while the workload runs, which may by then have renamed what the policy
 * names: the policy's paths as they were before. */
struct laz_confine_kept {
    int ruleset; /* -1: no Landlock */
    int cwd;     /* O_PATH */
};

/* Everything that the child needs, prepared before the fork. All pointers borrowed.
 *
 * The child shares init's descriptor table until its execve (CLONE_FILES): so the listener, which
 * seccomp(2) creates in the child, is at once in init's table too, under the number that the page
 * says. Nothing has to be sent, which the filter could forbid, and execve gives the workload a
 * table of its own without anything that is close-on-exec. */
struct laz_confine {
    const struct laz_image *image;
    const struct laz_decided *decided;
    struct laz_confine_page *page;
    pid_t parent; /* init, for the check after PR_SET_PDEATHSIG */
    bool set_death_signal;
    int gate; /* an eventfd, for where there is no listener: init writes to it when it has read the
               * child back */
    const int *fds; /* what the workload is to have beyond 0 to 2; close-on-exec before the fork */
    size_t n_fds;
    const char *path; /* absolute */
    char *const *argv;
    char *const *envp;
    const struct laz_confine_value *values; /* of `envp`, for the child alone to read */
    size_t n_values;
    const struct laz_confine_kept *kept; /* NULL: it is the workload, which opens them itself */
};

/* In the forked child, and nowhere else. Ends in execve or _exit. */
_Noreturn void laz_confine_in_child(const struct laz_confine *confine);

#endif
