/* SPDX-License-Identifier: Apache-2.0
 *
 * A bundle's config.json as the shim hands it on.
 */
#ifndef LAZ_SHIM_REWRITE_H
#define LAZ_SHIM_REWRITE_H

#include "policy/policy.h"
#include "shim/bundle.h"

/* The new text, appended; `image` is where the compiled policy lies on the host. is_privileged: as
 * laz_judge found it. Errors of lib/oci/change.h, LAZ_E_REQUEST. */
LAZ_MUST_CHECK int laz_rewrite(const struct laz_bundle *bundle, const struct laz_policy *policy,
        const char *image, bool is_privileged, struct laz_buf *ret, struct laz_err *err);

#endif
