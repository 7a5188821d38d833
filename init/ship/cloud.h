/* SPDX-License-Identifier: Apache-2.0
 *
 * What the confinement of `ship` leaves it for its sinks of AWS.
 */
#ifndef LAZ_INIT_SHIP_CLOUD_H
#define LAZ_INIT_SHIP_CLOUD_H

#include "init/ship/narrow.h"

struct laz_ship;

/* Ports and folder of whoever gives credentials, and ports of meters. */
void laz_ship_narrow_cloud(struct laz_ship *ship, struct laz_narrow *ret);

#endif
