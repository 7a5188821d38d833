/* SPDX-License-Identifier: Apache-2.0
 *
 * How a helper gives up what it does not need: first root, then the file system and the network by
 * Landlock, last every system call but those of its list. Each step refuses to go on where it
 * fails, but for what the kernel does not have.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "confine/sys.h"
#include "core/fd.h"
#include "init/role_ship.h"
#include "init/ship_filter.h"

#define DNS_PORT 53

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

static int drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[2] = {0};
    return (int)syscall(SYS_capset, &header, none);
}

static int allow_folder(int ruleset, int folder)
{
    const struct laz_ll_path rule = {.allowed = LAZ_LL_READ_FILE | LAZ_LL_READ_DIR |
                    LAZ_LL_WRITE_FILE | LAZ_LL_MAKE_REG | LAZ_LL_REMOVE_FILE,
            .parent_fd = folder};
    return laz_sys_landlock_add(ruleset, LAZ_LL_RULE_PATH, &rule);
}

static int allow_token(int ruleset, int folder)
{
    const struct laz_ll_path rule = {.allowed = LAZ_LL_READ_FILE, .parent_fd = folder};
    return folder < 0 ? 0 : laz_sys_landlock_add(ruleset, LAZ_LL_RULE_PATH, &rule);
}

static int allow_ports(int ruleset, const struct laz_narrow *narrow)
{
    struct laz_ll_port rule = {.allowed = LAZ_LL_CONNECT_TCP, .port = DNS_PORT};
    int result = narrow->n_ports > 0 ? laz_sys_landlock_add(ruleset, LAZ_LL_RULE_PORT, &rule) : 0;
    for (size_t i = 0; i < narrow->n_ports && result == 0; i++) {
        rule.port = narrow->ports[i];
        result = laz_sys_landlock_add(ruleset, LAZ_LL_RULE_PORT, &rule);
    }
    return result;
}

/* What a name is looked up with, read once when a sink is opened. What is not there cannot be read.
 */
static int allow_resolver(int ruleset)
{
    static const char *const files[] = {"/etc/resolv.conf", "/etc/hosts"};
    struct laz_ll_path rule = {.allowed = LAZ_LL_READ_FILE};
    int result = 0;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && result == 0; i++) {
        laz_cleanup_fd int fd = open(files[i], O_PATH | O_CLOEXEC);
        rule.parent_fd = fd;
        result = fd < 0 ? 0 : laz_sys_landlock_add(ruleset, LAZ_LL_RULE_PATH, &rule);
    }
    return result;
}

/* The spool's folder, and the ports of the sinks. Without Landlock the filter below still leaves no
 * way to execute, and a user of its own. */
static int restrict_files(const struct laz_narrow *narrow)
{
    int abi = laz_sys_landlock_create(NULL, 0, LAZ_LL_CREATE_VERSION);
    if (abi < 1) {
        return 0;
    }
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
    laz_cleanup_fd int ruleset = laz_sys_landlock_create(&all, size, 0);
    if (ruleset < 0 || allow_folder(ruleset, narrow->spool_dir) < 0 ||
            (narrow->n_ports > 0 && allow_resolver(ruleset) < 0) ||
            allow_token(ruleset, narrow->token_folder) < 0 ||
            (abi >= 4 && allow_ports(ruleset, narrow) < 0)) {
        return -1;
    }
    return laz_sys_landlock_restrict(ruleset);
}

int laz_role_narrow(const struct laz_narrow *narrow, struct laz_err *err)
{
    if (drop_capabilities() < 0) {
        return laz_err_set(err, LAZ_E_ENFORCE, errno, "capset: %s", strerror(errno));
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) < 0 ||
            prctl(PR_SET_DUMPABLE, 0UL, 0UL, 0UL, 0UL) < 0) {
        return laz_err_set(err, LAZ_E_ENFORCE, errno, "prctl: %s", strerror(errno));
    }
    if (restrict_files(narrow) < 0) {
        return laz_err_set(err, LAZ_E_ENFORCE, errno, "Landlock: %s", strerror(errno));
    }
    const struct sock_fprog program = {
            .len = (unsigned short)(sizeof(laz_ship_filter) / sizeof(laz_ship_filter[0])),
            .filter = laz_unconst(laz_ship_filter),
    };
    if (laz_sys_seccomp(SECCOMP_SET_MODE_FILTER, 0, laz_unconst(&program)) < 0) {
        return laz_err_set(err, LAZ_E_ENFORCE, errno, "seccomp: %s", strerror(errno));
    }
    return 0;
}
