/* SPDX-License-Identifier: Apache-2.0
 *
 * What this kernel and the outer sandbox offer, and what the policy makes of it: the one home of
 * feature tests. Reads /proc/self/status and asks the kernel; changes nothing.
 */
#ifndef LAZ_CONFINE_PROBE_H
#define LAZ_CONFINE_PROBE_H

#include <sys/types.h>

#include "confine/degradation.h"
#include "core/err.h"
#include "policy/image.h"

struct laz_probe {
    pid_t pid;
    uid_t uid;
    gid_t gid;
    uint64_t effective; /* capabilities, bit n = capability n */
    int landlock_abi;   /* 0 = none */
    int landlock_errno; /* why none: ENOSYS not built, EOPNOTSUPP not enabled, EPERM outer filter */
    int notify_errno;   /* 0 = notifications exist; EBUSY is only seen when the filter is loaded */
    int mdwe_errno;     /* 0 = write-xor-execute exists */
    int outer_filters;  /* seccomp filters on this process, by laz_probe_own_filters; -1 where the
                         * kernel  does not show it (before 5.9) */
    uint64_t open_files; /* soft RLIMIT_NOFILE */
};

/* How many descriptors may be open. LAZ_E_ENVIRONMENT if fewer than 16. PID 1 asks before anything
 * else, because everything else opens some. */
LAZ_MUST_CHECK int laz_probe_open_files(struct laz_probe *ret, struct laz_err *err);

/* LAZ_E_ENVIRONMENT if /proc is absent or fewer than 16 descriptors may be open. */
LAZ_MUST_CHECK int laz_probe_run(struct laz_probe *ret, struct laz_err *err);

/* Count the filters that are on this process already. Apart from laz_probe_run because PID 1 has
 * the time for it only after the fork, while the child confines itself. LAZ_E_ENVIRONMENT. */
LAZ_MUST_CHECK int laz_probe_own_filters(struct laz_probe *probe, struct laz_err *err);

/* What will be done, decided in one place before anything is forked. */
struct laz_decided {
    bool events; /* try to load with a listener; `events_required` if that may not fail */
    bool events_required;
    bool change_user;   /* have SETUID and SETGID and are not yet that user */
    bool drop_bounding; /* have SETPCAP; securebits too */
    int landlock_abi;   /* the one to use; 0 = none */
    bool write_xor_execute;
    uint64_t limits[LAZ_LIMIT_COUNT]; /* by index into the image's: the policy's value, or the hard
                                       * limit that we were started with, if that is lower */
    laz_degraded degraded;
};

/* Hold the probe against the policy's requires. LAZ_E_REQUIRED_ABSENT, LAZ_E_PRIVILEGE or
 * LAZ_E_USER_MISMATCH, naming what is missing. */
LAZ_MUST_CHECK int laz_probe_decide(const struct laz_probe *probe, const struct laz_image *image,
        struct laz_decided *ret, struct laz_err *err);

#endif
