/* SPDX-License-Identifier: Apache-2.0
 *
 * What create and exec have in common: a process never has more than its policy says.
 */
#ifndef LAZ_SHIM_CLAMP_H
#define LAZ_SHIM_CLAMP_H

#include "oci/change.h"
#include "policy/host_policy.h"
#include "shim/arguments.h"

/* Capabilities, no_new_privs, limits, and the variables by which a loader or lazaret-init would
 * obey the caller. begins_as_root: under an init, which needs some capabilities to become the
 * policy's user, and sheds them. */
LAZ_MUST_CHECK int laz_clamp(struct laz_oci_change *change, const struct laz_host_policy *policy,
        bool begins_as_root, struct laz_err *err);

bool laz_clamp_ends_with(
        const struct laz_oci_spec *spec, const struct laz_json_node *node, const char *end);

/* The folder of records of the runtime's --root; -1 in *ret: there is none yet. */
LAZ_MUST_CHECK int laz_clamp_open_records(
        const struct laz_arguments *arguments, bool create, int *ret, struct laz_err *err);

#endif
