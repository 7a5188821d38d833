/* SPDX-License-Identifier: Apache-2.0
 *
 * One key, and a set of one or two.
 */
#include "secret/jwk.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "core/num.h"
#include "secret/coding.h"

#define KID_BYTES 8

static int put_kid(const struct laz_buf *key, struct laz_buf *ret, struct laz_err *err)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    char text[2 * KID_BYTES + 1];
    unsigned size = 0;
    if (EVP_Digest(key->data, key->len, digest, &size, EVP_sha256(), NULL) != 1 ||
            size < KID_BYTES) {
        return laz_err_set(err, LAZ_E_SYSTEM, 0, "libcrypto refuses SHA-256");
    }
    laz_format_hex(digest, KID_BYTES, text);
    OPENSSL_cleanse(digest, sizeof(digest));
    laz_buf_str(ret, text);
    return 0;
}

static int put_one(const struct laz_fetch_item *item, const struct laz_buf *key,
        struct laz_buf *ret, struct laz_err *err)
{
    laz_buf_str(ret, "{\"kty\":\"oct\",\"k\":\"");
    laz_secret_encode(LAZ_SECRET_FORM_BASE64URL, key->data, key->len, ret);
    laz_buf_str(ret, "\",\"kid\":\"");
    if (put_kid(key, ret, err) != 0) {
        return -1;
    }
    if (item->alg != LAZ_SECRET_ALG_NONE) {
        laz_buf_printf(ret, "\",\"alg\":\"%s", laz_secret_alg_name(item->alg));
    }
    laz_buf_str(ret, "\"}");
    return 0;
}

int laz_secret_put_jwk(const struct laz_fetch_item *item, const struct laz_buf *key,
        const struct laz_buf *before, struct laz_buf *ret, struct laz_err *err)
{
    bool has_other = before != NULL &&
            (before->len != key->len || CRYPTO_memcmp(before->data, key->data, key->len) != 0);
    if (item->form == LAZ_SECRET_FORM_JWK) {
        return put_one(item, key, ret, err);
    }
    laz_buf_str(ret, "{\"keys\":[");
    if (put_one(item, key, ret, err) != 0) {
        return -1;
    }
    if (has_other) {
        laz_buf_char(ret, ',');
        if (put_one(item, before, ret, err) != 0) {
            return -1;
        }
    }
    laz_buf_str(ret, "]}");
    return 0;
}
