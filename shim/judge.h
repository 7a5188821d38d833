/* SPDX-License-Identifier: Apache-2.0
 *
 * What a config.json asks for that its policy does not let a container have.
 */
#ifndef LAZ_SHIM_JUDGE_H
#define LAZ_SHIM_JUDGE_H

#include "policy/host_policy.h"
#include "shim/bundle.h"

/* LAZ_E_REQUEST, with what is asked for and the key of the policy that would allow it. `records` is
 * the host's file of records, whose folder no container has; NULL: none is known.
 * *ret_is_privileged: it asks for a privileged container, and the policy says to clamp it. */
LAZ_MUST_CHECK int laz_judge(const struct laz_bundle *bundle, const struct laz_host_policy *policy,
        const char *records, bool *ret_is_privileged, struct laz_err *err);

/* Has the shim made this bundle already? Its init stands in front of the command, and the mount of
 * its policy is there: an init of the image's, or another's mount, is not enough. */
bool laz_judge_is_made(const struct laz_bundle *bundle);

/* Annotations that a runtime obeys; NULL behind the last. */
extern const char *const laz_judge_annotations[];

#endif
