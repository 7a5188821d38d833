/* SPDX-License-Identifier: Apache-2.0
 *
 * What a successor of this `ship` finds. For the ledger alone.
 */
#ifndef LAZ_INIT_ROLE_SHIP_KEPT_H
#define LAZ_INIT_ROLE_SHIP_KEPT_H

#include "init/role_ship.h"

/* The words of the block that is appended next. Returns how many bytes. */
size_t laz_ship_kept_words(const struct laz_ship *ship, uint8_t ret[LAZ_SPOOL_META_MAX]);
/* The chain as it is when that block has been appended. */
LAZ_MUST_CHECK int laz_ship_kept_save_slot(struct laz_ship *ship, struct laz_err *err);
/* What has been dropped so far, and up to where the streams are done with. */
void laz_ship_kept_save_dropped(struct laz_ship *ship);
/* The chain as it was at the last block of this run, and the streams put back to there; false if
 * there was none, or nothing of it was appended. */
LAZ_MUST_CHECK bool laz_ship_kept_find_slot(
        struct laz_ship *ship, const struct laz_ship_slot **ret);

#endif
