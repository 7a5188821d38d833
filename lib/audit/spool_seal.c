/* SPDX-License-Identifier: Apache-2.0
 *
 * The run's key, sealed to recovery keys and opened again.
 */
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "audit/pem.h"
#include "audit/spool_crypt.h"
#include "audit/spool_hkdf.h"

#define X25519_LABEL  "lazaret-spool-1 x25519"
#define X25519_SIZE   32
#define X25519_SEALED (X25519_SIZE + LAZ_SPOOL_KEY_SIZE + LAZ_SPOOL_TAG_SIZE)
#define RSA_BITS_MIN  2048
#define RSA_BITS_MAX  8192

struct laz_spool_opener {
    EVP_PKEY *key;
    uint16_t kind;
    uint8_t id[LAZ_SPOOL_KEY_ID_SIZE];
};

bool laz_spool_derive(const struct laz_spool_hkdf *input, uint8_t ret[LAZ_SPOOL_KEY_SIZE])
{
    char hash[] = "SHA256";
    OSSL_PARAM params[] = {
            OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, hash, 0),
            OSSL_PARAM_construct_octet_string(
                    OSSL_KDF_PARAM_KEY, laz_unconst(input->secret), input->secret_size),
            OSSL_PARAM_construct_octet_string(
                    OSSL_KDF_PARAM_SALT, laz_unconst(input->salt), input->salt_size),
            OSSL_PARAM_construct_octet_string(
                    OSSL_KDF_PARAM_INFO, laz_unconst(input->info), input->info_size),
            OSSL_PARAM_construct_end(),
    };
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
    bool done = context != NULL && EVP_KDF_derive(context, ret, LAZ_SPOOL_KEY_SIZE, params) == 1;
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    return done;
}

/* 0 if it is of no kind that seals. */
static uint16_t kind_of(const EVP_PKEY *key)
{
    if (EVP_PKEY_is_a(key, "X25519") == 1) {
        return LAZ_SPOOL_SEAL_X25519;
    }
    int bits = EVP_PKEY_get_bits(key);
    return EVP_PKEY_is_a(key, "RSA") == 1 && bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX
            ? LAZ_SPOOL_SEAL_RSA
            : 0;
}

static bool fill_id(const EVP_PKEY *key, uint8_t ret[LAZ_SPOOL_KEY_ID_SIZE])
{
    unsigned char *der = NULL;
    uint8_t digest[LAZ_SHA256_SIZE];
    int length = i2d_PUBKEY(key, &der);
    if (length <= 0) {
        return false;
    }
    laz_sha256_of(der, (size_t)length, digest);
    (void)memcpy(ret, digest, LAZ_SPOOL_KEY_ID_SIZE);
    OPENSSL_free(der);
    return true;
}

static bool raw_public(const EVP_PKEY *key, uint8_t ret[X25519_SIZE])
{
    size_t size = X25519_SIZE;
    return EVP_PKEY_get_raw_public_key(key, ret, &size) == 1 && size == X25519_SIZE;
}

/* The key that wraps: from what both sides know, bound to both public keys. */
static bool agree(EVP_PKEY *own, EVP_PKEY *other, const uint8_t publics[2 * X25519_SIZE],
        uint8_t ret[LAZ_SPOOL_KEY_SIZE])
{
    uint8_t shared[X25519_SIZE];
    size_t size = sizeof(shared);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(own, NULL);
    bool done = context != NULL && EVP_PKEY_derive_init(context) == 1 &&
            EVP_PKEY_derive_set_peer(context, other) == 1 &&
            EVP_PKEY_derive(context, shared, &size) == 1 && size == sizeof(shared);
    EVP_PKEY_CTX_free(context);
    const struct laz_spool_hkdf input = {.secret = shared,
            .secret_size = sizeof(shared),
            .salt = publics,
            .salt_size = 2 * (size_t)X25519_SIZE,
            .info = (const uint8_t *)X25519_LABEL,
            .info_size = sizeof(X25519_LABEL) - 1};
    done = done && laz_spool_derive(&input, ret);
    OPENSSL_cleanse(shared, sizeof(shared));
    return done;
}

/* AES-256-GCM of a key by a key that is used this once, so that the nonce may be zero. */
static bool wrap(const uint8_t by[LAZ_SPOOL_KEY_SIZE], bool encrypts, const uint8_t *from,
        uint8_t *to, uint8_t tag[LAZ_SPOOL_TAG_SIZE])
{
    static const uint8_t nonce[LAZ_SPOOL_NONCE_SIZE] = {0};
    int n = 0;
    uint8_t none[LAZ_SPOOL_TAG_SIZE];
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    bool done = context != NULL &&
            EVP_CipherInit_ex2(context, EVP_aes_256_gcm(), by, nonce, encrypts ? 1 : 0, NULL) ==
                    1 &&
            EVP_CipherUpdate(context, to, &n, from, LAZ_SPOOL_KEY_SIZE) == 1 &&
            (encrypts ||
                    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, LAZ_SPOOL_TAG_SIZE, tag) ==
                            1) &&
            EVP_CipherFinal_ex(context, none, &n) == 1 &&
            (!encrypts ||
                    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, LAZ_SPOOL_TAG_SIZE, tag) ==
                            1);
    EVP_CIPHER_CTX_free(context);
    return done;
}

static bool seal_x25519(
        EVP_PKEY *public_key, const uint8_t key[LAZ_SPOOL_KEY_SIZE], struct laz_spool_seal *ret)
{
    uint8_t publics[2 * X25519_SIZE];
    uint8_t by[LAZ_SPOOL_KEY_SIZE];
    EVP_PKEY *once = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    bool done = once != NULL && raw_public(once, publics) &&
            raw_public(public_key, publics + X25519_SIZE) && agree(once, public_key, publics, by) &&
            wrap(by, true, key, ret->bytes + X25519_SIZE,
                    ret->bytes + X25519_SIZE + LAZ_SPOOL_KEY_SIZE);
    (void)memcpy(ret->bytes, publics, X25519_SIZE);
    ret->length = X25519_SEALED;
    EVP_PKEY_free(once);
    OPENSSL_cleanse(by, sizeof(by));
    return done;
}

static bool unseal_x25519(
        EVP_PKEY *private_key, struct laz_spool_seal *seal, uint8_t ret[LAZ_SPOOL_KEY_SIZE])
{
    uint8_t publics[2 * X25519_SIZE];
    uint8_t by[LAZ_SPOOL_KEY_SIZE];
    if (seal->length != X25519_SEALED) {
        return false;
    }
    (void)memcpy(publics, seal->bytes, X25519_SIZE);
    EVP_PKEY *once = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, publics, X25519_SIZE);
    bool done = once != NULL && raw_public(private_key, publics + X25519_SIZE) &&
            agree(private_key, once, publics, by) &&
            wrap(by, false, seal->bytes + X25519_SIZE, ret,
                    seal->bytes + X25519_SIZE + LAZ_SPOOL_KEY_SIZE);
    EVP_PKEY_free(once);
    OPENSSL_cleanse(by, sizeof(by));
    return done;
}

static bool set_oaep(EVP_PKEY_CTX *context)
{
    return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1 &&
            EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()) == 1 &&
            EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) == 1;
}

static bool seal_rsa(
        EVP_PKEY *public_key, const uint8_t key[LAZ_SPOOL_KEY_SIZE], struct laz_spool_seal *ret)
{
    size_t size = sizeof(ret->bytes);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(public_key, NULL);
    bool done = context != NULL && EVP_PKEY_encrypt_init(context) == 1 && set_oaep(context) &&
            EVP_PKEY_encrypt(context, ret->bytes, &size, key, LAZ_SPOOL_KEY_SIZE) == 1;
    EVP_PKEY_CTX_free(context);
    ret->length = (uint16_t)size;
    return done;
}

static bool unseal_rsa(
        EVP_PKEY *private_key, const struct laz_spool_seal *seal, uint8_t ret[LAZ_SPOOL_KEY_SIZE])
{
    uint8_t plain[LAZ_SPOOL_SEALED_MAX];
    size_t size = sizeof(plain);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(private_key, NULL);
    bool done = context != NULL && EVP_PKEY_decrypt_init(context) == 1 && set_oaep(context) &&
            EVP_PKEY_decrypt(context, plain, &size, seal->bytes, seal->length) == 1 &&
            size == LAZ_SPOOL_KEY_SIZE;
    if (done) {
        (void)memcpy(ret, plain, LAZ_SPOOL_KEY_SIZE);
    }
    EVP_PKEY_CTX_free(context);
    OPENSSL_cleanse(plain, sizeof(plain));
    return done;
}

int laz_spool_seal(const char *pem, const uint8_t key[LAZ_SPOOL_KEY_SIZE],
        struct laz_spool_seal *ret, struct laz_err *err)
{
    EVP_PKEY *public_key = laz_pem_read(pem, false);
    ret->kind = public_key == NULL ? 0 : kind_of(public_key);
    if (ret->kind == 0) {
        EVP_PKEY_free(public_key);
        if (strstr(pem, "PRIVATE KEY-----") != NULL) {
            return laz_err_set(err, LAZ_E_SPOOL, 0,
                    "this is a private key: never put it into the image; what belongs here is its "
                    "public key (openssl pkey -pubout)");
        }
        return laz_err_set(err, LAZ_E_SPOOL, 0,
                "a recovery key is no public key in PEM: X25519, or RSA of %d to %d bits",
                RSA_BITS_MIN, RSA_BITS_MAX);
    }
    bool done = fill_id(public_key, ret->key_id) &&
            (ret->kind == LAZ_SPOOL_SEAL_X25519 ? seal_x25519(public_key, key, ret)
                                                : seal_rsa(public_key, key, ret));
    EVP_PKEY_free(public_key);
    return done ? 0 : laz_err_set(err, LAZ_E_SPOOL, 0, "libcrypto cannot seal to a recovery key");
}

struct laz_spool_opener *laz_spool_opener_new(const char *pem, struct laz_err *err)
{
    struct laz_spool_opener *opener = calloc(1, sizeof(*opener));
    if (opener == NULL) {
        (void)laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a key");
        return NULL;
    }
    opener->key = laz_pem_read(pem, true);
    opener->kind = opener->key == NULL ? 0 : kind_of(opener->key);
    if (opener->kind == 0 || !fill_id(opener->key, opener->id)) {
        laz_spool_opener_free(opener);
        (void)laz_err_set(err, LAZ_E_SPOOL, 0,
                "it is no private key in PEM without a passphrase: X25519, or RSA of %d to %d bits",
                RSA_BITS_MIN, RSA_BITS_MAX);
        return NULL;
    }
    return opener;
}

void laz_spool_opener_free(struct laz_spool_opener *opener)
{
    if (opener != NULL) {
        EVP_PKEY_free(opener->key); /* wipes it */
        free(opener);
    }
}

bool laz_spool_unseal(const struct laz_spool_opener *opener, const uint8_t *head, uint32_t n_seals,
        uint8_t ret[LAZ_SPOOL_KEY_SIZE])
{
    struct laz_spool_seal seal;
    for (uint32_t i = 0; i < n_seals; i++) {
        laz_spool_head_seal(head, i, &seal);
        if (seal.kind != opener->kind || memcmp(seal.key_id, opener->id, sizeof(opener->id)) != 0) {
            continue;
        }
        if (seal.kind == LAZ_SPOOL_SEAL_X25519 ? unseal_x25519(opener->key, &seal, ret)
                                               : unseal_rsa(opener->key, &seal, ret)) {
            return true;
        }
    }
    return false;
}
