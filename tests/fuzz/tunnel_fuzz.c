/* SPDX-License-Identifier: Apache-2.0
 *
 * The section of a compiled policy that the role `tunnel` reads. What is taken is in range, lies
 * inside the bytes, fits together and is written again the same; nothing in it goes out or comes in
 * without TLS.
 */
#include "policy/tunnel.h"

#include <stdlib.h>

#include "fuzz.h"

static void require_inside(const char *text, size_t most, const char *block, size_t size)
{
    require(text >= block && text < block + size);
    require(strnlen(text, size - (size_t)(text - block)) < size - (size_t)(text - block));
    require(strlen(text) <= most);
}

static void check_end(const struct laz_tunnel_end *end, const char *block, size_t size)
{
    require_inside(end->host, LAZ_TUNNEL_HOST_MAX, block, size);
    require(end->host[0] != '\0' && (end->host[0] == '/') == (end->port == 0));
    require(end->port != 0 || strlen(end->host) <= LAZ_TUNNEL_SOCKET_MAX);
}

static void check_entry(const struct laz_tunnel_config *config,
        const struct laz_tunnel_entry *entry, const char *block, size_t size)
{
    require_inside(entry->name, LAZ_TUNNEL_NAME_MAX, block, size);
    require_inside(entry->server_name, LAZ_TUNNEL_HOST_MAX, block, size);
    check_end(&entry->bind, block, size);
    check_end(&entry->to, block, size);
    require(entry->trust < config->n_trust || entry->trust == LAZ_TUNNEL_NONE);
    require(entry->identity < config->n_identities || entry->identity == LAZ_TUNNEL_NONE);
    require(entry->n_allow <= LAZ_TUNNEL_ALLOW_MAX);
    for (uint32_t i = 0; i < entry->n_allow; i++) {
        require_inside(entry->allow[i], LAZ_TUNNEL_PEER_MAX, block, size);
    }
    require(entry->max_connections >= 1 && entry->max_connections <= LAZ_TUNNEL_CONNECTIONS_MAX);
    require(entry->handshake_ms >= LAZ_TUNNEL_HANDSHAKE_MIN);
    /* Whom it trusts is asked for wherever somebody has to be verified. */
    require(entry->listens ? entry->identity != LAZ_TUNNEL_NONE
                           : entry->trust != LAZ_TUNNEL_NONE && entry->server_name[0] != '\0');
    require((!entry->requires_client && entry->n_allow == 0) || entry->trust != LAZ_TUNNEL_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct laz_tunnel_config config;
    struct laz_err err = {0};
    char *block = exact_copy(data, size);
    if (laz_tunnel_decode(block, size, &config, &err) < 0) {
        require(err.kind == LAZ_E_IMAGE_CORRUPT && err.message[0] != '\0');
        free(block);
        return 0;
    }
    require(config.n_entries >= 1 && config.n_entries <= LAZ_TUNNEL_ENTRIES_MAX);
    require(config.workload.n_groups <= LAZ_PARTY_GROUPS_MAX);
    for (uint32_t i = 0; i < config.n_trust; i++) {
        require_inside(config.trust[i], LAZ_TUNNEL_MAX, block, size);
        require(config.trust[i][0] == '/');
    }
    for (uint32_t i = 0; i < config.n_identities; i++) {
        require_inside(config.identities[i], LAZ_TUNNEL_NAME_MAX, block, size);
    }
    for (uint32_t i = 0; i < config.n_entries; i++) {
        check_entry(&config, &config.entries[i], block, size);
    }
    struct laz_buf again;
    laz_buf_init_heap(&again, LAZ_TUNNEL_MAX + 1);
    require(laz_tunnel_encode(&config, &again, &err) == 0);
    require(again.len == size && memcmp(again.data, block, size) == 0);
    laz_buf_done(&again);
    free(block);
    return 0;
}
