/* SPDX-License-Identifier: Apache-2.0
 *
 * secrets and keys: what is fetched, and where it goes. An item is one value: a later file that
 * names it replaces it; as which of the two it was said stays. What the workload needs to reach
 * them is added to its environment and its files.
 */
#include <string.h>

#include "policy/image.h"
#include "policy/merge.h"
#include "policy/value_from.h"

/* ---- One document more ---- */

static const char *name_of(const struct laz_node *item)
{
    return laz_check_child(item, LAZ_FIELD_SECRET_NAME)->text;
}

static void merge_list(struct laz_merge *merge, struct laz_node *list)
{
    uint32_t *n = &merge->policy->secrets.config.n_items;
    for (struct laz_node *item = laz_check_item(list, NULL); item != NULL;
            item = laz_check_item(list, item)) {
        if (item->has_bad) {
            continue;
        }
        uint32_t slot = 0;
        while (slot < *n && strcmp(name_of(merge->secrets[slot]), name_of(item)) != 0) {
            slot++;
        }
        if (slot == LAZ_FETCH_ITEMS_MAX) {
            laz_report_node(merge->report, LAZ_E_POLICY_TOO_LARGE, item, "more than %d items",
                    LAZ_FETCH_ITEMS_MAX);
            return;
        }
        if (slot < *n && laz_merge_is_key(merge->secrets[slot]) != laz_merge_is_key(item)) {
            laz_report_node(merge->report, LAZ_E_POLICY_INVALID,
                    laz_check_child(item, LAZ_FIELD_SECRET_NAME),
                    "is the name of one of \"%s\" as well: events have one name for both",
                    laz_merge_is_key(item) ? "secrets.items" : "keys");
            continue;
        }
        merge->secrets[slot] = item;
        *n += slot == *n ? 1 : 0;
    }
}

void laz_merge_secrets(struct laz_merge *merge, struct laz_document *document)
{
    merge_list(merge, document->at[LAZ_FIELD_SECRETS_ITEMS]);
    merge_list(merge, document->at[LAZ_FIELD_KEYS]);
}

/* ---- When all are in ---- */

static const char *copy_slice(struct laz_merge *merge, struct laz_slice slice)
{
    const char *text =
            slice.length == 0 ? "" : laz_arena_copy(merge->arena, slice.text, slice.length);
    return text == NULL ? "" : text; /* the load fails for want of memory */
}

static void fill_parts(
        struct laz_merge *merge, const struct laz_value_from *parts, struct laz_fetch_item *ret)
{
    ret->source = parts->source;
    ret->from = copy_slice(merge, parts->from);
    ret->region = copy_slice(merge, parts->region);
    ret->json_key = copy_slice(merge, parts->json_key);
    ret->stage = copy_slice(merge, parts->stage);
    ret->version = copy_slice(merge, parts->version);
}

/* The checks have seen to it that there is one source, and that it is one. */
static void fill_source(
        struct laz_merge *merge, const struct laz_node *from, struct laz_fetch_item *ret)
{
    struct laz_value_from parts;
    const struct laz_node *file = laz_check_child(from, LAZ_FIELD_FROM_FILE);
    const struct laz_node *variable = laz_check_child(from, LAZ_FIELD_FROM_VARIABLE);
    const struct laz_node *secret = laz_check_child(from, LAZ_FIELD_FROM_SECRETS_MANAGER);
    const struct laz_node *parameter = laz_check_child(from, LAZ_FIELD_FROM_PARAMETER);
    const struct laz_node *vault = laz_check_child(from, LAZ_FIELD_FROM_VAULT);
    const struct laz_node *path = laz_check_child(from, LAZ_FIELD_FROM_PARAMETERS);
    if (from->kind == LAZ_NODE_SCALAR) {
        if (laz_value_from_split(from->text, from->length, &parts) == NULL) {
            fill_parts(merge, &parts, ret);
        }
    } else if (file != NULL) {
        ret->source = LAZ_SECRET_FILE;
        ret->from = laz_merge_text(merge, file);
    } else if (variable != NULL) {
        ret->source = LAZ_SECRET_VARIABLE;
        ret->from = laz_merge_text(merge, variable);
    } else if (secret != NULL &&
            laz_secret_id_split(secret->text, secret->length, &parts) == NULL) {
        fill_parts(merge, &parts, ret);
        ret->stage = laz_merge_text(merge, laz_check_child(from, LAZ_FIELD_FROM_STAGE));
        ret->version = laz_merge_text(merge, laz_check_child(from, LAZ_FIELD_FROM_VERSION));
    } else if (parameter != NULL &&
            laz_parameter_split(parameter->text, parameter->length, &parts) == NULL) {
        fill_parts(merge, &parts, ret);
    } else if (path != NULL) {
        /* AWS knows it with / at its end and without; here it has one name. */
        size_t length = path->length > 1 && path->text[path->length - 1] == '/' ? path->length - 1
                                                                                : path->length;
        const struct laz_node *recursive = laz_check_child(from, LAZ_FIELD_FROM_RECURSIVE);
        ret->source = recursive != NULL && recursive->number != 0 ? LAZ_SECRET_PARAMETER_TREE
                                                                  : LAZ_SECRET_PARAMETERS;
        ret->from = copy_slice(merge, (struct laz_slice){path->text, length});
    } else if (vault != NULL) {
        ret->source = LAZ_SECRET_VAULT;
        ret->from = laz_merge_text(merge, vault);
        ret->version = laz_merge_text(merge, laz_check_child(from, LAZ_FIELD_FROM_VERSION));
    }
}

static uint64_t number_of(const struct laz_node *mapping, enum laz_field_id field)
{
    const struct laz_node *node = mapping == NULL ? NULL : laz_check_child(mapping, field);
    return node != NULL ? node->number : laz_preset_number(laz_field_at(field));
}

static void fill_decryption(
        struct laz_merge *merge, const struct laz_node *decrypt, struct laz_fetch_item *ret)
{
    if (decrypt == NULL) {
        return;
    }
    struct laz_node *context = laz_check_child(decrypt, LAZ_FIELD_DECRYPT_CONTEXT);
    ret->kms_key = laz_merge_text(merge, laz_check_child(decrypt, LAZ_FIELD_DECRYPT_KEY));
    for (struct laz_node *pair = laz_check_item(context, NULL);
            pair != NULL && ret->n_context < LAZ_FETCH_CONTEXT_MAX;
            pair = laz_check_item(context, pair)) {
        const struct laz_slice name = {pair->key, pair->key_length};
        ret->context_name[ret->n_context] = copy_slice(merge, name);
        ret->context_value[ret->n_context] = laz_merge_text(merge, pair);
        ret->n_context++;
    }
}

static void fill_bytes(const struct laz_node *bytes, struct laz_fetch_item *ret)
{
    if (bytes != NULL && bytes->kind == LAZ_NODE_SCALAR) {
        ret->min_bytes = (uint32_t)bytes->number;
        ret->max_bytes = (uint32_t)bytes->number;
        return;
    }
    ret->min_bytes = (uint32_t)number_of(bytes, LAZ_FIELD_BYTES_MIN);
    ret->max_bytes = (uint32_t)number_of(bytes, LAZ_FIELD_BYTES_MAX);
}

/* A key for it has so many bytes, whatever else was said. */
static void fill_alg(struct laz_fetch_item *ret)
{
    uint32_t least = 0;
    uint32_t most = 0;
    laz_secret_alg_bytes(ret->alg, &least, &most);
    ret->min_bytes = ret->min_bytes > least ? ret->min_bytes : least;
    ret->max_bytes = ret->max_bytes < most ? ret->max_bytes : most;
}

static void fill_delivery(
        struct laz_merge *merge, const struct laz_node *item, struct laz_secret_delivery *ret)
{
    const struct laz_node *file = laz_check_child(item, LAZ_FIELD_SECRET_FILE);
    const struct laz_node *fd = laz_check_child(item, LAZ_FIELD_SECRET_FD);
    const struct laz_node *expose = laz_check_child(item, LAZ_FIELD_SECRET_EXPOSE);
    *ret = (struct laz_secret_delivery){.path = "", .variable = ""};
    if (file != NULL) {
        ret->path = laz_merge_text(merge, laz_check_child(file, LAZ_FIELD_FILE_PATH));
        ret->mode = (uint32_t)number_of(file, LAZ_FIELD_FILE_MODE);
    }
    if (fd != NULL) {
        ret->fd = (uint32_t)number_of(fd, LAZ_FIELD_FD_NUMBER);
        ret->variable = laz_merge_text(merge, laz_check_child(fd, LAZ_FIELD_FD_VARIABLE));
    }
    if (expose != NULL) {
        ret->exposed = laz_merge_text(merge, laz_check_child(expose, LAZ_FIELD_EXPOSE_VARIABLE));
    }
}

/* What is open already stays what it is, and a variable says the same for ever. */
static void fill_renewal(struct laz_merge *merge, const struct laz_node *item, uint32_t slot)
{
    struct laz_policy_secrets *secrets = &merge->policy->secrets;
    const struct laz_node *refresh = laz_check_child(item, LAZ_FIELD_SECRET_REFRESH);
    const struct laz_node *on_change = laz_check_child(item, LAZ_FIELD_SECRET_ON_CHANGE);
    bool can_be = secrets->deliveries[slot].path[0] != '\0' &&
            secrets->config.items[slot].source != LAZ_SECRET_VARIABLE;
    secrets->renewal.is_renewed[slot] =
            secrets->renewal.is_said && can_be && (refresh == NULL || refresh->number != 0);
    secrets->renewal.signal[slot] = on_change == NULL || !secrets->renewal.is_renewed[slot]
            ? 0
            : (uint8_t)number_of(on_change, LAZ_FIELD_ON_CHANGE_SIGNAL);
}

static void fill_item(struct laz_merge *merge, const struct laz_node *item, uint32_t slot)
{
    struct laz_policy_secrets *secrets = &merge->policy->secrets;
    struct laz_fetch_item *ret = &secrets->config.items[slot];
    const struct laz_node *json_key = laz_check_child(item, LAZ_FIELD_SECRET_JSON_KEY);
    *ret = (struct laz_fetch_item){
            .is_key = laz_merge_is_key(item),
            .name = laz_merge_text(merge, laz_check_child(item, LAZ_FIELD_SECRET_NAME)),
            .optional = number_of(item, LAZ_FIELD_SECRET_OPTIONAL) != 0,
            .from = "",
            .region = "",
            .json_key = "",
            .stage = "",
            .version = "",
            .decode = (enum laz_secret_form)number_of(item, LAZ_FIELD_SECRET_DECODE),
            .kms_key = "",
            .form = (enum laz_secret_form)number_of(item, LAZ_FIELD_SECRET_FORM),
            .alg = (enum laz_secret_alg)number_of(item, LAZ_FIELD_SECRET_ALG),
            .newline = number_of(item, LAZ_FIELD_SECRET_NEWLINE) != 0,
            .is_exposed = laz_check_child(item, LAZ_FIELD_SECRET_EXPOSE) != NULL,
    };
    fill_source(merge, laz_check_child(item, LAZ_FIELD_SECRET_FROM), ret);
    if (json_key != NULL) {
        ret->json_key = laz_merge_text(merge, json_key);
    }
    fill_decryption(merge, laz_check_child(item, LAZ_FIELD_SECRET_DECRYPT), ret);
    fill_bytes(laz_check_child(item, LAZ_FIELD_SECRET_BYTES), ret);
    fill_alg(ret);
    fill_delivery(merge, item, &secrets->deliveries[slot]);
    fill_renewal(merge, item, slot);
    secrets->items[slot] = item;
}

/* ---- What the workload needs to reach them ---- */

static void set_variable(struct laz_merge *merge, uint32_t slot)
{
    const struct laz_secret_delivery *delivery = &merge->policy->secrets.deliveries[slot];
    char text[LAZ_POLICY_SCALAR_MAX + 16];
    struct laz_buf buf;
    if (delivery->variable[0] == '\0') {
        return;
    }
    laz_buf_init_fixed(&buf, text, sizeof(text));
    laz_buf_printf(&buf, "%s=%u", delivery->variable, delivery->fd);
    laz_strings_append(merge->arena, &merge->policy->env_set, text, buf.len,
            laz_policy_pos_of_secret(merge->policy, slot, "fd.variable"));
}

static void permit_reading(struct laz_merge *merge)
{
    struct laz_policy *policy = merge->policy;
    bool has_files = false;
    for (uint32_t i = 0; i < policy->secrets.config.n_items; i++) {
        has_files = has_files || policy->secrets.deliveries[i].path[0] != '\0';
    }
    for (size_t i = 0; i < policy->n_paths; i++) {
        const struct laz_path_rule *rule = &policy->paths[i];
        has_files = has_files &&
                !(rule->class == LAZ_PATH_READ && !rule->optional &&
                        strcmp(rule->path, policy->secrets.dir) == 0);
    }
    struct laz_path_rule *rule = NULL;
    char *path = has_files
            ? laz_arena_copy(merge->arena, policy->secrets.dir, strlen(policy->secrets.dir))
            : NULL;
    if (path != NULL) {
        rule = laz_arena_append(merge->arena, &policy->paths, &policy->n_paths, sizeof(*rule));
    }
    if (rule != NULL) {
        struct laz_pos dir = policy->key_pos[LAZ_FIELD_SECRETS_DIR];
        struct laz_pos items = policy->key_pos[LAZ_FIELD_SECRETS_ITEMS];
        struct laz_pos keys = policy->key_pos[LAZ_FIELD_KEYS];
        struct laz_pos pos = items.line > 0 ? items
                : keys.line > 0             ? keys
                                            : policy->key_pos[LAZ_FIELD_TLS_IDENTITIES];
        *rule = (struct laz_path_rule){
                .path = path, .class = LAZ_PATH_READ, .pos = dir.line > 0 ? dir : pos};
    }
}

void laz_finish_secrets(struct laz_merge *merge)
{
    struct laz_policy_secrets *secrets = &merge->policy->secrets;
    struct laz_fetch_config *config = &secrets->config;
    static const enum laz_field_id endpoints[LAZ_FETCH_SERVICE_COUNT] = {
            [LAZ_FETCH_SECRETS_MANAGER] = LAZ_FIELD_ENDPOINTS_SECRETS_MANAGER,
            [LAZ_FETCH_PARAMETERS] = LAZ_FIELD_ENDPOINTS_SSM,
            [LAZ_FETCH_KMS] = LAZ_FIELD_ENDPOINTS_KMS,
            [LAZ_FETCH_PCA] = LAZ_FIELD_ENDPOINTS_PCA};
    const struct laz_node *dir = merge->said[LAZ_FIELD_SECRETS_DIR];
    secrets->dir =
            dir != NULL ? laz_merge_text(merge, dir) : laz_field_at(LAZ_FIELD_SECRETS_DIR)->preset;
    secrets->renewal.is_said = merge->policy->key_pos[LAZ_FIELD_SECRETS_REFRESH].line > 0;
    config->region = laz_merge_text(merge, merge->said[LAZ_FIELD_SECRETS_REGION]);
    config->ca = laz_merge_text(merge, merge->said[LAZ_FIELD_SECRETS_CA]);
    laz_merge_party(merge->policy, &config->workload);
    for (unsigned i = 0; i < LAZ_FETCH_SERVICE_COUNT; i++) {
        config->endpoint[i] = laz_merge_text(merge, merge->said[endpoints[i]]);
    }
    laz_finish_vault(merge);
    for (uint32_t i = 0; i < config->n_items; i++) {
        fill_item(merge, merge->secrets[i], i);
        set_variable(merge, i);
    }
    laz_finish_keys(merge);
    laz_finish_identities(merge);
    permit_reading(merge);
}

/* ---- Lookups ---- */

bool laz_secret_is_of_aws(const struct laz_fetch_item *item)
{
    return item->source == LAZ_SECRET_SECRETS_MANAGER || item->source == LAZ_SECRET_PARAMETER ||
            item->source == LAZ_SECRET_PARAMETERS || item->source == LAZ_SECRET_PARAMETER_TREE ||
            (item->source == LAZ_SECRET_IDENTITY && item->region[0] != '\0') ||
            item->kms_key[0] != '\0';
}

struct laz_pos laz_policy_pos_of_secret(
        const struct laz_policy *policy, size_t item, const char *key)
{
    if (item >= policy->secrets.config.n_items) {
        return (struct laz_pos){0};
    }
    const struct laz_node *node = policy->secrets.items[item];
    enum laz_field_id field = LAZ_FIELD_SECRETS_ITEMS;
    for (;;) {
        size_t length = strcspn(key, ".");
        field = laz_field_find(field, key, length);
        const struct laz_node *child =
                field == LAZ_FIELD_ROOT ? NULL : laz_check_child(node, field);
        if (child == NULL) {
            return node->pos;
        }
        node = child;
        if (key[length] == '\0') {
            return node->pos;
        }
        key += length + 1;
    }
}
