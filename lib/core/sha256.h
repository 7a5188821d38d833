/* SPDX-License-Identifier: Apache-2.0
 *
 * SHA-256 (FIPS 180-4) for digests of policies, filters and records. Not for passwords, not
 * constant-time about lengths. PID 1 needs it without a crypto library.
 */
#ifndef LAZ_CORE_SHA256_H
#define LAZ_CORE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define LAZ_SHA256_SIZE 32

struct laz_sha256 {
    uint32_t state[8];
    uint64_t total; /* bytes hashed so far */
    uint8_t block[64];
};

void laz_sha256_init(struct laz_sha256 *hash);
void laz_sha256_add(struct laz_sha256 *hash, const void *bytes, size_t length);
void laz_sha256_end(struct laz_sha256 *hash, uint8_t ret[LAZ_SHA256_SIZE]);
void laz_sha256_of(const void *bytes, size_t length, uint8_t ret[LAZ_SHA256_SIZE]);

#endif
