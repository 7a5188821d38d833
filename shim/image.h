/* SPDX-License-Identifier: Apache-2.0
 *
 * The compiled form of a policy, which containers see, and the seccomp profile that it puts around
 * them: made once for each policy, and kept for as long as the host runs.
 */
#ifndef LAZ_SHIM_IMAGE_H
#define LAZ_SHIM_IMAGE_H

#include "policy/policy.h"

#define LAZ_IMAGE_FOLDER    "/run/lazaret/images"
#define LAZ_IMAGE_PATH_SIZE 160 /* the folder, a digest, a version */

/* Where it is, or would be. */
void laz_image_path(const struct laz_policy *policy, char ret[LAZ_IMAGE_PATH_SIZE]);

/* Its path. Compiled, proved and tested where it is not there yet. */
LAZ_MUST_CHECK int laz_image_place(
        const struct laz_policy *policy, char ret[LAZ_IMAGE_PATH_SIZE], struct laz_err *err);
/* Its seccomp profile, appended. */
LAZ_MUST_CHECK int laz_image_take_profile(
        const struct laz_policy *policy, struct laz_buf *ret, struct laz_err *err);

#endif
