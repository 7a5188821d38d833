/* SPDX-License-Identifier: Apache-2.0
 *
 * AES-256-GCM for segments and blocks.
 */
#include "audit/spool_crypt.h"

#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "audit/bytes.h"
#include "audit/spool_hkdf.h"

#define SEGMENT_LABEL "lazaret-spool-1 segment"

struct laz_spool_crypt {
    EVP_CIPHER_CTX *context;
    uint8_t *plain; /* owned */
    size_t size;
};

static int failed(struct laz_err *err)
{
    return laz_err_set(err, LAZ_E_INTERNAL, 0, "libcrypto cannot encrypt");
}

struct laz_spool_crypt *laz_spool_crypt_new(struct laz_err *err)
{
    struct laz_spool_crypt *crypt = calloc(1, sizeof(*crypt));
    if (crypt == NULL) {
        (void)laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a cipher");
        return NULL;
    }
    /* The algorithm is fetched once; a new key or nonce does not fetch it again. */
    crypt->context = EVP_CIPHER_CTX_new();
    if (crypt->context == NULL ||
            EVP_CipherInit_ex2(crypt->context, EVP_aes_256_gcm(), NULL, NULL, 1, NULL) != 1) {
        laz_spool_crypt_free(crypt);
        (void)failed(err);
        return NULL;
    }
    return crypt;
}

static void drop_plain(struct laz_spool_crypt *crypt)
{
    if (crypt->plain != NULL) {
        OPENSSL_cleanse(crypt->plain, crypt->size);
    }
    free(crypt->plain);
    crypt->plain = NULL;
    crypt->size = 0;
}

void laz_spool_crypt_free(struct laz_spool_crypt *crypt)
{
    if (crypt != NULL) {
        EVP_CIPHER_CTX_free(crypt->context); /* wipes the key */
        drop_plain(crypt);
        free(crypt);
    }
}

int laz_spool_crypt_key(struct laz_spool_crypt *crypt, const uint8_t key[LAZ_SPOOL_KEY_SIZE],
        const struct laz_spool_head *head, bool encrypts, struct laz_err *err)
{
    uint8_t info[sizeof(SEGMENT_LABEL) - 1 + LAZ_CHAIN_ID_SIZE + 4];
    uint8_t own[LAZ_SPOOL_KEY_SIZE];
    (void)memcpy(info, SEGMENT_LABEL, sizeof(SEGMENT_LABEL) - 1);
    (void)memcpy(info + sizeof(SEGMENT_LABEL) - 1, head->chain, LAZ_CHAIN_ID_SIZE);
    (void)laz_put_be(info + sizeof(info) - 4, head->segment, 4);
    const struct laz_spool_hkdf input = {.secret = key,
            .secret_size = LAZ_SPOOL_KEY_SIZE,
            .salt = head->salt,
            .salt_size = sizeof(head->salt),
            .info = info,
            .info_size = sizeof(info)};
    bool done = laz_spool_derive(&input, own) &&
            EVP_CipherInit_ex2(crypt->context, NULL, own, NULL, encrypts ? 1 : 0, NULL) == 1;
    OPENSSL_cleanse(own, sizeof(own));
    return done ? 0 : failed(err);
}

/* Begin with this nonce; what follows is authenticated, and not encrypted. */
static bool begin(struct laz_spool_crypt *crypt, const uint8_t nonce[LAZ_SPOOL_NONCE_SIZE])
{
    return EVP_CipherInit_ex2(crypt->context, NULL, NULL, nonce, -1, NULL) == 1;
}

static bool add(struct laz_spool_crypt *crypt, const void *bytes, size_t size)
{
    int n = 0;
    return EVP_CipherUpdate(crypt->context, NULL, &n, bytes, (int)size) == 1;
}

static bool end_with_tag(struct laz_spool_crypt *crypt, uint8_t ret[LAZ_SPOOL_TAG_SIZE])
{
    int n = 0;
    uint8_t none[LAZ_SPOOL_TAG_SIZE];
    return EVP_CipherFinal_ex(crypt->context, none, &n) == 1 &&
            EVP_CIPHER_CTX_ctrl(crypt->context, EVP_CTRL_AEAD_GET_TAG, LAZ_SPOOL_TAG_SIZE, ret) ==
            1;
}

static bool end_if_tag(struct laz_spool_crypt *crypt, const uint8_t tag[LAZ_SPOOL_TAG_SIZE])
{
    int n = 0;
    uint8_t none[LAZ_SPOOL_TAG_SIZE];
    return EVP_CIPHER_CTX_ctrl(crypt->context, EVP_CTRL_AEAD_SET_TAG, LAZ_SPOOL_TAG_SIZE,
                   laz_unconst(tag)) == 1 &&
            EVP_CipherFinal_ex(crypt->context, none, &n) == 1;
}

/* Heads have the nonce with the counter 0, which no block has. */
static bool begin_head(struct laz_spool_crypt *crypt, const struct laz_spool_head *head)
{
    uint8_t nonce[LAZ_SPOOL_NONCE_SIZE];
    laz_spool_nonce(head->segment, 0, nonce);
    return begin(crypt, nonce) && add(crypt, head->digest, sizeof(head->digest));
}

int laz_spool_crypt_sign(struct laz_spool_crypt *crypt, const struct laz_spool_head *head,
        uint8_t ret[LAZ_SPOOL_TAG_SIZE], struct laz_err *err)
{
    return begin_head(crypt, head) && end_with_tag(crypt, ret) ? 0 : failed(err);
}

bool laz_spool_crypt_holds(struct laz_spool_crypt *crypt, const struct laz_spool_head *head)
{
    return begin_head(crypt, head) && end_if_tag(crypt, head->tag);
}

static bool begin_block(struct laz_spool_crypt *crypt, const struct laz_spool_head *head,
        const uint8_t *block, const uint8_t before[LAZ_SPOOL_TAG_SIZE])
{
    return begin(crypt, laz_spool_block_nonce(block)) &&
            add(crypt, head->digest, sizeof(head->digest)) &&
            add(crypt, block, LAZ_SPOOL_BLOCK_HEAD) && add(crypt, before, LAZ_SPOOL_TAG_SIZE);
}

/* Encrypt or decrypt `size` bytes; *ret moves on. */
static bool turn(struct laz_spool_crypt *crypt, const void *bytes, size_t size, uint8_t **ret)
{
    int n = 0;
    if (size == 0) {
        return true;
    }
    if (EVP_CipherUpdate(crypt->context, *ret, &n, bytes, (int)size) != 1 || n != (int)size) {
        return false;
    }
    *ret += size;
    return true;
}

int laz_spool_crypt_seal(struct laz_spool_crypt *crypt, const struct laz_spool_head *head,
        const struct laz_spool_block *block, const uint8_t before[LAZ_SPOOL_TAG_SIZE], uint8_t *ret,
        struct laz_err *err)
{
    uint8_t meta_length[2];
    (void)laz_put_be(meta_length, block->meta_length, sizeof(meta_length));
    uint8_t *at = ret + LAZ_SPOOL_BLOCK_HEAD;
    bool done = begin_block(crypt, head, ret, before) &&
            turn(crypt, meta_length, sizeof(meta_length), &at) &&
            turn(crypt, block->meta, block->meta_length, &at) &&
            turn(crypt, block->records, block->length, &at) && end_with_tag(crypt, at);
    return done ? 0 : failed(err);
}

int laz_spool_crypt_open(struct laz_spool_crypt *crypt, const struct laz_spool_head *head,
        const uint8_t *block, const uint8_t *before, struct laz_spool_block *ret,
        struct laz_err *err)
{
    struct laz_spool_block_head block_head;
    if (!laz_spool_block_decode(head, block, &block_head)) {
        return 0;
    }
    size_t length = block_head.length;
    if (crypt->size < length) {
        drop_plain(crypt);
        crypt->plain = malloc(length);
        if (crypt->plain == NULL) {
            return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory to read a block");
        }
        crypt->size = length;
    }
    uint8_t *at = crypt->plain;
    bool holds = begin_block(crypt, head, block, before) &&
            turn(crypt, block + LAZ_SPOOL_BLOCK_HEAD, length, &at) &&
            end_if_tag(crypt, block + LAZ_SPOOL_BLOCK_HEAD + length);
    size_t meta_length = holds ? laz_get_be(crypt->plain, 2) : 0;
    if (!holds || meta_length > LAZ_SPOOL_META_MAX || meta_length + 2 > length) {
        OPENSSL_cleanse(crypt->plain, crypt->size);
        return 0;
    }
    *ret = (struct laz_spool_block){.meta = crypt->plain + 2,
            .meta_length = meta_length,
            .records = (const char *)crypt->plain + 2 + meta_length,
            .length = length - 2 - meta_length,
            .first_seq = block_head.first_seq,
            .n_records = block_head.n_records};
    return 1;
}
