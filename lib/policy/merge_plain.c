/* SPDX-License-Identifier: Apache-2.0
 *
 * tls.plain: ports to which no clear text may go. What several files say of it, what `sense` is
 * told, what contradicts it elsewhere in the policy, and what it gives up by name.
 */
#include <string.h>
#include <sys/socket.h>

#include "policy/address.h"
#include "policy/merge.h"

/* ---- One document more ---- */

static void check_peers(struct laz_merge *merge, struct laz_node *list)
{
    for (struct laz_node *node = laz_check_item(list, NULL); node != NULL;
            node = laz_check_item(list, node)) {
        struct laz_address address;
        uint8_t bytes[16];
        if (laz_address_split(node->text, node->length, &address) &&
                !laz_host_bytes(address.host, address.host_length, bytes)) {
            laz_report_node(merge->report, LAZ_E_POLICY_INVALID, node,
                    "a name: connections have addresses alone, so say the address");
        }
    }
}

void laz_merge_plain(struct laz_merge *merge, struct laz_document *document)
{
    struct laz_policy_plain *plain = &merge->policy->plain;
    const struct laz_node *said = document->at[LAZ_FIELD_TLS_PLAIN];
    const struct laz_field *mode = laz_field_at(LAZ_FIELD_PLAIN_MODE);
    if (said == NULL || said->is_bad) {
        return;
    }
    plain->mode =
            plain->mode == LAZ_PLAIN_UNSAID ? (enum laz_plain)laz_preset_number(mode) : plain->mode;
    laz_merge_ports(merge, document->at[LAZ_FIELD_PLAIN_TLS_ONLY], &plain->tls_only,
            LAZ_SENSE_TLS_ONLY_MAX);
    check_peers(merge, document->at[LAZ_FIELD_PLAIN_ALLOW]);
    laz_merge_texts(merge, document->at[LAZ_FIELD_PLAIN_ALLOW], &plain->allow, LAZ_SENSE_PEERS_MAX);
}

/* ---- When all are in ---- */

static bool split(const char *text, struct laz_sense_peer *ret)
{
    struct laz_address address;
    if (!laz_address_split(text, strlen(text), &address) ||
            !laz_host_bytes(address.host, address.host_length, ret->address)) {
        return false;
    }
    ret->port = address.port;
    return true;
}

bool laz_plain_allows_port(const struct laz_policy_plain *plain, uint16_t port)
{
    for (size_t i = 0; i < plain->allow.n; i++) {
        struct laz_sense_peer peer;
        if (split(plain->allow.items[i], &peer) && peer.port == port) {
            return true;
        }
    }
    return false;
}

static void tell_sense(const struct laz_policy_plain *plain, struct laz_sense_config *config)
{
    config->plain = true;
    config->n_tls_only = (uint32_t)plain->tls_only.n;
    for (uint32_t i = 0; i < config->n_tls_only; i++) {
        config->tls_only[i] = plain->tls_only.ports[i];
    }
    for (size_t i = 0; i < plain->allow.n; i++) {
        if (split(plain->allow.items[i], &config->peers[config->n_peers])) {
            config->n_peers++;
        }
    }
}

/* Where the tunnel speaks TLS on the workload's behalf, nobody else has to speak. */
static void add_tunnels(struct laz_merge *merge)
{
    const struct laz_policy *policy = merge->policy;
    struct laz_port_list *ports = &merge->policy->plain.tls_only;
    for (uint32_t i = 0; i < policy->tunneling.config.n_entries; i++) {
        const struct laz_tunnel_entry *entry = &policy->tunneling.config.entries[i];
        struct laz_pos pos = laz_policy_pos_of_tunnel(policy, i, "to");
        if (entry->listens || entry->to.port == 0) {
            continue;
        }
        if (ports->n == LAZ_SENSE_TLS_ONLY_MAX && !laz_ports_have(ports, entry->to.port)) {
            laz_report_at(merge->report, LAZ_E_POLICY_TOO_LARGE, pos,
                    "tls.plain.tls-only: more than %d ports, with those of \"tls.connect\"",
                    LAZ_SENSE_TLS_ONLY_MAX);
            return;
        }
        if (!laz_ports_add(merge->arena, ports, entry->to.port, pos)) {
            return;
        }
    }
}

void laz_finish_plain(struct laz_merge *merge)
{
    struct laz_policy *policy = merge->policy;
    struct laz_policy_plain *plain = &policy->plain;
    const struct laz_node *mode = merge->said[LAZ_FIELD_PLAIN_MODE];
    if (plain->mode == LAZ_PLAIN_UNSAID) {
        return;
    }
    if (mode != NULL && !mode->is_bad) {
        plain->mode = (enum laz_plain)mode->number;
    }
    add_tunnels(merge);
    tell_sense(plain, &policy->sensing.config);
}

/* ---- Contradictions ---- */

static const char *said_at(
        const struct laz_merge *merge, struct laz_pos pos, char ret[LAZ_NAME_LENGTH_MAX])
{
    laz_policy_pos_format(merge->policy, pos, ret, LAZ_NAME_LENGTH_MAX);
    return ret;
}

static bool is_of_tunnel(const struct laz_policy *policy, uint16_t port, struct laz_pos pos)
{
    bool is = false;
    for (uint32_t i = 0; i < policy->tunneling.config.n_entries; i++) {
        struct laz_pos to = laz_policy_pos_of_tunnel(policy, i, "to");
        is = is ||
                (policy->tunneling.config.entries[i].to.port == port && to.file == pos.file &&
                        to.line == pos.line && to.col == pos.col);
    }
    return is;
}

/* Both positions: one of the two has to go. */
static void check_ports(struct laz_merge *merge)
{
    const struct laz_policy *policy = merge->policy;
    const struct laz_policy_plain *plain = &policy->plain;
    const struct laz_port_list *ports = &policy->tcp_connect;
    char where[LAZ_NAME_LENGTH_MAX];
    if (ports->any) {
        laz_report_at(merge->report, LAZ_E_POLICY_INVALID,
                policy->key_pos[LAZ_FIELD_NETWORK_TCP_CONNECT],
                "network.tcp-connect: \"any\" is every port, also those of \"tls.plain.tls-only\" "
                "(%s): name ports, or say \"mode: detect\" there",
                said_at(merge, policy->key_pos[LAZ_FIELD_PLAIN_TLS_ONLY], where));
    }
    for (size_t i = 0; i < ports->n; i++) {
        for (size_t k = 0; k < plain->tls_only.n; k++) {
            if (plain->tls_only.ports[k] != ports->ports[i] ||
                    laz_plain_allows_port(plain, ports->ports[i])) {
                continue;
            }
            bool is_tunnel = is_of_tunnel(policy, ports->ports[i], plain->tls_only.pos[k]);
            laz_report_at(merge->report, LAZ_E_POLICY_INVALID, ports->pos[i],
                    "network.tcp-connect: %u is for TLS alone by \"%s\" (%s), and the workload "
                    "could send clear text there: %s, or say \"mode: detect\"",
                    ports->ports[i], is_tunnel ? "tls.connect" : "tls.plain.tls-only",
                    said_at(merge, plain->tls_only.pos[k], where),
                    is_tunnel ? "let the tunnel listen at another port, or at a unix socket"
                              : "take it out");
        }
    }
}

/* Families whose sockets leave this host, or may, by no port that Landlock sees: SMC, for one, is
 * TCP to whoever has no such hardware. */
static void check_families(struct laz_merge *merge, const char *where)
{
    for (size_t i = 0; i < laz_socket_family_count(); i++) {
        const struct laz_socket_family *family = laz_socket_family_at(i);
        bool is_seen = family->family == AF_UNIX || family->family == AF_INET ||
                family->family == AF_INET6 || family->family == AF_NETLINK;
        if ((merge->families >> i & 1) != 0 && !is_seen) {
            laz_report_at(merge->report, LAZ_E_POLICY_INVALID, merge->family_pos[i],
                    "network.families: Landlock does not see %s, so that \"tls.plain\" (%s) would "
                    "enforce nothing: take it out, or say \"mode: detect\" there",
                    family->name, where);
        }
    }
}

/* Ways past the rules for ports. */
static void check_ways_around(struct laz_merge *merge)
{
    const struct laz_policy *policy = merge->policy;
    static const enum laz_field_id permissions[] = {
            LAZ_FIELD_NETWORK_RAW, LAZ_FIELD_NETWORK_MULTIPATH_TCP, LAZ_FIELD_NETWORK_FAST_OPEN};
    char where[LAZ_NAME_LENGTH_MAX];
    said_at(merge, policy->key_pos[LAZ_FIELD_TLS_PLAIN], where);
    for (size_t i = 0; i < sizeof(permissions) / sizeof(permissions[0]); i++) {
        struct laz_node *said = merge->said[permissions[i]];
        if (said != NULL && !said->is_bad && said->number != 0) {
            laz_report_node(merge->report, LAZ_E_POLICY_INVALID, said,
                    "Landlock does not see it, so that \"tls.plain\" (%s) would enforce nothing: "
                    "deny it, or say \"mode: detect\" there",
                    where);
        }
    }
    check_families(merge, where);
    if (policy->require[LAZ_REQUIRE_LANDLOCK] == LAZ_LEVEL_DISABLED) {
        laz_report_at(merge->report, LAZ_E_POLICY_INVALID,
                policy->key_pos[LAZ_FIELD_REQUIRES_LANDLOCK],
                "requires.landlock: disabled, and \"tls.plain\" (%s) is enforced by it: say "
                "\"mode: detect\" there",
                where);
    }
}

static void check_sense(struct laz_merge *merge)
{
    const struct laz_policy *policy = merge->policy;
    struct laz_node *level = merge->said[LAZ_FIELD_SENSE_PLAIN];
    char where[LAZ_NAME_LENGTH_MAX];
    if (!policy->sensing.is_said) {
        laz_report_at(merge->report, LAZ_E_POLICY_INVALID, policy->key_pos[LAZ_FIELD_TLS_PLAIN],
                "tls.plain: \"sense\" looks for clear text, and the policy has none: say \"sense: "
                "{}\", and a sink that takes class \"ids\"");
    } else if (level != NULL && !level->is_bad && level->number == LAZ_LEVEL_DISABLED) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, level,
                "disabled, and \"tls.plain\" (%s) is looked for by it",
                said_at(merge, policy->key_pos[LAZ_FIELD_TLS_PLAIN], where));
    }
}

/* Nobody said tls.plain: then nothing can be required of looking for it. */
static void check_idle(struct laz_merge *merge)
{
    struct laz_node *level = merge->said[LAZ_FIELD_SENSE_PLAIN];
    if (level != NULL && !level->is_bad && level->number == LAZ_LEVEL_REQUIRED) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, level,
                "nothing is looked for: name ports under \"tls.plain.tls-only\"");
    }
}

static void check_allow(struct laz_merge *merge)
{
    const struct laz_policy_plain *plain = &merge->policy->plain;
    for (size_t i = 0; i < plain->allow.n; i++) {
        struct laz_sense_peer peer;
        bool is_meant = !split(plain->allow.items[i], &peer);
        for (size_t k = 0; k < plain->tls_only.n && !is_meant; k++) {
            is_meant = plain->tls_only.ports[k] == peer.port;
        }
        if (!is_meant) {
            laz_report_warning_at(merge->report, plain->allow.pos[i],
                    "tls.plain.allow: means nothing: %u is not among \"tls.plain.tls-only\"",
                    peer.port);
        }
    }
}

void laz_complete_plain(struct laz_merge *merge)
{
    const struct laz_policy_plain *plain = &merge->policy->plain;
    if (laz_complete_is_wrong(merge, LAZ_FIELD_TLS)) {
        return;
    }
    if (plain->mode == LAZ_PLAIN_UNSAID) {
        check_idle(merge);
        return;
    }
    if (plain->tls_only.n == 0) {
        laz_report_at(merge->report, LAZ_E_POLICY_INVALID,
                merge->policy->key_pos[LAZ_FIELD_TLS_PLAIN],
                "tls.plain.tls-only: missing: say which ports are for TLS alone");
    }
    if (plain->mode == LAZ_PLAIN_ENFORCE && !laz_complete_is_wrong(merge, LAZ_FIELD_NETWORK)) {
        check_ports(merge);
        check_ways_around(merge);
    }
    if (!laz_complete_is_wrong(merge, LAZ_FIELD_SENSE)) {
        check_sense(merge);
    }
    check_allow(merge);
}

/* ---- What is given up ---- */

void laz_relaxations_plain(struct laz_merge *merge)
{
    const struct laz_policy_plain *plain = &merge->policy->plain;
    for (size_t i = 0; plain->mode != LAZ_PLAIN_UNSAID && i < plain->allow.n; i++) {
        laz_relaxations_add(
                merge, plain->allow.pos[i], "tls: clear text to %s", plain->allow.items[i]);
    }
}
