/* SPDX-License-Identifier: Apache-2.0
 *
 * Log records as their block's hash covers them and as the spool holds them: without what is the
 * same in all of them, and with what lies between `seq` and `d` only where the record before has
 * another. Every byte of the records comes back. Format: docs/reference/trail-format.md.
 */
#ifndef LAZ_AUDIT_PACKED_H
#define LAZ_AUDIT_PACKED_H

#include "audit/crypto.h"
#include "core/record.h"

/* ---- writing ---- */

/* What lies between `seq` and `d`, made anew only when stream or time is another. */
struct laz_pack_middle {
    struct laz_buf text;
    struct laz_buf obj; /* of that text, with its NUL */
    struct timespec when;
};

void laz_pack_middle_init(struct laz_pack_middle *middle);
void laz_pack_middle_done(struct laz_pack_middle *middle);
/* Make middle->text that of this record: 1 if it was already, 0 if it is another now, -1 without
 * memory. task, ctr and chain are the same for all records of one middle. */
LAZ_MUST_CHECK int laz_pack_middle_make(
        struct laz_pack_middle *middle, const struct laz_record *record);

/* A packed record; its middle is empty where it is as in the record before. */
struct laz_packed {
    uint64_t seq;
    struct laz_span middle;
    struct laz_span members;
};

/* How long the record will be, line feed included: never less than it is. */
size_t laz_packed_line_most(size_t middle_length, size_t members_length);
void laz_packed_put(struct laz_buf *out, const struct laz_packed *record);
/* The same bytes, into a hash. Returns how many. */
uint64_t laz_packed_hash(struct laz_hasher *hasher, const struct laz_packed *record);

/* ---- reading ---- */

/* What a text of the spool is made of: whole lines, and packed records. */
struct laz_packed_item {
    size_t size; /* in the text */
    bool is_log;
    struct laz_span line;     /* as it stands, line feed included; not of a packed record */
    struct laz_packed record; /* of a packed one */
};

/* Opaque but for its memory: the middle that holds, and the line that is made. */
struct laz_unpacker {
    struct laz_buf line;
    size_t members_at; /* 0: no middle yet */
};

void laz_unpack_init(struct laz_unpacker *unpacker);
void laz_unpack_done(struct laz_unpacker *unpacker);
/* A text begins: no record is before its first one. */
void laz_unpack_begin(struct laz_unpacker *unpacker);
/* The item at the front of a text that is not empty. 0: there is none, and nothing behind it can be
 * read either; -1: no memory. Asked again at the same place, it answers the same. */
LAZ_MUST_CHECK int laz_unpack_next(struct laz_unpacker *unpacker, const char *text, size_t length,
        struct laz_packed_item *ret);
/* The line of the item that laz_unpack_next gave last, until the next call. NULL: no memory. */
const char *laz_unpack_line(
        struct laz_unpacker *unpacker, const struct laz_packed_item *item, size_t *ret_length);

#endif
