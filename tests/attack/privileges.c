/* SPDX-License-Identifier: Apache-2.0
 *
 * Attempts to have more than the policy gives: identities, capabilities, limits, the process's own
 * switches.
 */
#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <sys/resource.h>
#include <unistd.h>

#include "attack.h"
#include "numbers.h"

static int process_control(unsigned long option, unsigned long first, unsigned long second)
{
    return attack_result(syscall(SYS_prctl, option, first, second, 0, 0));
}

int attack_setresuid(struct attack_note *note)
{
    (void)note;
    return attack_result(syscall(SYS_setresuid, 0, 0, 0));
}

int attack_setresgid(struct attack_note *note)
{
    (void)note;
    return attack_result(syscall(SYS_setresgid, 0, 0, 0));
}

int attack_setgroups(struct attack_note *note)
{
    (void)note;
    return attack_result(syscall(SYS_setgroups, 0, NULL));
}

int attack_setfsuid(struct attack_note *note)
{
    (void)note;
    (void)syscall(SYS_setfsuid, 0); /* answers the old id whether it worked or not */
    long now = syscall(SYS_setfsuid, -1);
    return now < 0 ? errno : (now == 0 ? 0 : EPERM);
}

/* Effective, permitted and inheritable, each 64 bits in two halves. */
static int read_capabilities(struct __user_cap_data_struct sets[2])
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    return attack_result(syscall(SYS_capget, &header, sets));
}

int attack_capset(struct attack_note *note)
{
    (void)note;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[2];
    int result = read_capabilities(sets);
    if (result != 0) {
        return result;
    }
    sets[0].permitted |= 1U << CAP_SYS_ADMIN;
    sets[0].effective |= 1U << CAP_SYS_ADMIN;
    return attack_result(syscall(SYS_capset, &header, sets));
}

int attack_capabilities_held(struct attack_note *note)
{
    struct __user_cap_data_struct sets[2];
    int result = read_capabilities(sets);
    if (result != 0) {
        return result;
    }
    uint32_t low = sets[0].effective | sets[0].permitted | sets[0].inheritable;
    uint32_t high = sets[1].effective | sets[1].permitted | sets[1].inheritable;
    if (low == 0 && high == 0) {
        return attack_say(note, "none");
    }
    return attack_say(note, "held:%08x%08x", high, low);
}

/* As root every user id is one call away, so the gain is shown from an ordinary one. */
int attack_ambient_raise(struct attack_note *note)
{
    (void)note;
    return process_control(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW);
}

int attack_securebits(struct attack_note *note)
{
    (void)note;
    return process_control(PR_SET_SECUREBITS, SECBIT_NOROOT, 0);
}

int attack_keepcaps(struct attack_note *note)
{
    (void)note;
    return process_control(PR_SET_KEEPCAPS, 1, 0);
}

int attack_set_mm(struct attack_note *note)
{
    (void)note;
    unsigned int size = 0;
    return process_control(PR_SET_MM, PR_SET_MM_MAP_SIZE, (unsigned long)(uintptr_t)&size);
}

int attack_control_dumpable(struct attack_note *note)
{
    (void)note;
    return process_control(PR_SET_DUMPABLE, 0, 0);
}

int attack_ptracer(struct attack_note *note)
{
    (void)note;
    return process_control(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0);
}

int attack_subreaper(struct attack_note *note)
{
    (void)note;
    return process_control(PR_SET_CHILD_SUBREAPER, 1, 0);
}

int attack_mdwe_off(struct attack_note *note)
{
    (void)note;
    return process_control(PR_SET_MDWE, 0, 0);
}

int attack_wide_prctl(struct attack_note *note)
{
    (void)note;
    return process_control(PR_SET_CHILD_SUBREAPER | ATTACK_UPPER_HALF, 1, 0);
}

/* ---- Filters of its own ---- */

static struct sock_filter allow_all[] = {{.code = BPF_RET | BPF_K, .k = SECCOMP_RET_ALLOW}};

static int install_filter(unsigned long flags)
{
    struct sock_fprog program = {.len = 1, .filter = allow_all};
    (void)process_control(PR_SET_NO_NEW_PRIVS, 1, 0); /* without it the next call says EACCES */
    return attack_result(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program));
}

int attack_seccomp_listener(struct attack_note *note)
{
    (void)note;
    return install_filter(SECCOMP_FILTER_FLAG_NEW_LISTENER);
}

int attack_seccomp_filter(struct attack_note *note)
{
    (void)note;
    return install_filter(0);
}

int attack_seccomp_by_prctl(struct attack_note *note)
{
    (void)note;
    struct sock_fprog program = {.len = 1, .filter = allow_all};
    (void)process_control(PR_SET_NO_NEW_PRIVS, 1, 0); /* as above */
    return process_control(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, (unsigned long)(uintptr_t)&program);
}

/* In strict mode only read, write, exit and sigreturn are left: say so, and leave by exit. */
int attack_seccomp_strict(struct attack_note *note)
{
    int result = process_control(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0);
    if (result == 0) {
        note->result = 0;
        syscall(SYS_exit, 0);
    }
    return result;
}

/* ---- Limits ---- */

static int raise_limit(__rlimit_resource_t resource)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0) {
        return errno;
    }
    limit.rlim_max = limit.rlim_max == RLIM_INFINITY ? RLIM_INFINITY : limit.rlim_max + 1;
    limit.rlim_cur = limit.rlim_max;
    return attack_result(setrlimit(resource, &limit));
}

int attack_raise_nofile(struct attack_note *note)
{
    (void)note;
    return raise_limit(RLIMIT_NOFILE);
}

int attack_raise_core(struct attack_note *note)
{
    (void)note;
    return raise_limit(RLIMIT_CORE);
}
