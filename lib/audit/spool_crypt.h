/* SPDX-License-Identifier: Apache-2.0
 *
 * The keys of the spool by libcrypto: AES-256-GCM with one key for each segment, and the run's key
 * sealed to recovery keys (X25519 with HKDF-SHA256 and AES-256-GCM, or RSA-OAEP with SHA-256).
 * Never gives out a byte whose tag is wrong.
 */
#ifndef LAZ_AUDIT_SPOOL_CRYPT_H
#define LAZ_AUDIT_SPOOL_CRYPT_H

#include "audit/spool_format.h"

/* One segment's key, and room for one block in clear. */
struct laz_spool_crypt;

LAZ_MUST_CHECK struct laz_spool_crypt *laz_spool_crypt_new(struct laz_err *err);
void laz_spool_crypt_free(struct laz_spool_crypt *crypt); /* wipes what it holds; NULL is fine */
/* From now on the key of this segment. LAZ_E_INTERNAL if libcrypto failed. */
LAZ_MUST_CHECK int laz_spool_crypt_key(struct laz_spool_crypt *crypt,
        const uint8_t key[LAZ_SPOOL_KEY_SIZE], const struct laz_spool_head *head, bool encrypts,
        struct laz_err *err);

/* The tag at the end of a head. */
LAZ_MUST_CHECK int laz_spool_crypt_sign(struct laz_spool_crypt *crypt,
        const struct laz_spool_head *head, uint8_t ret[LAZ_SPOOL_TAG_SIZE], struct laz_err *err);
bool laz_spool_crypt_holds(struct laz_spool_crypt *crypt, const struct laz_spool_head *head);

/* A block whose head stands in `ret` already, as it is written: ciphertext and tag are put behind
 * it. `before` are the 16 bytes that stand in front of the block. */
LAZ_MUST_CHECK int laz_spool_crypt_seal(struct laz_spool_crypt *crypt,
        const struct laz_spool_head *head, const struct laz_spool_block *block,
        const uint8_t before[LAZ_SPOOL_TAG_SIZE], uint8_t *ret, struct laz_err *err);
/* 1: it is what was written, and `ret` points into `crypt` until it is used again. 0: it is not.
 * -1: no memory. `block` is whole: `length` bytes of ciphertext, as its head says, and the tag. */
LAZ_MUST_CHECK int laz_spool_crypt_open(struct laz_spool_crypt *crypt,
        const struct laz_spool_head *head, const uint8_t *block, const uint8_t *before,
        struct laz_spool_block *ret, struct laz_err *err);

/* A run's key for the holder of the private key to this public one. LAZ_E_SPOOL: the text is no
 * such key. */
LAZ_MUST_CHECK int laz_spool_seal(const char *pem, const uint8_t key[LAZ_SPOOL_KEY_SIZE],
        struct laz_spool_seal *ret, struct laz_err *err);

/* A private key that opens seals. */
struct laz_spool_opener;
LAZ_MUST_CHECK struct laz_spool_opener *laz_spool_opener_new(const char *pem, struct laz_err *err);
void laz_spool_opener_free(struct laz_spool_opener *opener);
/* false if none of the head's seals is for this key. */
LAZ_MUST_CHECK bool laz_spool_unseal(const struct laz_spool_opener *opener, const uint8_t *head,
        uint32_t n_seals, uint8_t ret[LAZ_SPOOL_KEY_SIZE]);

#endif
