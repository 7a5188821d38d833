/* SPDX-License-Identifier: Apache-2.0
 *
 * One chain from its first record to its last: what verify.c does with each. Private to the area.
 */
#ifndef LAZ_AUDIT_WALK_H
#define LAZ_AUDIT_WALK_H

#include "audit/crypto.h"
#include "audit/verify.h"

struct laz_range {
    uint64_t first;
    uint64_t last;
};

/* Growing; a failed growth sticks in `failed`. */
struct laz_ranges {
    size_t n;
    size_t cap;
    struct laz_range *items;
    bool failed;
};

struct laz_entry {
    struct laz_span record; /* borrowed from what was added */
    uint8_t chain[LAZ_CHAIN_ID_SIZE];
    uint64_t seq;
    bool is_log;
    uint8_t h[LAZ_SHA256_SIZE]; /* as it says; of a chained record */
    size_t order; /* in which it came: the first story at a place is the one that is followed */
};

/* A record that somebody has seen: the auditor, or a genesis that continues it. */
struct laz_seen {
    struct laz_place place;
    bool is_continued; /* by a genesis */
};

struct laz_seen_list {
    size_t n;
    size_t cap;
    struct laz_seen *items;
    bool failed;
};

/* What all walks share. */
struct laz_walk_tools {
    struct laz_hasher *hasher;
    struct laz_hasher *block;
    struct laz_seen_list *seen;
    bool without_logs;
};

void laz_seen_add(struct laz_seen_list *list, const struct laz_seen *seen);

/* Fill in the verdict but for what other chains say. entries: of this chain, by seq, each place
 * once. What its genesis continues goes to `seen`. */
LAZ_MUST_CHECK int laz_walk_chain(const struct laz_walk_tools *tools,
        const struct laz_entry *entries, size_t n, struct laz_chain_verdict *verdict,
        struct laz_err *err);

/* The verdicts' worst so far, and the first place. */
void laz_verdict_fork(struct laz_chain_verdict *verdict, uint64_t seq);
void laz_verdict_incomplete(struct laz_chain_verdict *verdict, enum laz_completeness what);

#endif
