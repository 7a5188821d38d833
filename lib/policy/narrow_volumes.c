/* SPDX-License-Identifier: Apache-2.0
 *
 * A volume that a sealed policy wants encrypted stays so, by the same word. More of them a child
 * may name; those of its parent it cannot lose, because lists add up.
 */
#include <string.h>

#include "policy/merge.h"
#include "policy/narrow.h"

/* Where the item says this; or the item. */
static struct laz_pos pos_of(const struct laz_policy *policy, uint32_t i, enum laz_field_id field)
{
    const struct laz_node *child = laz_check_child(policy->volumes.items[i], field);
    return child != NULL ? child->pos : policy->volumes.items[i]->pos;
}

static bool note(const struct laz_comparison *comparison, uint32_t c, uint32_t p,
        enum laz_field_id field, const char *value)
{
    struct laz_buf buf;
    char path[sizeof(comparison->found->key)];
    laz_buf_init_fixed(&buf, path, sizeof(path));
    laz_buf_printf(&buf, "volumes[%s].%s", comparison->parent->sensing.config.volumes[p].path,
            laz_field_at(field)->key);
    (void)laz_comparison_note(comparison, path, value);
    comparison->found->child_pos = pos_of(comparison->child, c, field);
    comparison->found->parent_pos = pos_of(comparison->parent, p, field);
    comparison->found->is_less = true;
    return true;
}

bool laz_volumes_find_widening(const struct laz_comparison *comparison)
{
    const struct laz_sense_config *child = &comparison->child->sensing.config;
    const struct laz_sense_config *parent = &comparison->parent->sensing.config;
    for (uint32_t p = 0; p < parent->n_volumes; p++) {
        const struct laz_sense_volume *old = &parent->volumes[p];
        uint32_t c = 0;
        while (c < child->n_volumes && strcmp(child->volumes[c].path, old->path) != 0) {
            c++;
        }
        if (c == child->n_volumes) { /* only where they are not one file's */
            (void)laz_comparison_note(comparison, "volumes", old->path);
            comparison->found->is_less = true;
            return true;
        }
        const struct laz_sense_volume *new = &child->volumes[c];
        if (new->require > old->require) {
            return note(comparison, c, p, LAZ_FIELD_VOLUME_REQUIRE,
                    laz_volume_require_name(new->require));
        }
        if (new->require != LAZ_VOLUME_REQUIRE_ENCRYPTED &&
                strcmp(new->attested_by, old->attested_by) != 0) {
            return note(comparison, c, p, LAZ_FIELD_VOLUME_ATTESTED_BY, new->attested_by);
        }
    }
    return false;
}
