/* SPDX-License-Identifier: Apache-2.0
 *
 * What `fetch` keeps: the ports of its services, what names are looked up with, and the system
 * calls of its list. Each step refuses to go on where it fails, but for what the kernel does not
 * have.
 */
#include "init/role/narrow.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "confine/sys.h"
#include "core/fd.h"
#include "init/fetch/fetch.h"
#include "init/fetch/filter.h"

/* Without Landlock the filter below still leaves no way to write a file or to execute, and a user
 * of its own. */
static int restrict_files(const struct laz_fetch_left *left)
{
    int abi = laz_sys_landlock_create(NULL, 0, LAZ_LL_CREATE_VERSION);
    if (abi < 1) {
        return 0;
    }
    laz_cleanup_fd int ruleset = laz_role_ruleset(abi);
    if (ruleset < 0 || (left->n_ports > 0 && laz_role_allow_resolver(ruleset) < 0) ||
            laz_role_allow_token(ruleset, left->token_folder) < 0 ||
            (abi >= 4 && laz_role_allow_ports(ruleset, left->ports, left->n_ports) < 0)) {
        return -1;
    }
    return laz_sys_landlock_restrict(ruleset);
}

int laz_fetch_narrow(const struct laz_fetch_left *left, struct laz_err *err)
{
    const struct rlimit no_core = {0};
    if (laz_role_take_group(LAZ_FETCH_UID, err) < 0 || laz_role_take_user(LAZ_FETCH_UID, err) < 0 ||
            laz_role_drop_capabilities(err) < 0 || laz_role_close(err) < 0) {
        return -1;
    }
    if (setrlimit(RLIMIT_CORE, &no_core) < 0) {
        return laz_err_set(err, LAZ_E_ENFORCE, errno, "RLIMIT_CORE: %s", strerror(errno));
    }
    if (restrict_files(left) < 0) {
        return laz_err_set(err, LAZ_E_ENFORCE, errno, "Landlock: %s", strerror(errno));
    }
    return laz_role_filter(
            laz_fetch_filter, sizeof(laz_fetch_filter) / sizeof(laz_fetch_filter[0]), err);
}
