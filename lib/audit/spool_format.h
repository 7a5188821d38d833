/* SPDX-License-Identifier: Apache-2.0
 *
 * The bytes of a segment: its head, and the heads of its blocks. Takes apart what others may have
 * written, so it allocates nothing and never reads past the end. Knows no key and no file. Format:
 * docs/reference/spool-format.md.
 */
#ifndef LAZ_AUDIT_SPOOL_FORMAT_H
#define LAZ_AUDIT_SPOOL_FORMAT_H

#include "audit/spool.h"

#define LAZ_SPOOL_TAG_SIZE    16U
#define LAZ_SPOOL_NONCE_SIZE  12U
#define LAZ_SPOOL_SALT_SIZE   32U
#define LAZ_SPOOL_KEY_ID_SIZE 8U
#define LAZ_SPOOL_SEALS_MAX   8U    /* recovery keys */
#define LAZ_SPOOL_SEALED_MAX  1024U /* bytes: RSA of 8192 bits */
#define LAZ_SPOOL_HEAD_FIXED  112U  /* what stands in front of the seals */
#define LAZ_SPOOL_SEAL_FIXED  12U
#define LAZ_SPOOL_HEAD_END    (LAZ_SHA256_SIZE + LAZ_SPOOL_TAG_SIZE)
#define LAZ_SPOOL_HEAD_MAX                                                                         \
    (LAZ_SPOOL_HEAD_FIXED + LAZ_SPOOL_SEALS_MAX * (LAZ_SPOOL_SEAL_FIXED + LAZ_SPOOL_SEALED_MAX) +  \
            LAZ_SPOOL_HEAD_END)
#define LAZ_SPOOL_BLOCK_HEAD 72U /* in front of the ciphertext */
#define LAZ_SPOOL_BLOCK_MORE (LAZ_SPOOL_BLOCK_HEAD + LAZ_SPOOL_TAG_SIZE) /* beside it */
#define LAZ_SPOOL_TEXT_MAX   (2 + LAZ_SPOOL_META_MAX + LAZ_SPOOL_BLOCK_MAX)
#define LAZ_SPOOL_NAME_SIZE  sizeof("00000000.lzs")
#define LAZ_SPOOL_NUMBER_MAX 99999999U

enum laz_spool_seal_kind {
    LAZ_SPOOL_SEAL_X25519 = 1,
    LAZ_SPOOL_SEAL_RSA = 2,
};

/* The run's key for one who holds a recovery key. */
struct laz_spool_seal {
    uint16_t kind;
    uint16_t length;
    uint8_t key_id[LAZ_SPOOL_KEY_ID_SIZE];
    uint8_t bytes[LAZ_SPOOL_SEALED_MAX];
};

/* The head of a segment. */
struct laz_spool_head {
    uint32_t segment;
    uint32_t length;       /* of the head itself: where the first block begins */
    uint32_t previous_end; /* where the last block of the segment before ends; 0: there is none */
    uint32_t n_seals;
    uint64_t first_seq; /* no record in it has a lower one */
    uint8_t chain[LAZ_CHAIN_ID_SIZE];
    uint8_t previous[LAZ_SHA256_SIZE]; /* digest of its head; zeros: there is none */
    uint8_t salt[LAZ_SPOOL_SALT_SIZE];
    uint8_t digest[LAZ_SHA256_SIZE];
    uint8_t tag[LAZ_SPOOL_TAG_SIZE]; /* over the digest, by the segment's key */
};

struct laz_spool_block_head {
    uint32_t length; /* of the ciphertext */
    uint32_t n_records;
    uint64_t first_seq;
    uint64_t place_seq;
    uint8_t place_h[LAZ_SHA256_SIZE];
    uint64_t counter;
};

/* Without the tag, which is left empty. The digest is set in `head`. Returns the head's length. */
size_t laz_spool_head_encode(struct laz_spool_head *head, const struct laz_spool_seal *seals,
        uint8_t ret[LAZ_SPOOL_HEAD_MAX]);
/* NULL, or what is wrong: a static word or two. */
LAZ_MUST_CHECK const char *laz_spool_head_decode(
        const uint8_t *bytes, size_t size, struct laz_spool_head *ret);
/* A seal of a head that was decoded; 0 <= i < n_seals. */
void laz_spool_head_seal(const uint8_t *bytes, uint32_t i, struct laz_spool_seal *ret);

void laz_spool_block_encode(const struct laz_spool_head *head,
        const struct laz_spool_block_head *block, uint8_t ret[LAZ_SPOOL_BLOCK_HEAD]);
/* Is it the head of a block of this segment? It may be followed by anything. */
LAZ_MUST_CHECK bool laz_spool_block_decode(const struct laz_spool_head *head,
        const uint8_t bytes[LAZ_SPOOL_BLOCK_HEAD], struct laz_spool_block_head *ret);
/* The first offset from `from` on at which such a head stands; `size` if there is none. */
size_t laz_spool_block_search(
        const struct laz_spool_head *head, const uint8_t *bytes, size_t from, size_t size);

/* Where the nonce stands in a block's head. */
const uint8_t *laz_spool_block_nonce(const uint8_t bytes[LAZ_SPOOL_BLOCK_HEAD]);
void laz_spool_nonce(uint32_t segment, uint64_t counter, uint8_t ret[LAZ_SPOOL_NONCE_SIZE]);

void laz_spool_name(uint32_t number, char ret[LAZ_SPOOL_NAME_SIZE]);
/* 0 if it is not the name of a segment. */
uint32_t laz_spool_number(const char *name);

#endif
