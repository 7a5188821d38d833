/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether this host has the secrets that a policy says it brings.
 */
#ifndef LAZ_CLI_RUNTIME_SECRETS_H
#define LAZ_CLI_RUNTIME_SECRETS_H

#include "core/err.h"
#include "policy/policy.h"

#define LAZ_HOST_SECRETS_SOURCE "/etc/lazaret/secrets.d" /* POLICY/NAME below it */

/* Of this item of the policy that the host calls `name`, as lazaret-hook would take it.
 * *ret_absent: it is not there, which an item may be, and which may be mended before a container is
 * created; the message says where. LAZ_E_SECRET, LAZ_E_HOST_UNSAFE. */
LAZ_MUST_CHECK int laz_runtime_secret_check(const struct laz_policy *policy, size_t item,
        const char *name, bool *ret_absent, struct laz_err *err);

#endif
