/* SPDX-License-Identifier: Apache-2.0
 *
 * Feature tests and what follows from them. libc only: linked into PID 1.
 */
#include "confine/probe.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "confine/attest.h"
#include "confine/landlock.h"
#include "confine/sys.h"

#define OPEN_FILES_MIN 16

static bool has_capability(const struct laz_probe *probe, int capability)
{
    return (probe->effective >> capability & 1) != 0;
}

/* capget cannot fail for the calling process; if it does, nothing is granted. */
static uint64_t effective_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};
    if (syscall(SYS_capget, &header, data) < 0) {
        return 0;
    }
    return data[0].effective | (uint64_t)data[1].effective << 32;
}

int laz_probe_own_filters(struct laz_probe *probe, struct laz_err *err)
{
    if (prctl(PR_GET_SECCOMP, 0UL, 0UL, 0UL, 0UL) == 0) {
        probe->outer_filters = 0; /* none at all: spare the reading of /proc, 50 us of start-up */
        return 0;
    }
    struct laz_process_state self;
    if (laz_attest_read(0, &self, err) < 0) {
        return -1;
    }
    probe->outer_filters = self.seccomp_filters;
    return 0;
}

int laz_probe_open_files(struct laz_probe *ret, struct laz_err *err)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        ret->open_files = limit.rlim_cur;
        if (limit.rlim_cur < OPEN_FILES_MIN) {
            return laz_err_set(err, LAZ_E_ENVIRONMENT, 0,
                    "only %llu descriptors may be open (RLIMIT_NOFILE); at least %d are needed",
                    (unsigned long long)limit.rlim_cur, OPEN_FILES_MIN);
        }
    }
    return 0;
}

int laz_probe_run(struct laz_probe *ret, struct laz_err *err)
{
    struct laz_probe probe = {.pid = getpid(), .uid = getuid(), .gid = getgid()};
    if (laz_probe_open_files(&probe, err) < 0) {
        return -1;
    }
    if (access("/proc/self/status", R_OK) < 0) {
        return laz_err_set_errno(
                err, LAZ_E_ENVIRONMENT, "/proc is needed to read back what was enforced");
    }
    probe.effective = effective_capabilities();

    int abi = laz_sys_landlock_create(NULL, 0, LAZ_LL_CREATE_VERSION);
    probe.landlock_abi = abi > 0 ? abi : 0;
    probe.landlock_errno = abi > 0 ? 0 : errno;

    struct seccomp_notif_sizes sizes;
    if (laz_sys_seccomp(SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0) {
        probe.notify_errno = errno;
    } else if (sizes.seccomp_notif > sizeof(struct seccomp_notif) ||
            sizes.seccomp_notif_resp > sizeof(struct seccomp_notif_resp)) {
        probe.notify_errno = E2BIG; /* a kernel with larger structs than ours */
    }
    probe.mdwe_errno = prctl(LAZ_PR_GET_MDWE, 0UL, 0UL, 0UL, 0UL) < 0 ? errno : 0;
    *ret = probe;
    return 0;
}

/* A feature that is absent: an error if it is required, a degradation if it is preferred. */
static int absent(const struct laz_image *image, enum laz_require require, laz_degraded bit,
        struct laz_decided *decided, int sys_errno, struct laz_err *err)
{
    if (image->require[require] == LAZ_LEVEL_REQUIRED) {
        return laz_err_set(err, LAZ_E_REQUIRED_ABSENT, sys_errno, "requires.%s: %s",
                laz_require_name(require),
                sys_errno == 0 ? "not possible here" : strerror(sys_errno));
    }
    decided->degraded |= bit;
    return 0;
}

static int decide_user(const struct laz_probe *probe, const struct laz_image *image,
        struct laz_decided *decided, struct laz_err *err)
{
    bool same = probe->uid == image->uid && probe->gid == image->gid;
    bool can_set = has_capability(probe, CAP_SETUID) && has_capability(probe, CAP_SETGID);
    if (!can_set && !same) {
        if (probe->uid == 0) {
            return laz_err_set(err, LAZ_E_PRIVILEGE, 0, "%s is missing: cannot become %u:%u",
                    has_capability(probe, CAP_SETUID) ? "CAP_SETGID" : "CAP_SETUID", image->uid,
                    image->gid);
        }
        return laz_err_set(err, LAZ_E_USER_MISMATCH, 0,
                "started as %u:%u, but workload.user is %u:%u", probe->uid, probe->gid, image->uid,
                image->gid);
    }
    decided->change_user = can_set;
    if (!can_set) {
        decided->degraded |= LAZ_DEGRADED_BIT(GROUPS);
    }
    if (probe->uid == image->uid &&
            image->require[LAZ_REQUIRE_SEPARATE_USER] != LAZ_LEVEL_DISABLED) {
        return absent(
                image, LAZ_REQUIRE_SEPARATE_USER, LAZ_DEGRADED_BIT(SHARED_USER), decided, 0, err);
    }
    return 0;
}

static int decide_capabilities(const struct laz_probe *probe, const struct laz_image *image,
        struct laz_decided *decided, struct laz_err *err)
{
    decided->drop_bounding = has_capability(probe, CAP_SETPCAP);
    if (!decided->drop_bounding) {
        decided->degraded |= LAZ_DEGRADED_BIT(SECUREBITS);
        if (absent(image, LAZ_REQUIRE_BOUNDING_SET, LAZ_DEGRADED_BIT(BOUNDING_SET), decided, EPERM,
                    err) < 0) {
            return -1;
        }
    }
    uint64_t missing = image->keep_capabilities & ~probe->effective;
    if (missing != 0) {
        return laz_err_set(err, LAZ_E_PRIVILEGE, 0,
                "privileges.capabilities.keep names capability %d, which lazaret-init does not "
                "have",
                __builtin_ctzll(missing));
    }
    return 0;
}

static int decide_landlock(const struct laz_probe *probe, const struct laz_image *image,
        struct laz_decided *decided, struct laz_err *err)
{
    if (image->require[LAZ_REQUIRE_LANDLOCK] == LAZ_LEVEL_DISABLED) {
        return 0;
    }
    if (probe->landlock_abi == 0) {
        laz_degraded lost = LAZ_DEGRADED_BIT(LANDLOCK);
        lost |= image->tls_plain == LAZ_PLAIN_ENFORCE ? LAZ_DEGRADED_BIT(PLAIN) : 0;
        return absent(image, LAZ_REQUIRE_LANDLOCK, lost, decided, probe->landlock_errno, err);
    }
    bool required = image->require[LAZ_REQUIRE_LANDLOCK] == LAZ_LEVEL_REQUIRED;
    if (required && (uint32_t)probe->landlock_abi < image->landlock_min_abi) {
        return laz_err_set(err, LAZ_E_REQUIRED_ABSENT, 0,
                "requires.landlock: the kernel has ABI %d, min-abi is %u", probe->landlock_abi,
                image->landlock_min_abi);
    }
    decided->landlock_abi = probe->landlock_abi;
    decided->degraded |= laz_landlock_missing(image, probe->landlock_abi);
    return 0;
}

/* Raising a hard limit needs CAP_SYS_RESOURCE, which containers do not have: a policy's limit is a
 * ceiling. */
static void decide_limits(const struct laz_image *image, struct laz_decided *decided)
{
    for (uint32_t i = 0; i < image->n_limits; i++) {
        uint64_t own[2] = {0, UINT64_MAX};
        decided->limits[i] = image->limits[i].value;
        if (syscall(SYS_prlimit64, 0, image->limits[i].resource, NULL, own) == 0 &&
                own[1] < decided->limits[i]) {
            decided->limits[i] = own[1];
            decided->degraded |= LAZ_DEGRADED_BIT(LIMITS);
        }
    }
}

int laz_probe_decide(const struct laz_probe *probe, const struct laz_image *image,
        struct laz_decided *ret, struct laz_err *err)
{
    struct laz_decided decided = {0};
    if (decide_user(probe, image, &decided, err) < 0 ||
            decide_capabilities(probe, image, &decided, err) < 0 ||
            decide_landlock(probe, image, &decided, err) < 0) {
        return -1;
    }
    if (probe->uid != image->uid && !has_capability(probe, CAP_KILL)) {
        decided.degraded |= LAZ_DEGRADED_BIT(KILL);
    }
    decide_limits(image, &decided);
    bool observe = image->mode == LAZ_MODE_OBSERVE;
    bool budget_required = image->require[LAZ_REQUIRE_EXEC_BUDGET] == LAZ_LEVEL_REQUIRED;
    decided.events = image->require[LAZ_REQUIRE_EVENTS] != LAZ_LEVEL_DISABLED || observe;
    decided.events_required = image->require[LAZ_REQUIRE_EVENTS] == LAZ_LEVEL_REQUIRED ||
            (budget_required && image->exec_budget >= 0) || observe;
    if (decided.events && probe->notify_errno != 0) {
        if (decided.events_required) {
            return laz_err_set(err, LAZ_E_REQUIRED_ABSENT, probe->notify_errno,
                    "%s needs seccomp notifications: %s",
                    observe ? "mode: observe" : "requires.events or requires.exec-budget",
                    strerror(probe->notify_errno));
        }
        decided.events = false;
        decided.degraded |= LAZ_DEGRADED_BIT(EVENTS);
    }
    if (!decided.events && image->exec_budget >= 0) {
        decided.degraded |= LAZ_DEGRADED_BIT(EXEC_BUDGET);
    }
    if (image->require[LAZ_REQUIRE_WRITE_XOR_EXECUTE] != LAZ_LEVEL_DISABLED) {
        decided.write_xor_execute = probe->mdwe_errno == 0;
        if (!decided.write_xor_execute &&
                absent(image, LAZ_REQUIRE_WRITE_XOR_EXECUTE, LAZ_DEGRADED_BIT(WRITE_XOR_EXECUTE),
                        &decided, probe->mdwe_errno, err) < 0) {
            return -1;
        }
    }
    *ret = decided;
    return 0;
}
