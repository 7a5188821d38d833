/* SPDX-License-Identifier: Apache-2.0
 *
 * What only the whole policy shows about tunnels: two in one place, a name that nobody has, a port
 * that the workload cannot reach.
 */
#include <string.h>

#include "policy/merge.h"

static bool is_same_end(const struct laz_tunnel_end *a, const struct laz_tunnel_end *b)
{
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* Of an entry, the node of what both kinds have. */
static struct laz_node *part_of(
        const struct laz_merge *merge, uint32_t i, enum laz_field_id in, enum laz_field_id out)
{
    const struct laz_node *node = merge->entries[i];
    return laz_check_child(node, node->field == LAZ_FIELD_TLS_LISTEN ? in : out);
}

static void check_pair(struct laz_merge *merge, uint32_t i, uint32_t k)
{
    const struct laz_tunnel_config *config = &merge->policy->tunneling.config;
    const struct laz_tunnel_entry *mine = &config->entries[i];
    const struct laz_tunnel_entry *other = &config->entries[k];
    if (is_same_end(&mine->bind, &other->bind)) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID,
                part_of(merge, i, LAZ_FIELD_IN_BIND, LAZ_FIELD_OUT_BIND),
                "is where entry \"%s\" listens as well", other->name);
    }
    if (strcmp(mine->name, other->name) == 0) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID,
                part_of(merge, i, LAZ_FIELD_IN_NAME, LAZ_FIELD_OUT_NAME),
                "is the name of an entry of \"tls.connect\" as well");
    }
}

static void check_trust(struct laz_merge *merge, uint32_t i)
{
    const struct laz_tunnel_entry *entry = &merge->policy->tunneling.config.entries[i];
    const struct laz_node *holder = merge->entries[i];
    enum laz_field_id field = LAZ_FIELD_OUT_TRUST;
    if (entry->listens) {
        holder = laz_check_child(holder, LAZ_FIELD_IN_CLIENTS);
        field = LAZ_FIELD_CLIENTS_TRUST;
    }
    struct laz_node *trust = holder == NULL ? NULL : laz_check_child(holder, field);
    if (trust != NULL && entry->trust == LAZ_TUNNEL_NONE) {
        struct laz_quoted quoted;
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, trust,
                "nothing of \"tls.trust\" has the name %s",
                laz_quote(&quoted, trust->text, trust->length));
    }
}

static void check_identity(struct laz_merge *merge, uint32_t i)
{
    const struct laz_policy *policy = merge->policy;
    const struct laz_tunnel_entry *entry = &policy->tunneling.config.entries[i];
    struct laz_node *name = part_of(merge, i, LAZ_FIELD_IN_IDENTITY, LAZ_FIELD_OUT_IDENTITY);
    uint32_t needed = entry->listens ? LAZ_PURPOSE_SERVER : LAZ_PURPOSE_CLIENT;
    struct laz_quoted quoted;
    if (name == NULL) {
        return;
    }
    if (entry->identity == LAZ_TUNNEL_NONE) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, name,
                "nothing of \"tls.identities\" has the name %s",
                laz_quote(&quoted, name->text, name->length));
        return;
    }
    uint32_t number = policy->tunneling.identity[entry->identity];
    if ((policy->secrets.config.identities[number].purpose & needed) == 0) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, name,
                "its certificate is for another purpose: say \"purpose: %s\" or \"both\" there",
                entry->listens ? "server" : "client");
    }
}

/* Landlock refuses it to the workload, where there is Landlock. */
static void warn_of_port(struct laz_merge *merge, uint32_t i)
{
    const struct laz_policy *policy = merge->policy;
    uint16_t port = policy->tunneling.config.entries[i].bind.port;
    bool is_there = port == 0 || policy->tunneling.config.entries[i].listens ||
            policy->tcp_connect.any || policy->require[LAZ_REQUIRE_LANDLOCK] == LAZ_LEVEL_DISABLED;
    for (size_t k = 0; !is_there && k < policy->tcp_connect.n; k++) {
        is_there = policy->tcp_connect.ports[k] == port;
    }
    if (!is_there) {
        laz_report_warning(merge->report, laz_check_child(merge->entries[i], LAZ_FIELD_OUT_BIND),
                "\"network.tcp-connect\" does not have %u: the workload may not connect there",
                port);
    }
}

static void check_length(struct laz_merge *merge)
{
    struct laz_buf buf;
    struct laz_err err = {0};
    char *memory = laz_arena_take(merge->arena, LAZ_TUNNEL_MAX + 1, 1);
    if (memory == NULL) {
        return;
    }
    laz_buf_init_fixed(&buf, memory, LAZ_TUNNEL_MAX + 1);
    if (laz_tunnel_encode(&merge->policy->tunneling.config, &buf, &err) < 0) {
        laz_report_at(merge->report, err.kind, merge->policy->key_pos[LAZ_FIELD_TLS], "tls: %s",
                err.message);
    }
}

void laz_complete_tunnel(struct laz_merge *merge)
{
    const struct laz_policy *policy = merge->policy;
    const struct laz_tunnel_config *config = &policy->tunneling.config;
    if (config->n_entries == 0 || laz_complete_is_wrong(merge, LAZ_FIELD_TLS)) {
        return;
    }
    for (uint32_t i = 0; i < config->n_entries; i++) {
        for (uint32_t k = 0; k < i; k++) {
            check_pair(merge, i, k);
        }
        check_trust(merge, i);
        check_identity(merge, i);
        warn_of_port(merge, i);
    }
    if (policy->shipping.config.n_sinks == 0 && policy->secrets.config.n_items == 0) {
        laz_complete_user(merge, "tunnels"); /* or it is said already */
    }
    check_length(merge);
}
