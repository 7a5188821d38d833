/* SPDX-License-Identifier: Apache-2.0
 *
 * The digests of a folder, read and held against its files. Says what is wrong, changes nothing.
 */
#ifndef LAZ_CLI_DIGESTS_H
#define LAZ_CLI_DIGESTS_H

#include "audit/digest.h"

#define LAZ_DIGEST_SUFFIX    ".digest"
#define LAZ_DIGEST_NAME_SIZE 16 /* 00000001.digest and NUL */

/* A file, as the last digest has it that names it. */
struct laz_digested {
    char *name; /* owned */
    uint64_t size;
    uint8_t sha256[LAZ_SHA256_SIZE];
    uint64_t number; /* of that digest */
};

/* Of one folder, or of several one after the other: then counts and findings are sums. */
struct laz_digests {
    const struct laz_digest_key *key; /* NULL: signatures are not checked */
    uint64_t n;                       /* digests */
    uint64_t n_undigested;            /* files that no digest names */
    uint64_t n_findings;
    struct laz_buf findings; /* one a line */
    /* Of the folder that was read last: */
    size_t n_files;
    size_t cap;
    struct laz_digested *files;
    char *last_text; /* owned; NULL: there is none */
    struct laz_digest last;
};

void laz_digests_init(struct laz_digests *digests, const struct laz_digest_key *key);
void laz_digests_done(struct laz_digests *digests);

/* Read all digests of a folder, and hold its files against them. LAZ_E_SYSTEM, LAZ_E_MEMORY; what
 * is wrong with a digest or a file is a finding. */
LAZ_MUST_CHECK int laz_digests_read(
        struct laz_digests *digests, int folder, const char *path, struct laz_err *err);
/* How the digest names this file; NULL: not at all. */
const struct laz_digested *laz_digests_find(const struct laz_digests *digests, const char *name);

/* The number in the name of a digest; 0: it is none. */
uint32_t laz_digest_number(const char *name);
void laz_digest_name(uint64_t number, char ret[LAZ_DIGEST_NAME_SIZE]);
/* All of a regular file, as long as it was when it was opened. *ret is NULL for what is no regular
 * file. Free with free(). */
LAZ_MUST_CHECK int laz_digest_read_file(
        int folder, const char *name, char **ret, size_t *ret_length, struct laz_err *err);
/* A key from a file. */
LAZ_MUST_CHECK int laz_digest_read_key(
        const char *path, bool is_private, struct laz_digest_key **ret, struct laz_err *err);

#endif
