/* SPDX-License-Identifier: Apache-2.0
 *
 * What a config.json asks for of the host's kernel: namespaces, settings, network devices, and no
 * label of AppArmor or SELinux that binds.
 */
#ifndef LAZ_SHIM_JUDGE_KERNEL_H
#define LAZ_SHIM_JUDGE_KERNEL_H

#include "policy/host_policy.h"
#include "shim/bundle.h"

/* LAZ_E_REQUEST, with what is asked for and the key of the policy that would allow it. */
LAZ_MUST_CHECK int laz_judge_kernel(
        const struct laz_bundle *bundle, const struct laz_policy_host *host, struct laz_err *err);

/* The member by which AppArmor or SELinux would let the process do anything: as only a privileged
 * container may ask. NULL: none does, or nothing is said, as on a host that has neither. Static. */
const char *laz_judge_labels(const struct laz_bundle *bundle);

#endif
