/* SPDX-License-Identifier: Apache-2.0
 *
 * What `health` keeps: the ports that its checks connect to, what names are looked up with, and the
 * system calls of its list. It binds nothing any more. Each step refuses to go on where it fails,
 * but for what the kernel does not have.
 */
#include "init/role/narrow.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "confine/sys.h"
#include "core/fd.h"
#include "init/health/filter.h"
#include "init/health/health.h"
#include "init/role/cloud.h"

static bool is_address(const char *host)
{
    struct in6_addr ignored;
    return inet_pton(AF_INET, host, &ignored) == 1 || inet_pton(AF_INET6, host, &ignored) == 1;
}

bool laz_health_needs_names(const struct laz_health_config *config)
{
    for (uint32_t i = 0; i < config->n_checks; i++) {
        if (config->checks[i].host[0] != '\0' && !is_address(config->checks[i].host)) {
            return true;
        }
    }
    return false;
}

/* Without Landlock the filter below still leaves no way to write a file or to execute, and a user
 * of its own. */
static int restrict_files(const struct laz_health_config *config)
{
    uint16_t ports[LAZ_HEALTH_CHECKS_MAX];
    size_t n = 0;
    int abi = laz_sys_landlock_create(NULL, 0, LAZ_LL_CREATE_VERSION);
    if (abi < 1) {
        return 0;
    }
    for (uint32_t i = 0; i < config->n_checks; i++) {
        if (config->checks[i].port != 0) {
            ports[n++] = config->checks[i].port;
        }
    }
    laz_cleanup_fd int ruleset = laz_role_ruleset(abi);
    if (ruleset < 0 || (laz_health_needs_names(config) && laz_role_allow_resolver(ruleset) < 0) ||
            (abi >= 4 && laz_role_allow_ports(ruleset, ports, n) < 0)) {
        return -1;
    }
    return laz_sys_landlock_restrict(ruleset);
}

int laz_health_narrow(const struct laz_health_role *role, struct laz_err *err)
{
    const struct rlimit no_core = {0};
    if (laz_role_take_group(LAZ_HEALTH_UID, err) < 0 ||
            laz_role_take_user(LAZ_HEALTH_UID, err) < 0 || laz_role_drop_capabilities(err) < 0 ||
            laz_role_close(err) < 0) {
        return -1;
    }
    if (setrlimit(RLIMIT_CORE, &no_core) < 0) {
        return laz_err_set(err, LAZ_E_ENFORCE, errno, "RLIMIT_CORE: %s", strerror(errno));
    }
    if (restrict_files(&role->config) < 0) {
        return laz_err_set(err, LAZ_E_ENFORCE, errno, "Landlock: %s", strerror(errno));
    }
    return laz_role_filter(
            laz_health_filter, sizeof(laz_health_filter) / sizeof(laz_health_filter[0]), err);
}
