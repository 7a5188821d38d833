/* SPDX-License-Identifier: Apache-2.0
 *
 * How a helper gives up root, files, network and system calls: the steps. Their order, and what is
 * left, is each role's own.
 */
#ifndef LAZ_INIT_ROLE_NARROW_H
#define LAZ_INIT_ROLE_NARROW_H

#include <linux/filter.h>
#include <stddef.h>

#include "core/err.h"

/* Become the role's own group, and later its user: what is made in between is root's and the
 * group's, which needs no CAP_CHOWN. Where init was not root, it stays who it is. */
LAZ_MUST_CHECK int laz_role_take_group(uint32_t id, struct laz_err *err);
LAZ_MUST_CHECK int laz_role_take_user(uint32_t id, struct laz_err *err);
LAZ_MUST_CHECK int laz_role_drop_capabilities(struct laz_err *err);
/* No new privileges, and nobody looks into it. */
LAZ_MUST_CHECK int laz_role_close(struct laz_err *err);
/* A ruleset of Landlock that, as it is, allows nothing that this ABI can refuse; owned by the
 * caller. -1: errno says why. */
LAZ_MUST_CHECK int laz_role_ruleset(int abi);
LAZ_MUST_CHECK int laz_role_filter(const struct sock_filter *filter, size_t n, struct laz_err *err);

#endif
