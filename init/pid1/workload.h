/* SPDX-License-Identifier: Apache-2.0
 *
 * Starting the workload, as far as PID 1 does it: find the file, pick the environment, fork, and
 * what was learnt on the way. What the child does is confine/confine.h; the process `launch`, which
 * starts helpers, is launcher.h.
 */
#ifndef LAZ_INIT_PID1_WORKLOAD_H
#define LAZ_INIT_PID1_WORKLOAD_H

#include "confine/attest.h"
#include "confine/confine.h"

#define LAZ_FILE_PATH_MAX 4096 /* the kernel's PATH_MAX, NUL included */
#define LAZ_SAID_PATH_MAX 256  /* as much of a path as a message shows */
/* PATH where the policy has none. */
#define LAZ_WORKLOAD_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct laz_secrets;

/* Owned descriptors are -1 when closed. The picked environment is for the child alone and
 * unmapped in PID 1 right after the fork: PID 1 keeps no value of it. */
struct laz_workload {
    struct laz_probe probe;
    struct laz_decided decided;
    struct laz_confine_page *page; /* shared mapping */
    pid_t pid;
    int gate; /* an eventfd, for where there is no listener; shared with the child until the exec */
    const int *fds; /* of the workload, by number; in the child they live on; borrowed */
    size_t n_fds;
    const struct laz_secrets *secrets; /* of which some may be variables; NULL: none; borrowed */
    int listener;                      /* -1 until it is there, and where there is none */
    struct laz_process_state seen;     /* what was read back at the gate */
    char path[LAZ_FILE_PATH_MAX];      /* the one absolute file */
};

void laz_workload_init(struct laz_workload *workload);

/* Resolve command[0] in the workload's PATH, build its argv and environment, fork. `environment` is
 * this process's own and is wiped in place afterwards. */
LAZ_MUST_CHECK int laz_workload_fork(struct laz_workload *workload, const struct laz_image *image,
        char *const *command, char **environment, struct laz_err *err);

/* At the gate: take a descriptor table of our own and leave stdin and stdout to it. False
 * before Linux 5.9 and where an outer filter refuses: the table is then shared until the execve. */
bool laz_workload_part(void);

/* At the gate: read the child back and compare. LAZ_E_ATTEST, LAZ_E_ENFORCE. */
LAZ_MUST_CHECK int laz_workload_attest(
        struct laz_workload *workload, const struct laz_image *image, struct laz_err *err);

/* What the page says about a child that ended before its exec. Sets err; returns the exit code. */
int laz_workload_failure(const struct laz_workload *workload, int wait_status, struct laz_err *err);

/* Degradations that only show while the child confines itself. */
laz_degraded laz_workload_degraded(const struct laz_workload *workload);

#endif
