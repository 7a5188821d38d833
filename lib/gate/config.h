/* SPDX-License-Identifier: Apache-2.0
 *
 * What a rollout file says: how long, how often, how many, and what is required. Read by the
 * policy's strict YAML, with positions in every complaint.
 */
#ifndef LAZ_GATE_CONFIG_H
#define LAZ_GATE_CONFIG_H

#include "gate/gate.h"
#include "policy/diagnostic.h"

#define LAZ_GATE_CONFIG_MAX 65536 /* bytes of the file */
#define LAZ_GATE_GROUP_MAX  256   /* an ARN of a target group has 130 */
#define LAZ_GATE_HASH_MAX   80    /* "sha256:" and 64 digits */
#define LAZ_GATE_WORD_MAX   24

/* Numbers are LAZ_GATE_ANY, texts "", where nothing is required. */
struct laz_gate_require {
    char state[LAZ_GATE_WORD_MAX];
    char policy_sha256[LAZ_GATE_HASH_MAX]; /* "": the same everywhere */
    bool any_policy;
    char image_digest[LAZ_GATE_HASH_MAX]; /* likewise */
    bool any_image;
    char mode[LAZ_GATE_WORD_MAX];
    char clock[LAZ_GATE_WORD_MAX];
    uint64_t tls_min_days;
    uint64_t violations;
    uint64_t log_dropped;
    uint64_t restarts;
    uint64_t eb_requests; /* that failed */
};

struct laz_gate_config {
    bool inputs[LAZ_GATE_INPUT_COUNT]; /* which have to be there */
    uint64_t bake_ms;
    uint64_t every_ms;
    uint64_t consecutive;
    uint64_t failure_limit;
    uint64_t min_targets;
    uint64_t max_age_ms;
    uint64_t clock_skew_ms;
    uint64_t quiet_ms;
    uint64_t probes_per_minute;
    char target_group[LAZ_GATE_GROUP_MAX];
    struct laz_gate_require require;
};

/* `path` is what the diagnostics call the file. -1 with at least one diagnostic; err says
 * "N errors". */
LAZ_MUST_CHECK int laz_gate_config_parse(const char *path, const char *text, size_t length,
        struct laz_diagnostics *diagnostics, struct laz_gate_config *ret, struct laz_err *err);

#endif
