/* SPDX-License-Identifier: Apache-2.0
 *
 * How a helper gives up root, files, network and system calls: from then on this process may do
 * what the role needs, and no more.
 */
#ifndef LAZ_INIT_ROLE_NARROW_H
#define LAZ_INIT_ROLE_NARROW_H

#include <stddef.h>

#include "core/err.h"

#define LAZ_NARROW_PORTS_MAX 20 /* of each sink two, and one for credentials */

/* What is left to it. */
struct laz_narrow {
    int spool_dir;
    bool any_network;
    uint16_t ports[LAZ_NARROW_PORTS_MAX];
    size_t n_ports;
    int token_folder; /* to read in; -1: none */
};

/* Become the role's own group, and later its user: what is made in between is root's and the
 * group's, which needs no CAP_CHOWN. Where init was not root, it stays who it is. */
LAZ_MUST_CHECK int laz_role_take_group(uint32_t id, struct laz_err *err);
LAZ_MUST_CHECK int laz_role_take_user(uint32_t id, struct laz_err *err);
LAZ_MUST_CHECK int laz_role_narrow(const struct laz_narrow *narrow, struct laz_err *err);

#endif
