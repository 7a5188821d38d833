/* SPDX-License-Identifier: Apache-2.0
 *
 * The child's way from fork to execve. Raw system calls, no allocation, no formatting. The order is
 * the table LAZ_CONFINE_STEPS; docs/explanation/start-up.md follows the same numbers.
 */
#include "confine/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "confine/descriptors.h"
#include "confine/landlock.h"
#include "confine/sys.h"
#include "core/words.h"

#define JIT_RETRIES 3 /* errno 524: the host is out of memory for compiled filters, for now */

const char *laz_confine_step_name(enum laz_confine_step step)
{
#define X(id, name, why) name "\0"
    static const char names[] = LAZ_CONFINE_STEPS(X);
#undef X
    return step < LAZ_STEP_COUNT ? laz_word(names, step) : "?";
}

/* A filter may refuse exit_group with an errno: then die of an illegal instruction. */
static _Noreturn void die_in_child(int code)
{
    for (;;) {
        (void)syscall(SYS_exit_group, code);
        __builtin_trap();
    }
}

static _Noreturn void fail_in_child(struct laz_confine_page *page, const char *detail)
{
    page->sys_errno = errno;
    if (detail != NULL) {
        size_t length = strnlen(detail, sizeof(page->detail) - 1);
        (void)memcpy(page->detail, detail, length);
    }
    page->failed = 1;
    page->listener = -2;
    /* Of a check nobody reads the page: as a shell has it. */
    die_in_child(page->step != LAZ_STEP_EXEC ? 109 : page->sys_errno == ENOENT ? 127 : 126);
}

static int reset_signals_in_child(bool is_workload)
{
    for (int s = 1; s <= LAZ_SIGNAL_MAX; s++) {
        if (s != SIGKILL && s != SIGSTOP && laz_sys_default_action(s, 0) < 0) {
            return -1;
        }
    }
    if (!is_workload) {
        return setsid() < 0 ? -1 : 0; /* nothing of the workload's, and no terminal */
    }
    return setpgid(0, 0); /* init does the same: whoever comes first */
}

static int sort_descriptors_in_child(const struct laz_confine *confine)
{
    int result = laz_descriptors_mark_in_child();
    for (size_t i = 0; result == 0 && i < confine->n_fds; i++) {
        result = fcntl(confine->fds[i], F_SETFD, 0);
    }
    return result;
}

static int set_limits_in_child(const struct laz_image *image, const struct laz_decided *decided)
{
    for (uint32_t i = 0; i < image->n_limits; i++) {
        uint64_t value = decided->limits[i];
        const uint64_t limit[2] = {value, value}; /* the kernel's struct rlimit64: soft, hard */
        if (syscall(SYS_prlimit64, 0, image->limits[i].resource, limit, NULL) < 0) {
            return -1;
        }
    }
    /* not libc's umask(): glibc's knows no failure, and an outer filter may refuse it */
    return syscall(SYS_umask, image->umask) < 0 ? -1 : 0;
}

static int drop_bounding_in_child(uint64_t keep)
{
    for (int capability = 0; capability < 64; capability++) {
        if ((keep >> capability & 1) != 0) {
            continue;
        }
        if (prctl(PR_CAPBSET_DROP, (unsigned long)capability, 0UL, 0UL, 0UL) < 0) {
            /* EINVAL: beyond the kernel's last capability; there are always at least 37 */
            return errno == EINVAL && capability > CAP_AUDIT_READ ? 0 : -1;
        }
    }
    return 0;
}

/* With NO_SETUID_FIXUP the change of user below leaves the capability sets alone, so that the final
 * capset is the only thing that decides them. */
static int lock_securebits_in_child(bool keeps_any)
{
    unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
            SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED;
    if (!keeps_any) {
        bits |= SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
    }
    return prctl(PR_SET_SECUREBITS, bits, 0UL, 0UL, 0UL);
}

static int set_capabilities_in_child(uint64_t permitted, uint64_t inheritable)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {
            {.effective = (uint32_t)permitted,
                    .permitted = (uint32_t)permitted,
                    .inheritable = (uint32_t)inheritable},
            {.effective = (uint32_t)(permitted >> 32),
                    .permitted = (uint32_t)(permitted >> 32),
                    .inheritable = (uint32_t)(inheritable >> 32)},
    };
    return (int)syscall(SYS_capset, &header, data);
}

/* Ambient capabilities, and then no further ones: locking needs CAP_SETPCAP once more, so the
 * caller has kept it in the permitted set until here. */
static int raise_ambient_in_child(uint64_t keep, bool lock)
{
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0UL, 0UL, 0UL) < 0) {
        return -1;
    }
    for (int capability = 0; capability < 64; capability++) {
        if ((keep >> capability & 1) != 0 &&
                prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, (unsigned long)capability, 0UL, 0UL) <
                        0) {
            return -1;
        }
    }
    if (!lock) {
        return 0;
    }
    int bits = prctl(PR_GET_SECUREBITS, 0UL, 0UL, 0UL, 0UL);
    if (bits < 0) {
        return -1;
    }
    return prctl(PR_SET_SECUREBITS,
            (unsigned long)bits | SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED,
            0UL, 0UL, 0UL);
}

static int final_capabilities_in_child(const struct laz_image *image, bool has_setpcap)
{
    uint64_t keep = image->keep_capabilities;
    if (keep != 0) {
        uint64_t setpcap = has_setpcap ? UINT64_C(1) << CAP_SETPCAP : 0;
        if (set_capabilities_in_child(keep | setpcap, keep) < 0 ||
                raise_ambient_in_child(keep, has_setpcap) < 0) {
            return -1;
        }
    } else if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0UL, 0UL, 0UL) < 0) {
        return -1;
    }
    return set_capabilities_in_child(keep, keep);
}

static int set_death_signal_in_child(pid_t parent)
{
    int seen = 0;
    if (prctl(PR_SET_PDEATHSIG, (unsigned long)SIGKILL, 0UL, 0UL, 0UL) < 0 ||
            prctl(PR_GET_PDEATHSIG, &seen, 0UL, 0UL, 0UL) < 0) {
        return -1;
    }
    if (seen != SIGKILL) { /* an outer filter answers in the kernel's place */
        errno = EPROTO;
        return -1;
    }
    if (getppid() != parent) { /* it died before the calls above */
        errno = ESRCH;
        return -1;
    }
    return 0;
}

static int load_filter_in_child(const struct laz_image_bpf *bpf, unsigned flags)
{
    struct sock_fprog program = {
            .len = (unsigned short)bpf->n,
            .filter = laz_unconst(bpf->insns),
    };
    int result = -1;
    for (int i = 0; i <= JIT_RETRIES; i++) {
        result = laz_sys_seccomp(SECCOMP_SET_MODE_FILTER, flags, &program);
        if (result >= 0 || errno != LAZ_ENOTSUPP) {
            break;
        }
    }
    return result;
}

/* With a listener if there is one to be had; returns whether there is. */
static int load_filters_in_child(const struct laz_confine *confine)
{
    struct laz_confine_page *page = confine->page;
    if (confine->decided->events) {
        const struct laz_image_bpf *bpf = &confine->image->with_events;
        unsigned flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | LAZ_SECCOMP_WAIT_KILLABLE_RECV;
        int listener = load_filter_in_child(bpf, flags);
        page->wait_killable = listener >= 0;
        if (listener < 0 && errno == EINVAL) {
            listener = load_filter_in_child(bpf, SECCOMP_FILTER_FLAG_NEW_LISTENER);
        }
        if (listener > STDERR_FILENO) {
            page->listener = listener;
            return 1;
        }
        if (listener >= 0) { /* an outer filter has answered: the first three are open */
            errno = EPROTO;
            return -1;
        }
        /* EBUSY: the platform listens already. EINVAL, ENOSYS: not in this kernel or sandbox. */
        bool absent = errno == EBUSY || errno == EINVAL || errno == ENOSYS;
        if (!absent || confine->decided->events_required) {
            return -1;
        }
    }
    page->listener = -2;
    return load_filter_in_child(&confine->image->plain, 0) < 0 ? -1 : 0;
}

/* Without a listener: init lets us through by a write. If it refuses, it kills us. */
static int wait_at_gate_in_child(int gate)
{
    uint64_t value = 0;
    ssize_t n = 0;
    do {
        n = read(gate, &value, sizeof(value));
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(value) ? 0 : -1;
}

static void step_in_child(const struct laz_confine *confine, enum laz_confine_step step, int result)
{
    confine->page->step = (int32_t)step;
    if (result < 0) {
        fail_in_child(confine->page, NULL);
    }
}

static void become_user_in_child(const struct laz_confine *confine)
{
    const struct laz_image *image = confine->image;
    const struct laz_decided *decided = confine->decided;
    bool keeps_any = image->keep_capabilities != 0;
    if (decided->drop_bounding) {
        step_in_child(confine, LAZ_STEP_BOUNDING, drop_bounding_in_child(image->keep_capabilities));
        step_in_child(confine, LAZ_STEP_SECUREBITS, lock_securebits_in_child(keeps_any));
    }
    if (decided->change_user) {
        step_in_child(confine, LAZ_STEP_GROUPS,
                (int)syscall(SYS_setgroups, (size_t)image->n_groups, image->groups));
        step_in_child(confine, LAZ_STEP_GID,
                (int)syscall(SYS_setresgid, image->gid, image->gid, image->gid));
        step_in_child(confine, LAZ_STEP_UID,
                (int)syscall(SYS_setresuid, image->uid, image->uid, image->uid));
    }
    step_in_child(confine, LAZ_STEP_CAPABILITIES,
            final_capabilities_in_child(image, decided->drop_bounding));
    confine->page->securebits = prctl(PR_GET_SECUREBITS, 0UL, 0UL, 0UL, 0UL);
}

static void restrict_in_child(const struct laz_confine *confine, int ruleset)
{
    struct laz_confine_page *page = confine->page;
    step_in_child(confine, LAZ_STEP_NO_NEW_PRIVS, prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL));
    if (ruleset >= 0) {
        step_in_child(confine, LAZ_STEP_LANDLOCK_RESTRICT, laz_sys_landlock_restrict(ruleset));
        (void)close(ruleset); /* the table is shared: it would stay in init */
        int seen = laz_landlock_probe_in_child(confine->image);
        page->landlock_probe = seen;
        errno = seen > 0 ? seen : ENOTRECOVERABLE;
        /* Any other error than Landlock's own shows nothing about Landlock. */
        step_in_child(confine, LAZ_STEP_LANDLOCK_PROBE, seen == -1 || seen == EACCES ? 0 : -1);
    }
    if (confine->decided->write_xor_execute) {
        step_in_child(confine, LAZ_STEP_WRITE_XOR_EXECUTE,
                prctl(LAZ_PR_SET_MDWE, LAZ_PR_MDWE_REFUSE_EXEC_GAIN, 0UL, 0UL, 0UL));
        page->mdwe = prctl(LAZ_PR_GET_MDWE, 0UL, 0UL, 0UL, 0UL);
    }
}

/* Into its own copy of the pages, which the parent never writes. */
static void read_values_in_child(const struct laz_confine *confine)
{
    for (size_t i = 0; i < confine->n_values; i++) {
        const struct laz_confine_value *value = &confine->values[i];
        confine->page->step = LAZ_STEP_VALUES;
        errno = EIO; /* fewer bytes than there are */
        if (pread(value->fd, value->at, value->length, 0) != (ssize_t)value->length) {
            fail_in_child(confine->page, value->name);
        }
    }
}

/* Where an outer filter answers that the folder was changed, or for what is asked here, and does
 * nothing, these are two. */
static int check_folder_in_child(int folder, const char *path)
{
    struct stat there = {.st_ino = 1};
    struct stat here = {.st_ino = 2};
    if (syscall(SYS_newfstatat, folder, path, &there, AT_EMPTY_PATH) < 0 ||
            syscall(SYS_newfstatat, AT_FDCWD, ".", &here, 0) < 0) {
        return -1;
    }
    if (there.st_dev != here.st_dev || there.st_ino != here.st_ino) {
        errno = EPROTO;
        return -1;
    }
    return 0;
}

/* Follows the policy's paths, as root: where nothing hostile has run yet, and nowhere else. */
static int resolve_in_child(const struct laz_confine *confine)
{
    const struct laz_image *image = confine->image;
    int ruleset = -1;
    if (chdir(image->cwd) < 0 || check_folder_in_child(AT_FDCWD, image->cwd) < 0) {
        confine->page->step = LAZ_STEP_CWD;
        fail_in_child(confine->page, image->cwd);
    }
    if (confine->decided->landlock_abi > 0) {
        const char *path = NULL;
        ruleset = laz_landlock_build(image, confine->decided->landlock_abi, &path);
        if (ruleset < 0) {
            confine->page->step = LAZ_STEP_LANDLOCK_BUILD;
            fail_in_child(confine->page, path);
        }
    }
    return ruleset;
}

_Noreturn void laz_confine_in_child(const struct laz_confine *confine)
{
    const struct laz_image *image = confine->image;
    const struct laz_confine_kept *kept = confine->kept;
    step_in_child(confine, LAZ_STEP_SIGNALS, reset_signals_in_child(kept == NULL));
    step_in_child(confine, LAZ_STEP_DESCRIPTORS, sort_descriptors_in_child(confine));
    step_in_child(confine, LAZ_STEP_LIMITS, set_limits_in_child(image, confine->decided));
    int ruleset = kept != NULL ? kept->ruleset : resolve_in_child(confine);
    /* The workload has gone there as root; and where root has no capability, the user may. */
    bool is_there =
            kept == NULL || (fchdir(kept->cwd) == 0 && check_folder_in_child(kept->cwd, "") == 0);
    become_user_in_child(confine);
    if (!is_there) {
        step_in_child(confine, LAZ_STEP_CWD, fchdir(kept->cwd));
        step_in_child(confine, LAZ_STEP_CWD, check_folder_in_child(kept->cwd, ""));
    }
    if (confine->set_death_signal) {
        step_in_child(confine, LAZ_STEP_DEATH_SIGNAL, set_death_signal_in_child(confine->parent));
    }
    restrict_in_child(confine, ruleset);
    read_values_in_child(confine);
    const uint64_t no_signals = 0;
    step_in_child(confine, LAZ_STEP_MASK,
            (int)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &no_signals, NULL, sizeof(no_signals)));
    int listening = load_filters_in_child(confine);
    step_in_child(confine, LAZ_STEP_SECCOMP, listening);
    confine->page->step = LAZ_STEP_GATE;
    if (listening == 0) {
        step_in_child(confine, LAZ_STEP_GATE, wait_at_gate_in_child(confine->gate));
    }
    (void)execve(confine->path, confine->argv, confine->envp);
    confine->page->step = LAZ_STEP_EXEC;
    fail_in_child(confine->page, confine->path);
}
