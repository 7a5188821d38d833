/* SPDX-License-Identifier: Apache-2.0
 *
 * What `ship` keeps when it gives up the rest.
 */
#ifndef LAZ_INIT_SHIP_NARROW_H
#define LAZ_INIT_SHIP_NARROW_H

#include "init/role/narrow.h"

#define LAZ_NARROW_PORTS_MAX 20 /* of each sink two, one for credentials, one for the task */

/* What is left to it. */
struct laz_narrow {
    int spool_dir;
    uint16_t ports[LAZ_NARROW_PORTS_MAX];
    size_t n_ports;
    int token_folder; /* to read in; -1: none */
};

LAZ_MUST_CHECK int laz_ship_narrow(const struct laz_narrow *narrow, struct laz_err *err);

#endif
