/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes a trail: gives each record its place, its hash and, at checkpoints, its signature. One
 * chain a run; not thread-safe. Has no clock, no file and no timer: the caller says when, and takes
 * the bytes. Format: docs/reference/trail-format.md.
 */
#ifndef LAZ_AUDIT_CHAIN_H
#define LAZ_AUDIT_CHAIN_H

#include "audit/trail.h"
#include "core/record.h"

#define LAZ_BLOCK_BYTES 65536 /* of packed log records that one block covers, at most */

/* Where a chain was seen to be. */
struct laz_place {
    uint8_t chain[LAZ_CHAIN_ID_SIZE];
    uint64_t seq;
    uint8_t h[LAZ_SHA256_SIZE];
};

/* What a sink has acknowledged: the last chained record. */
struct laz_anchor {
    const char *sink; /* the policy's name for it */
    uint64_t seq;
    uint8_t h[LAZ_SHA256_SIZE];
};

struct laz_anchors {
    size_t n;
    const struct laz_anchor *items;
};

struct laz_chain_start {
    const uint8_t *id; /* LAZ_CHAIN_ID_SIZE random bytes; NULL: the chain draws them itself */
    const char *task;
    const char *ctr;
    const char *boot;               /* /proc/sys/kernel/random/boot_id */
    const char *policy;             /* SHA-256 in hexadecimal digits, or "" */
    const char *binary;             /* likewise */
    const struct laz_place *before; /* NULL: no spool survived */
    struct timespec when;
};

/* Opaque: the chain's identity, its last hash, its key, and the hash of the log records since the
 * last block. */
struct laz_chain;

/* All functions below append whole lines to `out` (laz_chain_log: a packed record, of which
 * audit/packed.h makes the line), or nothing and the chain is as it was: then -1
 * and LAZ_E_MEMORY (`out` is full), LAZ_E_SYSTEM or LAZ_E_INTERNAL (libcrypto). Pointers in the
 * start are borrowed for the chain's life. */
LAZ_MUST_CHECK int laz_chain_open(const struct laz_chain_start *start, struct laz_chain **ret,
        struct laz_buf *out, struct laz_err *err);
void laz_chain_free(struct laz_chain *chain); /* wipes the key; NULL is fine */

/* All that a successor needs to go on with the chain, its private key included: the caller wipes
 * it. LAZ_E_INTERNAL while log records wait for their block. A closed chain stays closed. */
#define LAZ_CHAIN_STATE_SIZE 160
LAZ_MUST_CHECK int laz_chain_save(
        const struct laz_chain *chain, uint8_t ret[LAZ_CHAIN_STATE_SIZE], struct laz_err *err);
/* Of the start, task and ctr count. LAZ_E_INTERNAL for a state that was not saved whole. */
LAZ_MUST_CHECK int laz_chain_resume(const struct laz_chain_start *start,
        const uint8_t state[LAZ_CHAIN_STATE_SIZE], struct laz_chain **ret, struct laz_err *err);

/* A chained record. Of `record`, seq, task, ctr, chain and prev are the chain's. `members` are d's,
 * as JSON without the braces, and must be well-formed. */
LAZ_MUST_CHECK int laz_chain_event(struct laz_chain *chain, const struct laz_record *record,
        const char *members, size_t length, struct laz_buf *out, struct laz_err *err);

/* Likewise, of a record that init wrote outside of any chain (laz_trail_is_unchained): its words
 * stay as they are, and seq, task, ctr, chain, prev and h become the chain's. `line` is without its
 * line feed. LAZ_E_INTERNAL if it is no such record. */
LAZ_MUST_CHECK int laz_chain_adopt(struct laz_chain *chain, const char *line, size_t length,
        struct laz_buf *out, struct laz_err *err);

/* A line of the workload; likewise, but hashed with the next block. Of `record`, obj and when
 * count.
 */
LAZ_MUST_CHECK int laz_chain_log(struct laz_chain *chain, const struct laz_record *record,
        const char *members, size_t length, struct laz_buf *out, struct laz_err *err);

/* Cover the log records since the last block. Nothing if there are none. The caller closes a block
 * at LAZ_BLOCK_BYTES at the latest; checkpoint and final do it by themselves. */
LAZ_MUST_CHECK int laz_chain_block(
        struct laz_chain *chain, struct timespec when, struct laz_buf *out, struct laz_err *err);

struct laz_lost {
    uint64_t first; /* seq of log records that were numbered; both 0 if they never were */
    uint64_t last;
    uint64_t count;
    uint64_t bytes;
    const char *why; /* "spool-full" */
};

LAZ_MUST_CHECK int laz_chain_gap(struct laz_chain *chain, struct timespec when,
        const struct laz_lost *lost, struct laz_buf *out, struct laz_err *err);

/* Sign, and change the key: the one that signed is gone when this returns. The open block is closed
 * first, and stays closed, and in `out`, should there be no room for the checkpoint itself;
 * likewise with the final record. */
LAZ_MUST_CHECK int laz_chain_checkpoint(struct laz_chain *chain, struct timespec when,
        const struct laz_anchors *anchors, struct laz_buf *out, struct laz_err *err);

/* The last record. The key is gone; every later call fails with LAZ_E_INTERNAL. */
LAZ_MUST_CHECK int laz_chain_final(struct laz_chain *chain, struct timespec when, int exit_code,
        const struct laz_anchors *anchors, struct laz_buf *out, struct laz_err *err);

/* The last chained record, and of which chain it is: what a sink that acknowledges everything so
 * far is anchored at. */
void laz_chain_place(const struct laz_chain *chain, struct laz_place *ret);

/* `seq` of the next record. */
uint64_t laz_chain_next(const struct laz_chain *chain);

/* Records since the last checkpoint, and bytes of log records since the last block: the caller's
 * reasons to close them. */
uint64_t laz_chain_unsigned(const struct laz_chain *chain);
uint64_t laz_chain_open_bytes(const struct laz_chain *chain);

#endif
