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
}

void laz_relaxations_tls(struct laz_merge *merge)
{
    const struct laz_policy *policy = merge->policy;
    if (policy->tls.profile != LAZ_TLS_SP800_52R2) {
        laz_relaxations_add(merge, policy->key_pos[LAZ_FIELD_TLS_PROFILE],
                "tls: X25519, Ed25519 and ChaCha20-Poly1305, which NIST SP 800-52r2 does not have");
    }
}
