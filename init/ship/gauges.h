/* SPDX-License-Identifier: Apache-2.0
 *
 * How the sinks and the spool are, for the role health, which readiness may hang on: told to init,
 * which passes it on unread, at once when something of it changes and every ten seconds besides.
 */
#ifndef LAZ_INIT_SHIP_GAUGES_H
#define LAZ_INIT_SHIP_GAUGES_H

#include <event2/event.h>

#include "core/err.h"

struct laz_ship;

/* Invariant: what changed since `told` has an event under way. */
struct laz_ship_gauges {
    struct event *due;
    uint64_t told;    /* how it stood when it was told last: see stand() */
    uint64_t told_ns; /* 0: never */
};

/* Once everything is open and init has heard that it is. LAZ_E_MEMORY. */
LAZ_MUST_CHECK int laz_ship_gauges_begin(struct laz_ship *ship, struct laz_err *err);
/* Something has changed, perhaps. Costs next to nothing. */
void laz_ship_gauges_look(struct laz_ship *ship);

#endif
