/* SPDX-License-Identifier: Apache-2.0
 *
 * SHA-256 and Ed25519 (RFC 8032) by libcrypto, in the shapes that the trail needs. Private keys
 * are made here, sign, and are wiped; one leaves it only for a chain that is saved.
 */
#ifndef LAZ_AUDIT_CRYPTO_H
#define LAZ_AUDIT_CRYPTO_H

#include "audit/trail.h"

/* Before anything else of OpenSSL, in a process that does not trust the file system it is in: no
 * configuration file is read, and so no engine, provider or default of one is loaded. What the
 * environment names is used by such a file alone. */
LAZ_MUST_CHECK int laz_crypto_begin(struct laz_err *err);

/* From the generator of whatever computes here. LAZ_E_SYSTEM. */
LAZ_MUST_CHECK int laz_crypto_random(uint8_t *ret, size_t length, struct laz_err *err);

/* Opaque; one at a time may be under way. A failure of libcrypto sticks until laz_hasher_end. */
struct laz_hasher;

/* NULL without memory. Free with laz_hasher_free; NULL is fine. */
LAZ_MUST_CHECK struct laz_hasher *laz_hasher_new(void);
void laz_hasher_free(struct laz_hasher *hasher);
/* With what has been added so far. NULL without memory. */
LAZ_MUST_CHECK struct laz_hasher *laz_hasher_copy(const struct laz_hasher *hasher);
void laz_hasher_begin(struct laz_hasher *hasher);
void laz_hasher_add(struct laz_hasher *hasher, const void *bytes, size_t length);
/* LAZ_E_INTERNAL if libcrypto failed. */
LAZ_MUST_CHECK int laz_hasher_end(
        struct laz_hasher *hasher, uint8_t ret[LAZ_SHA256_SIZE], struct laz_err *err);

/* The hash of a chained record, docs/reference/trail-format.md. */
LAZ_MUST_CHECK int laz_trail_hash(struct laz_hasher *hasher, const struct laz_trail_line *line,
        const uint8_t before[LAZ_SHA256_SIZE], uint8_t ret[LAZ_SHA256_SIZE], struct laz_err *err);

#define LAZ_PRIVATE_KEY_SIZE 32

/* A private key; opaque. */
struct laz_signer;

/* Random. NULL with LAZ_E_SYSTEM if there is no randomness or no Ed25519. Free wipes it. */
LAZ_MUST_CHECK struct laz_signer *laz_signer_new(struct laz_err *err);
void laz_signer_free(struct laz_signer *signer);
/* For a successor, who signs with the same key. Whoever calls it wipes what it got. */
LAZ_MUST_CHECK int laz_signer_save(
        const struct laz_signer *signer, uint8_t ret[LAZ_PRIVATE_KEY_SIZE], struct laz_err *err);
LAZ_MUST_CHECK struct laz_signer *laz_signer_load(
        const uint8_t private_key[LAZ_PRIVATE_KEY_SIZE], struct laz_err *err);
LAZ_MUST_CHECK int laz_signer_public(
        const struct laz_signer *signer, uint8_t ret[LAZ_PUBLIC_KEY_SIZE], struct laz_err *err);
/* Of a record's hash. */
LAZ_MUST_CHECK int laz_signer_sign(const struct laz_signer *signer,
        const uint8_t h[LAZ_SHA256_SIZE], uint8_t ret[LAZ_SIGNATURE_SIZE], struct laz_err *err);

/* false as well for a public key that is none. */
bool laz_signature_holds(const uint8_t public_key[LAZ_PUBLIC_KEY_SIZE],
        const uint8_t h[LAZ_SHA256_SIZE], const uint8_t signature[LAZ_SIGNATURE_SIZE]);

#endif
