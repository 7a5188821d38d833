/* SPDX-License-Identifier: Apache-2.0
 *
 * The compiled form of a policy, which containers see, and the seccomp profile that it puts around
 * them: made once for each policy, and kept for as long as the host runs.
 */
#ifndef LAZ_SHIM_IMAGE_H
#define LAZ_SHIM_IMAGE_H

#include "policy/policy.h"
#include "shim/hash.h"

#define LAZ_IMAGE_FOLDER      "/run/lazaret/images"
#define LAZ_IMAGE_PATH_SIZE   160        /* the folder, a digest, a version */
#define LAZ_IMAGE_PROFILE_MAX (1U << 20) /* bytes; 30 thousand is what there is */

/* Where they are, or would be, by the policy's source_digest. */
void laz_image_path(const uint8_t digest[LAZ_SHA256_SIZE], char ret[LAZ_IMAGE_PATH_SIZE]);
void laz_image_profile_path(const uint8_t digest[LAZ_SHA256_SIZE], char ret[LAZ_IMAGE_PATH_SIZE]);

/* Both, where they are not there yet: compiled, proved and tested. In lazaret-prepare. In
 * *ret_digest is SHA-256 of the first. */
LAZ_MUST_CHECK int laz_image_make(
        const struct laz_policy *policy, uint8_t ret_digest[LAZ_SHA256_SIZE], struct laz_err *err);

/* The same as sha256sum(1) prints it, of one that need not be there. */
LAZ_MUST_CHECK int laz_image_pin(
        const struct laz_policy *policy, char ret[LAZ_HASH_SIZE], struct laz_err *err);

#endif
