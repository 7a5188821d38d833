/* SPDX-License-Identifier: Apache-2.0
 *
 * Where records go is no permission, but what a sealed policy requires of it stays: no sink of its
 * own goes elsewhere or gets less, and nothing leaves unredacted, unsealed or unencrypted that did
 * not before.
 */
#include <string.h>

#include "policy/narrow.h"

static bool note(const struct laz_comparison *comparison, const char *key, const char *value)
{
    comparison->found->is_less = true;
    return laz_comparison_note(comparison, key, value);
}

/* "sinks.trail.required" */
static bool note_named(const struct laz_comparison *comparison, const char *name, const char *key,
        const char *value)
{
    struct laz_buf buf;
    char path[sizeof(comparison->found->key)];
    laz_buf_init_fixed(&buf, path, sizeof(path));
    laz_buf_printf(&buf, "sinks.%s.%s", name, key);
    return note(comparison, path, value);
}

/* The same, with where both say it. */
static bool note_sink(const struct laz_comparison *comparison, size_t child, size_t parent,
        const char *key, const char *value)
{
    const char *name = comparison->parent->shipping.config.sinks[parent].name;
    (void)note_named(comparison, name, key, value);
    comparison->found->child_pos = laz_policy_pos_of_sink(comparison->child, child, key);
    comparison->found->parent_pos = laz_policy_pos_of_sink(comparison->parent, parent, key);
    return true;
}

/* ---- One sink in both ---- */

static bool goes_elsewhere_in_cloud(const struct laz_comparison *comparison, size_t c, size_t p)
{
    const struct laz_ship_sink *child = &comparison->child->shipping.config.sinks[c];
    const struct laz_ship_sink *parent = &comparison->parent->shipping.config.sinks[p];
    if (strcmp(child->group, parent->group) != 0) {
        return note_sink(comparison, c, p, "group", child->group);
    }
    if (strcmp(child->stream, parent->stream) != 0) {
        return note_sink(comparison, c, p, "stream", child->stream);
    }
    if (strcmp(child->region, parent->region) != 0) {
        return note_sink(comparison, c, p, "region", child->region);
    }
    if (strcmp(child->host, parent->host) != 0 || child->port != parent->port) {
        return note_sink(comparison, c, p, "endpoint", child->host);
    }
    if (parent->fips && !child->fips) {
        return note_sink(comparison, c, p, "fips", "false");
    }
    return child->imds && !parent->imds && note_sink(comparison, c, p, "imds", "permitted");
}

static bool goes_elsewhere(const struct laz_comparison *comparison, size_t c, size_t p)
{
    const struct laz_ship_sink *child = &comparison->child->shipping.config.sinks[c];
    const struct laz_ship_sink *parent = &comparison->parent->shipping.config.sinks[p];
    if (child->type != parent->type) {
        return note_sink(comparison, c, p, "type", laz_sink_type_name(child->type));
    }
    if (child->type == LAZ_SINK_CLOUDWATCH && goes_elsewhere_in_cloud(comparison, c, p)) {
        return true;
    }
    if (child->transport != parent->transport) {
        return note_sink(comparison, c, p, "transport", laz_transport_name(child->transport));
    }
    if (child->format != parent->format) {
        return note_sink(comparison, c, p, "format", laz_ship_format_name(child->format));
    }
    if (strcmp(child->path, parent->path) != 0) {
        return note_sink(comparison, c, p, "path", child->path);
    }
    if (strcmp(child->host, parent->host) != 0 || child->port != parent->port) {
        struct laz_buf buf;
        char to[LAZ_NAME_LENGTH_MAX * 2];
        laz_buf_init_fixed(&buf, to, sizeof(to));
        laz_buf_printf(&buf, "%s:%u", child->host, child->port);
        return note_sink(comparison, c, p, "to", to);
    }
    if (strcmp(child->enrol_host, parent->enrol_host) != 0 ||
            child->enrol_port != parent->enrol_port) {
        return note_sink(comparison, c, p, "enrol", child->enrol_host);
    }
    if (parent->has_tls && !child->has_tls) {
        return note_sink(comparison, c, p, "tls", "none");
    }
    /* Whoever may say that it is the peer is the peer. */
    if (parent->has_tls && strcmp(child->tls_ca, parent->tls_ca) != 0) {
        return note_sink(comparison, c, p, "tls", child->tls_ca);
    }
    return parent->has_tls && strcmp(child->tls_peer, parent->tls_peer) != 0 &&
            note_sink(comparison, c, p, "tls", child->tls_peer);
}

static bool gets_less(const struct laz_comparison *comparison, size_t c, size_t p)
{
    const struct laz_ship_sink *child = &comparison->child->shipping.config.sinks[c];
    const struct laz_ship_sink *parent = &comparison->parent->shipping.config.sinks[p];
    char text[LAZ_NAME_LENGTH_MAX];
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, text, sizeof(text));
    if (parent->required && !child->required) {
        return note_sink(comparison, c, p, "required", "false");
    }
    for (unsigned i = 0; i < LAZ_SHIP_CLASS_COUNT; i++) {
        if (((unsigned)parent->classes & ~(unsigned)child->classes) >> i & 1) {
            laz_buf_printf(&buf, "without %s", laz_ship_class_name((enum laz_ship_class)i));
            return note_sink(comparison, c, p, "classes", text);
        }
    }
    if (child->min_severity > parent->min_severity) {
        laz_buf_printf(&buf, "%u", child->min_severity);
        return note_sink(comparison, c, p, "min-severity", text);
    }
    return false;
}

/* n_sinks if there is none. */
static uint32_t find_sink(const struct laz_policy *policy, const char *name)
{
    const struct laz_ship_config *config = &policy->shipping.config;
    uint32_t i = 0;
    while (i < config->n_sinks && strcmp(config->sinks[i].name, name) != 0) {
        i++;
    }
    return i;
}

static bool find_in_sinks(const struct laz_comparison *comparison)
{
    const struct laz_policy_shipping *child = &comparison->child->shipping;
    const struct laz_policy_shipping *parent = &comparison->parent->shipping;
    for (uint32_t p = 0; p < parent->config.n_sinks; p++) {
        const char *name = parent->config.sinks[p].name;
        uint32_t c = find_sink(comparison->child, name);
        if (c == child->config.n_sinks) {
            return note_sink(comparison, c, p, "name", "no such sink");
        }
        if (goes_elsewhere(comparison, c, p) || gets_less(comparison, c, p)) {
            return true;
        }
    }
    for (uint32_t c = 0; c < child->config.n_sinks; c++) {
        const char *name = child->config.sinks[c].name;
        uint32_t p = find_sink(comparison->parent, name);
        bool was_plain = p < parent->config.n_sinks && parent->plain[p];
        if (child->plain[c] && !was_plain) {
            (void)note_named(comparison, name, "plain", "true");
            comparison->found->child_pos = laz_policy_pos_of_sink(comparison->child, c, "plain");
            comparison->found->parent_pos = (struct laz_pos){0};
            comparison->found->is_less = false;
            return true;
        }
    }
    return false;
}

/* ---- logs, audit, spool ---- */

/* Something of the parent's list that the child does not have. */
static bool lacks_text(const struct laz_comparison *comparison, const char *key,
        const struct laz_string_list *child, const struct laz_string_list *parent)
{
    for (size_t i = 0; i < parent->n; i++) {
        if (!laz_string_list_has(child, parent->items[i])) {
            char text[LAZ_NAME_LENGTH_MAX * 2];
            struct laz_buf buf;
            laz_buf_init_fixed(&buf, text, sizeof(text));
            laz_buf_printf(&buf, "without %s", parent->items[i]);
            (void)note(comparison, key, text);
            comparison->found->parent_pos = parent->pos[i];
            return true;
        }
    }
    return false;
}

static bool find_in_redaction(const struct laz_comparison *comparison)
{
    const struct laz_policy_shipping *child = &comparison->child->shipping;
    const struct laz_policy_shipping *parent = &comparison->parent->shipping;
    unsigned lost = (unsigned)parent->config.redact & ~(unsigned)child->config.redact;
    for (unsigned i = 0; i < LAZ_REDACT_LITERAL; i++) {
        if ((lost >> i & 1) != 0) {
            struct laz_buf buf;
            char text[LAZ_NAME_LENGTH_MAX];
            laz_buf_init_fixed(&buf, text, sizeof(text));
            laz_buf_printf(&buf, "without %s", laz_redaction_name((enum laz_redaction)i));
            return note(comparison, "logs.redact.patterns", text);
        }
    }
    if (parent->config.mrn[0] != '\0' && strcmp(child->config.mrn, parent->config.mrn) != 0) {
        return note(comparison, "logs.redact.mrn", child->config.mrn);
    }
    return lacks_text(comparison, "logs.redact.literals", &child->literals, &parent->literals);
}

static bool find_in_logs(const struct laz_comparison *comparison)
{
    const struct laz_policy_shipping *child = &comparison->child->shipping;
    const struct laz_policy_shipping *parent = &comparison->parent->shipping;
    bool is_captured = parent->capture && laz_policy_ships(comparison->parent, LAZ_SHIP_CLASS_LOG);
    if (is_captured && !child->capture) {
        return note(comparison, "logs.capture", "disabled");
    }
    bool is_held = is_captured || parent->config.redact != 0;
    if (is_held && child->config.passthrough && !parent->config.passthrough) {
        return note(comparison, "logs.passthrough", "true");
    }
    if (parent->config.logs_block && !child->config.logs_block) {
        return note(comparison, "logs.when-full", "drop");
    }
    return find_in_redaction(comparison);
}

bool laz_shipping_find_widening(const struct laz_comparison *comparison)
{
    const struct laz_policy *child = comparison->child;
    const struct laz_policy *parent = comparison->parent;
    if (find_in_sinks(comparison) || find_in_logs(comparison)) {
        return true;
    }
    if (parent->shipping.config.durability_acked && !child->shipping.config.durability_acked) {
        return note(comparison, "audit.durability", "spool");
    }
    return lacks_text(
            comparison, "spool.seal-to", &child->shipping.seal_to, &parent->shipping.seal_to);
}
