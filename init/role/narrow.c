/* SPDX-License-Identifier: Apache-2.0
 *
 * The steps by which a helper gives up what it does not need; each role has its own order of them
 * and says what it keeps. Each refuses to go on where it fails, but for what the kernel does not
 * have.
 */
#include "init/role/narrow.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "confine/sys.h"
#include "core/fd.h"

static int refused(const char *what, uint32_t id, struct laz_err *err)
{
    return laz_err_set(err, LAZ_E_PRIVILEGE, errno, "lazaret-helper cannot become %s %u: %s", what,
            id, strerror(errno));
}

int laz_role_take_group(uint32_t id, struct laz_err *err)
{
    if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(id, id, id) < 0)) {
        return refused("group", id, err);
    }
    return 0;
}

int laz_role_take_user(uint32_t id, struct laz_err *err)
{
    if (geteuid() == 0 && setresuid(id, id, id) < 0) {
        return refused("user", id, err);
    }
    return 0;
}

int laz_role_drop_capabilities(struct laz_err *err)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[2] = {0};
    if (syscall(SYS_capset, &header, none) < 0) {
        return laz_err_set(err, LAZ_E_ENFORCE, errno, "capset: %s", strerror(errno));
    }
    return 0;
}

int laz_role_close(struct laz_err *err)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) < 0 ||
            prctl(PR_SET_DUMPABLE, 0UL, 0UL, 0UL, 0UL) < 0) {
        return laz_err_set(err, LAZ_E_ENFORCE, errno, "prctl: %s", strerror(errno));
    }
    return 0;
}

int laz_role_ruleset(int abi)
{
    struct laz_ll_ruleset all = {.handled_fs = LAZ_LL_REFER - 1};
    size_t size = sizeof(all.handled_fs);
    if (abi >= 4) {
        all.handled_net = LAZ_LL_BIND_TCP | LAZ_LL_CONNECT_TCP;
        size = offsetof(struct laz_ll_ruleset, scoped);
    }
    if (abi >= 6) {
        all.scoped = LAZ_LL_SCOPE_SIGNAL | LAZ_LL_SCOPE_ABSTRACT_UNIX;
        size = sizeof(all);
    }
    return laz_sys_landlock_create(&all, size, 0);
}

int laz_role_filter(const struct sock_filter *filter, size_t n, struct laz_err *err)
{
    const struct sock_fprog program = {
            .len = (unsigned short)n,
            .filter = laz_unconst(filter),
    };
    if (laz_sys_seccomp(SECCOMP_SET_MODE_FILTER, 0, laz_unconst(&program)) < 0) {
        return laz_err_set(err, LAZ_E_ENFORCE, errno, "seccomp: %s", strerror(errno));
    }
    return 0;
}
