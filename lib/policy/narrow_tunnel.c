/* SPDX-License-Identifier: Apache-2.0
 *
 * What a sealed policy says about tunnels stays as it is: a child may leave entries out, and has no
 * others. One that goes elsewhere, or believes somebody else, is another one.
 */
#include <string.h>

#include "policy/narrow.h"

/* p: the parent's own, or as many as it has. */
static bool note_entry(const struct laz_comparison *comparison, uint32_t c, uint32_t p,
        const char *key, const char *value)
{
    const struct laz_tunnel_entry *entry = &comparison->child->tunneling.config.entries[c];
    struct laz_buf buf;
    char path[sizeof(comparison->found->key)];
    laz_buf_init_fixed(&buf, path, sizeof(path));
    laz_buf_printf(&buf, "tls.%s.%s%s%s", entry->listens ? "listen" : "connect", entry->name,
            key[0] == '\0' ? "" : ".", key);
    (void)laz_comparison_note(comparison, path, value);
    comparison->found->child_pos = laz_policy_pos_of_tunnel(comparison->child, c, key);
    comparison->found->parent_pos = laz_policy_pos_of_tunnel(comparison->parent, p, key);
    return true;
}

static bool is_other_end(const struct laz_tunnel_end *a, const struct laz_tunnel_end *b)
{
    return a->port != b->port || strcmp(a->host, b->host) != 0;
}

static const char *trust_of(const struct laz_policy *policy, const struct laz_tunnel_entry *entry)
{
    return entry->trust == LAZ_TUNNEL_NONE ? "" : policy->tunneling.config.trust[entry->trust];
}

static const char *identity_of(
        const struct laz_policy *policy, const struct laz_tunnel_entry *entry)
{
    return entry->identity == LAZ_TUNNEL_NONE
            ? ""
            : policy->tunneling.config.identities[entry->identity];
}

static bool allows(const struct laz_tunnel_entry *entry, const char *name)
{
    bool is_there = entry->n_allow == 0;
    for (uint32_t i = 0; i < entry->n_allow; i++) {
        is_there = is_there || strcmp(entry->allow[i], name) == 0;
    }
    return is_there;
}

/* Who comes in at the child's, and not at the parent's. */
static bool lets_more_in(const struct laz_comparison *comparison, uint32_t c, uint32_t p)
{
    const struct laz_tunnel_entry *child = &comparison->child->tunneling.config.entries[c];
    const struct laz_tunnel_entry *parent = &comparison->parent->tunneling.config.entries[p];
    if (parent->requires_client && !child->requires_client) {
        return note_entry(comparison, c, p, "clients", "require: false");
    }
    if (parent->n_allow > 0 && child->n_allow == 0) {
        return note_entry(comparison, c, p, "clients", "any name");
    }
    for (uint32_t i = 0; i < child->n_allow; i++) {
        if (!allows(parent, child->allow[i])) {
            return note_entry(comparison, c, p, "clients", child->allow[i]);
        }
    }
    return parent->sends_proxy != child->sends_proxy &&
            note_entry(comparison, c, p, "proxy-protocol", child->sends_proxy ? "true" : "false");
}

static bool differs(const struct laz_comparison *comparison, uint32_t c, uint32_t p)
{
    const struct laz_tunnel_entry *child = &comparison->child->tunneling.config.entries[c];
    const struct laz_tunnel_entry *parent = &comparison->parent->tunneling.config.entries[p];
    if (is_other_end(&child->bind, &parent->bind)) {
        return note_entry(comparison, c, p, "bind", child->bind.host);
    }
    if (is_other_end(&child->to, &parent->to)) {
        return note_entry(comparison, c, p, "to", child->to.host);
    }
    if (child->protocol != parent->protocol) {
        return note_entry(comparison, c, p, "protocol", "another one");
    }
    if (strcmp(child->server_name, parent->server_name) != 0) {
        return note_entry(comparison, c, p, "server-name", child->server_name);
    }
    const char *trust = trust_of(comparison->child, child);
    if (strcmp(trust, trust_of(comparison->parent, parent)) != 0) {
        (void)note_entry(comparison, c, p, "trust", trust);
        comparison->found->child_pos = laz_policy_pos_of(comparison->child, "tls.trust");
        return true;
    }
    const char *identity = identity_of(comparison->child, child);
    if (strcmp(identity, identity_of(comparison->parent, parent)) != 0) {
        return note_entry(comparison, c, p, "identity", identity);
    }
    return lets_more_in(comparison, c, p);
}

bool laz_tunnel_find_widening(const struct laz_comparison *comparison)
{
    const struct laz_tunnel_config *child = &comparison->child->tunneling.config;
    const struct laz_tunnel_config *parent = &comparison->parent->tunneling.config;
    for (uint32_t c = 0; c < child->n_entries; c++) {
        uint32_t p = 0;
        while (p < parent->n_entries &&
                (parent->entries[p].listens != child->entries[c].listens ||
                        strcmp(parent->entries[p].name, child->entries[c].name) != 0)) {
            p++;
        }
        if (p == parent->n_entries) {
            return note_entry(comparison, c, p, "", child->entries[c].to.host);
        }
        if (differs(comparison, c, p)) {
            return true;
        }
    }
    return false;
}
