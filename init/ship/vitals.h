/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether the container is ready, and how long its drain took, out of the records of init that
 * pass: what metrics say of it. Kept over a crash; what a record does not say is not known.
 */
#ifndef LAZ_INIT_SHIP_VITALS_H
#define LAZ_INIT_SHIP_VITALS_H

#include "sink/emf.h"

struct laz_ship;

#define LAZ_SHIP_VITALS_METRICS 4

/* What was counted when it was told last. */
struct laz_ship_vitals {
    uint64_t violations;
    uint64_t dropped;
};

/* Returns whether metrics are due: the record says that something of it is another. */
bool laz_ship_vitals_note(struct laz_ship *ship, const char *line, size_t length);
/* False: nothing is known, as where the policy has no health. `told` becomes what is told now. */
bool laz_ship_vitals_put(const struct laz_ship *ship, struct laz_ship_vitals *told,
        struct laz_emf_metric ret[LAZ_SHIP_VITALS_METRICS]);

#endif
