/* SPDX-License-Identifier: Apache-2.0
 *
 * What a resolved policy says about TLS: of tunnels the decoded form that lazaret-helper gets, and
 * where each was said.
 */
#ifndef LAZ_POLICY_TUNNELING_H
#define LAZ_POLICY_TUNNELING_H

#include "policy/diagnostic.h"
#include "policy/tunnel.h"

struct laz_policy;
struct laz_node;

/* How Lazaret itself speaks TLS: what the sections of the helpers say as well. */
struct laz_policy_tls {
    enum laz_tls_profile profile;
    enum laz_tls_fips fips;
};

/* Without entries nothing of it counts. */
struct laz_tunneling {
    struct laz_tunnel_config config;                        /* strings owned by the policy */
    uint32_t identity[LAZ_TUNNEL_IDENTITIES_MAX];           /* which of the secrets' each is */
    const struct laz_node *entries[LAZ_TUNNEL_ENTRIES_MAX]; /* of each, where it was said */
};

/* Where a key of an entry was said ("to"), or the entry; line 0 if there is no such entry. */
struct laz_pos laz_policy_pos_of_tunnel(
        const struct laz_policy *policy, size_t entry, const char *key);

#endif
