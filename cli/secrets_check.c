/* SPDX-License-Identifier: Apache-2.0
 *
 * lazaret secrets check FILE: what a policy would fetch, where it would go, and what AWS must
 * permit for it. Fetches nothing, so it prints no value.
 */
#include "cli/loaded.h"
#include "cli/output.h"
#include "cli/secrets.h"

#define KEY_COLUMN 14

static void put_line(struct laz_buf *buf, const char *key, const struct laz_buf *text)
{
    laz_buf_printf(buf, "    %-*s", KEY_COLUMN - 4, key);
    laz_cli_wrap(buf, text->overflow ? "" : text->data, KEY_COLUMN, KEY_COLUMN);
}

/* An earlier part of the same identity, which is asked for with it; NULL: there is none. */
static const struct laz_fetch_item *find_first_part(
        const struct laz_fetch_config *config, const struct laz_fetch_item *item)
{
    for (const struct laz_fetch_item *first = config->items; first < item; first++) {
        if (item->source == LAZ_SECRET_IDENTITY && first->source == LAZ_SECRET_IDENTITY &&
                first->identity == item->identity) {
            return first;
        }
    }
    return NULL;
}

static void put_permissions(struct laz_buf *buf, const struct laz_fetch_config *config,
        const struct laz_fetch_item *item)
{
    struct laz_permission permissions[LAZ_PERMISSIONS_MAX];
    const struct laz_fetch_item *first = find_first_part(config, item);
    size_t n = laz_secret_permissions(config, item, permissions);
    if (first != NULL) {
        laz_buf_printf(buf, "    %-*swhat %s needs\n", KEY_COLUMN - 4, "needs", first->name);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        laz_cleanup_buf struct laz_buf text;
        laz_buf_init_heap(&text, LAZ_CLI_OUTPUT_MAX);
        laz_buf_printf(&text, "%s on %s", permissions[i].action, permissions[i].resource);
        for (uint32_t k = 0; permissions[i].has_context && k < item->n_context; k++) {
            laz_buf_printf(&text, "%s %s=%s", k == 0 ? " where the context is" : ",",
                    item->context_name[k], item->context_value[k]);
        }
        put_line(buf, i == 0 ? "needs" : "", &text);
    }
    if (n == 0) {
        laz_cleanup_buf struct laz_buf text;
        laz_buf_init_heap(&text, LAZ_CLI_OUTPUT_MAX);
        laz_buf_str(&text, "nothing of AWS");
        put_line(buf, "needs", &text);
    }
}

static void put_item(struct laz_buf *buf, const struct laz_policy_secrets *secrets, uint32_t i)
{
    const struct laz_fetch_item *item = &secrets->config.items[i];
    laz_cleanup_buf struct laz_buf source;
    laz_cleanup_buf struct laz_buf form;
    laz_cleanup_buf struct laz_buf delivery;
    laz_buf_init_heap(&source, LAZ_CLI_OUTPUT_MAX);
    laz_buf_init_heap(&form, LAZ_CLI_OUTPUT_MAX);
    laz_buf_init_heap(&delivery, LAZ_CLI_OUTPUT_MAX);
    laz_secret_put_source(&source, item);
    laz_secret_put_form(&form, item);
    laz_secret_put_delivery(&delivery, secrets, i);
    laz_buf_printf(buf, "  %s%s\n", item->name, item->optional ? " (optional)" : "");
    put_line(buf, "from", &source);
    put_line(buf, "form", &form);
    put_line(buf, "to", &delivery);
    put_permissions(buf, &secrets->config, item);
}

static void put_text(struct laz_buf *buf, const char *path, const struct laz_policy *policy)
{
    const struct laz_policy_secrets *secrets = &policy->secrets;
    bool is_of_aws = false;
    if (secrets->config.n_items == 0) {
        laz_buf_printf(buf, "%s: no secrets\n", path);
        return;
    }
    laz_buf_printf(buf, "%s: %u secret%s, below %s, within %u ms of the start; none was fetched\n",
            path, secrets->config.n_items, secrets->config.n_items == 1 ? "" : "s", secrets->dir,
            secrets->config.wait_ms);
    for (uint32_t i = 0; i < secrets->config.n_items; i++) {
        put_item(buf, secrets, i);
        is_of_aws = is_of_aws || secrets->config.items[i].source == LAZ_SECRET_SECRETS_MANAGER ||
                secrets->config.items[i].source == LAZ_SECRET_PARAMETER ||
                secrets->config.items[i].source == LAZ_SECRET_PARAMETERS ||
                secrets->config.items[i].source == LAZ_SECRET_PARAMETER_TREE;
    }
    if (is_of_aws) {
        laz_buf_str(buf,
                "  The role is the task's. Where a secret or a parameter is encrypted under a key "
                "of your\n  own, it needs kms:Decrypt on that key too.\n");
    }
}

int laz_cli_secrets_check(const struct laz_cli_arguments *arguments)
{
    laz_cleanup_loaded struct laz_loaded loaded;
    laz_loaded_init(&loaded, arguments->operands[0], arguments->root);
    int result = laz_loaded_require(&loaded, arguments->json);
    if (result != LAZ_EXIT_FINE) {
        return result;
    }
    laz_cleanup_buf struct laz_buf buf;
    laz_buf_init_heap(&buf, LAZ_CLI_OUTPUT_MAX);
    if (!arguments->json) {
        laz_loaded_print_diagnostics(&loaded);
        put_text(&buf, loaded.path, loaded.policy);
        return laz_cli_print(&buf, LAZ_EXIT_FINE);
    }
    struct laz_json json;
    laz_json_init(&json, &buf);
    laz_json_object(&json, NULL);
    laz_json_string(&json, "file", loaded.path);
    laz_json_bool(&json, "ok", true);
    laz_loaded_json_diagnostics(&loaded, &json);
    laz_json_string(&json, "dir", loaded.policy->secrets.dir);
    laz_json_u64(&json, "start_deadline_ms", loaded.policy->secrets.config.wait_ms);
    laz_secrets_json(&json, loaded.policy);
    laz_json_object_end(&json);
    laz_buf_char(&buf, '\n');
    return laz_cli_print(&buf, LAZ_EXIT_FINE);
}
