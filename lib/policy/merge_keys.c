/* SPDX-License-Identifier: Apache-2.0
 *
 * keys: the items of the secrets that are keys, and for those whose set has the key of before as
 * well, one item more, which nobody gets by itself. Whoever fetches and delivers knows items alone.
 */
#include "policy/merge.h"

bool laz_merge_is_key(const struct laz_node *item)
{
    return item->field == LAZ_FIELD_KEYS;
}

/* The same in everything but its stage; it may not be there yet. */
static void add_previous(struct laz_merge *merge, uint32_t key, const struct laz_node *previous)
{
    struct laz_policy_secrets *secrets = &merge->policy->secrets;
    const struct laz_node *stage = laz_check_child(previous, LAZ_FIELD_PREVIOUS_STAGE);
    uint32_t slot = secrets->config.n_items;
    char name[LAZ_FETCH_NAME_MAX + 1];
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, name, sizeof(name));
    laz_buf_printf(&buf, "%s%s", secrets->config.items[key].name, LAZ_FETCH_PREVIOUS);
    if (slot == LAZ_FETCH_ITEMS_MAX) {
        laz_report_node(merge->report, LAZ_E_POLICY_TOO_LARGE, merge->secrets[key],
                "with the keys of before there are more than %d items", LAZ_FETCH_ITEMS_MAX);
        return;
    }
    const char *copy = laz_arena_copy(merge->arena, name, buf.len);
    if (copy == NULL) {
        return; /* the load fails for want of memory */
    }
    struct laz_fetch_item *item = &secrets->config.items[slot];
    *item = secrets->config.items[key];
    item->name = copy;
    item->optional = true;
    item->stage = stage != NULL ? laz_merge_text(merge, stage)
                                : laz_field_at(LAZ_FIELD_PREVIOUS_STAGE)->preset;
    item->form = LAZ_SECRET_FORM_RAW;
    item->alg = LAZ_SECRET_ALG_NONE;
    secrets->config.items[key].previous = slot + 1;
    secrets->deliveries[slot] = (struct laz_secret_delivery){.path = "", .variable = ""};
    secrets->items[slot] = merge->secrets[key];
    merge->secrets[slot] = merge->secrets[key];
    secrets->config.n_items++;
}

void laz_finish_keys(struct laz_merge *merge)
{
    uint32_t n = merge->policy->secrets.config.n_items;
    for (uint32_t i = 0; i < n; i++) {
        const struct laz_node *previous =
                laz_check_child(merge->secrets[i], LAZ_FIELD_KEY_PREVIOUS);
        if (previous != NULL) {
            add_previous(merge, i, previous);
        }
    }
}
