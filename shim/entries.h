/* SPDX-License-Identifier: Apache-2.0
 *
 * The entries by which the runtime calls lazaret-hook, and the place for the secrets that it
 * brings.
 */
#ifndef LAZ_SHIM_ENTRIES_H
#define LAZ_SHIM_ENTRIES_H

#include "oci/change.h"
#include "shim/call.h"

/* *ret_wanted: the program is there. Where it is not, the container is refused if audit.required is
 * true, or the policy has secrets of the host: LAZ_E_PROGRAM. */
LAZ_MUST_CHECK int laz_entries_find(struct laz_rooted *folders, const struct laz_runtime *runtime,
        const struct laz_host_policy *policy, bool *ret_wanted, struct laz_err *err);
/* hash: of the runtime's root. */
LAZ_MUST_CHECK int laz_entries_put(struct laz_oci_change *change,
        const struct laz_host_policy *policy, const char *hash, struct laz_err *err);
/* The hook, in this stage, is one that laz_entries_put writes; hash NULL: of whichever root. */
bool laz_entries_is_own(const struct laz_oci_spec *spec, const struct laz_oci_hook *hook,
        enum laz_oci_stage stage, const char *hash);

#endif
