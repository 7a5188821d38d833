/* SPDX-License-Identifier: Apache-2.0
 *
 * What the role `health` is told: where it listens, what it asks the workload and how often, and
 * what readiness hangs on. A section of the compiled policy that PID 1 carries and does not read;
 * lazaret-helper decodes it. Commands are numbers: their words are PID 1's. Keys:
 * docs/reference/policy.md, "health".
 */
#ifndef LAZ_POLICY_HEALTH_H
#define LAZ_POLICY_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/tls_words.h"
#include "core/trusted.h"

#define LAZ_HEALTH_MAX             12288 /* bytes of the section: one message to the helper */
#define LAZ_HEALTH_CHECKS_MAX      16    /* of all three lists */
#define LAZ_HEALTH_COMMANDS_MAX    8
#define LAZ_HEALTH_ARGS_MAX        32 /* words of one command */
#define LAZ_HEALTH_NAME_MAX        32 /* bytes; letters as LAZ_SHIP_NAME_LETTERS */
#define LAZ_HEALTH_HOST_MAX        253
#define LAZ_HEALTH_PATH_MAX        512  /* bytes of a URL behind host and port */
#define LAZ_HEALTH_SERVICE_MAX     128  /* bytes of a service of gRPC */
#define LAZ_HEALTH_NONE            255  /* no such command */
#define LAZ_HEALTH_EVERY_MIN       1000 /* ms, as all that follow */
#define LAZ_HEALTH_EVERY_MAX       300000
#define LAZ_HEALTH_EVERY           10000 /* unless said */
#define LAZ_HEALTH_TIMEOUT         2000  /* likewise, or half of `every` */
#define LAZ_HEALTH_TIMEOUT_MIN     100
#define LAZ_HEALTH_TIMEOUT_MAX     60000
#define LAZ_HEALTH_DEADLINE_MIN    1000
#define LAZ_HEALTH_DEADLINE_MAX    3600000
#define LAZ_HEALTH_IN_A_ROW_MAX    100 /* rise, fall, unhealthy-threshold */
#define LAZ_HEALTH_SINKS_MAX       8
#define LAZ_HEALTH_ITEMS_MAX       32
#define LAZ_HEALTH_OWN_PORTS_MAX   17
#define LAZ_HEALTH_CERTIFICATE_MAX 34560000 /* seconds, 400 days */

/* X(ENUM, "its word") */
#define LAZ_HEALTH_LISTS(X)                                                                        \
    X(STARTUP, "startup")                                                                          \
    X(READY, "ready")                                                                              \
    X(LIVE, "live")

enum laz_health_list {
#define X(id, word) LAZ_HEALTH_##id,
    LAZ_HEALTH_LISTS(X)
#undef X
    LAZ_HEALTH_LIST_COUNT
};

/* X(ENUM, "its word") */
#define LAZ_HEALTH_KINDS(X)                                                                        \
    X(TCP, "tcp")                                                                                  \
    X(HTTP, "http")                                                                                \
    X(EXEC, "exec")                                                                                \
    X(GRPC, "grpc")

enum laz_health_kind {
#define X(id, word) LAZ_HEALTH_##id,
    LAZ_HEALTH_KINDS(X)
#undef X
    LAZ_HEALTH_KIND_COUNT
};

/* Strings are borrowed from the block, which must outlive this; "" where nothing was said. */
struct laz_health_check {
    const char *name;
    enum laz_health_list list;
    enum laz_health_kind kind;
    const char *host; /* a name or an address; of a command "" */
    uint16_t port;    /* of a command 0 */
    const char *path; /* of http: with its query, and "/" at the least */
    bool is_tls;      /* https */
    const char *ca;   /* of https: a PEM file */
    const char *server_name;
    uint16_t expect_min; /* of http: what the status must be; else 0 */
    uint16_t expect_max;
    const char *service; /* of grpc; "": the server as a whole */
    uint8_t command;     /* of exec: its number in the image; else LAZ_HEALTH_NONE */
    uint32_t every_ms;
    uint32_t timeout_ms; /* less than every_ms */
};

struct laz_health_config {
    struct laz_party workload; /* no CA may be its own */
    const char *host;          /* an address; "": no TCP */
    uint16_t port;             /* 0: no TCP */
    bool has_identity;         /* TCP is TLS, with identity 0 */
    enum laz_tls_profile profile;
    enum laz_tls_fips fips;
    bool expose_full;             /* the whole document on TCP too */
    uint32_t startup_deadline_ms; /* 0: no start-up checks */
    uint32_t ready_rise;
    uint32_t ready_fall;
    uint32_t live_fall;
    uint32_t n_checks;
    struct laz_health_check checks[LAZ_HEALTH_CHECKS_MAX];
    /* What readiness hangs on: */
    uint32_t certificate_s;                  /* that a certificate is still good; 0: not asked */
    uint32_t n_sinks;                        /* that are up */
    const char *sinks[LAZ_HEALTH_SINKS_MAX]; /* their names */
    uint32_t spool_percent;                  /* that it is below this; 0: not asked */
    bool require_enforce;                    /* that the policy is enforced */
    uint32_t lb_max_ms;
    uint32_t lb_least_ms;
    uint32_t lb_quiet_ms;
    uint32_t lb_threshold;
    uint32_t n_items; /* that are fetched: by these numbers STATUS speaks of them */
    const char *items[LAZ_HEALTH_ITEMS_MAX];
    /* Ports of tunnels that go out, where nobody but the workload connects, and of this helper: a
     * drain does not count them. */
    uint32_t n_own_ports;
    uint16_t own_ports[LAZ_HEALTH_OWN_PORTS_MAX];
};

const char *laz_health_list_name(enum laz_health_list value);
const char *laz_health_kind_name(enum laz_health_kind value);

/* Append the section. LAZ_E_POLICY_TOO_LARGE. */
LAZ_MUST_CHECK int laz_health_encode(
        const struct laz_health_config *config, struct laz_buf *ret, struct laz_err *err);

/* LAZ_E_IMAGE_CORRUPT, with what is wrong, unless every field is in range, every string ends inside
 * the block and no byte is left over. What it takes, laz_health_encode writes again byte for byte.
 */
LAZ_MUST_CHECK int laz_health_decode(
        const void *block, size_t length, struct laz_health_config *ret, struct laz_err *err);

#endif
