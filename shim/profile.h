/* SPDX-License-Identifier: Apache-2.0
 *
 * The seccomp profile that a policy puts around a container, as linux.seccomp of a config.json. It
 * is worn by the runtime's own last steps, by lazaret-init and its helpers, by the workload, and by
 * whoever comes in later.
 */
#ifndef LAZ_SHIM_PROFILE_H
#define LAZ_SHIM_PROFILE_H

#include "filter/profile.h"

/* What our own programs, and a runtime, call under it. Static. */
const struct laz_profile_call *laz_profile_own(size_t *ret_n);

/* Appended: one JSON object, of one line. What our programs need and what the policy allows, of
 * which the filter inside takes away the rest; and, where nobody lacks that filter, or the policy
 * only observes, also what it refuses with an event. LAZ_E_MEMORY. */
LAZ_MUST_CHECK int laz_profile_make(
        const struct laz_policy *policy, struct laz_buf *ret, struct laz_err *err);

#endif
