/* SPDX-License-Identifier: Apache-2.0
 *
 * What a resolved policy says about volumes, and where each thing was said.
 */
#ifndef LAZ_POLICY_VOLUMES_H
#define LAZ_POLICY_VOLUMES_H

#include "policy/sense.h"

struct laz_node;

struct laz_policy_volumes {
    uint32_t n;
    const struct laz_node *items[LAZ_SENSE_VOLUMES_MAX]; /* of each, where it was said */
};

#endif
