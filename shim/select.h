/* SPDX-License-Identifier: Apache-2.0
 *
 * Which policy a container gets. The host's own file selects; whoever made the container, or the
 * image, may name another policy of the host, which counts only where it allows nothing more.
 */
#ifndef LAZ_SHIM_SELECT_H
#define LAZ_SHIM_SELECT_H

#include "shim/bundle.h"
#include "shim/call.h"

#define LAZ_SELECT_ANNOTATION "io.lazaret.policy"
#define LAZ_SELECT_VARIABLE   "LAZARET_POLICY"
#define LAZ_SELECT_FILE       "/etc/lazaret/policy.name" /* of the image */

/* What runtime.yaml alone says; LAZ_RUNTIME_PASS_THROUGH: none, and nobody may name one. Borrowed.
 * LAZ_E_REQUEST where there is none for this container. */
LAZ_MUST_CHECK int laz_select(const struct laz_call *call, const struct laz_bundle *bundle,
        const char **ret, struct laz_err *err);

/* The strictest of the host's selection and of all that were named, of which one has to be as
 * strict as each. name: in, the host's; out, which one. The bundle's root has been judged.
 * LAZ_E_POLICY_WIDENED, LAZ_E_REQUEST, and what a policy cannot be loaded for. */
LAZ_MUST_CHECK int laz_select_stricter(struct laz_call *call, const struct laz_bundle *bundle,
        char name[LAZ_OCI_WORD_SIZE], struct laz_err *err);

#endif
