/* SPDX-License-Identifier: Apache-2.0
 *
 * Digests: strict by scanning, like the trail itself.
 */
#include "audit/digest.h"

#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/x509.h>

#include "audit/pem.h"
#include "core/num.h"

#define SIGNED_PREFIX "lazaret-digest-1" /* and its NUL */
#define CHAINS_MAX    4096               /* of one file */
#define NAME_MAX_SIZE 255

struct laz_digest_key {
    EVP_PKEY *key;
    uint8_t id[LAZ_SHA256_SIZE];
};

/* ---- Keys ---- */

static bool fill_id(const EVP_PKEY *key, uint8_t ret[LAZ_SHA256_SIZE])
{
    unsigned char *der = NULL;
    int length = i2d_PUBKEY(key, &der);
    if (length <= 0) {
        return false;
    }
    laz_sha256_of(der, (size_t)length, ret);
    OPENSSL_free(der);
    return true;
}

struct laz_digest_key *laz_digest_key_new(const char *pem, bool is_private, struct laz_err *err)
{
    struct laz_digest_key *key = calloc(1, sizeof(*key));
    if (key == NULL) {
        (void)laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a key");
        return NULL;
    }
    key->key = laz_pem_read(pem, is_private);
    if (key->key == NULL || EVP_PKEY_is_a(key->key, "ED25519") != 1 ||
            !fill_id(key->key, key->id)) {
        laz_digest_key_free(key);
        (void)laz_err_set(err, LAZ_E_USAGE, 0,
                "it is no Ed25519 %s key in PEM without a passphrase",
                is_private ? "private" : "public");
        return NULL;
    }
    return key;
}

void laz_digest_key_free(struct laz_digest_key *key)
{
    if (key != NULL) {
        EVP_PKEY_free(key->key);
        free(key);
    }
}

static void put_signed(
        const uint8_t hash[LAZ_SHA256_SIZE], uint8_t ret[sizeof(SIGNED_PREFIX) + LAZ_SHA256_SIZE])
{
    (void)memcpy(ret, SIGNED_PREFIX, sizeof(SIGNED_PREFIX));
    (void)memcpy(ret + sizeof(SIGNED_PREFIX), hash, LAZ_SHA256_SIZE);
}

const char *laz_digest_check(const struct laz_digest *digest, const struct laz_digest_key *key)
{
    uint8_t text[sizeof(SIGNED_PREFIX) + LAZ_SHA256_SIZE];
    if (memcmp(digest->key, key->id, sizeof(key->id)) != 0) {
        return "it says that another key has signed it";
    }
    put_signed(digest->signed_hash, text);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool holds = context != NULL &&
            EVP_DigestVerifyInit(context, NULL, NULL, NULL, key->key) == 1 &&
            EVP_DigestVerify(
                    context, digest->signature, sizeof(digest->signature), text, sizeof(text)) == 1;
    EVP_MD_CTX_free(context);
    return holds ? NULL : "its signature is wrong";
}

static int sign(const struct laz_digest_key *key, const uint8_t hash[LAZ_SHA256_SIZE],
        uint8_t ret[LAZ_SIGNATURE_SIZE], struct laz_err *err)
{
    uint8_t text[sizeof(SIGNED_PREFIX) + LAZ_SHA256_SIZE];
    size_t size = LAZ_SIGNATURE_SIZE;
    put_signed(hash, text);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool done = context != NULL && EVP_DigestSignInit(context, NULL, NULL, NULL, key->key) == 1 &&
            EVP_DigestSign(context, ret, &size, text, sizeof(text)) == 1 &&
            size == LAZ_SIGNATURE_SIZE;
    EVP_MD_CTX_free(context);
    return done ? 0 : laz_err_set(err, LAZ_E_INTERNAL, 0, "libcrypto cannot sign");
}

/* ---- Reading ---- */

bool laz_digest_can_name(const char *name)
{
    size_t length = strlen(name);
    bool is_plain = length > 0 && length <= NAME_MAX_SIZE && name[0] != '.';
    for (size_t i = 0; i < length; i++) {
        is_plain = is_plain && name[i] > ' ' && name[i] < 0x7f && strchr("\"\\/", name[i]) == NULL;
    }
    return is_plain;
}

/* A member that may be empty. */
static bool read_hex_or_nothing(
        struct laz_trail_reader *reader, const char *key, uint8_t *ret, size_t size, bool *ret_is)
{
    struct laz_span text;
    *ret_is = laz_trail_read_hex(reader, key, ret, size);
    return *ret_is || (laz_trail_read_string(reader, key, &text) && text.length == 0);
}

static bool read_algorithm(struct laz_trail_reader *reader)
{
    return laz_trail_read_text(reader, ",\"hashAlgorithm\":\"SHA-256\"");
}

static bool read_chains(struct laz_trail_reader *reader)
{
    uint8_t id[LAZ_CHAIN_ID_SIZE];
    uint64_t first = 0;
    uint64_t last = 0;
    bool is_first = true;
    if (!laz_trail_read_text(reader, ",\"chains\":[")) {
        return false;
    }
    while (!laz_trail_read_text(reader, "]")) {
        if ((!is_first && !laz_trail_read_text(reader, ",")) || !laz_trail_read_text(reader, "{") ||
                !laz_trail_read_hex(reader, "chain", id, sizeof(id)) ||
                !laz_trail_read_u64(reader, "firstSeq", &first) ||
                !laz_trail_read_u64(reader, "lastSeq", &last) ||
                !laz_trail_read_text(reader, "}")) {
            return false;
        }
        is_first = false;
    }
    return true;
}

static bool read_file(struct laz_trail_reader *reader, struct laz_digest_file *ret)
{
    struct laz_span ignored;
    return laz_trail_read_text(reader, "{") && laz_trail_read_string(reader, "file", &ret->name) &&
            laz_trail_read_u64(reader, "size", &ret->size) &&
            laz_trail_read_hex(reader, "hashValue", ret->sha256, sizeof(ret->sha256)) &&
            read_algorithm(reader) && laz_trail_read_string(reader, "oldestEventTime", &ignored) &&
            laz_trail_read_string(reader, "newestEventTime", &ignored) && read_chains(reader) &&
            laz_trail_read_text(reader, "}");
}

bool laz_digest_next_file(struct laz_digest *digest, struct laz_digest_file *ret)
{
    struct laz_trail_reader ahead = digest->files;
    bool is_next = ahead.at[-1] == '[' || laz_trail_read_text(&ahead, ",");
    if (!is_next || !read_file(&ahead, ret)) {
        return false;
    }
    digest->files = ahead;
    return true;
}

/* From here to the bracket. */
static bool read_files(struct laz_trail_reader *reader)
{
    struct laz_digest_file file;
    bool is_first = true;
    while (!laz_trail_read_text(reader, "]")) {
        if ((!is_first && !laz_trail_read_text(reader, ",")) || !read_file(reader, &file)) {
            return false;
        }
        is_first = false;
    }
    return true;
}

static bool read_head(struct laz_trail_reader *reader, struct laz_digest *ret)
{
    bool has_signature = false;
    return laz_trail_read_text(reader, "\"digestVersion\":1") &&
            laz_trail_read_u64(reader, "digestNumber", &ret->number) &&
            laz_trail_read_string(reader, "digestStartTime", &ret->start) &&
            laz_trail_read_string(reader, "digestEndTime", &ret->end) &&
            laz_trail_read_hex(reader, "digestPublicKeyFingerprint", ret->key, sizeof(ret->key)) &&
            laz_trail_read_text(reader, ",\"digestSignatureAlgorithm\":\"Ed25519\"") &&
            read_hex_or_nothing(reader, "previousDigestHashValue", ret->before, sizeof(ret->before),
                    &ret->has_before) &&
            laz_trail_read_text(reader, ",\"previousDigestHashAlgorithm\":\"SHA-256\"") &&
            read_hex_or_nothing(reader, "previousDigestSignature", ret->before_signature,
                    sizeof(ret->before_signature), &has_signature) &&
            has_signature == ret->has_before && laz_trail_read_text(reader, ",\"logFiles\":[");
}

static void hash_signed(const char *text, size_t length, uint8_t ret[LAZ_SHA256_SIZE])
{
    struct laz_sha256 hash;
    laz_sha256_init(&hash);
    laz_sha256_add(&hash, text, length);
    laz_sha256_add(&hash, "}", 1);
    laz_sha256_end(&hash, ret);
}

bool laz_digest_parse(const char *text, size_t length, struct laz_digest *ret)
{
    *ret = (struct laz_digest){0};
    if (length < 3 || text[0] != '{' || text[length - 1] != '\n') {
        return false;
    }
    struct laz_trail_reader reader = {.at = text + 1, .end = text + length};
    if (!read_head(&reader, ret)) {
        return false;
    }
    ret->files = reader;
    if (!read_files(&reader)) {
        return false;
    }
    size_t signed_length = (size_t)(reader.at - text);
    if (!laz_trail_read_hex(&reader, "digestSignature", ret->signature, sizeof(ret->signature)) ||
            !laz_trail_read_text(&reader, "}\n") || !laz_trail_read_done(&reader)) {
        return false;
    }
    hash_signed(text, signed_length, ret->signed_hash);
    laz_sha256_of(text, length, ret->hash);
    return true;
}

/* ---- Writing ---- */

static void put_hex(struct laz_json *json, const char *key, const uint8_t *bytes, size_t size)
{
    char text[2 * LAZ_SIGNATURE_SIZE + 1];
    laz_format_hex(bytes, size, text);
    laz_json_string(json, key, text);
}

void laz_digest_begin(struct laz_json *json, struct laz_buf *buf, const struct laz_digest_key *key,
        const struct laz_digest *before, const char *when)
{
    laz_json_init(json, buf);
    laz_json_object(json, NULL);
    laz_json_u64(json, "digestVersion", 1);
    laz_json_u64(json, "digestNumber", before == NULL ? 1 : before->number + 1);
    laz_json_bytes(json, "digestStartTime", before == NULL ? "" : before->end.at,
            before == NULL ? 0 : before->end.length);
    laz_json_string(json, "digestEndTime", when);
    put_hex(json, "digestPublicKeyFingerprint", key->id, sizeof(key->id));
    laz_json_string(json, "digestSignatureAlgorithm", "Ed25519");
    if (before == NULL) {
        laz_json_string(json, "previousDigestHashValue", "");
    } else {
        put_hex(json, "previousDigestHashValue", before->hash, sizeof(before->hash));
    }
    laz_json_string(json, "previousDigestHashAlgorithm", "SHA-256");
    if (before == NULL) {
        laz_json_string(json, "previousDigestSignature", "");
    } else {
        put_hex(json, "previousDigestSignature", before->signature, sizeof(before->signature));
    }
    laz_json_array(json, "logFiles");
}

/* What is seen of one chain in a file. */
struct seen {
    uint8_t id[LAZ_CHAIN_ID_SIZE];
    uint64_t first;
    uint64_t last;
};

struct sum {
    size_t n;
    struct seen *chains; /* CHAINS_MAX */
    struct laz_span oldest;
    struct laz_span newest;
};

static int compare_times(const struct laz_span *a, const struct laz_span *b)
{
    return memcmp(a->at, b->at, a->length); /* all of one form */
}

/* false: there are too many chains. Lines of one chain mostly follow each other. */
static bool add_line(struct sum *sum, const struct laz_trail_line *line)
{
    size_t i = sum->n;
    while (i > 0 && memcmp(sum->chains[i - 1].id, line->chain, sizeof(line->chain)) != 0) {
        i--;
    }
    if (i == 0 && sum->n == CHAINS_MAX) {
        return false;
    }
    if (i == 0) {
        struct seen *seen = &sum->chains[sum->n++];
        *seen = (struct seen){.first = line->seq, .last = line->seq};
        (void)memcpy(seen->id, line->chain, sizeof(seen->id));
    } else {
        struct seen *seen = &sum->chains[i - 1];
        seen->first = line->seq < seen->first ? line->seq : seen->first;
        seen->last = line->seq > seen->last ? line->seq : seen->last;
    }
    if (sum->oldest.at == NULL || compare_times(&line->when, &sum->oldest) < 0) {
        sum->oldest = line->when;
    }
    if (sum->newest.at == NULL || compare_times(&line->when, &sum->newest) > 0) {
        sum->newest = line->when;
    }
    return true;
}

static bool sum_up(struct sum *sum, const char *text, size_t length)
{
    const char *end = text + length;
    while (text < end) {
        struct laz_trail_line line;
        const char *feed = memchr(text, '\n', (size_t)(end - text));
        const char *stop = feed == NULL ? end : feed;
        if (laz_trail_parse(laz_trail_find(text, (size_t)(stop - text)), &line) &&
                !add_line(sum, &line)) {
            return false;
        }
        text = stop + 1;
    }
    return true;
}

static void put_file(
        struct laz_json *json, const char *name, const struct sum *sum, const char *text, size_t n)
{
    uint8_t sha256[LAZ_SHA256_SIZE];
    laz_sha256_of(text, n, sha256);
    laz_json_object(json, NULL);
    laz_json_string(json, "file", name);
    laz_json_u64(json, "size", n);
    put_hex(json, "hashValue", sha256, sizeof(sha256));
    laz_json_string(json, "hashAlgorithm", "SHA-256");
    laz_json_bytes(json, "oldestEventTime", sum->oldest.at == NULL ? "" : sum->oldest.at,
            sum->oldest.length);
    laz_json_bytes(json, "newestEventTime", sum->newest.at == NULL ? "" : sum->newest.at,
            sum->newest.length);
    laz_json_array(json, "chains");
    for (size_t i = 0; i < sum->n; i++) {
        laz_json_object(json, NULL);
        put_hex(json, "chain", sum->chains[i].id, sizeof(sum->chains[i].id));
        laz_json_u64(json, "firstSeq", sum->chains[i].first);
        laz_json_u64(json, "lastSeq", sum->chains[i].last);
        laz_json_object_end(json);
    }
    laz_json_array_end(json);
    laz_json_object_end(json);
}

int laz_digest_file(struct laz_json *json, const char *name, const char *text, size_t length,
        struct laz_err *err)
{
    struct sum sum = {.chains = calloc(CHAINS_MAX, sizeof(struct seen))};
    if (sum.chains == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a digest");
    }
    int result = 0;
    if (sum_up(&sum, text, length)) {
        put_file(json, name, &sum, text, length);
    } else {
        result = laz_err_set(err, LAZ_E_SYSTEM, 0,
                "%.128s: it has records of more than %d chains: digest it in parts", name,
                CHAINS_MAX);
    }
    free(sum.chains);
    return result;
}

int laz_digest_end(struct laz_json *json, const struct laz_digest_key *key, struct laz_err *err)
{
    uint8_t hash[LAZ_SHA256_SIZE];
    uint8_t signature[LAZ_SIGNATURE_SIZE];
    laz_json_array_end(json);
    if (json->buf->overflow) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a digest");
    }
    hash_signed(json->buf->data, json->buf->len, hash);
    if (sign(key, hash, signature, err) < 0) {
        return -1;
    }
    put_hex(json, "digestSignature", signature, sizeof(signature));
    laz_json_object_end(json);
    laz_buf_char(json->buf, '\n');
    return json->buf->overflow ? laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a digest") : 0;
}
