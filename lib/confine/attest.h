/* SPDX-License-Identifier: Apache-2.0
 *
 * What is so: a process's credentials, capabilities, filters and limits as the kernel shows them in
 * /proc, and whether they equal the policy. Read-only; runs in PID 1 while the child hangs in its
 * gate.
 */
#ifndef LAZ_CONFINE_ATTEST_H
#define LAZ_CONFINE_ATTEST_H

#include "confine/probe.h"

#define LAZ_ATTEST_GROUPS_MAX 64

/* What /proc/PID/status showed. */
struct laz_process_state {
    pid_t tgid;      /* the process that a thread belongs to; 0: not shown */
    char name[20];   /* comm: the process chooses it, so untrusted */
    uint32_t uid[4]; /* real, effective, saved, filesystem */
    uint32_t gid[4];
    uint32_t n_groups; /* LAZ_ATTEST_GROUPS_MAX + 1 if there are more */
    uint32_t groups[LAZ_ATTEST_GROUPS_MAX];
    uint64_t cap_inheritable;
    uint64_t cap_permitted;
    uint64_t cap_effective;
    uint64_t cap_bounding;
    uint64_t cap_ambient;
    int umask; /* -1: not shown */
    int no_new_privs;
    int seccomp;
    int seccomp_filters; /* -1: not shown */
    uint64_t sig_block;  /* bit n-1: this thread, or the first, holds signal n back */
    uint64_t sig_ignore; /* bit n-1: signal n is ignored, and would be behind an execve */
    uint64_t sig_catch;  /* bit n-1: signal n has a handler */
};

/* pid 0 = this process. LAZ_E_ENVIRONMENT if the file cannot be read or lacks a line. */
LAZ_MUST_CHECK int laz_attest_read(pid_t pid, struct laz_process_state *ret, struct laz_err *err);

/* Does every thread of a process hold this signal back? No, where that cannot be seen. */
bool laz_attest_holds_back(pid_t pid, int signal_number);

/* The same from text, for tests and fuzzing. */
LAZ_MUST_CHECK int laz_attest_parse(
        const char *text, size_t length, struct laz_process_state *ret, struct laz_err *err);

/* Compare with the policy and what was decided. LAZ_E_ATTEST names the first field that differs,
 * what was read and what was wanted. */
LAZ_MUST_CHECK int laz_attest_check(const struct laz_process_state *state,
        const struct laz_image *image, const struct laz_probe *probe,
        const struct laz_decided *decided, struct laz_err *err);

/* Read the limits back from /proc/PID/limits (prlimit(2) would need CAP_SYS_RESOURCE for another
 * user's process) and compare. */
LAZ_MUST_CHECK int laz_attest_limits(pid_t pid, const struct laz_image *image,
        const struct laz_decided *decided, struct laz_err *err);

#endif
