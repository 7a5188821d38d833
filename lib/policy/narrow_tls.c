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

bool laz_tls_find_widening(const struct laz_comparison *comparison)
{
    enum laz_tls_profile profile = comparison->child->tls.profile;
    return profile > comparison->parent->tls.profile &&
            laz_comparison_note(comparison, "tls.profile", profile_name(profile));
}
