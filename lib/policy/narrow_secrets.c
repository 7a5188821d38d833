/* SPDX-License-Identifier: Apache-2.0
 *
 * What a sealed policy says about secrets stays: its items come from where it says, as it wants
 * them, and more people see none of them; and no other item is fetched.
 */
#include <string.h>

#include "policy/merge.h"
#include "policy/narrow.h"

static bool note(const struct laz_comparison *comparison, const char *key, const char *value)
{
    (void)laz_comparison_note(comparison, key, value);
    comparison->found->is_less = true;
    return true;
}

/* "secrets.items.db-password.from", "keys.phi.from" */
static bool note_item(const struct laz_comparison *comparison, uint32_t c, uint32_t p,
        const char *key, const char *value)
{
    struct laz_buf buf;
    char path[sizeof(comparison->found->key)];
    laz_buf_init_fixed(&buf, path, sizeof(path));
    const struct laz_fetch_item *item = &comparison->child->secrets.config.items[c];
    laz_buf_printf(&buf, "%s.%s.%s", laz_fetch_list_name(item), item->name, key);
    (void)note(comparison, path, value);
    comparison->found->child_pos = laz_policy_pos_of_secret(comparison->child, c, key);
    comparison->found->parent_pos = laz_policy_pos_of_secret(comparison->parent, p, key);
    return true;
}

static bool note_more(const struct laz_comparison *comparison, uint32_t c, uint32_t p,
        const char *key, const char *value)
{
    (void)note_item(comparison, c, p, key, value);
    comparison->found->is_less = false;
    return true;
}

/* n_items if there is none. */
static uint32_t find_item(const struct laz_policy *policy, const char *name)
{
    const struct laz_fetch_config *config = &policy->secrets.config;
    uint32_t i = 0;
    while (i < config->n_items && strcmp(config->items[i].name, name) != 0) {
        i++;
    }
    return i;
}

/* ---- One item in both ---- */

static bool comes_from_elsewhere(const struct laz_comparison *comparison, uint32_t c, uint32_t p)
{
    const struct laz_fetch_item *child = &comparison->child->secrets.config.items[c];
    const struct laz_fetch_item *parent = &comparison->parent->secrets.config.items[p];
    if (child->source != parent->source || strcmp(child->from, parent->from) != 0) {
        return note_item(comparison, c, p, "from", child->from);
    }
    if (strcmp(child->version, parent->version) != 0) {
        return note_item(comparison, c, p, "from",
                child->version[0] == '\0' ? "any version" : child->version);
    }
    if (strcmp(child->stage, parent->stage) != 0) {
        return note_item(
                comparison, c, p, "from", child->stage[0] == '\0' ? "AWSCURRENT" : child->stage);
    }
    return strcmp(child->json_key, parent->json_key) != 0 &&
            note_item(comparison, c, p, "json-key", child->json_key);
}

static bool has_same_context(
        const struct laz_fetch_item *child, const struct laz_fetch_item *parent)
{
    uint32_t n_same = 0;
    for (uint32_t i = 0; i < parent->n_context; i++) {
        for (uint32_t k = 0; k < child->n_context; k++) {
            n_same += strcmp(child->context_name[k], parent->context_name[i]) == 0 &&
                            strcmp(child->context_value[k], parent->context_value[i]) == 0
                    ? 1
                    : 0;
        }
    }
    return n_same == parent->n_context && n_same == child->n_context;
}

static bool asks_less(const struct laz_comparison *comparison, uint32_t c, uint32_t p)
{
    const struct laz_fetch_item *child = &comparison->child->secrets.config.items[c];
    const struct laz_fetch_item *parent = &comparison->parent->secrets.config.items[p];
    if (child->decode != parent->decode) {
        return note_item(comparison, c, p, "decode", laz_secret_form_name(child->decode));
    }
    if (strcmp(child->kms_key, parent->kms_key) != 0) {
        return note_item(comparison, c, p, "decrypt.key", child->kms_key);
    }
    if (!has_same_context(child, parent)) {
        return note_item(comparison, c, p, "decrypt.context", "another one");
    }
    if (child->min_bytes < parent->min_bytes || child->max_bytes > parent->max_bytes) {
        char text[LAZ_NAME_LENGTH_MAX];
        struct laz_buf buf;
        laz_buf_init_fixed(&buf, text, sizeof(text));
        laz_buf_printf(&buf, "%u to %u", child->min_bytes, child->max_bytes);
        return note_item(comparison, c, p, "bytes", text);
    }
    return child->optional && !parent->optional && note_item(comparison, c, p, "optional", "true");
}

static bool goes_further(const struct laz_comparison *comparison, uint32_t c, uint32_t p)
{
    const struct laz_secret_delivery *child = &comparison->child->secrets.deliveries[c];
    const struct laz_secret_delivery *parent = &comparison->parent->secrets.deliveries[p];
    if (child->path[0] != '\0' && parent->path[0] == '\0') {
        return note_more(comparison, c, p, "file", child->path);
    }
    if ((child->mode & ~parent->mode) != 0) {
        char text[LAZ_NAME_LENGTH_MAX];
        struct laz_buf buf;
        laz_buf_init_fixed(&buf, text, sizeof(text));
        laz_buf_printf(&buf, "0%o", child->mode);
        return note_more(comparison, c, p, "file.mode", text);
    }
    if (child->exposed != NULL && parent->exposed == NULL) {
        return note_more(comparison, c, p, "expose-in-environment", child->exposed);
    }
    if (child->fd != 0 && parent->fd == 0) {
        char text[LAZ_NAME_LENGTH_MAX];
        struct laz_buf buf;
        laz_buf_init_fixed(&buf, text, sizeof(text));
        laz_buf_printf(&buf, "%u", child->fd);
        return note_more(comparison, c, p, "fd", text);
    }
    return false;
}

static bool find_in_items(const struct laz_comparison *comparison)
{
    const struct laz_fetch_config *child = &comparison->child->secrets.config;
    const struct laz_fetch_config *parent = &comparison->parent->secrets.config;
    for (uint32_t c = 0; c < child->n_items; c++) {
        uint32_t p = find_item(comparison->parent, child->items[c].name);
        if (p == parent->n_items) {
            (void)note(comparison, laz_fetch_list_name(&child->items[c]), child->items[c].name);
            comparison->found->child_pos = laz_policy_pos_of_secret(comparison->child, c, "name");
            comparison->found->parent_pos = (struct laz_pos){0};
            comparison->found->is_less = false;
            return true;
        }
        if (comes_from_elsewhere(comparison, c, p) || asks_less(comparison, c, p) ||
                goes_further(comparison, c, p)) {
            return true;
        }
    }
    for (uint32_t p = 0; p < parent->n_items; p++) {
        if (find_item(comparison->child, parent->items[p].name) == child->n_items) {
            (void)note(comparison, laz_fetch_list_name(&parent->items[p]),
                    "without an item of its own");
            comparison->found->parent_pos = laz_policy_pos_of_secret(comparison->parent, p, "name");
            return true;
        }
    }
    return false;
}

/* ---- Renewal ---- */

static bool waits_longer(
        const struct laz_comparison *comparison, const char *key, uint32_t child, uint32_t parent)
{
    char text[LAZ_NAME_LENGTH_MAX];
    struct laz_buf buf;
    if (child <= parent) {
        return false;
    }
    laz_buf_init_fixed(&buf, text, sizeof(text));
    laz_buf_printf(&buf, "%ums", child);
    return note(comparison, key, text);
}

/* What it renews is renewed, as often, and what it takes for stale is stale. */
static bool renews_less(const struct laz_comparison *comparison)
{
    static const char *const thens[] = {
#define X(id, name) name,
            LAZ_STALE_THEN(X)
#undef X
    };
    const struct laz_policy_renewal *child = &comparison->child->secrets.renewal;
    const struct laz_policy_renewal *parent = &comparison->parent->secrets.renewal;
    if (!parent->is_said) {
        return false;
    }
    for (uint32_t p = 0; p < comparison->parent->secrets.config.n_items; p++) {
        uint32_t c = find_item(comparison->child, comparison->parent->secrets.config.items[p].name);
        if (parent->is_renewed[p] && !child->is_renewed[c]) {
            return note_item(comparison, c, p, "refresh", "false");
        }
    }
    if (waits_longer(
                comparison, "secrets.refresh.interval", child->interval_ms, parent->interval_ms) ||
            waits_longer(comparison, "secrets.stale.max", child->stale_ms, parent->stale_ms) ||
            waits_longer(comparison, "secrets.grace", child->grace_ms, parent->grace_ms)) {
        return true;
    }
    return child->then > parent->then && note(comparison, "secrets.stale.then", thens[child->then]);
}

/* ---- The services ---- */

static bool find_in_vault(const struct laz_comparison *comparison)
{
    const struct laz_fetch_vault *child = &comparison->child->secrets.config.vault;
    const struct laz_fetch_vault *parent = &comparison->parent->secrets.config.vault;
    const struct {
        const char *key;
        const char *child;
        const char *parent;
    } rows[] = {
            {"secrets.vault.address", child->address, parent->address},
            {"secrets.vault.ca", child->ca, parent->ca},
            {"secrets.vault.namespace", child->name_space, parent->name_space},
            {"secrets.vault.auth.token.file", child->token_file, parent->token_file},
            {"secrets.vault.auth.token.variable", child->token_variable, parent->token_variable},
            {"secrets.vault.auth.aws.role", child->role, parent->role},
            {"secrets.vault.auth.aws.mount", child->mount, parent->mount},
            {"secrets.vault.auth.aws.server-id", child->server_id, parent->server_id},
            {"secrets.vault.auth.aws.region", child->region, parent->region},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].child, rows[i].parent) != 0) {
            return note(comparison, rows[i].key, rows[i].child);
        }
    }
    return false;
}

static bool find_in_services(const struct laz_comparison *comparison)
{
    const struct laz_fetch_config *child = &comparison->child->secrets.config;
    const struct laz_fetch_config *parent = &comparison->parent->secrets.config;
    static const char *const endpoints[LAZ_FETCH_SERVICE_COUNT] = {
            [LAZ_FETCH_SECRETS_MANAGER] = "secrets.endpoints.secrets-manager",
            [LAZ_FETCH_PARAMETERS] = "secrets.endpoints.ssm",
            [LAZ_FETCH_KMS] = "secrets.endpoints.kms",
            [LAZ_FETCH_PCA] = "secrets.endpoints.acm-pca"};
    if (strcmp(child->region, parent->region) != 0) {
        return note(comparison, "secrets.region", child->region);
    }
    /* Whoever may say that it is the service is the service. */
    if (strcmp(child->ca, parent->ca) != 0) {
        return note(comparison, "secrets.ca", child->ca);
    }
    for (unsigned i = 0; i < LAZ_FETCH_SERVICE_COUNT; i++) {
        if (strcmp(child->endpoint[i], parent->endpoint[i]) != 0) {
            return note(comparison, endpoints[i], child->endpoint[i]);
        }
    }
    if (parent->vault.address[0] != '\0' && find_in_vault(comparison)) {
        return true;
    }
    if (parent->fips && !child->fips) {
        return note(comparison, "secrets.fips", "false");
    }
    if (child->imds && !parent->imds) {
        (void)note(comparison, "secrets.imds", "permitted");
        comparison->found->is_less = false;
        return true;
    }
    return false;
}

bool laz_secrets_find_widening(const struct laz_comparison *comparison)
{
    const struct laz_policy *child = comparison->child;
    const struct laz_policy *parent = comparison->parent;
    if (find_in_items(comparison)) {
        return true;
    }
    if (parent->secrets.config.n_items == 0) {
        return false;
    }
    if (strcmp(child->secrets.dir, parent->secrets.dir) != 0) {
        return note(comparison, "secrets.dir", child->secrets.dir);
    }
    return find_in_services(comparison) || renews_less(comparison);
}
