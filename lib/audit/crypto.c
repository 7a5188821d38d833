/* SPDX-License-Identifier: Apache-2.0
 *
 * libcrypto for the trail.
 */
#include "audit/crypto.h"

#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "audit/bytes.h"

#define SIGNED_PREFIX "lazaret-trail-1" /* and its NUL */

/* Not every FIPS module has Ed25519 among what is approved (net/fips.h): whoever has it signs. */
#define ANYBODY "-fips"

#define PENDING_MAX 4096 /* a call of libcrypto costs as much as hashing a short record does */

struct laz_hasher {
    EVP_MD_CTX *context;
    bool failed;
    size_t n_pending;
    uint8_t pending[PENDING_MAX];
};

int laz_crypto_begin(struct laz_err *err)
{
    /* The first call decides; what initialises itself later asks no more. */
    if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "libcrypto does not start");
    }
    return 0;
}

int laz_crypto_random(uint8_t *ret, size_t length, struct laz_err *err)
{
    return RAND_priv_bytes(ret, (int)length) == 1
            ? 0
            : laz_err_set(err, LAZ_E_SYSTEM, 0, "libcrypto has no random numbers");
}

struct laz_hasher *laz_hasher_new(void)
{
    struct laz_hasher *hasher = calloc(1, sizeof(*hasher));
    if (hasher == NULL) {
        return NULL;
    }
    hasher->context = EVP_MD_CTX_new();
    /* The algorithm is fetched once; later starts reuse it, which is five times as fast. */
    if (hasher->context == NULL || EVP_DigestInit_ex2(hasher->context, EVP_sha256(), NULL) != 1) {
        laz_hasher_free(hasher);
        return NULL;
    }
    return hasher;
}

void laz_hasher_free(struct laz_hasher *hasher)
{
    if (hasher != NULL) {
        EVP_MD_CTX_free(hasher->context);
        free(hasher);
    }
}

struct laz_hasher *laz_hasher_copy(const struct laz_hasher *hasher)
{
    struct laz_hasher *copy = laz_hasher_new();
    if (copy != NULL) {
        copy->failed = hasher->failed || EVP_MD_CTX_copy_ex(copy->context, hasher->context) != 1;
        copy->n_pending = hasher->n_pending;
        (void)memcpy(copy->pending, hasher->pending, hasher->n_pending);
    }
    return copy;
}

void laz_hasher_begin(struct laz_hasher *hasher)
{
    hasher->n_pending = 0;
    hasher->failed = EVP_DigestInit_ex2(hasher->context, NULL, NULL) != 1;
}

static void hash_pending(struct laz_hasher *hasher)
{
    hasher->failed = hasher->failed ||
            EVP_DigestUpdate(hasher->context, hasher->pending, hasher->n_pending) != 1;
    hasher->n_pending = 0;
}

void laz_hasher_add(struct laz_hasher *hasher, const void *bytes, size_t length)
{
    if (length > PENDING_MAX - hasher->n_pending) {
        hash_pending(hasher);
    }
    if (length > PENDING_MAX) {
        hasher->failed = hasher->failed || EVP_DigestUpdate(hasher->context, bytes, length) != 1;
    } else if (length > 0) {
        (void)memcpy(hasher->pending + hasher->n_pending, bytes, length);
        hasher->n_pending += length;
    }
}

int laz_hasher_end(struct laz_hasher *hasher, uint8_t ret[LAZ_SHA256_SIZE], struct laz_err *err)
{
    hash_pending(hasher);
    if (hasher->failed || EVP_DigestFinal_ex(hasher->context, ret, NULL) != 1) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "libcrypto cannot hash");
    }
    return 0;
}

static const uint8_t kind_bytes[LAZ_TRAIL_KIND_COUNT] = {
#define X(id, ev, byte) byte,
        LAZ_TRAIL_KINDS(X)
#undef X
};

int laz_trail_hash(struct laz_hasher *hasher, const struct laz_trail_line *line,
        const uint8_t before[LAZ_SHA256_SIZE], uint8_t ret[LAZ_SHA256_SIZE], struct laz_err *err)
{
    size_t length = 0;
    for (size_t i = 0; i < 3; i++) {
        length += line->text[i].length;
    }
    uint8_t head[1 + LAZ_CHAIN_ID_SIZE + 8 + 4];
    head[0] = kind_bytes[line->kind];
    (void)memcpy(head + 1, line->chain, LAZ_CHAIN_ID_SIZE);
    (void)laz_put_be(head + 1 + LAZ_CHAIN_ID_SIZE, line->seq, 8);
    (void)laz_put_be(head + 1 + LAZ_CHAIN_ID_SIZE + 8, length, 4);
    laz_hasher_begin(hasher);
    laz_hasher_add(hasher, head, sizeof(head));
    for (size_t i = 0; i < 3; i++) {
        laz_hasher_add(hasher, line->text[i].at, line->text[i].length);
    }
    laz_hasher_add(hasher, before, LAZ_SHA256_SIZE);
    return laz_hasher_end(hasher, ret, err);
}

struct laz_signer {
    EVP_PKEY *key;
};

struct laz_signer *laz_signer_new(struct laz_err *err)
{
    struct laz_signer *signer = calloc(1, sizeof(*signer));
    if (signer == NULL) {
        (void)laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a key");
        return NULL;
    }
    signer->key = EVP_PKEY_Q_keygen(NULL, ANYBODY, "ED25519");
    if (signer->key == NULL) {
        free(signer);
        (void)laz_err_set(err, LAZ_E_SYSTEM, 0, "libcrypto cannot make an Ed25519 key");
        return NULL;
    }
    return signer;
}

/* libcrypto wipes an Ed25519 private key when it frees it. */
void laz_signer_free(struct laz_signer *signer)
{
    if (signer != NULL) {
        EVP_PKEY_free(signer->key);
        free(signer);
    }
}

struct laz_signer *laz_signer_load(
        const uint8_t private_key[LAZ_PRIVATE_KEY_SIZE], struct laz_err *err)
{
    struct laz_signer *signer = calloc(1, sizeof(*signer));
    if (signer == NULL) {
        (void)laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a key");
        return NULL;
    }
    signer->key = EVP_PKEY_new_raw_private_key_ex(
            NULL, "ED25519", ANYBODY, private_key, LAZ_PRIVATE_KEY_SIZE);
    if (signer->key == NULL) {
        free(signer);
        (void)laz_err_set(err, LAZ_E_SYSTEM, 0, "libcrypto does not take an Ed25519 key");
        return NULL;
    }
    return signer;
}

int laz_signer_save(
        const struct laz_signer *signer, uint8_t ret[LAZ_PRIVATE_KEY_SIZE], struct laz_err *err)
{
    size_t length = LAZ_PRIVATE_KEY_SIZE;
    if (EVP_PKEY_get_raw_private_key(signer->key, ret, &length) != 1 ||
            length != LAZ_PRIVATE_KEY_SIZE) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "libcrypto does not give the private key");
    }
    return 0;
}

int laz_signer_public(
        const struct laz_signer *signer, uint8_t ret[LAZ_PUBLIC_KEY_SIZE], struct laz_err *err)
{
    size_t length = LAZ_PUBLIC_KEY_SIZE;
    if (EVP_PKEY_get_raw_public_key(signer->key, ret, &length) != 1 ||
            length != LAZ_PUBLIC_KEY_SIZE) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "libcrypto does not give the public key");
    }
    return 0;
}

static void fill_message(
        uint8_t ret[sizeof(SIGNED_PREFIX) + LAZ_SHA256_SIZE], const uint8_t h[LAZ_SHA256_SIZE])
{
    (void)memcpy(ret, SIGNED_PREFIX, sizeof(SIGNED_PREFIX));
    (void)memcpy(ret + sizeof(SIGNED_PREFIX), h, LAZ_SHA256_SIZE);
}

int laz_signer_sign(const struct laz_signer *signer, const uint8_t h[LAZ_SHA256_SIZE],
        uint8_t ret[LAZ_SIGNATURE_SIZE], struct laz_err *err)
{
    uint8_t message[sizeof(SIGNED_PREFIX) + LAZ_SHA256_SIZE];
    fill_message(message, h);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t length = LAZ_SIGNATURE_SIZE;
    bool done = context != NULL &&
            EVP_DigestSignInit_ex(context, NULL, NULL, NULL, ANYBODY, signer->key, NULL) == 1 &&
            EVP_DigestSign(context, ret, &length, message, sizeof(message)) == 1 &&
            length == LAZ_SIGNATURE_SIZE;
    EVP_MD_CTX_free(context);
    return done ? 0 : laz_err_set(err, LAZ_E_INTERNAL, 0, "libcrypto cannot sign");
}

bool laz_signature_holds(const uint8_t public_key[LAZ_PUBLIC_KEY_SIZE],
        const uint8_t h[LAZ_SHA256_SIZE], const uint8_t signature[LAZ_SIGNATURE_SIZE])
{
    uint8_t message[sizeof(SIGNED_PREFIX) + LAZ_SHA256_SIZE];
    fill_message(message, h);
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key_ex(
            NULL, "ED25519", ANYBODY, public_key, LAZ_PUBLIC_KEY_SIZE);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool holds = key != NULL && context != NULL &&
            EVP_DigestVerifyInit_ex(context, NULL, NULL, NULL, ANYBODY, key, NULL) == 1 &&
            EVP_DigestVerify(context, signature, LAZ_SIGNATURE_SIZE, message, sizeof(message)) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    return holds;
}
