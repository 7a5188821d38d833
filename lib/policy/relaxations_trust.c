/* SPDX-License-Identifier: Apache-2.0
 *
 * Whom and what Lazaret believes, where that is given up by name: files of which the workload may
 * have a part, a CA that nobody vouches for, clients that show nothing. What such a file is when it
 * is opened, lib/core/trusted looks at once more; a policy only knows its path.
 */
#include "policy/merge.h"

#define WHAT_SIZE 128 /* a name, and what it is of */

bool laz_path_class_writes(enum laz_path_class class)
{
    return class == LAZ_PATH_WRITE || class == LAZ_PATH_WRITE_EXEC || class == LAZ_PATH_DEVICES;
}

bool laz_policy_may_write(const struct laz_policy *policy, const char *path)
{
    for (size_t i = 0; i < policy->n_paths; i++) {
        const struct laz_path_rule *rule = &policy->paths[i];
        if (laz_path_class_writes(rule->class) && laz_path_is_at_or_below(path, rule->path)) {
            return true;
        }
    }
    return false;
}

static void add_file(
        struct laz_merge *merge, struct laz_pos pos, const char *what, const char *path)
{
    if (path[0] != '\0' && laz_policy_may_write(merge->policy, path)) {
        laz_relaxations_add(merge, pos, "%s is where the workload may write", what);
    }
}

static void add_named(struct laz_merge *merge, struct laz_pos pos, const char *what,
        const char *name, const char *path)
{
    char text[WHAT_SIZE];
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, text, sizeof(text));
    laz_buf_printf(&buf, "%s %s", what, name);
    add_file(merge, pos, text, path);
}

static void add_secrets(struct laz_merge *merge)
{
    const struct laz_policy *policy = merge->policy;
    const struct laz_fetch_config *config = &policy->secrets.config;
    const struct laz_pos *pos = policy->key_pos;
    if (config->n_items == 0) {
        return;
    }
    add_file(merge, pos[LAZ_FIELD_SECRETS_CA], "secrets: ca", config->ca);
    if (config->vault.login != LAZ_FETCH_LOGIN_NONE) {
        add_file(merge, pos[LAZ_FIELD_VAULT_CA], "secrets: vault.ca", config->vault.ca);
        add_file(merge, pos[LAZ_FIELD_VAULT_AUTH], "secrets: Vault's token",
                config->vault.token_file);
    }
    for (uint32_t i = 0; i < config->n_items; i++) {
        if (config->items[i].source == LAZ_SECRET_FILE) {
            add_named(merge, laz_policy_pos_of_secret(policy, i, "from"), "secrets: the source of",
                    config->items[i].name, config->items[i].from);
        }
    }
}

static struct laz_pos pos_of(const struct laz_node *node, enum laz_field_id field)
{
    const struct laz_node *child = laz_check_child(node, field);
    return child == NULL ? node->pos : child->pos;
}

static void add_identities(struct laz_merge *merge)
{
    const struct laz_fetch_config *config = &merge->policy->secrets.config;
    for (uint32_t i = 0; i < config->n_identities; i++) {
        const struct laz_fetch_identity *identity = &config->identities[i];
        const struct laz_node *node = merge->identities[i];
        add_named(merge, pos_of(node, LAZ_FIELD_IDENTITY_CA), "tls: ca of", identity->name,
                identity->ca);
        if (identity->source != LAZ_IDENTITY_FROM_ITEMS && identity->ca[0] == '\0') {
            laz_relaxations_add(merge, pos_of(node, LAZ_FIELD_IDENTITY_TRUST),
                    "tls: whoever answers as the CA of %s is believed", identity->name);
        }
    }
}

static void add_tunnel(struct laz_merge *merge)
{
    const struct laz_tunnel_config *config = &merge->policy->tunneling.config;
    for (uint32_t i = 0; i < config->n_trust; i++) {
        const struct laz_node *name = laz_check_child(merge->trust[i], LAZ_FIELD_TRUST_NAME);
        add_named(merge, pos_of(merge->trust[i], LAZ_FIELD_TRUST_FILE), "tls: trust", name->text,
                config->trust[i]);
    }
    for (uint32_t i = 0; i < config->n_entries; i++) {
        const struct laz_tunnel_entry *entry = &config->entries[i];
        if (entry->listens && !entry->requires_client) {
            laz_relaxations_add(merge, pos_of(merge->entries[i], LAZ_FIELD_IN_CLIENTS),
                    "tls: clients of %s need no certificate", entry->name);
        }
    }
}

static void add_shipping(struct laz_merge *merge)
{
    const struct laz_policy *policy = merge->policy;
    const struct laz_ship_config *config = &policy->shipping.config;
    const struct laz_pos *pos = policy->key_pos;
    for (uint32_t i = 0; i < config->n_sinks; i++) {
        const struct laz_ship_sink *sink = &config->sinks[i];
        struct laz_pos tls = laz_policy_pos_of_sink(policy, i, "tls");
        add_named(merge, tls, "sinks: the CA of", sink->name, sink->tls_ca);
        add_named(merge, tls, "sinks: the certificate of", sink->name, sink->tls_cert);
        add_named(merge, tls, "sinks: the key of", sink->name, sink->tls_key);
        if (sink->type == LAZ_SINK_OSSEC) {
            add_named(merge, laz_policy_pos_of_sink(policy, i, "path"),
                    "sinks: the file of keys of", sink->name, sink->path);
            add_named(merge, laz_policy_pos_of_sink(policy, i, "enrol"), "sinks: the password of",
                    sink->name, sink->enrol_password);
        }
    }
    for (uint32_t i = 0; i < config->n_seal_to; i++) {
        add_file(
                merge, pos[LAZ_FIELD_SPOOL_SEAL_TO], "spool: a key of seal-to", config->seal_to[i]);
    }
    add_file(merge, pos[LAZ_FIELD_SPOOL_OPEN_WITH], "spool: open-with", config->open_with);
}

void laz_relaxations_trust(struct laz_merge *merge)
{
    add_shipping(merge);
    add_secrets(merge);
    add_identities(merge);
    add_tunnel(merge);
}
