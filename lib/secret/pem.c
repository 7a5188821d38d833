/* SPDX-License-Identifier: Apache-2.0
 *
 * Armour is read here, what is inside by OpenSSL; each block must be used up to its last byte. A
 * key is decoded in pages of its own, which are wiped.
 */
#include "secret/pem.h"

#include <string.h>

#include <openssl/crypto.h>

#include "secret/coding.h"
#include "secret/memory.h"

#define BEGIN      "-----BEGIN "
#define END        "-----END "
#define DASHES     "-----"
#define LINE_BYTES 48 /* 64 characters: RFC 7468, section 2 */

enum kind {
    KIND_CERTIFICATE,
    KIND_PKCS8,
    KIND_EC,
    KIND_RSA,
    KIND_ENCRYPTED,
    KIND_OTHER
};

static const char *const labels[] = {
        [KIND_CERTIFICATE] = "CERTIFICATE",
        [KIND_PKCS8] = "PRIVATE KEY",
        [KIND_EC] = "EC PRIVATE KEY",
        [KIND_RSA] = "RSA PRIVATE KEY",
        [KIND_ENCRYPTED] = "ENCRYPTED PRIVATE KEY",
};

struct line {
    const char *text;
    size_t length;
};

struct reader {
    const char *at;
    const char *end;
    unsigned number; /* of the line that was read last */
};

static int refuse(struct laz_err *err, unsigned line, const char *what)
{
    return laz_err_set(err, LAZ_E_SECRET, 0, "line %u: %s", line, what);
}

/* Without its end, and without blanks at it. false: there is none any more. */
static bool next_line(struct reader *reader, struct line *ret)
{
    if (reader->at == reader->end) {
        return false;
    }
    const char *feed = memchr(reader->at, '\n', (size_t)(reader->end - reader->at));
    const char *end = feed == NULL ? reader->end : feed;
    ret->text = reader->at;
    ret->length = (size_t)(end - reader->at);
    while (ret->length > 0 && strchr(" \t\r", ret->text[ret->length - 1]) != NULL &&
            ret->text[ret->length - 1] != '\0') {
        ret->length--;
    }
    reader->at = feed == NULL ? reader->end : feed + 1;
    reader->number++;
    return true;
}

static bool is_text(
        const struct line *line, const char *first, const char *second, const char *third)
{
    const char *const parts[] = {first, second, third};
    size_t at = 0;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        size_t length = strlen(parts[i]);
        if (line->length - at < length || memcmp(line->text + at, parts[i], length) != 0) {
            return false;
        }
        at += length;
    }
    return at == line->length;
}

static enum kind kind_of(const struct line *line)
{
    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
        if (is_text(line, BEGIN, labels[i], DASHES)) {
            return (enum kind)i;
        }
    }
    return KIND_OTHER;
}

/* Up to the end of a block whose first line was read. All lines but the last are of the same
 * length, so that four characters are never torn. */
static int read_block(
        struct reader *reader, enum kind kind, struct laz_buf *ret, struct laz_err *err)
{
    struct line line;
    struct laz_err ignored = {0};
    size_t before = 0;
    bool is_last = false;
    while (next_line(reader, &line)) {
        if (is_text(&line, END, labels[kind], DASHES)) {
            return ret->len > 0 ? 0 : refuse(err, reader->number, "the block is empty");
        }
        if (is_last || line.length == 0 || (before > 0 && line.length > before) ||
                laz_secret_decode(LAZ_SECRET_FORM_BASE64, line.text, line.length, ret, &ignored) !=
                        0) {
            return refuse(err, reader->number, "no base64 in lines of one length");
        }
        if (ret->overflow) {
            return refuse(err, reader->number, "the block is too long");
        }
        is_last = (before > 0 && line.length < before) || ret->len % 3 != 0;
        before = line.length;
    }
    return refuse(err, reader->number, "the block does not end");
}

/* The next block that there is; KIND_OTHER at the end of all. */
static int next_block(
        struct reader *reader, enum kind *ret_kind, struct laz_buf *ret, struct laz_err *err)
{
    struct line line;
    laz_secret_buf_clear(ret);
    *ret_kind = KIND_OTHER;
    while (next_line(reader, &line)) {
        if (line.length == 0) {
            continue;
        }
        *ret_kind = kind_of(&line);
        if (*ret_kind == KIND_OTHER) {
            return refuse(err, reader->number,
                    line.length > strlen(BEGIN) && memcmp(line.text, BEGIN, strlen(BEGIN)) == 0
                            ? "a block that is no certificate and no private key"
                            : "text that belongs to no block");
        }
        if (*ret_kind == KIND_ENCRYPTED) {
            return refuse(err, reader->number, "the key has a passphrase: nobody is asked for one");
        }
        return read_block(reader, *ret_kind, ret, err);
    }
    return 0;
}

/* ---- what is inside ---- */

static int take_certificate(
        const struct laz_buf *der, unsigned line, STACK_OF(X509) * all, struct laz_err *err)
{
    const unsigned char *at = (const unsigned char *)der->data;
    const unsigned char *end = at + der->len;
    X509 *certificate = d2i_X509(NULL, &at, (long)der->len);
    if (certificate == NULL || at != end) {
        X509_free(certificate);
        return refuse(err, line, "no certificate ends here, or something follows it");
    }
    if (sk_X509_push(all, certificate) <= 0) {
        X509_free(certificate);
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for certificates");
    }
    return 0;
}

static int read_all(struct reader *reader, size_t max, STACK_OF(X509) * all, struct laz_buf *der,
        struct laz_err *err)
{
    for (;;) {
        enum kind kind = KIND_OTHER;
        if (next_block(reader, &kind, der, err) != 0) {
            return -1;
        }
        if (kind == KIND_OTHER) {
            return sk_X509_num(all) > 0
                    ? 0
                    : laz_err_set(err, LAZ_E_SECRET, 0, "there is no certificate in it");
        }
        if (kind != KIND_CERTIFICATE) {
            return refuse(err, reader->number, "a private key among certificates");
        }
        if ((size_t)sk_X509_num(all) == max) {
            return laz_err_set(err, LAZ_E_SECRET, 0, "more than %zu certificates", max);
        }
        if (take_certificate(der, reader->number, all, err) != 0) {
            return -1;
        }
    }
}

int laz_pem_read_certificates(
        const char *text, size_t length, size_t max, STACK_OF(X509) * *ret, struct laz_err *err)
{
    struct reader reader = {.at = text, .end = text + length};
    struct laz_buf der = {0};
    STACK_OF(X509) *all = sk_X509_new_null();
    if (all == NULL || laz_secret_buf_init(&der, LAZ_PEM_BLOCK_MAX, err) != 0) {
        sk_X509_free(all);
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for certificates");
    }
    int result = read_all(&reader, max, all, &der, err);
    laz_secret_buf_done(&der);
    if (result != 0) {
        sk_X509_pop_free(all, X509_free);
        return -1;
    }
    *ret = all;
    return 0;
}

static EVP_PKEY *decode_key(enum kind kind, const struct laz_buf *der)
{
    const unsigned char *at = (const unsigned char *)der->data;
    const unsigned char *end = at + der->len;
    EVP_PKEY *key = NULL;
    if (kind == KIND_PKCS8) {
        PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)der->len);
        key = info == NULL ? NULL : EVP_PKCS82PKEY(info);
        PKCS8_PRIV_KEY_INFO_free(info);
    } else {
        int type = kind == KIND_EC ? EVP_PKEY_EC : EVP_PKEY_RSA;
        key = d2i_PrivateKey(type, NULL, &at, (long)der->len);
    }
    if (key != NULL && at != end) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    return key;
}

static int read_one_key(
        struct reader *reader, struct laz_buf *der, EVP_PKEY **ret, struct laz_err *err)
{
    enum kind kind = KIND_OTHER;
    if (next_block(reader, &kind, der, err) != 0) {
        return -1;
    }
    if (kind == KIND_OTHER) {
        return laz_err_set(err, LAZ_E_SECRET, 0, "there is no private key in it");
    }
    if (kind == KIND_CERTIFICATE) {
        return refuse(err, reader->number, "a certificate, and not a private key");
    }
    EVP_PKEY *key = decode_key(kind, der);
    if (key == NULL) {
        return refuse(err, reader->number, "no private key ends here, or something follows it");
    }
    if (next_block(reader, &kind, der, err) != 0 || kind != KIND_OTHER) {
        EVP_PKEY_free(key);
        return refuse(err, reader->number, "something follows the private key");
    }
    *ret = key;
    return 0;
}

int laz_pem_read_key(const char *text, size_t length, EVP_PKEY **ret, struct laz_err *err)
{
    struct reader reader = {.at = text, .end = text + length};
    struct laz_buf der = {0};
    if (laz_secret_buf_init(&der, LAZ_PEM_BLOCK_MAX, err) != 0) {
        return -1;
    }
    int result = read_one_key(&reader, &der, ret, err);
    laz_secret_buf_done(&der);
    return result;
}

/* ---- writing ---- */

static void put_block(const char *label, const char *bytes, size_t length, struct laz_buf *ret)
{
    laz_buf_str(ret, BEGIN);
    laz_buf_str(ret, label);
    laz_buf_str(ret, DASHES "\n");
    for (size_t at = 0; at < length; at += LINE_BYTES) {
        size_t n = length - at < LINE_BYTES ? length - at : LINE_BYTES;
        laz_secret_encode(LAZ_SECRET_FORM_BASE64, bytes + at, n, ret);
        laz_buf_char(ret, '\n');
    }
    laz_buf_str(ret, END);
    laz_buf_str(ret, label);
    laz_buf_str(ret, DASHES "\n");
}

int laz_pem_write_certificate(const X509 *certificate, struct laz_buf *ret, struct laz_err *err)
{
    unsigned char *der = NULL;
    int length = i2d_X509(certificate, &der);
    if (length <= 0) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory to write a certificate");
    }
    put_block(labels[KIND_CERTIFICATE], (const char *)der, (size_t)length, ret);
    OPENSSL_free(der);
    return 0;
}

int laz_pem_write_request(const X509_REQ *request, struct laz_buf *ret, struct laz_err *err)
{
    unsigned char *der = NULL;
    int length = i2d_X509_REQ(request, &der);
    if (length <= 0) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory to write a request");
    }
    put_block("CERTIFICATE REQUEST", (const char *)der, (size_t)length, ret);
    OPENSSL_free(der);
    return 0;
}

int laz_pem_key_bytes(const EVP_PKEY *key, struct laz_buf *ret, struct laz_err *err)
{
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
    int length = info == NULL ? -1 : i2d_PKCS8_PRIV_KEY_INFO(info, NULL);
    if (length <= 0 || (size_t)length > ret->cap - ret->len) {
        PKCS8_PRIV_KEY_INFO_free(info);
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory to write a key");
    }
    unsigned char *at = (unsigned char *)ret->data + ret->len;
    ret->len += (size_t)i2d_PKCS8_PRIV_KEY_INFO(info, &at);
    PKCS8_PRIV_KEY_INFO_free(info);
    return 0;
}

int laz_pem_write_key(const EVP_PKEY *key, struct laz_buf *ret, struct laz_err *err)
{
    struct laz_buf der = {0};
    if (laz_secret_buf_init(&der, LAZ_PEM_BLOCK_MAX, err) != 0) {
        return -1;
    }
    int result = laz_pem_key_bytes(key, &der, err);
    if (result == 0) {
        put_block(labels[KIND_PKCS8], der.data, der.len, ret);
    }
    laz_secret_buf_done(&der);
    return result;
}

static int rewrite_certificates(
        const char *text, size_t length, struct laz_buf *ret, struct laz_err *err)
{
    STACK_OF(X509) *all = NULL;
    int result = laz_pem_read_certificates(text, length, LAZ_PEM_CAS_MAX, &all, err);
    for (int i = 0; result == 0 && i < sk_X509_num(all); i++) {
        result = laz_pem_write_certificate(sk_X509_value(all, i), ret, err);
    }
    sk_X509_pop_free(all, X509_free);
    return result;
}

static int rewrite_key(const char *text, size_t length, struct laz_buf *ret, struct laz_err *err)
{
    EVP_PKEY *key = NULL;
    int result = laz_pem_read_key(text, length, &key, err);
    result = result == 0 ? laz_pem_write_key(key, ret, err) : -1;
    EVP_PKEY_free(key);
    return result;
}

int laz_pem_rewrite(const char *text, size_t length, struct laz_buf *ret, struct laz_err *err)
{
    struct reader reader = {.at = text, .end = text + length};
    struct line line = {0};
    bool has_line = next_line(&reader, &line);
    while (has_line && line.length == 0) {
        has_line = next_line(&reader, &line);
    }
    if (!has_line) {
        return laz_err_set(err, LAZ_E_SECRET, 0, "there is no private key and no certificate");
    }
    return kind_of(&line) == KIND_CERTIFICATE ? rewrite_certificates(text, length, ret, err)
                                              : rewrite_key(text, length, ret, err);
}
