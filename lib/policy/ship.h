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
#include "core/tls_words.h"
#include "core/trusted.h"

#define LAZ_SHIP_MAX          12288 /* bytes of the section: one message to the helper */
#define LAZ_SHIP_SINKS_MAX    8
#define LAZ_SHIP_KEYS_MAX     4  /* recovery keys that the spool is sealed to */
#define LAZ_SHIP_LITERALS_MAX 64 /* literals to redact */
#define LAZ_SHIP_NAME_MAX     32 /* bytes of a sink's name */
#define LAZ_SHIP_NAME_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789-"

/* Ranges of the values below, in their units. */
#define LAZ_SHIP_PIPE_MIN          4096
#define LAZ_SHIP_PIPE_MAX          1048576 /* what any user may ask of the kernel by default */
#define LAZ_SHIP_LINE_MIN          1024
#define LAZ_SHIP_LINE_MAX          131072 /* escaped, and once more in base64, it fits a record */
#define LAZ_SHIP_WAIT_MIN          10     /* of multi-line records */
#define LAZ_SHIP_WAIT_MAX          10000
#define LAZ_SHIP_LITERAL_MIN       4
#define LAZ_SHIP_LITERAL_MAX       256
#define LAZ_SHIP_MASKS_MAX         514 /* texts of one item: as LAZ_SECRET_MASKS_MAX */
#define LAZ_SHIP_MASK_MIN          6   /* bytes of one: shorter ones are in every log by chance */
#define LAZ_SHIP_MASK_MAX          131073 /* the longest in hexadecimal digits, and a line feed */
#define LAZ_SHIP_PATTERN_MAX       256    /* bytes of a pattern's text */
#define LAZ_SHIP_CHECKPOINT_MAX    4096
#define LAZ_SHIP_CHECKPOINT_MS_MIN 1000
#define LAZ_SHIP_CHECKPOINT_MS_MAX 3600000
#define LAZ_SHIP_SPOOL_MIN         4194304
#define LAZ_SHIP_SPOOL_MAX         UINT64_C(68719476736)
#define LAZ_SHIP_SEGMENT_MIN       1048576
#define LAZ_SHIP_SEGMENT_MAX       16777216
#define LAZ_SHIP_SEGMENTS_MIN      4 /* that the spool has room for */
#define LAZ_SHIP_SYNC_MAX          60000
#define LAZ_SHIP_SEVERITY_MAX      10
#define LAZ_SHIP_WINDOW_MAX        1024
#define LAZ_SHIP_HOST_MAX          253 /* characters of a host's name, RFC 1035 */
#define LAZ_SHIP_GROUP_MAX         512 /* characters of a log group's name, and of a stream's */
#define LAZ_SHIP_REGION_MAX        32
#define LAZ_SHIP_SPACE_MAX         63   /* characters of a metrics' namespace: of any name */
#define LAZ_SHIP_INTERVAL_MIN      1000 /* between metrics */
#define LAZ_SHIP_INTERVAL_MAX      3600000

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

#define LAZ_SINK_TYPES(X)                                                                          \
    X(FILE, "file")                                                                                \
    X(STDOUT, "stdout") /* the container's own */                                                  \
    X(RELP, "relp")                                                                                \
    X(SYSLOG, "syslog")                                                                            \
    X(CLOUDWATCH, "cloudwatch") /* Amazon CloudWatch Logs */                                       \
    X(EMF, "emf")               /* metrics, no records */                                          \
    X(OSSEC, "ossec")           /* as an agent of a manager */

enum laz_sink_type {
#define X(id, word) LAZ_SINK_##id,
    LAZ_SINK_TYPES(X)
#undef X
    LAZ_SINK_TYPE_COUNT
};

/* How a syslog sink speaks. Those of other types have the first, which is 0. */
#define LAZ_TRANSPORTS(X)                                                                          \
    X(TLS, "tls")       /* octet-counted, RFC 5425 */                                              \
    X(TCP, "tcp")       /* octet-counted, RFC 6587 */                                              \
    X(TCP_LF, "tcp-lf") /* a line feed ends each message, RFC 6587 */                              \
    X(UDP, "udp")                                                                                  \
    X(UNIX, "unix") /* datagrams */

enum laz_transport {
#define X(id, word) LAZ_TRANSPORT_##id,
    LAZ_TRANSPORTS(X)
#undef X
    LAZ_TRANSPORT_COUNT
};

/* What a record looks like there. */
#define LAZ_FORMATS(X)                                                                             \
    X(NATIVE, "native") /* the record */                                                           \
    X(OSSEC, "ossec")   /* behind a header that stock OSSEC decodes */                             \
    X(OCSF, "ocsf")     /* as an event of that schema */

enum laz_ship_format {
#define X(id, word) LAZ_FORMAT_##id,
    LAZ_FORMATS(X)
#undef X
    LAZ_FORMAT_COUNT
};

/* What is taken out of lines. */
#define LAZ_REDACTIONS(X)                                                                          \
    X(SSN, "ssn") /* social security numbers */                                                    \
    X(PAN, "pan") /* numbers of payment cards */                                                   \
    X(JWT, "jwt")                                                                                  \
    X(AWS_KEY, "aws-key")                                                                          \
    X(MRN, "mrn") /* medical record numbers, which have no form of their own */                    \
    X(LITERAL, "literal")                                                                          \
    X(SECRET, "secret") /* what was delivered to the workload: no policy names it */

enum laz_redaction {
#define X(id, word) LAZ_REDACT_##id,
    LAZ_REDACTIONS(X)
#undef X
    LAZ_REDACT_COUNT
};

/* Strings are borrowed from the block, which must outlive this; "" where nothing was said. What
 * does not belong to the type of the sink is empty, 0 or false. */
struct laz_ship_sink {
    const char *name;
    enum laz_sink_type type;
    bool required;
    uint8_t classes; /* bit LAZ_SHIP_CLASS_x */
    uint8_t min_severity;
    enum laz_ship_format format;
    const char *path; /* file; unix socket of syslog; keys of ossec */
    const char *host; /* relp, syslog, ossec; cloudwatch: of an endpoint of its own */
    uint16_t port;
    enum laz_transport transport;
    uint32_t window; /* relp: messages without an answer */
    bool has_tls;
    const char *tls_ca;   /* PEM files; cloudwatch: "" for the system's */
    const char *tls_cert; /* with its key, or neither */
    const char *tls_key;
    const char *tls_peer; /* the name that the peer's certificate must have */
    const char *group;    /* cloudwatch */
    const char *stream;   /* its name; {policy}, {host} and {task} stand for those */
    const char *region;   /* "": as the environment says */
    bool fips;
    bool create;            /* group and stream, if they are missing */
    bool imds;              /* the instance's credentials, if the task has none */
    const char *space;      /* emf: of the metrics; those of cloudwatch too, if it has a group */
    uint32_t interval_ms;   /* emf */
    const char *enrol_host; /* ossec without path: who gives the key, over TLS */
    uint16_t enrol_port;
    const char *enrol_password; /* a file, or "" */
    const char *enrol_name;     /* "" = the host's */
};

/* Makes "" of every string that is NULL, for those who fill in only what a type has. */
static inline void laz_ship_sink_fill(struct laz_ship_sink *sink)
{
    const char **texts[] = {&sink->name, &sink->path, &sink->host, &sink->tls_ca, &sink->tls_cert,
            &sink->tls_key, &sink->tls_peer, &sink->group, &sink->stream, &sink->region,
            &sink->space, &sink->enrol_host, &sink->enrol_password, &sink->enrol_name};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        *texts[i] = *texts[i] == NULL ? "" : *texts[i];
    }
}

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

    enum laz_tls_profile tls_profile; /* of all sinks */
    enum laz_tls_fips tls_fips;
    uint32_t n_sinks;
    struct laz_ship_sink sinks[LAZ_SHIP_SINKS_MAX];
    struct laz_party workload; /* who may have no hand in the files above */
};

/* Append the section. LAZ_E_POLICY_TOO_LARGE. */
LAZ_MUST_CHECK int laz_ship_encode(
        const struct laz_ship_config *config, struct laz_buf *ret, struct laz_err *err);

/* LAZ_E_IMAGE_CORRUPT, with what is wrong, unless every field is in range, every string ends inside
 * the block and no byte is left over. What it takes, laz_ship_encode writes again byte for byte. */
LAZ_MUST_CHECK int laz_ship_decode(
        const void *block, size_t length, struct laz_ship_config *ret, struct laz_err *err);

/* The words of the policy; static; "?" beyond the list. */
const char *laz_ship_class_name(enum laz_ship_class value);
const char *laz_sink_type_name(enum laz_sink_type value);
const char *laz_transport_name(enum laz_transport value);
const char *laz_ship_format_name(enum laz_ship_format value);
const char *laz_redaction_name(enum laz_redaction value);

/* What an acknowledgement of this sink is worth: "acked means ...", one sentence; static. */
const char *laz_ship_guarantee(const struct laz_ship_sink *sink);

#endif
