/* SPDX-License-Identifier: Apache-2.0
 *
 * A second look at a container's mounts, when the runtime has made them. What the shim judged were
 * paths, and what was at them then.
 */
#ifndef LAZ_HOOKS_LOOK_H
#define LAZ_HOOKS_LOOK_H

#include "hooks/bundle.h"
#include "policy/host.h"

/* By the mounts of the container's first process. LAZ_E_REQUEST: something of the host is in the
 * container that its policy does not let it have. The file of records counts as the host's own. */
LAZ_MUST_CHECK int laz_hook_look(const struct laz_hook_bundle *bundle, uint32_t pid,
        const struct laz_policy_host *host, const char *records, struct laz_err *err);

#endif
