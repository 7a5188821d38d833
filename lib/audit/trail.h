/* SPDX-License-Identifier: Apache-2.0
 *
 * A line of the audit trail, taken apart as it stands: which record, where in which chain, and
 * which bytes its hash covers. Accepts exactly the form of docs/reference/trail-format.md and
 * nothing else; outside bytes come through here first, so it allocates nothing and never reads past
 * the end.
 */
#ifndef LAZ_AUDIT_TRAIL_H
#define LAZ_AUDIT_TRAIL_H

#include <stddef.h>

#include "core/err.h"
#include "core/sha256.h"

#define LAZ_CHAIN_ID_SIZE   16
#define LAZ_SIGNATURE_SIZE  64
#define LAZ_PUBLIC_KEY_SIZE 32
#define LAZ_TRAIL_LINE_MAX  (1U << 20) /* bytes of a record, line feed included */
#define LAZ_TRAIL_PREV_SIZE 8          /* bytes of the hash before that are repeated as `prev` */

/* X(ENUM, "ev", the byte that the hash begins with): the kinds that make the chain. */
#define LAZ_TRAIL_KINDS(X)                                                                         \
    X(GENESIS, "chain.genesis", 0)                                                                 \
    X(EVENT, "", 1)                                                                                \
    X(CHECKPOINT, "chain.checkpoint", 2)                                                           \
    X(GAP, "chain.gap", 3)                                                                         \
    X(FINAL, "chain.final", 4)                                                                     \
    X(BLOCK, "log.block", 5)                                                                       \
    X(LOG, "log", 0xff) /* not hashed by itself */

enum laz_trail_kind {
#define X(id, ev, byte) LAZ_TRAIL_##id,
    LAZ_TRAIL_KINDS(X)
#undef X
    LAZ_TRAIL_KIND_COUNT
};

struct laz_span {
    const char *at; /* borrowed from the line */
    size_t length;
};

/* Spans point into the line that was parsed. */
struct laz_trail_line {
    enum laz_trail_kind kind;
    struct laz_span ev;
    uint64_t seq;
    struct laz_span when;
    uint8_t chain[LAZ_CHAIN_ID_SIZE];
    uint8_t prev[LAZ_TRAIL_PREV_SIZE];
    uint8_t h[LAZ_SHA256_SIZE];
    struct laz_span text[3]; /* what the hash covers, in this order; unused ones are empty */
    struct laz_span middle;  /* of a log record: what stands between `seq` and `d` */
    struct laz_span members; /* of d, without the signature */
    bool has_signature;
    uint8_t signature[LAZ_SIGNATURE_SIZE];
};

/* The record of a line: from its first {"lz":1, to the end. An empty span if there is none. */
struct laz_span laz_trail_find(const char *line, size_t length);

/* false if the record is not of the form that the page says. */
LAZ_MUST_CHECK bool laz_trail_parse(struct laz_span record, struct laz_trail_line *ret);

/* Is it a record that belongs to no chain: what init writes before there is one? */
bool laz_trail_is_unchained(struct laz_span record);

/* Is it a record of a host's file (audit/host_file.h)? Of ret, `ev`, `seq`, `when` and `members`
 * are set; ret_prev: what it says that the hash of the line before is. */
LAZ_MUST_CHECK bool laz_trail_parse_host(
        struct laz_span record, struct laz_trail_line *ret, uint8_t ret_prev[LAZ_SHA256_SIZE]);

/* The members of d, read one after the other in the order in which the page has them. Each returns
 * false and leaves the cursor alone if the next member is not this one. */
struct laz_trail_reader {
    const char *at;
    const char *end;
};

void laz_trail_read_begin(struct laz_trail_reader *reader, struct laz_span members);
LAZ_MUST_CHECK bool laz_trail_read_u64(
        struct laz_trail_reader *reader, const char *key, uint64_t *ret);
LAZ_MUST_CHECK bool laz_trail_read_hex(
        struct laz_trail_reader *reader, const char *key, uint8_t *ret, size_t size);
LAZ_MUST_CHECK bool laz_trail_read_string(
        struct laz_trail_reader *reader, const char *key, struct laz_span *ret);
/* The bytes as they are, whatever they are: a bracket, a comma, `null`. */
LAZ_MUST_CHECK bool laz_trail_read_text(struct laz_trail_reader *reader, const char *text);
/* Has everything been read? */
bool laz_trail_read_done(const struct laz_trail_reader *reader);

#endif
