/* SPDX-License-Identifier: Apache-2.0
 *
 * Signature Version 4 over libcrypto's SHA-256 and HMAC. Keys that are derived on the way are
 * wiped.
 */
#include "net/sigv4.h"

#include <string.h>
#include <time.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "core/num.h"

#define CANONICAL_MAX 24576 /* bytes: a session token, and the other headers */
#define SECRET_MAX    256
#define DAY_LENGTH    8 /* of x-amz-date */
#define HEX_SIZE      (2 * SHA256_DIGEST_LENGTH + 1)

void laz_sigv4_date(int64_t seconds, char ret[LAZ_SIGV4_DATE_SIZE])
{
    time_t now = (time_t)seconds;
    struct tm parts = {0};
    (void)gmtime_r(&now, &parts);
    if (strftime(ret, LAZ_SIGV4_DATE_SIZE, "%Y%m%dT%H%M%SZ", &parts) == 0) {
        ret[0] = '\0';
    }
}

static bool digest(const void *bytes, size_t length, char ret[HEX_SIZE])
{
    uint8_t hash[SHA256_DIGEST_LENGTH];
    if (EVP_Digest(bytes, length, hash, NULL, EVP_sha256(), NULL) != 1) {
        return false;
    }
    laz_format_hex(hash, sizeof(hash), ret);
    return true;
}

/* hash = HMAC(hash, text) */
static bool derive(uint8_t hash[SHA256_DIGEST_LENGTH], const void *text, size_t length)
{
    uint8_t result[SHA256_DIGEST_LENGTH];
    unsigned size = 0;
    bool is_good =
            HMAC(EVP_sha256(), hash, SHA256_DIGEST_LENGTH, text, length, result, &size) != NULL &&
            size == sizeof(result);
    (void)memcpy(hash, result, sizeof(result));
    OPENSSL_cleanse(result, sizeof(result));
    return is_good;
}

static bool derive_first(const struct laz_sigv4_key *key, uint8_t hash[SHA256_DIGEST_LENGTH])
{
    char secret[SECRET_MAX + 5];
    struct laz_buf buf;
    unsigned size = 0;
    laz_buf_init_fixed(&buf, secret, sizeof(secret));
    laz_buf_str(&buf, "AWS4");
    laz_buf_str(&buf, key->secret_key);
    bool is_good = !buf.overflow &&
            HMAC(EVP_sha256(), secret, (int)buf.len, (const uint8_t *)key->date, DAY_LENGTH, hash,
                    &size) != NULL;
    OPENSSL_cleanse(secret, sizeof(secret));
    return is_good && size == SHA256_DIGEST_LENGTH;
}

/* ---- the canonical request ---- */

static bool is_path(const char *path)
{
    return path[0] == '/' && strstr(path, "//") == NULL && strstr(path, "/.") == NULL &&
            strspn(path, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/-._~") ==
            strlen(path);
}

static bool is_name(const char *name)
{
    return name[0] != '\0' && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name);
}

/* Without blanks at either end, and one where there are several. */
static void put_trimmed(struct laz_buf *buf, const char *value)
{
    size_t length = strlen(value);
    bool is_blank = true;
    while (length > 0 && (value[length - 1] == ' ' || value[length - 1] == '\t')) {
        length--;
    }
    for (size_t i = 0; i < length; i++) {
        bool was_blank = is_blank;
        is_blank = value[i] == ' ' || value[i] == '\t';
        if (!is_blank || !was_blank) {
            laz_buf_put(buf, is_blank ? " " : value + i, 1);
        }
    }
}

/* Indices of the headers by name. false if one is there twice, is none, or too many are. */
static bool sort(const struct laz_sigv4_request *request, size_t order[LAZ_SIGV4_HEADERS_MAX])
{
    const struct laz_header *headers = request->headers;
    if (request->n_headers > LAZ_SIGV4_HEADERS_MAX) {
        return false;
    }
    for (size_t i = 0; i < request->n_headers; i++) {
        size_t at = i;
        for (; at > 0 && strcmp(headers[order[at - 1]].name, headers[i].name) > 0; at--) {
            order[at] = order[at - 1];
        }
        order[at] = i;
        if (!is_name(headers[i].name) || strpbrk(headers[i].value, "\r\n") != NULL ||
                (at > 0 && strcmp(headers[order[at - 1]].name, headers[i].name) == 0)) {
            return false;
        }
    }
    return true;
}

static void put_names(struct laz_buf *buf, const struct laz_sigv4_request *request,
        const size_t order[LAZ_SIGV4_HEADERS_MAX])
{
    for (size_t i = 0; i < request->n_headers; i++) {
        laz_buf_str(buf, i > 0 ? ";" : "");
        laz_buf_str(buf, request->headers[order[i]].name);
    }
}

static bool digest_request(const struct laz_sigv4_request *request,
        const size_t order[LAZ_SIGV4_HEADERS_MAX], char ret[HEX_SIZE])
{
    char hash[HEX_SIZE];
    laz_cleanup_buf struct laz_buf text;
    laz_buf_init_wiped(&text, CANONICAL_MAX); /* the session token */
    laz_buf_str(&text, request->method);
    laz_buf_char(&text, '\n');
    laz_buf_str(&text, request->path);
    laz_buf_str(&text, "\n\n"); /* no query */
    for (size_t i = 0; i < request->n_headers; i++) {
        laz_buf_str(&text, request->headers[order[i]].name);
        laz_buf_char(&text, ':');
        put_trimmed(&text, request->headers[order[i]].value);
        laz_buf_char(&text, '\n');
    }
    laz_buf_char(&text, '\n');
    put_names(&text, request, order);
    laz_buf_char(&text, '\n');
    bool is_good = digest(request->body, request->body_length, hash);
    laz_buf_str(&text, hash);
    return is_good && !text.overflow && digest(text.data, text.len, ret);
}

static bool sign(const struct laz_sigv4_key *key, const struct laz_buf *scope,
        const char *request_hash, uint8_t ret[SHA256_DIGEST_LENGTH])
{
    char memory[LAZ_SIGV4_MAX];
    struct laz_buf text;
    laz_buf_init_fixed(&text, memory, sizeof(memory));
    laz_buf_str(&text, "AWS4-HMAC-SHA256\n");
    laz_buf_str(&text, key->date);
    laz_buf_char(&text, '\n');
    laz_buf_put(&text, scope->data, scope->len);
    laz_buf_char(&text, '\n');
    laz_buf_str(&text, request_hash);
    return !text.overflow && derive_first(key, ret) &&
            derive(ret, key->region, strlen(key->region)) &&
            derive(ret, key->service, strlen(key->service)) && derive(ret, "aws4_request", 12) &&
            derive(ret, text.data, text.len);
}

int laz_sigv4_sign(const struct laz_sigv4_request *request, const struct laz_sigv4_key *key,
        struct laz_buf *ret, struct laz_err *err)
{
    size_t order[LAZ_SIGV4_HEADERS_MAX] = {0};
    char request_hash[HEX_SIZE];
    char signature[HEX_SIZE];
    char memory[LAZ_SIGV4_MAX];
    uint8_t hash[SHA256_DIGEST_LENGTH];
    struct laz_buf scope;
    if (!is_path(request->path) || !is_name(key->service) || !is_name(key->region) ||
            strlen(key->date) != LAZ_SIGV4_DATE_SIZE - 1 || !sort(request, order)) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "a request that cannot be signed");
    }
    laz_buf_init_fixed(&scope, memory, sizeof(memory));
    laz_buf_put(&scope, key->date, DAY_LENGTH);
    laz_buf_printf(&scope, "/%s/%s/aws4_request", key->region, key->service);
    bool is_good = !scope.overflow && digest_request(request, order, request_hash) &&
            sign(key, &scope, request_hash, hash);
    laz_format_hex(hash, sizeof(hash), signature);
    OPENSSL_cleanse(hash, sizeof(hash));
    if (!is_good) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "libcrypto does not sign a request");
    }
    laz_buf_printf(
            ret, "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=", key->access_key, scope.data);
    put_names(ret, request, order);
    laz_buf_printf(ret, ", Signature=%s", signature);
    return ret->overflow ? laz_err_set(err, LAZ_E_INTERNAL, 0, "a signature that does not fit") : 0;
}
