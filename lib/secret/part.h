/* SPDX-License-Identifier: Apache-2.0
 *
 * The course of one item from what its source gave to a sealed memfd: unpacked, decrypted, checked,
 * in its form; with its fingerprint and what is to be hidden of it in logs. A value is in the
 * desk's buffers while it is at hand, and then in memfds alone; while an answer is awaited nothing
 * of it is here but ciphertext.
 */
#ifndef LAZ_SECRET_PART_H
#define LAZ_SECRET_PART_H

#include "secret/gather.h"
#include "secret/source.h"

struct laz_part;

/* What parts share; one of them has a value at hand, or none. */
struct laz_desk {
    struct laz_buf source; /* what sources give */
    struct laz_buf value;
    struct laz_buf rendered;
    const uint8_t *key;                                        /* of fingerprints; borrowed */
    void (*ended)(void *context, const struct laz_part *part); /* once for each that is asked for */
    void *context;
};

enum laz_part_state {
    LAZ_PART_UNASKED,
    LAZ_PART_OPEN,
    LAZ_PART_ENDED,
};

struct laz_part {
    struct laz_desk *desk;             /* borrowed */
    const struct laz_fetch_item *item; /* borrowed */
    struct laz_source *source;         /* borrowed; perhaps of other parts, too */
    struct laz_source *decrypt;        /* its own; NULL: what it is given is no ciphertext */
    bool is_decrypting;
    const struct laz_part *previous; /* with the key of before; borrowed; NULL: there is none */
    int held; /* sealed: what it is without that one, which has not ended; -1: nothing */
    enum laz_part_state state;
    struct laz_secret_result result;
};

/* laz_desk_done also where it fails. */
LAZ_MUST_CHECK int laz_desk_init(struct laz_desk *desk, struct laz_err *err);
void laz_desk_done(struct laz_desk *desk);

/* It is asked for: what it needs besides its source, which the caller sets. */
LAZ_MUST_CHECK int laz_part_prepare(
        struct laz_part *part, struct laz_reach *reach, uint32_t item, struct laz_err *err);
void laz_part_done(struct laz_part *part);

/* desk->source is what its source has of it. Nothing happens to a part that has ended, or that
 * is not asked for. */
void laz_part_take(struct laz_part *part, const char *version, const char *id);
/* LAZ_SECRET_FAULT_ABSENT is no failure of an optional item. */
void laz_part_fail(
        struct laz_part *part, enum laz_secret_fault fault, const char *why, const char *id);
/* The key of before is there, or there is none: what has waited for that goes on. */
void laz_part_resume(struct laz_part *part);
/* It is not there after all the time there was; one that waits for another fails with that. */
void laz_part_expire(struct laz_part *part, uint32_t wait_ms);

#endif
