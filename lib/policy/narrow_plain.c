/* SPDX-License-Identifier: Apache-2.0
 *
 * Clear text that a sealed policy does not let go, no child does. Ports add up, so that a child
 * cannot lose one.
 */
#include "policy/narrow.h"

bool laz_plain_find_widening(const struct laz_comparison *comparison)
{
    const struct laz_policy_plain *child = &comparison->child->plain;
    const struct laz_policy_plain *parent = &comparison->parent->plain;
    struct laz_widening *found = comparison->found;
    if (parent->mode == LAZ_PLAIN_UNSAID) {
        return false;
    }
    if (child->mode < parent->mode) {
        (void)laz_comparison_note(comparison, "tls.plain.mode", laz_plain_name(child->mode));
        found->is_less = true;
        return true;
    }
    for (size_t i = 0; i < child->allow.n; i++) {
        if (!laz_string_list_has(&parent->allow, child->allow.items[i])) {
            (void)laz_comparison_note(comparison, "tls.plain.allow", child->allow.items[i]);
            found->child_pos = child->allow.pos[i];
            return true;
        }
    }
    return false;
}
