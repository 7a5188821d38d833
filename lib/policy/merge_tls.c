/* SPDX-License-Identifier: Apache-2.0
 *
 * tls: how Lazaret itself speaks TLS. Each section of the compiled policy whose helper connects
 * says it again: a helper reads no other section.
 */
#include "policy/merge.h"

void laz_finish_tls(struct laz_merge *merge)
{
    struct laz_policy *policy = merge->policy;
    policy->shipping.config.tls_profile = policy->tls.profile;
    policy->secrets.config.tls_profile = policy->tls.profile;
    policy->tunneling.config.profile = policy->tls.profile;
    policy->watching.config.profile = policy->tls.profile;
    policy->shipping.config.tls_fips = policy->tls.fips;
    policy->secrets.config.tls_fips = policy->tls.fips;
    policy->tunneling.config.fips = policy->tls.fips;
    policy->watching.config.fips = policy->tls.fips;
}

/* What would fail when it is used fails here. */
void laz_complete_tls(struct laz_merge *merge)
{
    const struct laz_policy *policy = merge->policy;
    const struct laz_ship_config *shipping = &policy->shipping.config;
    const struct laz_fetch_config *fetch = &policy->secrets.config;
    struct laz_node *fips = merge->said[LAZ_FIELD_TLS_FIPS];
    if (fips == NULL || policy->tls.fips == LAZ_TLS_FIPS_OFF) {
        return;
    }
    if (policy->tls.profile != LAZ_TLS_SP800_52R2) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, fips,
                "\"tls.profile\" asks for what no FIPS module has: say one of the two");
    }
    for (uint32_t i = 0; i < shipping->n_sinks; i++) {
        if (shipping->sinks[i].type == LAZ_SINK_OSSEC) {
            laz_report_node(merge->report, LAZ_E_POLICY_INVALID, fips,
                    "sink \"%s\" speaks with MD5, which no FIPS module has: remove one of the two",
                    shipping->sinks[i].name);
        }
    }
    for (uint32_t i = 0; i < fetch->n_identities; i++) {
        if (fetch->identities[i].password != 0) {
            laz_report_node(merge->report, LAZ_E_POLICY_INVALID, fips,
                    "identity \"%s\" has a PKCS#12, which no FIPS module makes: remove one of the "
                    "two",
                    fetch->identities[i].name);
        }
    }
}

void laz_relaxations_tls(struct laz_merge *merge)
{
    const struct laz_policy *policy = merge->policy;
    if (policy->tls.profile != LAZ_TLS_SP800_52R2) {
        laz_relaxations_add(merge, policy->key_pos[LAZ_FIELD_TLS_PROFILE],
                "tls: X25519, Ed25519 and ChaCha20-Poly1305, which NIST SP 800-52r2 does not have");
    }
}
