/* SPDX-License-Identifier: Apache-2.0
 *
 * A segment that is there: its file, read as a whole, and the blocks in it one after the other,
 * with what is damaged between them. With the key a block is one only if its tag holds; without it,
 * if it has the form. Never writes.
 */
#ifndef LAZ_AUDIT_SPOOL_SEGMENT_H
#define LAZ_AUDIT_SPOOL_SEGMENT_H

#include "audit/spool_crypt.h"

struct laz_spool_image {
    uint8_t *bytes; /* owned */
    size_t size;
};

/* An open file, and its size; -1 with errno if there is none, or it is no regular file. */
int laz_spool_file_open(int dir, uint32_t number, int flags, uint64_t *ret_size);
/* All of it, or nothing: LAZ_E_SPOOL, LAZ_E_MEMORY. Free with laz_spool_image_done. */
LAZ_MUST_CHECK int laz_spool_image_load(
        int dir, uint32_t number, struct laz_spool_image *ret, struct laz_err *err);
void laz_spool_image_done(struct laz_spool_image *image);
/* `size` bytes at `offset`, or -1; fewer is -1 with errno 0. */
LAZ_MUST_CHECK int laz_spool_read_at(int fd, void *ret, size_t size, uint64_t offset);

/* The numbers of all files in a folder whose names are those of segments, in order, whatever kind
 * of file they are. Free with free(). LAZ_E_SPOOL, LAZ_E_MEMORY. */
LAZ_MUST_CHECK int laz_spool_numbers(
        int dir, uint32_t **ret, size_t *ret_count, struct laz_err *err);

enum laz_spool_step_kind {
    LAZ_SPOOL_STEP_BLOCK,
    LAZ_SPOOL_STEP_DAMAGE, /* bytes that are no block, with a block behind them */
    LAZ_SPOOL_STEP_TORN,   /* bytes that are no block, and none follows */
    LAZ_SPOOL_STEP_END,    /* nothing but zeros, if anything */
};

struct laz_spool_step {
    enum laz_spool_step_kind kind;
    size_t from;
    size_t to;
    struct laz_spool_block_head head;
    struct laz_spool_block block; /* with a key; until the next step */
};

struct laz_spool_walk {
    const uint8_t *bytes;
    size_t size;
    const struct laz_spool_head *head;
    struct laz_spool_crypt *crypt; /* NULL: nobody has the key */
    size_t next;
    size_t tried; /* bytes of what looked like blocks and were none */
};

void laz_spool_walk_begin(struct laz_spool_walk *walk, const struct laz_spool_image *image,
        const struct laz_spool_head *head, struct laz_spool_crypt *crypt);
/* LAZ_E_MEMORY. After the end there are only ends. */
LAZ_MUST_CHECK int laz_spool_walk_step(
        struct laz_spool_walk *walk, struct laz_spool_step *ret, struct laz_err *err);

/* What a segment comes to. */
struct laz_spool_survey {
    size_t end;      /* of its last block; where the first would begin if there is none */
    bool is_damaged; /* something in front of the end is no block */
    bool is_torn;    /* something behind the end is not zero */
    bool has_block;
    struct laz_spool_block_head last;
    size_t meta_length; /* of the last block, with a key */
    uint8_t meta[LAZ_SPOOL_META_MAX];
};

LAZ_MUST_CHECK int laz_spool_survey(
        struct laz_spool_walk *walk, struct laz_spool_survey *ret, struct laz_err *err);

#endif
