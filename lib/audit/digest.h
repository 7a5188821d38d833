/* SPDX-License-Identifier: Apache-2.0
 *
 * Digests: documents that say what the files of a folder were at a time, each with the hash of the
 * one before, signed by a key that is not in the container. No files and no clock: texts in, texts
 * out. Format: docs/reference/digest-format.md.
 */
#ifndef LAZ_AUDIT_DIGEST_H
#define LAZ_AUDIT_DIGEST_H

#include "audit/trail.h"
#include "core/json.h"

/* An Ed25519 key; opaque. */
struct laz_digest_key;

/* LAZ_E_USAGE: it is no such key in PEM, or has a passphrase. LAZ_E_MEMORY. Free with
 * laz_digest_key_free; NULL is fine. A private key can do all that its public key can. */
LAZ_MUST_CHECK struct laz_digest_key *laz_digest_key_new(
        const char *pem, bool is_private, struct laz_err *err);
void laz_digest_key_free(struct laz_digest_key *key);

/* A digest, taken apart; spans point into its text. */
struct laz_digest {
    uint64_t number;
    struct laz_span start; /* the end of the one before; empty in the first */
    struct laz_span end;   /* when it was made */
    uint8_t key[LAZ_SHA256_SIZE];
    bool has_before;
    uint8_t before[LAZ_SHA256_SIZE]; /* hash of the document before */
    uint8_t before_signature[LAZ_SIGNATURE_SIZE];
    struct laz_trail_reader files; /* laz_digest_next_file reads on here */
    uint8_t signature[LAZ_SIGNATURE_SIZE];
    uint8_t signed_hash[LAZ_SHA256_SIZE];
    uint8_t hash[LAZ_SHA256_SIZE]; /* of all of it: what the next one repeats */
};

struct laz_digest_file {
    struct laz_span name;
    uint64_t size; /* so many bytes from its beginning */
    uint8_t sha256[LAZ_SHA256_SIZE];
};

/* false if it is not of the form, line feed included. */
LAZ_MUST_CHECK bool laz_digest_parse(const char *text, size_t length, struct laz_digest *ret);
/* false: there are no more. */
bool laz_digest_next_file(struct laz_digest *digest, struct laz_digest_file *ret);
/* NULL, or what is wrong with its signature. */
const char *laz_digest_check(const struct laz_digest *digest, const struct laz_digest_key *key);

/* What may be a name of a file in a digest: no escape is needed. */
bool laz_digest_can_name(const char *name);

/* ---- writing: begin, files between, end ---- */

/* `before` is NULL for the first. */
void laz_digest_begin(struct laz_json *json, struct laz_buf *buf, const struct laz_digest_key *key,
        const struct laz_digest *before, const char *when);
/* A file, with the chains in what is hashed of it. LAZ_E_MEMORY; LAZ_E_SYSTEM: more chains than a
 * digest has room for. */
LAZ_MUST_CHECK int laz_digest_file(struct laz_json *json, const char *name, const char *text,
        size_t length, struct laz_err *err);
LAZ_MUST_CHECK int laz_digest_end(
        struct laz_json *json, const struct laz_digest_key *key, struct laz_err *err);

#endif
