/* SPDX-License-Identifier: Apache-2.0
 *
 * Secrets of the host, put into a container before it is one: files of a tmpfs that the shim had
 * the runtime mount, which is read-only afterwards. The bytes go from file to file inside the
 * kernel and are never in this process.
 */
#ifndef LAZ_HOOKS_DELIVER_H
#define LAZ_HOOKS_DELIVER_H

#include "hooks/note.h"
#include "policy/policy.h"

#define LAZ_HOOK_SECRETS_FOLDER "/run/lazaret/host-secrets" /* in the container */
#define LAZ_HOOK_SECRETS_SOURCE "/etc/lazaret/secrets.d"    /* on the host: POLICY/NAME below it */

/* All items of the policy that are files of that folder, or none that counts: LAZ_E_SECRET where a
 * value cannot be had, LAZ_E_DELIVERY where it cannot be put there. `note` has their names
 * afterwards, borrowed from the policy. */
LAZ_MUST_CHECK int laz_hook_deliver(
        const struct laz_policy *policy, struct laz_hook_note *note, struct laz_err *err);

#endif
