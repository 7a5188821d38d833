/* SPDX-License-Identifier: Apache-2.0
 *
 * What is told of connections: why they did not come about, and how many there were.
 */
#ifndef LAZ_INIT_TUNNEL_TOLD_H
#define LAZ_INIT_TUNNEL_TOLD_H

#include <stdint.h>

/* Why a connection was refused or broken, as records have it. X(ENUM, "act") */
#define LAZ_TUNNEL_REASONS(X)                                                                      \
    X(CEILING, "ceiling")         /* more than the policy allows, or descriptors */                \
    X(UNREACHABLE, "unreachable") /* nobody is where it goes to */                                 \
    X(NO_TLS, "no-tls")           /* the server does not offer it */                               \
    X(UNVERIFIED, "unverified")   /* the certificate, or its name, is not good */                  \
    X(HANDSHAKE, "handshake")     /* TLS did not come about */                                     \
    X(TIMEOUT, "timeout")         /* in time */                                                    \
    X(PROTOCOL, "protocol")       /* what is spoken inside is not what the policy says */          \
    X(BROKEN, "broken")           /* it was open, and ended without its end */                     \
    X(IDLE, "idle")                                                                                \
    X(MEMORY, "memory")

enum laz_tunnel_reason {
#define X(id, word) LAZ_TUNNEL_IS_##id,
    LAZ_TUNNEL_REASONS(X)
#undef X
    LAZ_TUNNEL_REASON_COUNT
};

/* What is said of one reason at once, and then not for a while. */
struct laz_tunnel_tally {
    uint32_t n;
    uint64_t quiet_until_ns;
};

struct laz_tunnel_counts {
    uint64_t opened;
    uint64_t refused;
    uint64_t broken;
    uint64_t bytes_up;
    uint64_t bytes_down;
};

#endif
