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
#include "init/role/cloud.h"
#include "init/ship/filter.h"
#include "init/ship/ship.h"

static int allow_folder(int ruleset, int folder)
{
    const struct laz_ll_path rule = {.allowed = LAZ_LL_READ_FILE | LAZ_LL_READ_DIR |
                    LAZ_LL_WRITE_FILE | LAZ_LL_MAKE_REG | LAZ_LL_REMOVE_FILE,
            .parent_fd = folder};
    return laz_sys_landlock_add(ruleset, LAZ_LL_RULE_PATH, &rule);
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
            (narrow->n_ports > 0 && laz_role_allow_resolver(ruleset) < 0) ||
            laz_role_allow_token(ruleset, narrow->token_folder) < 0 ||
            (abi >= 4 && laz_role_allow_ports(ruleset, narrow->ports, narrow->n_ports) < 0)) {
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
