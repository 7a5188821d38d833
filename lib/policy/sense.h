/* SPDX-License-Identifier: Apache-2.0
 *
 * What the role `sense` is told: what to look for in the container, and what is expected there. A
 * section of the compiled policy that PID 1 carries and does not read; lazaret-helper decodes it.
 * Keys: docs/reference/policy.md, "sense".
 */
#ifndef LAZ_POLICY_SENSE_H
#define LAZ_POLICY_SENSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "policy/vocabulary.h"

#define LAZ_SENSE_MAX          12288 /* bytes of the section: one message to the helper */
#define LAZ_SENSE_FOREIGN_MAX  32    /* names of processes that may come from outside */
#define LAZ_SENSE_PORTS_MAX    256
#define LAZ_SENSE_WATCH_MAX    64
#define LAZ_SENSE_TLS_ONLY_MAX 64
#define LAZ_SENSE_PEERS_MAX    32 /* addresses where clear text is right */
#define LAZ_SENSE_GROUPS_MAX   64
#define LAZ_SENSE_VOLUMES_MAX  16
#define LAZ_SENSE_SEVERITY_MAX 7     /* of all that lib/sense/events.def has */
#define LAZ_SENSE_TUNNEL       65314 /* the user of the helper that speaks TLS to these ports */
#define LAZ_SENSE_COMM_MAX     15    /* characters of a process's name that the kernel keeps */

/* Ranges of the values below, in their units. */
#define LAZ_SENSE_INTERVAL_MIN 100
#define LAZ_SENSE_INTERVAL_MAX 60000
#define LAZ_SENSE_WINDOW_MIN   1000
#define LAZ_SENSE_WINDOW_MAX   3600000
#define LAZ_SENSE_REHASH_MIN   1000
#define LAZ_SENSE_REHASH_MAX   86400000

/* X(ENUM, "its key") */
#define LAZ_DETECTORS(X)                                                                           \
    X(FOREIGN, "foreign")         /* processes that were put into the container from outside */    \
    X(LISTEN, "listen")           /* ports that nobody expected */                                 \
    X(FILES, "files")             /* changes of watched files */                                   \
    X(CREDENTIALS, "credentials") /* processes that are no longer confined as they were */         \
    X(EXECUTABLES, "executables") /* programs that were not in the image */                        \
    X(PLAIN, "plain")             /* clear text that leaves the container */

enum laz_detector {
#define X(id, word) LAZ_DETECTOR_##id,
    LAZ_DETECTORS(X)
#undef X
    LAZ_DETECTOR_COUNT
};

/* What a volume must at least be; the strictest first. */
#define LAZ_VOLUME_REQUIRES(X)                                                                     \
    X(ENCRYPTED, "encrypted") /* dm-crypt is seen */                                               \
    X(ATTESTED, "attested")   /* or somebody says so, by name */                                   \
    X(ANY, "any")             /* or nobody knows: but no network in the clear */

enum laz_volume_require {
#define X(id, word) LAZ_VOLUME_REQUIRE_##id,
    LAZ_VOLUME_REQUIRES(X)
#undef X
    LAZ_VOLUME_REQUIRE_COUNT
};

struct laz_sense_volume {
    const char *path;
    enum laz_volume_require require;
    const char *attested_by; /* an ARN; "": nobody */
};

enum laz_sense_protocol {
    LAZ_SENSE_TCP,
    LAZ_SENSE_UDP,
    LAZ_SENSE_PROTOCOL_COUNT
};

struct laz_sense_port {
    uint16_t port;
    enum laz_sense_protocol protocol;
};

struct laz_sense_peer {
    uint8_t address[16]; /* in network order; of IPv4 ::ffff:a.b.c.d */
    uint16_t port;
};

/* Strings are borrowed from the block, which must outlive this. */
struct laz_sense_config {
    const char *name; /* the policy's, for the records */
    enum laz_level level[LAZ_DETECTOR_COUNT];
    uint32_t interval_ms;
    uint32_t window_ms;
    uint32_t rehash_ms;
    uint32_t n_foreign;
    const char *foreign[LAZ_SENSE_FOREIGN_MAX];
    uint32_t n_ports;
    struct laz_sense_port ports[LAZ_SENSE_PORTS_MAX];
    uint32_t n_watch;
    const char *watch[LAZ_SENSE_WATCH_MAX];
    uint32_t n_except;
    const char *except[LAZ_SENSE_WATCH_MAX];
    uint32_t n_volumes;
    struct laz_sense_volume volumes[LAZ_SENSE_VOLUMES_MAX];

    bool plain; /* clear text is looked for; if not, the four below are empty */
    uint32_t n_tls_only;
    uint16_t tls_only[LAZ_SENSE_TLS_ONLY_MAX]; /* in order */
    uint32_t n_peers;
    struct laz_sense_peer peers[LAZ_SENSE_PEERS_MAX];

    /* What a process of the workload is to be. */
    uint32_t uid;
    uint32_t gid;
    uint32_t n_groups;
    uint32_t groups[LAZ_SENSE_GROUPS_MAX];
    uint64_t keep_capabilities;
    bool is_bounded; /* the bounding set is to be no more than that either */
};

/* Append the section. LAZ_E_POLICY_TOO_LARGE. */
LAZ_MUST_CHECK int laz_sense_encode(
        const struct laz_sense_config *config, struct laz_buf *ret, struct laz_err *err);

/* LAZ_E_IMAGE_CORRUPT, with what is wrong, unless every field is in range, every string ends inside
 * the block and no byte is left over. What it takes, laz_sense_encode writes again byte for byte.
 */
LAZ_MUST_CHECK int laz_sense_decode(
        const void *block, size_t length, struct laz_sense_config *ret, struct laz_err *err);

/* The key of a detector; static; "?" beyond the list. */
const char *laz_detector_name(enum laz_detector value);
const char *laz_volume_require_name(enum laz_volume_require value); /* likewise */

#endif
