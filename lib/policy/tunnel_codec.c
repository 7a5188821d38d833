/* SPDX-License-Identifier: Apache-2.0
 *
 * The section of the compiled policy that the role `tunnel` reads. Encoder and decoder are the same
 * list of fields in the same order, little-endian. The decoder trusts nothing; it needs nothing
 * else of this area. Layout: docs/reference/policy-image.md.
 */
#include "policy/party.h"
#include "policy/tunnel.h"

#define FORMAT 2

/* ---- Encoding ---- */

static void put_texts(struct laz_buf *buf, const char *const *texts, uint32_t n)
{
    laz_section_put_uint(buf, n, 4);
    for (uint32_t i = 0; i < n; i++) {
        laz_section_put_string(buf, texts[i]);
    }
}

static void put_end(struct laz_buf *buf, const struct laz_tunnel_end *end)
{
    laz_section_put_string(buf, end->host);
    laz_section_put_uint(buf, end->port, 2);
}

static void put_entry(struct laz_buf *buf, const struct laz_tunnel_entry *entry)
{
    laz_section_put_string(buf, entry->name);
    laz_section_put_uint(buf, entry->listens, 1);
    put_end(buf, &entry->bind);
    put_end(buf, &entry->to);
    laz_section_put_uint(buf, entry->protocol, 1);
    laz_section_put_string(buf, entry->server_name);
    laz_section_put_uint(buf, entry->trust, 1);
    laz_section_put_uint(buf, entry->identity, 1);
    laz_section_put_uint(buf, entry->requires_client, 1);
    laz_section_put_uint(buf, entry->sends_proxy, 1);
    put_texts(buf, entry->allow, entry->n_allow);
    laz_section_put_uint(buf, entry->max_connections, 4);
    laz_section_put_uint(buf, entry->handshake_ms, 4);
    laz_section_put_uint(buf, entry->idle_ms, 4);
}

static bool has_room(const struct laz_tunnel_config *config)
{
    bool has = config->n_trust <= LAZ_TUNNEL_TRUST_MAX &&
            config->n_identities <= LAZ_TUNNEL_IDENTITIES_MAX &&
            config->n_entries <= LAZ_TUNNEL_ENTRIES_MAX &&
            config->workload.n_groups <= LAZ_PARTY_GROUPS_MAX;
    for (uint32_t i = 0; has && i < config->n_entries; i++) {
        has = config->entries[i].n_allow <= LAZ_TUNNEL_ALLOW_MAX;
    }
    return has;
}

int laz_tunnel_encode(
        const struct laz_tunnel_config *config, struct laz_buf *ret, struct laz_err *err)
{
    size_t start = ret->len;
    if (!has_room(config)) {
        return laz_err_set(err, LAZ_E_POLICY_TOO_LARGE, 0,
                "more entries, certificates, names or groups than \"tls\" can have");
    }
    laz_section_put_uint(ret, FORMAT, 4);
    laz_section_put_party(ret, &config->workload);
    laz_section_put_uint(ret, config->profile, 1);
    laz_section_put_uint(ret, config->fips, 1);
    put_texts(ret, config->trust, config->n_trust);
    put_texts(ret, config->identities, config->n_identities);
    laz_section_put_uint(ret, config->n_entries, 4);
    for (uint32_t i = 0; i < config->n_entries; i++) {
        put_entry(ret, &config->entries[i]);
    }
    if (ret->overflow || ret->len - start > LAZ_TUNNEL_MAX) {
        return laz_err_set(err, LAZ_E_POLICY_TOO_LARGE, 0,
                "what \"tunnel\" is told is longer than %d bytes: name fewer clients",
                LAZ_TUNNEL_MAX);
    }
    return 0;
}

/* ---- Decoding ---- */

static struct laz_tunnel_end take_end(struct laz_section *in)
{
    struct laz_tunnel_end end = {.host = laz_section_string(in, 1, LAZ_TUNNEL_HOST_MAX)};
    end.port = (uint16_t)laz_section_uint(in, 2, 0, UINT16_MAX);
    bool is_path = end.host[0] == '/';
    laz_section_require(in,
            is_path == (end.port == 0) && (!is_path || strlen(end.host) <= LAZ_TUNNEL_SOCKET_MAX),
            "it is neither a port nor a socket");
    return end;
}

/* One of `n`, or none. */
static uint8_t take_number(struct laz_section *in, uint32_t n)
{
    uint8_t number = (uint8_t)laz_section_uint(in, 1, 0, UINT8_MAX);
    laz_section_require(in, number < n || number == LAZ_TUNNEL_NONE, "there is no such number");
    return number;
}

static void take_entry(struct laz_section *in, const struct laz_tunnel_config *config,
        struct laz_tunnel_entry *ret)
{
    ret->name = laz_section_string(in, 1, LAZ_TUNNEL_NAME_MAX);
    ret->listens = laz_section_bool(in);
    ret->bind = take_end(in);
    ret->to = take_end(in);
    ret->protocol =
            (enum laz_tunnel_protocol)laz_section_uint(in, 1, 0, LAZ_TUNNEL_PROTOCOL_COUNT - 1);
    ret->server_name = laz_section_string(in, 0, LAZ_TUNNEL_HOST_MAX);
    ret->trust = take_number(in, config->n_trust);
    ret->identity = take_number(in, config->n_identities);
    ret->requires_client = laz_section_bool(in);
    ret->sends_proxy = laz_section_bool(in);
    ret->n_allow = laz_section_u32(in, 0, LAZ_TUNNEL_ALLOW_MAX);
    for (uint32_t i = 0; i < ret->n_allow; i++) {
        ret->allow[i] = laz_section_string(in, 1, LAZ_TUNNEL_PEER_MAX);
    }
    ret->max_connections = laz_section_u32(in, 1, LAZ_TUNNEL_CONNECTIONS_MAX);
    ret->handshake_ms = laz_section_u32(in, LAZ_TUNNEL_HANDSHAKE_MIN, LAZ_TUNNEL_HANDSHAKE_MAX);
    ret->idle_ms = laz_section_u32(in, 0, LAZ_TUNNEL_IDLE_MAX);
    /* Whoever comes in sees who we are, and who is let in is verified; whoever we go to is. */
    bool is_whole = ret->listens
            ? ret->identity != LAZ_TUNNEL_NONE && ret->bind.port != 0 &&
                    ret->protocol == LAZ_TUNNEL_RAW &&
                    (ret->trust != LAZ_TUNNEL_NONE || (!ret->requires_client && ret->n_allow == 0))
            : ret->trust != LAZ_TUNNEL_NONE && ret->to.port != 0 && ret->server_name[0] != '\0' &&
                    !ret->sends_proxy && !ret->requires_client && ret->n_allow == 0;
    laz_section_require(in, is_whole, "an entry does not fit together");
}

static void take_body(struct laz_section *in, struct laz_tunnel_config *config)
{
    laz_section_require(
            in, laz_section_u32(in, 0, UINT32_MAX) == FORMAT, "another version wrote it");
    laz_section_party(in, &config->workload);
    config->profile = (enum laz_tls_profile)laz_section_uint(in, 1, 0, LAZ_TLS_PROFILE_COUNT - 1);
    config->fips = (enum laz_tls_fips)laz_section_uint(in, 1, 0, LAZ_TLS_FIPS_COUNT - 1);
    config->n_trust = laz_section_u32(in, 0, LAZ_TUNNEL_TRUST_MAX);
    for (uint32_t i = 0; i < config->n_trust; i++) {
        config->trust[i] = laz_section_string(in, 1, LAZ_TUNNEL_MAX);
        laz_section_require(in, config->trust[i][0] == '/', "a path is not absolute");
    }
    config->n_identities = laz_section_u32(in, 0, LAZ_TUNNEL_IDENTITIES_MAX);
    for (uint32_t i = 0; i < config->n_identities; i++) {
        config->identities[i] = laz_section_string(in, 1, LAZ_TUNNEL_NAME_MAX);
    }
    config->n_entries = laz_section_u32(in, 1, LAZ_TUNNEL_ENTRIES_MAX);
    for (uint32_t i = 0; i < config->n_entries; i++) {
        take_entry(in, config, &config->entries[i]);
    }
}

int laz_tunnel_decode(
        const void *block, size_t length, struct laz_tunnel_config *ret, struct laz_err *err)
{
    struct laz_section in = {.at = block, .end = (const uint8_t *)block + length};
    struct laz_tunnel_config config = {0};
    laz_section_require(&in, length <= LAZ_TUNNEL_MAX, "it is too long");
    take_body(&in, &config);
    laz_section_require(&in, in.at == in.end, "bytes are left over");
    if (in.wrong != NULL) {
        return laz_err_set(
                err, LAZ_E_IMAGE_CORRUPT, 0, "compiled policy, what tunnel is told: %s", in.wrong);
    }
    *ret = config;
    return 0;
}
