/* SPDX-License-Identifier: Apache-2.0
 *
 * What a successor of this `ship` finds: at its start, and whenever the ledger appends.
 */
#ifndef LAZ_INIT_SHIP_KEPT_H
#define LAZ_INIT_SHIP_KEPT_H

#include "init/ship/ship.h"

/* Texts of key files, PEM. */
struct laz_ship_keys {
    const char *seal_to[LAZ_SHIP_KEYS_MAX];
    const char *open_with; /* NULL: none */
};

/* Before the streams: says how far each is recorded. */
LAZ_MUST_CHECK int laz_ship_ledger_open(
        struct laz_ship *ship, const struct laz_ship_keys *keys, struct laz_err *err);

/* The words of the block that is appended next. Returns how many bytes. */
size_t laz_ship_kept_words(const struct laz_ship *ship, uint8_t ret[LAZ_SPOOL_META_MAX]);
/* The chain as it is when that block has been appended. */
LAZ_MUST_CHECK int laz_ship_kept_save_slot(struct laz_ship *ship, struct laz_err *err);
/* It has been appended, or a successor has resumed from there: what the other slot holds, the
 * private key of before included, is gone. */
void laz_ship_kept_forget_slot(struct laz_ship *ship);
/* What has been dropped so far, and up to where the streams are done with. */
void laz_ship_kept_save_dropped(struct laz_ship *ship);
/* The chain as it was at the last block of this run, and the streams put back to there; false if
 * there was none, or nothing of it was appended. `unsaid`: notes that were made and are in no
 * block. */
LAZ_MUST_CHECK bool laz_ship_kept_find_slot(
        struct laz_ship *ship, const struct laz_ship_slot **ret, uint64_t *ret_unsaid);
void laz_ship_kept_tell_unsaid(struct laz_ship *ship, uint64_t unsaid);

#endif
