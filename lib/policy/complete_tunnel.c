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

static void check_pair(struct laz_merge *merge, uint32_t i, uint32_t k)
{
    const struct laz_tunnel_config *config = &merge->policy->tunneling.config;
    const struct laz_tunnel_entry *mine = &config->entries[i];
    const struct laz_tunnel_entry *other = &config->entries[k];
    if (is_same_end(&mine->bind, &other->bind)) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID,
                laz_check_child(merge->entries[i], LAZ_FIELD_OUT_BIND),
                "is where entry \"%s\" listens as well", other->name);
    }
}

static void check_trust(struct laz_merge *merge, uint32_t i)
{
    struct laz_node *trust = laz_check_child(merge->entries[i], LAZ_FIELD_OUT_TRUST);
    if (trust != NULL && merge->policy->tunneling.config.entries[i].trust == LAZ_TUNNEL_NONE) {
        struct laz_quoted quoted;
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, trust,
                "nothing of \"tls.trust\" has the name %s",
                laz_quote(&quoted, trust->text, trust->length));
    }
}

/* Landlock refuses it to the workload, where there is Landlock. */
static void warn_of_port(struct laz_merge *merge, uint32_t i)
{
    const struct laz_policy *policy = merge->policy;
    uint16_t port = policy->tunneling.config.entries[i].bind.port;
    bool is_there = port == 0 || policy->tcp_connect.any ||
            policy->require[LAZ_REQUIRE_LANDLOCK] == LAZ_LEVEL_DISABLED;
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
        warn_of_port(merge, i);
    }
    if (policy->shipping.config.n_sinks == 0 && policy->secrets.config.n_items == 0) {
        laz_complete_user(merge, "tunnels"); /* or it is said already */
    }
    check_length(merge);
}
