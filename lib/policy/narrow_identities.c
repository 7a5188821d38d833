/* SPDX-License-Identifier: Apache-2.0
 *
 * What a sealed policy says about identities stays: whose certificate it is, for which names and
 * purpose, and who must have vouched for it. That there are no others, its items show.
 */
#include <string.h>

#include "policy/merge.h"
#include "policy/narrow.h"

/* "tls.identities.web.ca" */
static bool note(const struct laz_comparison *comparison, uint32_t c, uint32_t p, const char *key,
        const char *value)
{
    struct laz_buf buf;
    char path[sizeof(comparison->found->key)];
    const struct laz_policy_secrets *child = &comparison->child->secrets;
    const struct laz_policy_secrets *parent = &comparison->parent->secrets;
    laz_buf_init_fixed(&buf, path, sizeof(path));
    laz_buf_printf(&buf, "tls.identities.%s.%s", child->config.identities[c].name, key);
    (void)laz_comparison_note(comparison, path, value);
    comparison->found->is_less = true;
    comparison->found->child_pos = child->identities[c]->pos;
    comparison->found->parent_pos = parent->identities[p]->pos;
    return true;
}

/* Where the items that it is made of come from, items are compared for. */
static bool is_of_same_items(const struct laz_comparison *comparison,
        const struct laz_fetch_identity *child, const struct laz_fetch_identity *parent)
{
    const struct laz_fetch_item *mine = comparison->child->secrets.config.items;
    const struct laz_fetch_item *its = comparison->parent->secrets.config.items;
    if (child->source != parent->source || strcmp(child->from, parent->from) != 0 ||
            strcmp(child->template, parent->template) != 0) {
        return false;
    }
    return child->source != LAZ_IDENTITY_FROM_ITEMS ||
            (strcmp(mine[child->certificate_item].name, its[parent->certificate_item].name) == 0 &&
                    strcmp(mine[child->key_item].name, its[parent->key_item].name) == 0);
}

static bool has_name(const struct laz_fetch_identity *identity, const struct laz_san *name)
{
    for (uint32_t i = 0; i < identity->n_sans; i++) {
        if (identity->sans[i].type == name->type &&
                strcmp(identity->sans[i].text, name->text) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_same_names(
        const struct laz_fetch_identity *child, const struct laz_fetch_identity *parent)
{
    bool is_same = true;
    for (uint32_t i = 0; i < parent->n_sans; i++) {
        is_same = is_same && has_name(child, &parent->sans[i]);
    }
    for (uint32_t i = 0; i < child->n_sans; i++) {
        is_same = is_same && (parent->n_sans == 0 || has_name(parent, &child->sans[i]));
    }
    return is_same;
}

/* That one has a store and the other has not, its items show. */
static bool has_other_password(const struct laz_comparison *comparison, uint32_t c, uint32_t p)
{
    const struct laz_fetch_config *child = &comparison->child->secrets.config;
    const struct laz_fetch_config *parent = &comparison->parent->secrets.config;
    uint32_t mine = child->identities[c].password;
    uint32_t its = parent->identities[p].password;
    return mine != 0 && its != 0 &&
            strcmp(child->items[mine - 1].name, parent->items[its - 1].name) != 0;
}

static bool is_widened(const struct laz_comparison *comparison, uint32_t c, uint32_t p)
{
    const struct laz_fetch_config *child = &comparison->child->secrets.config;
    const struct laz_fetch_identity *mine = &child->identities[c];
    const struct laz_fetch_identity *its = &comparison->parent->secrets.config.identities[p];
    if (!is_of_same_items(comparison, mine, its)) {
        return note(comparison, c, p, "from", "another source");
    }
    if (mine->key != its->key) {
        return note(comparison, c, p, "key", laz_identity_key_name(mine->key));
    }
    if (mine->signing != its->signing) {
        return note(comparison, c, p, "from.signing", laz_signing_name(mine->signing));
    }
    if (mine->validity_s > its->validity_s) {
        return note(comparison, c, p, "from.validity", "longer");
    }
    if (mine->renew_at > its->renew_at) {
        return note(comparison, c, p, "renew.at", "later");
    }
    if (its->ca[0] != '\0' && strcmp(mine->ca, its->ca) != 0) {
        return note(comparison, c, p, "ca", mine->ca[0] == '\0' ? "none" : mine->ca);
    }
    if (has_other_password(comparison, c, p)) {
        return note(comparison, c, p, "p12.password", child->items[mine->password - 1].name);
    }
    if (!has_same_names(mine, its)) {
        return note(comparison, c, p, "san", "other names");
    }
    if ((its->purpose & ~mine->purpose) != 0) {
        return note(comparison, c, p, "purpose",
                mine->purpose == LAZ_PURPOSE_SERVER ? "server" : "client");
    }
    return false;
}

bool laz_identities_find_widening(const struct laz_comparison *comparison)
{
    const struct laz_fetch_config *child = &comparison->child->secrets.config;
    const struct laz_fetch_config *parent = &comparison->parent->secrets.config;
    for (uint32_t c = 0; c < child->n_identities; c++) {
        uint32_t p = 0;
        while (p < parent->n_identities &&
                strcmp(parent->identities[p].name, child->identities[c].name) != 0) {
            p++;
        }
        if (p < parent->n_identities && is_widened(comparison, c, p)) {
            return true;
        }
    }
    return false;
}
