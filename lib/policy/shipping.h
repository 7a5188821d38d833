/* SPDX-License-Identifier: Apache-2.0
 *
 * What a resolved policy says about records: the decoded form that lazaret-helper gets, what PID 1
 * needs beside it, and where each thing was said.
 */
#ifndef LAZ_POLICY_SHIPPING_H
#define LAZ_POLICY_SHIPPING_H

#include "policy/ship.h"
#include "policy/strings.h"

struct laz_policy;
struct laz_node;

/* What is recorded and where it goes. Without sinks nothing of it counts. */
struct laz_policy_shipping {
    struct laz_ship_config config; /* strings owned by the policy */
    bool capture;                  /* logs.capture is not disabled */
    uint32_t start_wait_ms;
    const char *spool_dir;
    const struct laz_node *sinks[LAZ_SHIP_SINKS_MAX]; /* of each, where it was said */
    bool plain[LAZ_SHIP_SINKS_MAX];                   /* by a relaxation */
    struct laz_pos redact_pos[LAZ_REDACT_COUNT];
    struct laz_string_list literals;
    struct laz_string_list seal_to;
};

/* Does any sink take this class? */
bool laz_policy_ships(const struct laz_policy *policy, enum laz_ship_class class);

/* Where a key of a sink was said, or the sink; line 0 if there is no such sink. */
struct laz_pos laz_policy_pos_of_sink(
        const struct laz_policy *policy, size_t sink, const char *key);

#endif
