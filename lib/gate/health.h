/* SPDX-License-Identifier: Apache-2.0
 *
 * What a target says of itself: the schema lazaret.health/1, of which a minimal document has
 * little. What it does not say is unknown, and unknown is never good.
 */
#ifndef LAZ_GATE_HEALTH_H
#define LAZ_GATE_HEALTH_H

#include "core/json.h"
#include "gate/input.h"

#define LAZ_GATE_DOCUMENT_MAX 65536U /* bytes of what a target may answer */
#define LAZ_GATE_TEXT_SHOWN   72     /* bytes of a version, a name; the schema has 64 characters */
#define LAZ_GATE_REASON_MAX   208    /* of a reason; the schema has 200 characters */
#define LAZ_GATE_SAMPLES_MAX  32768
#define LAZ_GATE_EXPIRED      (-2) /* fewer days than none */

/* Unknown: "", -1. */
struct laz_gate_health {
    char state[LAZ_GATE_WORD_MAX]; /* with "-" for "_" */
    int ready;
    int live;
    char reason[LAZ_GATE_REASON_MAX];       /* of a state that is not good */
    char failing_name[LAZ_GATE_TEXT_SHOWN]; /* a check that fails: the reason's own, or the first */
    char failing_why[LAZ_GATE_REASON_MAX];
    char version[LAZ_GATE_TEXT_SHOWN];
    char color[LAZ_GATE_TEXT_SHOWN];
    char policy_sha256[LAZ_GATE_HASH_MAX];
    char config_sha256[LAZ_GATE_HASH_MAX];
    char image_id[LAZ_GATE_HASH_MAX];
    char mode[LAZ_GATE_WORD_MAX];
    char clock[LAZ_GATE_WORD_MAX];
    int64_t now_ms;
    int64_t uptime_s;
    int64_t restarts;
    int64_t helper_restarts;
    int64_t violations;
    int64_t n_certificates;
    int64_t least_days;                   /* of all certificates */
    char least_name[LAZ_GATE_TEXT_SHOWN]; /* whose these are, or the one that says nothing */
    int key_match;                        /* of all */
    char mismatch_name[LAZ_GATE_TEXT_SHOWN];
    int64_t n_sinks;
    int64_t dropped; /* by all sinks */
    int sinks_up;
    char down_name[LAZ_GATE_TEXT_SHOWN];
    int64_t established;
    int64_t accepted;
    int64_t last_connection_s;
    bool has_ecs; /* ECS says something of it */
};

/* Has it nothing of what only the whole document has? What is missing stays missing, then. */
bool laz_gate_health_is_minimal(const struct laz_gate_health *health);

/* One look at one target. */
struct laz_gate_sample {
    char target[LAZ_GATE_NAME_MAX];
    int64_t at_ms;   /* by our clock; in files, by the one of whoever wrote them; -1 unknown */
    int64_t date_ms; /* by the target's: the document's `now`, or the header; -1 unknown */
    bool has_document;
    char why[LAZ_GATE_SAID_MAX]; /* there is none */
    struct laz_gate_health health;
};

/* Zero-initialise; end with laz_gate_samples_done. */
struct laz_gate_samples {
    struct laz_gate_sample *items;
    size_t n;
    size_t room;
    bool overflow; /* memory ran out, or there are too many */
};

void laz_gate_samples_done(struct laz_gate_samples *samples);
/* NULL where it does not fit; `overflow` says so. Zeroed but for the times, which are unknown. */
struct laz_gate_sample *laz_gate_samples_add(struct laz_gate_samples *samples, const char *target);

/* A document into `sample`: has_document, or why not. */
void laz_gate_health_read(struct laz_gate_json object, struct laz_gate_sample *sample);
/* The answer of a target. */
void laz_gate_health_take(const char *text, size_t length, struct laz_gate_sample *sample);

/* Samples of a file: a document, an array of documents or of {"target", "at", "health"} with
 * "error" in place of the last, or an object with such an array at "samples", as this gate writes
 * it. `name` is the target of documents without one. -1 with err if it is none of them. */
LAZ_MUST_CHECK int laz_gate_samples_read(const struct laz_gate_input *input, const char *name,
        struct laz_gate_samples *ret, struct laz_err *err);

/* As laz_gate_samples_read reads it. */
void laz_gate_samples_write(const struct laz_gate_samples *samples, struct laz_json *json);

/* "2026-11-22T00:28:33.125Z"; "" for -1. */
#define LAZ_GATE_TIME_MAX 32
void laz_gate_time_write(int64_t ms, char ret[LAZ_GATE_TIME_MAX]);

#endif
