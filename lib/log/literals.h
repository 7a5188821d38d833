/* SPDX-License-Identifier: Apache-2.0
 *
 * The texts that are to be redacted, in all the ways in which they are written, and where one of
 * them begins in a text. What is read from them never leaves here, and is in no core.
 */
#ifndef LAZ_LOG_LITERALS_H
#define LAZ_LOG_LITERALS_H

#include "core/buf.h"
#include "log/scan.h"

#define LAZ_LITERALS_LEAST 4 /* bytes of one */
#define LAZ_LITERAL_PIECE  2048
#define LAZ_LITERAL_MAX    (2 * LAZ_LITERAL_PIECE - 1) /* what is longer is kept in pieces */

/* Some bytes, which may be any. */
struct laz_bytes {
    const char *at;
    size_t length;
};

struct laz_literal {
    uint32_t at; /* in the bytes */
    uint32_t length;
    uint32_t within; /* the longest other one that this one begins with: its number plus 1, or 0 */
};

/* Those that share their first four bytes, which stand together. */
struct laz_literal_group {
    uint32_t first;
    uint32_t n; /* 0: no group */
};

/* Zeros: there are none. Invariant: items are sorted by their bytes, and no two are the same. */
struct laz_literals {
    struct laz_buf bytes; /* secret */
    size_t size;          /* of the memory that they are in */
    struct laz_literal *items;
    size_t n;
    size_t room;
    struct laz_literal_group *groups; /* by a hash of the four bytes; at most half of it is full */
    size_t n_groups;                  /* a power of two, or 0 */
};

/* `literals` is zero. A text of less than 4 bytes is none, nor is a line with less than `least`
 * letters of one that has several. LAZ_E_MEMORY. */
LAZ_MUST_CHECK int laz_literals_init(struct laz_literals *literals, const struct laz_bytes *texts,
        size_t n_texts, size_t least, struct laz_err *err);
void laz_literals_done(struct laz_literals *literals); /* wipes them */

/* For writings.c: what stands in `bytes` from `at` on is one; in pieces where it is too long.
 * False: no memory. */
LAZ_MUST_CHECK bool laz_literals_keep(struct laz_literals *literals, size_t at, size_t length);

/* Length of the longest literal that begins with the first byte; 0 if none does. Adds to *work the
 * bytes that were looked at. */
size_t laz_literals_reach(
        const struct laz_literals *literals, const char *text, size_t length, uint64_t *work);

/* Does a literal begin with the whole of this text? */
bool laz_literals_begins(const struct laz_literals *literals, const char *text, size_t length);

/* Put them into the buckets from `first` on. */
void laz_literals_scan(const struct laz_literals *literals, struct laz_scan *scan, unsigned first);

#endif
