/* SPDX-License-Identifier: Apache-2.0
 *
 * The literals that are to be redacted, as they are and as JSON, a URL or base64 has them.
 */
#ifndef LAZ_LOG_LITERALS_H
#define LAZ_LOG_LITERALS_H

#include "core/buf.h"
#include "log/scan.h"

#define LAZ_LITERAL_MAX    256  /* bytes */
#define LAZ_LITERALS_SLOTS 4096 /* of the hash of the first four bytes: a power of two */

struct laz_literal {
    size_t at; /* in the bytes */
    size_t length;
    uint32_t next; /* with the same hash: its number plus 1, or 0 */
};

/* Invariant: each literal has at least 4 bytes. */
struct laz_literals {
    struct laz_buf bytes; /* secret */
    struct laz_literal *items;
    size_t n;
    size_t longest;
    uint32_t slots[LAZ_LITERALS_SLOTS];
};

/* `literals` is zero. Each text has 4 to 256 bytes. LAZ_E_MEMORY. */
LAZ_MUST_CHECK int laz_literals_init(struct laz_literals *literals, const char *const *texts,
        size_t n_texts, struct laz_err *err);
void laz_literals_done(struct laz_literals *literals); /* wipes them */

/* Length of the longest literal that begins with the first byte; 0 if none does. Adds to *work the
 * bytes that were looked at. */
size_t laz_literals_reach(
        const struct laz_literals *literals, const char *text, size_t length, uint64_t *work);

/* Put them into the buckets from `first` on. */
void laz_literals_scan(const struct laz_literals *literals, struct laz_scan *scan, unsigned first);

#endif
