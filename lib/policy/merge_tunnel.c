/* SPDX-License-Identifier: Apache-2.0
 *
 * tls.trust, tls.connect and tls.listen: what is encrypted on the workload's behalf. An entry that
 * a later file names is replaced by it.
 */
#include <string.h>

#include "policy/address.h"
#include "policy/merge.h"

/* ---- One document more ---- */

struct named {
    struct laz_node **slots;
    uint32_t *n;
    uint32_t max;
    enum laz_field_id name;
};

static const char *name_of(const struct laz_node *item, enum laz_field_id name)
{
    return laz_check_child(item, name)->text;
}

static void merge_named(struct laz_merge *merge, struct laz_node *list, const struct named *named)
{
    for (struct laz_node *item = laz_check_item(list, NULL); item != NULL;
            item = laz_check_item(list, item)) {
        if (item->has_bad) {
            continue;
        }
        uint32_t slot = 0;
        while (slot < *named->n &&
                (named->slots[slot]->field != item->field ||
                        strcmp(name_of(named->slots[slot], named->name),
                                name_of(item, named->name)) != 0)) {
            slot++;
        }
        if (slot == named->max) {
            laz_report_node(merge->report, LAZ_E_POLICY_TOO_LARGE, item, "more than %u of them",
                    named->max);
            return;
        }
        named->slots[slot] = item;
        *named->n += slot == *named->n ? 1 : 0;
    }
}

void laz_merge_tunnel(struct laz_merge *merge, struct laz_document *document)
{
    struct laz_tunnel_config *config = &merge->policy->tunneling.config;
    const struct named trust = {
            merge->trust, &config->n_trust, LAZ_TUNNEL_TRUST_MAX, LAZ_FIELD_TRUST_NAME};
    const struct named connect = {
            merge->entries, &config->n_entries, LAZ_TUNNEL_ENTRIES_MAX, LAZ_FIELD_OUT_NAME};
    merge_named(merge, document->at[LAZ_FIELD_TLS_TRUST], &trust);
    const struct named listen = {
            merge->entries, &config->n_entries, LAZ_TUNNEL_ENTRIES_MAX, LAZ_FIELD_IN_NAME};
    merge_named(merge, document->at[LAZ_FIELD_TLS_CONNECT], &connect);
    merge_named(merge, document->at[LAZ_FIELD_TLS_LISTEN], &listen);
}

/* ---- When all are in ---- */

static uint32_t number_of(const struct laz_node *mapping, enum laz_field_id field)
{
    const struct laz_node *node = laz_check_child(mapping, field);
    return (uint32_t)(node != NULL ? node->number : laz_preset_number(laz_field_at(field)));
}

static const char *text_of(
        struct laz_merge *merge, const struct laz_node *mapping, enum laz_field_id field)
{
    return laz_merge_text(merge, laz_check_child(mapping, field));
}

static struct laz_tunnel_end end_of(struct laz_merge *merge, const struct laz_node *node)
{
    struct laz_address address;
    struct laz_tunnel_end end = {.host = ""};
    if (laz_socket_split(node->text, node->length, &address) ||
            laz_address_split(node->text, node->length, &address)) {
        const char *host = laz_arena_copy(merge->arena, address.host, address.host_length);
        end.host = host == NULL ? "" : host; /* the load fails for want of memory */
        end.port = address.port;
    }
    return end;
}

/* NONE: there is none of that name, which is said when all is complete. */
static uint8_t find_trust(const struct laz_merge *merge, const struct laz_node *name)
{
    const struct laz_tunnel_config *config = &merge->policy->tunneling.config;
    for (uint32_t i = 0; name != NULL && i < config->n_trust; i++) {
        if (strcmp(name_of(merge->trust[i], LAZ_FIELD_TRUST_NAME), name->text) == 0) {
            return (uint8_t)i;
        }
    }
    return LAZ_TUNNEL_NONE;
}

/* The same for an identity; the tunnel knows those that it uses. */
static uint8_t use_identity(struct laz_merge *merge, const struct laz_node *name)
{
    const struct laz_fetch_config *secrets = &merge->policy->secrets.config;
    struct laz_tunneling *tunneling = &merge->policy->tunneling;
    struct laz_tunnel_config *config = &tunneling->config;
    uint32_t found = 0;
    while (name != NULL && found < secrets->n_identities &&
            strcmp(name_of(merge->identities[found], LAZ_FIELD_IDENTITY_NAME), name->text) != 0) {
        found++;
    }
    if (name == NULL || found == secrets->n_identities) {
        return LAZ_TUNNEL_NONE;
    }
    for (uint32_t i = 0; i < config->n_identities; i++) {
        if (tunneling->identity[i] == found) {
            return (uint8_t)i;
        }
    }
    tunneling->identity[config->n_identities] = found; /* there are fewer than that */
    config->identities[config->n_identities] = laz_merge_text(merge, name);
    return (uint8_t)config->n_identities++;
}

static void fill_clients(
        struct laz_merge *merge, const struct laz_node *clients, struct laz_tunnel_entry *ret)
{
    ret->trust = find_trust(merge, laz_check_child(clients, LAZ_FIELD_CLIENTS_TRUST));
    ret->requires_client = number_of(clients, LAZ_FIELD_CLIENTS_REQUIRE) != 0;
    struct laz_node *allow = laz_check_child(clients, LAZ_FIELD_CLIENTS_ALLOW);
    for (struct laz_node *name = laz_check_item(allow, NULL);
            name != NULL && ret->n_allow < LAZ_TUNNEL_ALLOW_MAX;
            name = laz_check_item(allow, name)) {
        ret->allow[ret->n_allow++] = laz_merge_text(merge, name);
    }
}

static void fill_listen(
        struct laz_merge *merge, const struct laz_node *node, struct laz_tunnel_entry *ret)
{
    const struct laz_node *clients = laz_check_child(node, LAZ_FIELD_IN_CLIENTS);
    *ret = (struct laz_tunnel_entry){
            .name = text_of(merge, node, LAZ_FIELD_IN_NAME),
            .listens = true,
            .bind = end_of(merge, laz_check_child(node, LAZ_FIELD_IN_BIND)),
            .to = end_of(merge, laz_check_child(node, LAZ_FIELD_IN_TO)),
            .server_name = "",
            .trust = LAZ_TUNNEL_NONE,
            .identity = use_identity(merge, laz_check_child(node, LAZ_FIELD_IN_IDENTITY)),
            .sends_proxy = number_of(node, LAZ_FIELD_IN_PROXY_PROTOCOL) != 0,
            .max_connections = number_of(node, LAZ_FIELD_IN_MAX_CONNECTIONS),
            .handshake_ms = number_of(node, LAZ_FIELD_IN_HANDSHAKE_TIMEOUT),
            .idle_ms = number_of(node, LAZ_FIELD_IN_IDLE_TIMEOUT),
    };
    if (clients != NULL) {
        fill_clients(merge, clients, ret);
    }
}

static void fill_connect(
        struct laz_merge *merge, const struct laz_node *node, struct laz_tunnel_entry *ret)
{
    *ret = (struct laz_tunnel_entry){
            .name = text_of(merge, node, LAZ_FIELD_OUT_NAME),
            .bind = end_of(merge, laz_check_child(node, LAZ_FIELD_OUT_BIND)),
            .to = end_of(merge, laz_check_child(node, LAZ_FIELD_OUT_TO)),
            .protocol = (enum laz_tunnel_protocol)number_of(node, LAZ_FIELD_OUT_PROTOCOL),
            .server_name = text_of(merge, node, LAZ_FIELD_OUT_SERVER_NAME),
            .trust = find_trust(merge, laz_check_child(node, LAZ_FIELD_OUT_TRUST)),
            .identity = use_identity(merge, laz_check_child(node, LAZ_FIELD_OUT_IDENTITY)),
            .max_connections = number_of(node, LAZ_FIELD_OUT_MAX_CONNECTIONS),
            .handshake_ms = number_of(node, LAZ_FIELD_OUT_HANDSHAKE_TIMEOUT),
            .idle_ms = number_of(node, LAZ_FIELD_OUT_IDLE_TIMEOUT),
    };
    if (ret->server_name[0] == '\0') {
        ret->server_name = ret->to.host;
    }
}

void laz_finish_tunnel(struct laz_merge *merge)
{
    struct laz_policy *policy = merge->policy;
    struct laz_tunnel_config *config = &policy->tunneling.config;
    laz_merge_party(policy, &config->workload);
    for (uint32_t i = 0; i < config->n_trust; i++) {
        config->trust[i] = text_of(merge, merge->trust[i], LAZ_FIELD_TRUST_FILE);
    }
    for (uint32_t i = 0; i < config->n_entries; i++) {
        if (merge->entries[i]->field == LAZ_FIELD_TLS_LISTEN) {
            fill_listen(merge, merge->entries[i], &config->entries[i]);
        } else {
            fill_connect(merge, merge->entries[i], &config->entries[i]);
        }
        policy->tunneling.entries[i] = merge->entries[i];
    }
}

/* ---- Lookups ---- */

struct laz_pos laz_policy_pos_of_tunnel(
        const struct laz_policy *policy, size_t entry, const char *key)
{
    if (entry >= policy->tunneling.config.n_entries) {
        return (struct laz_pos){0};
    }
    const struct laz_node *node = policy->tunneling.entries[entry];
    enum laz_field_id list = policy->tunneling.config.entries[entry].listens
            ? LAZ_FIELD_TLS_LISTEN
            : LAZ_FIELD_TLS_CONNECT;
    enum laz_field_id field = laz_field_find(list, key, strlen(key));
    const struct laz_node *child = field == LAZ_FIELD_ROOT ? NULL : laz_check_child(node, field);
    return child == NULL ? node->pos : child->pos;
}
