/* SPDX-License-Identifier: Apache-2.0
 *
 * What the role `ship` is told: how to read the workload's output, what to keep and where to send
 * it. A section of the compiled policy that PID 1 carries and does not read; lazaret-helper decodes
 * it. Keys: docs/reference/policy.md, "logs", "audit", "spool" and "sinks".
 */
#ifndef LAZ_POLICY_SHIP_H
#define LAZ_POLICY_SHIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"

#define LAZ_SHIP_MAX          12288 /* bytes of the section: one message to the helper */
#define LAZ_SHIP_SINKS_MAX    8
#define LAZ_SHIP_KEYS_MAX     4  /* recovery keys that the spool is sealed to */
#define LAZ_SHIP_LITERALS_MAX 64 /* literals to redact */
#define LAZ_SHIP_NAME_MAX     32 /* bytes of a sink's name */

/* Whose events and lines a sink takes. */
#define LAZ_SHIP_CLASSES(X)                                                                        \
    X(AUDIT, "audit") /* what Lazaret did */                                                       \
    X(IDS, "ids")     /* what looks wrong */                                                       \
    X(LOG, "log")     /* what the workload wrote */

enum laz_ship_class {
#define X(id, word) LAZ_SHIP_CLASS_##id,
    LAZ_SHIP_CLASSES(X)
#undef X
    LAZ_SHIP_CLASS_COUNT
};

enum laz_sink_type {
    LAZ_SINK_FILE,
    LAZ_SINK_STDOUT,
    LAZ_SINK_RELP,
    LAZ_SINK_SYSLOG,
    LAZ_SINK_TYPE_COUNT
};

/* How a syslog sink speaks. */
enum laz_transport {
    LAZ_TRANSPORT_TLS,    /* octet-counted, RFC 5425 */
    LAZ_TRANSPORT_TCP,    /* octet-counted, RFC 6587 */
    LAZ_TRANSPORT_TCP_LF, /* a line feed ends each message, RFC 6587 */
    LAZ_TRANSPORT_UDP,
    LAZ_TRANSPORT_UNIX, /* datagrams */
    LAZ_TRANSPORT_COUNT
};

enum laz_redaction {
    LAZ_REDACT_SSN,
    LAZ_REDACT_PAN,
    LAZ_REDACT_JWT,
    LAZ_REDACT_AWS_KEY,
    LAZ_REDACT_MRN,
    LAZ_REDACT_LITERAL,
    LAZ_REDACT_COUNT
};

/* Strings are borrowed from the block, which must outlive this; "" where nothing was said. */
struct laz_ship_sink {
    const char *name;
    enum laz_sink_type type;
    bool required;
    uint8_t classes; /* bit LAZ_SHIP_CLASS_x */
    uint8_t min_severity;
    const char *path; /* file; unix socket of syslog */
    const char *host; /* relp, syslog */
    uint16_t port;
    enum laz_transport transport;
    uint32_t window; /* relp: messages without an answer */
    bool has_tls;
    const char *tls_ca; /* PEM files */
    const char *tls_cert;
    const char *tls_key;
    const char *tls_peer; /* the name that the peer's certificate must have */
};

struct laz_ship_config {
    uint32_t pipe_bytes;
    bool passthrough;
    bool logs_block;   /* when the spool is full: hold the workload, instead of dropping lines */
    uint32_t max_line; /* bytes */
    const char *multiline_start; /* "" = lines are records */
    uint32_t multiline_wait_ms;
    uint8_t redact; /* bit LAZ_REDACT_x */
    const char *mrn;
    uint32_t n_literals;
    const char *literals[LAZ_SHIP_LITERALS_MAX];

    bool durability_acked;
    uint32_t checkpoint_records;
    uint32_t checkpoint_ms;

    uint64_t spool_max_bytes;
    uint32_t spool_segment_bytes;
    uint32_t n_seal_to;
    const char *seal_to[LAZ_SHIP_KEYS_MAX]; /* files */
    const char *open_with;                  /* a file, or "" */
    uint32_t sync_audit_ms;
    uint32_t sync_log_ms;

    uint32_t n_sinks;
    struct laz_ship_sink sinks[LAZ_SHIP_SINKS_MAX];
};

/* Append the section. LAZ_E_POLICY_TOO_LARGE. */
LAZ_MUST_CHECK int laz_ship_encode(
        const struct laz_ship_config *config, struct laz_buf *ret, struct laz_err *err);

/* LAZ_E_IMAGE_CORRUPT unless every field is in range, every string ends inside the block and no
 * byte is left over. */
LAZ_MUST_CHECK int laz_ship_decode(
        const void *block, size_t length, struct laz_ship_config *ret, struct laz_err *err);

#endif
