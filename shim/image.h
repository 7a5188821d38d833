/* SPDX-License-Identifier: Apache-2.0
 *
 * The compiled form of a policy, which containers see: made once for each policy, and kept for as
 * long as the host runs.
 */
#ifndef LAZ_SHIM_IMAGE_H
#define LAZ_SHIM_IMAGE_H

#include "policy/policy.h"

#define LAZ_IMAGE_FOLDER    "/run/lazaret/images"
#define LAZ_IMAGE_PATH_SIZE 160 /* the folder, a digest, a version */

/* Where it is, or would be, by the policy's source_digest. */
void laz_image_path(const uint8_t digest[LAZ_SHA256_SIZE], char ret[LAZ_IMAGE_PATH_SIZE]);

/* Compiled, proved and tested where it is not there yet. In lazaret-prepare. */
LAZ_MUST_CHECK int laz_image_make(const struct laz_policy *policy, struct laz_err *err);

#endif
