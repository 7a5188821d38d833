/* SPDX-License-Identifier: Apache-2.0
 *
 * What of the container's environment the sinks of AWS need, and what is left to them for it.
 */
#ifndef LAZ_INIT_SHIP_CLOUD_H
#define LAZ_INIT_SHIP_CLOUD_H

#include "init/ship/narrow.h"
#include "ipc/msg.h"

struct laz_ship;
struct laz_ship_orders;

LAZ_MUST_CHECK int laz_ship_take_variable(
        struct laz_ship_orders *orders, const struct laz_message *message, struct laz_err *err);
/* The variables that have come, as the sinks want them. */
void laz_ship_read_cloud(struct laz_ship *ship);
/* Ports and folder of whoever gives credentials, and ports of meters. */
void laz_ship_narrow_cloud(const struct laz_ship *ship, struct laz_narrow *ret);

#endif
