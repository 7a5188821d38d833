/* SPDX-License-Identifier: Apache-2.0
 *
 * HKDF with SHA-256 (RFC 5869): 32 bytes from a secret. By libcrypto.
 */
#ifndef LAZ_AUDIT_SPOOL_HKDF_H
#define LAZ_AUDIT_SPOOL_HKDF_H

#include "audit/spool_format.h"

struct laz_spool_hkdf {
    const uint8_t *secret;
    size_t secret_size;
    const uint8_t *salt;
    size_t salt_size;
    const uint8_t *info;
    size_t info_size;
};

LAZ_MUST_CHECK bool laz_spool_derive(
        const struct laz_spool_hkdf *input, uint8_t ret[LAZ_SPOOL_KEY_SIZE]);

#endif
