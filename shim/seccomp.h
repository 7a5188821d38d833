/* SPDX-License-Identifier: Apache-2.0
 *
 * linux.seccomp of a container under a policy, by `host.seccomp`.
 */
#ifndef LAZ_SHIM_SECCOMP_H
#define LAZ_SHIM_SECCOMP_H

#include "oci/change.h"
#include "policy/host.h"

/* Does it need the policy's profile? Not where the engine's stays as it is. */
bool laz_seccomp_needs_profile(const struct laz_oci_spec *spec, const struct laz_policy_host *host);

/* `profile`: as laz_profile_make makes it. LAZ_E_REQUEST where what the engine gives cannot be
 * narrowed, and errors of lib/oci/change.h. */
LAZ_MUST_CHECK int laz_seccomp_put(struct laz_oci_change *change,
        const struct laz_policy_host *host, const struct laz_buf *profile, struct laz_err *err);

#endif
