/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the spool share: the list of segments, the writer's and the reader's state. For
 * lib/audit/spool*.c alone.
 */
#ifndef LAZ_AUDIT_SPOOL_STORE_H
#define LAZ_AUDIT_SPOOL_STORE_H

#include <sys/types.h>

#include "audit/spool_segment.h"

/* A segment in the folder. Invariant: the list is ordered by number, and the one that is written to
 * is its last. */
struct laz_spool_segment {
    uint32_t number;
    uint32_t limit; /* where its last block ends; of the one that is written to: spool->offset */
    uint64_t size;  /* of its file */
    struct laz_spool_head head;
    uint32_t run;      /* whose key opens it; UINT32_MAX: nobody has it */
    bool is_own;       /* of this run */
    bool is_known;     /* this process wrote it, so nothing in it is damaged */
    bool is_done;      /* nobody needs it but for the place that it names */
    const char *wrong; /* why nothing of it can be read, although somebody has the key; or NULL */
};

#define LAZ_SPOOL_NO_RUN UINT32_MAX

struct laz_spool_run {
    uint8_t chain[LAZ_CHAIN_ID_SIZE];
    uint8_t key[LAZ_SPOOL_KEY_SIZE];
};

struct laz_spool {
    int dir;  /* our own */
    int lock; /* while it is open, nobody else writes */
    uint64_t max_bytes;
    uint64_t segment_bytes;
    uint64_t reserve_bytes;
    uint8_t chain[LAZ_CHAIN_ID_SIZE];
    uint32_t n_seals;
    struct laz_spool_seal *seals;

    size_t n_segments;
    size_t cap_segments;
    struct laz_spool_segment *segments;
    uint32_t n_runs; /* the first is this one */
    struct laz_spool_run *runs;
    uint64_t closed_bytes; /* of all files but the one that is written to */
    uint32_t next_number;
    struct laz_spool_at released;

    int fd;          /* of the segment that is written to; -1: there is none */
    uint32_t offset; /* where its next block goes */
    uint64_t counter;
    uint8_t tag[LAZ_SPOOL_TAG_SIZE]; /* of its last block, or its head */
    bool is_dirty;
    struct laz_spool_crypt *writer;
    uint8_t *out; /* owned */
    size_t out_size;
    uint8_t previous[LAZ_SHA256_SIZE]; /* this run's last segment before it, digest and end */
    uint32_t previous_end;

    uint32_t tail; /* the segment that has the last block of this chain; 0: none has */
    size_t meta_length;
    uint8_t meta[LAZ_SPOOL_META_MAX];
    uint64_t next_seq;

    int read_fd;
    uint32_t read_number; /* which segment that is, and whose key the reader has; 0: none */
    struct laz_spool_crypt *reader;
    uint8_t *in; /* owned */
    size_t in_size;
};

/* ---- spool.c ---- */

/* The first segment with this number or a higher one; NULL if there is none. */
struct laz_spool_segment *laz_spool_find(const struct laz_spool *spool, uint32_t number);
/* Put it at the end of the list. */
LAZ_MUST_CHECK int laz_spool_push(
        struct laz_spool *spool, const struct laz_spool_segment *segment, struct laz_err *err);
/* Delete its file and forget it; without the file, if that is gone already. */
void laz_spool_drop(struct laz_spool *spool, struct laz_spool_segment *segment);
/* Those that were kept for the place that they name, and the mark that says so. */
void laz_spool_drop_done(struct laz_spool *spool);
/* Has somebody its key, is it whole enough to be looked at, and does anybody need it? */
bool laz_spool_is_readable(const struct laz_spool_segment *segment);

/* ---- spool_recover.c ---- */

/* The list, the keys, the tail of this chain, and what others left. */
LAZ_MUST_CHECK int laz_spool_recover(struct laz_spool *spool, const char *open_with,
        struct laz_spool_left *ret_left, struct laz_err *err);

/* ---- spool_write.c ---- */

/* A new segment, for at least `needed` bytes of blocks. LAZ_E_SPOOL_FULL, LAZ_E_SPOOL. */
LAZ_MUST_CHECK int laz_spool_begin(struct laz_spool *spool, size_t needed, struct laz_err *err);
/* Cut the one that is written to to what it holds, and stop writing to it. */
LAZ_MUST_CHECK int laz_spool_close_segment(struct laz_spool *spool, struct laz_err *err);
LAZ_MUST_CHECK int laz_spool_write_at(int fd, const void *bytes, size_t size, uint64_t offset);

/* ---- spool_cursor.c ---- */

/* A small file that names a place: `name` is replaced as a whole. */
LAZ_MUST_CHECK int laz_spool_save_mark(
        struct laz_spool *spool, const char *name, struct laz_spool_at at, struct laz_err *err);
/* false if it is not there, damaged, or names no segment that is there. */
LAZ_MUST_CHECK bool laz_spool_load_mark(
        const struct laz_spool *spool, const char *name, struct laz_spool_at *ret);

/* Says of the segment that nobody needs it any more, where it is kept for the place that it names.
 */
#define LAZ_SPOOL_DONE_NAME "done"

#endif
