/* SPDX-License-Identifier: Apache-2.0
 *
 * What `ship` keeps: the spool's folder, the ports of its sinks, what names are looked up with, and
 * the system calls of its list.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "confine/sys.h"
#include "core/fd.h"
#include "init/ship/filter.h"
#include "init/ship/ship.h"

#define DNS_PORT 53

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
    laz_cleanup_fd int ruleset = laz_role_ruleset(abi);
    if (ruleset < 0 || allow_folder(ruleset, narrow->spool_dir) < 0 ||
            (narrow->n_ports > 0 && allow_resolver(ruleset) < 0) ||
            allow_token(ruleset, narrow->token_folder) < 0 ||
            (abi >= 4 && allow_ports(ruleset, narrow) < 0)) {
        return -1;
    }
    return laz_sys_landlock_restrict(ruleset);
}

int laz_ship_narrow(const struct laz_narrow *narrow, struct laz_err *err)
{
    if (laz_role_drop_capabilities(err) < 0 || laz_role_close(err) < 0) {
        return -1;
    }
    if (restrict_files(narrow) < 0) {
        return laz_err_set(err, LAZ_E_ENFORCE, errno, "Landlock: %s", strerror(errno));
    }
    return laz_role_filter(
            laz_ship_filter, sizeof(laz_ship_filter) / sizeof(laz_ship_filter[0]), err);
}
