/* SPDX-License-Identifier: Apache-2.0
 *
 * What in a config.json would take the place of what the host puts there, or reach past it: whoever
 * asks for it gets no container, whatever the policy says.
 */
#ifndef LAZ_SHIM_GUARD_H
#define LAZ_SHIM_GUARD_H

#include "policy/host_policy.h"
#include "shim/bundle.h"

/* LAZ_E_REQUEST, with what is asked for. The hash is that of our own entries for hooks. */
LAZ_MUST_CHECK int laz_guard(const struct laz_bundle *bundle, const struct laz_host_policy *policy,
        const char *hash, struct laz_err *err);

/* Has it a user namespace of its own, and is none of its users, by its mappings, the host's root?
 */
bool laz_guard_is_apart(const struct laz_bundle *bundle);

#endif
