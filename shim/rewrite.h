/* SPDX-License-Identifier: Apache-2.0
 *
 * A bundle's config.json as the shim hands it on.
 */
#ifndef LAZ_SHIM_REWRITE_H
#define LAZ_SHIM_REWRITE_H

#include <sys/types.h>

#include "policy/host_policy.h"
#include "shim/bundle.h"
#include "shim/hash.h"
#include "shim/image.h"

/* What was decided of a container. */
struct laz_plan {
    const struct laz_host_policy *policy;
    char image[LAZ_IMAGE_PATH_SIZE]; /* where the compiled policy lies on the host */
    char pin[LAZ_HASH_SIZE];         /* its digest */
    dev_t device;                    /* which file it is */
    ino_t inode;
    const struct laz_buf *profile; /* the policy's seccomp profile, where it is needed */
    const char *hash;              /* of the runtime's root, for the hooks; NULL: none are wanted */
    size_t n_drop;      /* words in front of the command, as laz_own_init_find found them */
    bool is_privileged; /* as laz_judge found it */
};

/* The new text, appended. Errors of lib/oci/change.h, LAZ_E_REQUEST. */
LAZ_MUST_CHECK int laz_rewrite(const struct laz_bundle *bundle, const struct laz_plan *plan,
        struct laz_buf *ret, struct laz_err *err);

#endif
