/* SPDX-License-Identifier: Apache-2.0
 *
 * With whom Lazaret speaks TLS, and how: no policy weakens that of a sealed one.
 */
#include "policy/narrow.h"

static const char *profile_name(enum laz_tls_profile profile)
{
#define X(id, word) word,
    static const char *const words[] = {LAZ_TLS_PROFILES(X)};
#undef X
    return words[profile < LAZ_TLS_PROFILE_COUNT ? profile : 0];
}

static const char *fips_name(enum laz_tls_fips fips)
{
#define X(id, word) word,
    static const char *const words[] = {LAZ_TLS_FIPS(X)};
#undef X
    return words[fips < LAZ_TLS_FIPS_COUNT ? fips : 0];
}

bool laz_tls_find_widening(const struct laz_comparison *comparison)
{
    const struct laz_policy_tls *child = &comparison->child->tls;
    const struct laz_policy_tls *parent = &comparison->parent->tls;
    if (child->profile > parent->profile) {
        return laz_comparison_note(comparison, "tls.profile", profile_name(child->profile));
    }
    if (child->fips >= parent->fips) {
        return false;
    }
    comparison->found->is_less = true;
    return laz_comparison_note(comparison, "tls.fips", fips_name(child->fips));
}
