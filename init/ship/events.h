/* SPDX-License-Identifier: Apache-2.0
 *
 * What init and sense say of the container, from their rings into the chain.
 */
#ifndef LAZ_INIT_SHIP_EVENTS_H
#define LAZ_INIT_SHIP_EVENTS_H

#include "init/ship/state.h"

struct laz_ship;

/* Of this stream, into the batch. */
void laz_ship_events_make(struct laz_ship *ship, enum laz_stream id);
/* Lines of a helper that it may not say: counted in a record. */
void laz_ship_events_tell_refused(struct laz_ship *ship);

#endif
