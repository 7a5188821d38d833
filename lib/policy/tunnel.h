/* SPDX-License-Identifier: Apache-2.0
 *
 * What the role `tunnel` is told: where it listens, where it connects to, and by whose certificates
 * and with whose. A section of the compiled policy that PID 1 carries and does not read;
 * lazaret-helper decodes it. There is no field for a key: identities are numbers, and what they are
 * comes by other messages. Keys: docs/reference/policy.md, "tls".
 */
#ifndef LAZ_POLICY_TUNNEL_H
#define LAZ_POLICY_TUNNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/tls_words.h"
#include "core/trusted.h"

#define LAZ_TUNNEL_MAX             12288 /* bytes of the section: one message to the helper */
#define LAZ_TUNNEL_ENTRIES_MAX     16    /* `listen` and `connect` together */
#define LAZ_TUNNEL_TRUST_MAX       16
#define LAZ_TUNNEL_IDENTITIES_MAX  16
#define LAZ_TUNNEL_ALLOW_MAX       16  /* names of clients, of one entry */
#define LAZ_TUNNEL_NAME_MAX        32  /* bytes; letters as LAZ_SHIP_NAME_LETTERS */
#define LAZ_TUNNEL_HOST_MAX        253 /* bytes */
#define LAZ_TUNNEL_SOCKET_MAX      107 /* bytes of a unix socket's path: the kernel's */
#define LAZ_TUNNEL_PEER_MAX        256 /* bytes of a client's name */
#define LAZ_TUNNEL_NONE            255 /* no such number */
#define LAZ_TUNNEL_CONNECTIONS_MAX 65536
#define LAZ_TUNNEL_HANDSHAKE_MIN   100 /* ms */
#define LAZ_TUNNEL_HANDSHAKE_MAX   300000
#define LAZ_TUNNEL_IDLE_MAX        86400000

/* X(ENUM, "its word") */
#define LAZ_TUNNEL_PROTOCOLS(X)                                                                    \
    X(RAW, "raw") /* TLS from the first byte */                                                    \
    X(POSTGRES, "postgres")

enum laz_tunnel_protocol {
#define X(id, word) LAZ_TUNNEL_##id,
    LAZ_TUNNEL_PROTOCOLS(X)
#undef X
    LAZ_TUNNEL_PROTOCOL_COUNT
};

/* Strings are borrowed from the block, which must outlive this; "" where nothing was said. */
struct laz_tunnel_end {
    const char *host; /* a name or an address; or the path of a unix socket */
    uint16_t port;    /* 0: it is a unix socket */
};

struct laz_tunnel_entry {
    const char *name;
    bool listens; /* TLS comes in; else it goes out */
    struct laz_tunnel_end bind;
    struct laz_tunnel_end to;
    enum laz_tunnel_protocol protocol; /* of what goes out */
    const char *server_name;           /* likewise: what its certificate must have */
    uint8_t trust;                     /* whose certificates are good; NONE: clients show none */
    uint8_t identity;                  /* ours; NONE: we show none */
    bool requires_client;
    bool sends_proxy;                        /* the PROXY header, version 2, before what comes in */
    uint32_t n_allow;                        /* 0: any client whose certificate is good */
    const char *allow[LAZ_TUNNEL_ALLOW_MAX]; /* "dns:NAME" or a URI */
    uint32_t max_connections;
    uint32_t handshake_ms;
    uint32_t idle_ms; /* 0: for ever */
};

struct laz_tunnel_config {
    struct laz_party workload; /* unix sockets are its own; no CA may be */
    enum laz_tls_profile profile;
    enum laz_tls_fips fips;
    uint32_t n_trust;
    const char *trust[LAZ_TUNNEL_TRUST_MAX]; /* PEM files */
    uint32_t n_identities;
    const char *identities[LAZ_TUNNEL_IDENTITIES_MAX]; /* their names */
    uint32_t n_entries;
    struct laz_tunnel_entry entries[LAZ_TUNNEL_ENTRIES_MAX];
};

/* Append the section. LAZ_E_POLICY_TOO_LARGE. */
LAZ_MUST_CHECK int laz_tunnel_encode(
        const struct laz_tunnel_config *config, struct laz_buf *ret, struct laz_err *err);

/* LAZ_E_IMAGE_CORRUPT, with what is wrong, unless every field is in range, every string ends inside
 * the block and no byte is left over. What it takes, laz_tunnel_encode writes again byte for byte.
 */
LAZ_MUST_CHECK int laz_tunnel_decode(
        const void *block, size_t length, struct laz_tunnel_config *ret, struct laz_err *err);

#endif
