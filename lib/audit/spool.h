/* SPDX-License-Identifier: Apache-2.0
 *
 * The spool: encrypted segments in a directory, from which each sink is served at its own pace. One
 * writer, which is also the reader; nothing of another run's segments is ever overwritten or
 * deleted unless it was read and released. Blocks only; never sleeps. Format:
 * docs/reference/spool-format.md.
 */
#ifndef LAZ_AUDIT_SPOOL_H
#define LAZ_AUDIT_SPOOL_H

#include "audit/chain.h"

#define LAZ_SPOOL_KEY_SIZE    32         /* AES-256 */
#define LAZ_SPOOL_META_MAX    128        /* the caller's own words in each block */
#define LAZ_SPOOL_BLOCK_MAX   (4U << 20) /* records of one block */
#define LAZ_SPOOL_SEGMENT_MIN (UINT64_C(1) << 20)
#define LAZ_SPOOL_SEGMENT_MAX (UINT64_C(16) << 20)

struct laz_spool_options {
    int dir;                          /* borrowed; written to through this descriptor alone */
    uint64_t max_bytes;               /* of all segments, those of earlier runs included */
    uint64_t segment_bytes;           /* each is allocated whole when it is begun */
    uint64_t reserve_bytes;           /* kept for blocks that are `urgent` */
    uint8_t chain[LAZ_CHAIN_ID_SIZE]; /* this run */
    uint8_t key[LAZ_SPOOL_KEY_SIZE];  /* of this run; random, never used for another chain */
    size_t n_seal_to;                 /* at most 8 */
    const char *const *seal_files;    /* for messages: where they came from; NULL: nobody knows */
    const char *const *seal_to; /* PEM texts of public keys: X25519, or RSA of at least 2048 bits */
    const char *open_with;      /* PEM text of a private key for what earlier runs left, or NULL */
};

/* Where a block begins. Ordered: by segment, then by offset. */
struct laz_spool_at {
    uint32_t segment;
    uint32_t offset;
};

struct laz_spool_block {
    const void *meta;
    size_t meta_length;
    const char *records; /* whole lines, and packed records: audit/packed.h */
    size_t length;
    uint64_t first_seq;
    uint32_t n_records;
    bool urgent; /* may use the reserve */
};

/* What another run left. */
struct laz_spool_left {
    uint32_t segments;
    uint64_t bytes;
    bool readable; /* open_with opens all of it: laz_spool_read gives it first */
    /* Sealed to nobody by a run that is over: nobody will ever have the key. Not among the others,
     * and deleted with the first block, whose genesis names the last place of it. */
    uint32_t gone_segments;
    uint64_t gone_bytes;
    bool has_place;
    /* The last chained record that it names, for the genesis' `before`; also where all of it had
     * been released (then `segments` is 0). Without the key nothing vouches for it. */
    struct laz_place place;
};

struct laz_spool;

/* Recover what is there and begin a segment. A torn tail is cut off; a bad block anywhere else is
 * LAZ_E_SPOOL_CORRUPT in *err's words, but only when that segment is read. LAZ_E_SPOOL (no room, no
 * access, not a directory, a key that is none, another process writes here), LAZ_E_MEMORY,
 * LAZ_E_INTERNAL (sizes that do not fit each other). Where all room is taken by what can be read,
 * it opens, and there is room when that is released. */
LAZ_MUST_CHECK int laz_spool_open(const struct laz_spool_options *options, struct laz_spool **ret,
        struct laz_spool_left *ret_left, struct laz_err *err);
/* In order: what was allocated and not used is given back, and where everything has been released,
 * the next run is told so. Whoever is killed instead loses nothing by it. Wipes the key; NULL is
 * fine. */
void laz_spool_free(struct laz_spool *spool);

/* The meta of the last block of this chain: what a predecessor in the same run had got to. 0 if
 * there is none. */
size_t laz_spool_tail(const struct laz_spool *spool, uint8_t ret[LAZ_SPOOL_META_MAX]);

/* Append one block, whole or not at all. LAZ_E_SPOOL_FULL: no room; LAZ_E_SPOOL: the write failed,
 * and what it left is cut off. The block's records may be read at once. Of the place, seq and h
 * count. */
LAZ_MUST_CHECK int laz_spool_append(struct laz_spool *spool, const struct laz_spool_block *block,
        const struct laz_place *place, struct laz_err *err);
/* What has been appended is on the disk when this returns. LAZ_E_SPOOL: it may never get there. */
LAZ_MUST_CHECK int laz_spool_sync(struct laz_spool *spool, struct laz_err *err);

/* Read the block at *at and move on: 1; 0 at the end. LAZ_E_SPOOL_CORRUPT names the segment and the
 * offset; *at then stands behind that segment. LAZ_E_MEMORY leaves *at alone. `ret` is emptied
 * first. What nobody has the key of is passed over. */
LAZ_MUST_CHECK int laz_spool_read(
        struct laz_spool *spool, struct laz_spool_at *at, struct laz_buf *ret, struct laz_err *err);
/* In front of the first block that can be read, and behind the last one: what is appended later is
 * read from there on. Both are the same where nothing can be read. */
struct laz_spool_at laz_spool_first(const struct laz_spool *spool);
struct laz_spool_at laz_spool_end(const struct laz_spool *spool);
/* Nobody needs what lies before `at`: whole segments go. Those stay of which not every block is
 * what was written, of which nobody has the key, and the one with the last block of this chain. */
void laz_spool_release(struct laz_spool *spool, struct laz_spool_at at);
uint64_t laz_spool_used(const struct laz_spool *spool);

/* The cursor of a sink, a file beside the segments, replaced as a whole. Loading one that is not
 * there, damaged, or of a segment that is gone gives laz_spool_first. It is never saved as behind
 * what nobody has the key of. */
LAZ_MUST_CHECK int laz_spool_save_cursor(
        struct laz_spool *spool, const char *name, struct laz_spool_at at, struct laz_err *err);
struct laz_spool_at laz_spool_load_cursor(struct laz_spool *spool, const char *name);

#endif
