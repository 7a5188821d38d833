/* SPDX-License-Identifier: Apache-2.0
 *
 * The first look at a text: where could one of several things begin? Judges by a few bytes of each
 * place, 32 places at a time. May name a place in vain, never leaves one out.
 */
#ifndef LAZ_LOG_SCAN_H
#define LAZ_LOG_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAZ_SCAN_BUCKETS 8                    /* things that are told apart */
#define LAZ_SCAN_BLOCK   32                   /* places of one step */
#define LAZ_SCAN_REACH   10                   /* so many bytes behind a place are looked at */
#define LAZ_SCAN_FRONT   (LAZ_SCAN_REACH + 1) /* stands for the byte in front of the place */
#define LAZ_SCAN_OFFSETS (LAZ_SCAN_FRONT + 1)
#define LAZ_SCAN_QUICK   5 /* of them are looked at everywhere, the others where those agree */

/* Which bytes a thing may have where. Behind its end it has any. */
struct laz_scan_form {
    bool allows[LAZ_SCAN_OFFSETS][256];
};

void laz_scan_form_any(struct laz_scan_form *form);
/* At that distance from its beginning it has a byte of low to high, and no other. Where nobody
 * looks this does nothing. */
void laz_scan_form_range(
        struct laz_scan_form *form, size_t offset, unsigned char low, unsigned char high);
/* It does not begin inside a word. */
void laz_scan_form_front(struct laz_scan_form *form);
/* One more range for a distance that has one. */
void laz_scan_form_or(
        struct laz_scan_form *form, size_t offset, unsigned char low, unsigned char high);

/* Bit b of the tables: may a thing of bucket b have this byte here? The halves of a byte apart,
 * which is how vectors look, and together. */
struct laz_scan {
    uint8_t low[LAZ_SCAN_QUICK][32];
    uint8_t high[LAZ_SCAN_QUICK][32];
    uint8_t whole[LAZ_SCAN_OFFSETS][256];
    size_t (*run)(
            const struct laz_scan *scan, const char *text, size_t n_blocks, uint32_t *ret_places);
};

/* `scan` is zero. `plain`: without vectors, for a machine that has none and for the tests. */
void laz_scan_init(struct laz_scan *scan, bool plain);
void laz_scan_add(struct laz_scan *scan, unsigned bucket, const struct laz_scan_form *form);
/* Likewise, what begins with exactly these bytes. */
void laz_scan_add_bytes(
        struct laz_scan *scan, unsigned bucket, const unsigned char *bytes, size_t length);

/* The first place of [from, length) where something could begin, or length. Reads nothing beyond.
 */
size_t laz_scan_next(const struct laz_scan *scan, const char *text, size_t length, size_t from);

/* Which buckets could begin there? */
uint8_t laz_scan_buckets(const struct laz_scan *scan, const char *text, size_t length, size_t at);

#endif
