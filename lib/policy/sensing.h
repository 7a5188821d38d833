/* SPDX-License-Identifier: Apache-2.0
 *
 * What a resolved policy says about watching: the decoded form that lazaret-helper gets, and where
 * each thing was said.
 */
#ifndef LAZ_POLICY_SENSING_H
#define LAZ_POLICY_SENSING_H

#include "policy/sense.h"
#include "policy/strings.h"

struct laz_sensing {
    bool is_said;                   /* if not, nothing else counts */
    struct laz_sense_config config; /* strings owned by the policy */
    struct laz_string_list foreign;
    struct laz_string_list watch;
    struct laz_string_list except;
    struct laz_pos port_pos[LAZ_SENSE_PORTS_MAX];
    uint32_t n_ports_said; /* before those of network.tcp-bind */
};

#endif
