/* SPDX-License-Identifier: Apache-2.0
 *
 * By OpenSSL. The password and the key are copied into memory that is wiped.
 */
#include "secret/p12.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/pkcs12.h>

#include "secret/pem.h"

#define ROUNDS                                                                                     \
    10000 /* of PBKDF2, as Java's own key stores have: who has the file has the password */
#define CHAIN "-----BEGIN CERTIFICATE-----"

bool laz_p12_is_password(const char *text, size_t length)
{
    bool is_good = length > 0 && length <= LAZ_P12_PASSWORD_MAX;
    for (size_t i = 0; is_good && i < length; i++) {
        is_good = text[i] >= ' ' && text[i] <= '~';
    }
    return is_good;
}

struct parts {
    EVP_PKEY *key;
    STACK_OF(X509) * chain; /* the leaf first */
};

/* The text is one of ours. */
static int read_parts(const char *text, size_t length, struct parts *ret, struct laz_err *err)
{
    const char *chain = memmem(text, length, CHAIN, strlen(CHAIN));
    if (chain == NULL) {
        return laz_err_set(err, LAZ_E_SECRET, 0, "there is no certificate in it");
    }
    size_t before = (size_t)(chain - text);
    return laz_pem_read_key(text, before, &ret->key, err) != 0
            ? -1
            : laz_pem_read_certificates(
                      chain, length - before, LAZ_PEM_CERTIFICATES_MAX, &ret->chain, err);
}

static int put(const PKCS12 *p12, struct laz_buf *ret, struct laz_err *err)
{
    unsigned char *der = NULL;
    int length = p12 == NULL ? -1 : i2d_PKCS12(p12, &der);
    if (length <= 0) {
        return laz_err_set(err, LAZ_E_SYSTEM, 0, "libcrypto makes no PKCS#12");
    }
    laz_buf_put(ret, der, (size_t)length);
    OPENSSL_clear_free(der, (size_t)length);
    return 0;
}

static int make(const char *name, const char *password, struct parts *parts, struct laz_buf *ret,
        struct laz_err *err)
{
    X509 *leaf = sk_X509_shift(parts->chain);
    PKCS12 *p12 = PKCS12_create(password, name, parts->key, leaf, parts->chain, NID_aes_256_cbc,
            NID_aes_256_cbc, ROUNDS, ROUNDS, 0);
    X509_free(leaf);
    int result = put(p12, ret, err);
    PKCS12_free(p12);
    return result;
}

int laz_p12_put(
        const char *name, const struct laz_buf *from, struct laz_buf *ret, struct laz_err *err)
{
    char password[LAZ_P12_PASSWORD_MAX + 1];
    struct parts parts = {0};
    const char *feed = memchr(from->data, '\n', from->len);
    size_t length = feed == NULL ? 0 : (size_t)(feed - from->data);
    if (!laz_p12_is_password(from->data, length)) {
        return laz_err_set(err, LAZ_E_SECRET, 0, "there is no password");
    }
    (void)memcpy(password, from->data, length);
    password[length] = '\0';
    int result = read_parts(feed + 1, from->len - length - 1, &parts, err);
    result = result == 0 ? make(name, password, &parts, ret, err) : -1;
    OPENSSL_cleanse(password, sizeof(password));
    EVP_PKEY_free(parts.key);
    sk_X509_pop_free(parts.chain, X509_free);
    return result;
}
