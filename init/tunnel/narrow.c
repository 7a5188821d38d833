/* SPDX-License-Identifier: Apache-2.0
 *
 * What `tunnel` keeps: the ports that it connects to, what names are looked up with, and the system
 * calls of its list. It binds nothing any more. Each step refuses to go on where it fails, but for
 * what the kernel does not have.
 */
#include "init/role/narrow.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "confine/sys.h"
#include "core/fd.h"
#include "init/role/cloud.h"
#include "init/tunnel/filter.h"
#include "init/tunnel/tunnel.h"

bool laz_tunnel_needs_names(const struct laz_tunnel_config *config)
{
    for (uint32_t i = 0; i < config->n_entries; i++) {
        if (!config->entries[i].listens) {
            return true;
        }
    }
    return false;
}

/* Without Landlock the filter below still leaves no way to write a file or to execute, and a user
 * of its own. Connecting to a unix socket is no matter of Landlock's. */
static int restrict_files(const struct laz_tunnel_config *config)
{
    uint16_t ports[LAZ_TUNNEL_ENTRIES_MAX];
    size_t n = 0;
    int abi = laz_sys_landlock_create(NULL, 0, LAZ_LL_CREATE_VERSION);
    if (abi < 1) {
        return 0;
    }
    for (uint32_t i = 0; i < config->n_entries; i++) {
        if (config->entries[i].to.port != 0) {
            ports[n++] = config->entries[i].to.port;
        }
    }
    laz_cleanup_fd int ruleset = laz_role_ruleset(abi);
    if (ruleset < 0 || (laz_tunnel_needs_names(config) && laz_role_allow_resolver(ruleset) < 0) ||
            (abi >= 4 && laz_role_allow_ports(ruleset, ports, n) < 0)) {
        return -1;
    }
    return laz_sys_landlock_restrict(ruleset);
}

/* A unix socket of the workload's, of mode 0660, is for its group. */
static int join_group(const struct laz_tunnel_config *config, struct laz_err *err)
{
    bool wants = false;
    for (uint32_t i = 0; i < config->n_entries; i++) {
        wants = wants || (config->entries[i].listens && config->entries[i].to.port == 0);
    }
    const gid_t group = config->workload.gid;
    if (wants && geteuid() == 0 && setgroups(1, &group) < 0) {
        return laz_err_set(err, LAZ_E_PRIVILEGE, errno,
                "lazaret-helper cannot join the workload's group %u: %s", group, strerror(errno));
    }
    return 0;
}

int laz_tunnel_narrow(const struct laz_tunnel *tunnel, struct laz_err *err)
{
    const struct rlimit no_core = {0};
    if (laz_role_take_group(LAZ_TUNNEL_UID, err) < 0 || join_group(&tunnel->config, err) < 0 ||
            laz_role_take_user(LAZ_TUNNEL_UID, err) < 0 || laz_role_drop_capabilities(err) < 0 ||
            laz_role_close(err) < 0) {
        return -1;
    }
    if (setrlimit(RLIMIT_CORE, &no_core) < 0) {
        return laz_err_set(err, LAZ_E_ENFORCE, errno, "RLIMIT_CORE: %s", strerror(errno));
    }
    if (restrict_files(&tunnel->config) < 0) {
        return laz_err_set(err, LAZ_E_ENFORCE, errno, "Landlock: %s", strerror(errno));
    }
    return laz_role_filter(
            laz_tunnel_filter, sizeof(laz_tunnel_filter) / sizeof(laz_tunnel_filter[0]), err);
}
