/* SPDX-License-Identifier: Apache-2.0
 *
 * The rollout gate: what it is told, what it has seen, and what it concludes. Pure: no files, no
 * sockets, no clock of its own. What is not known is never good. Specification:
 * docs/reference/gate.md.
 */
#ifndef LAZ_GATE_GATE_H
#define LAZ_GATE_GATE_H

#include <stddef.h>

#include "core/err.h"

#define LAZ_GATE_ANY UINT64_MAX /* a requirement that is switched off */

/* ---- What is asked ---- */

enum laz_gate_mode {
    LAZ_GATE_PROMOTE, /* may this colour get the traffic? */
    LAZ_GATE_VERIFY,  /* it has the traffic: is it as good as before? */
    LAZ_GATE_RETIRE,  /* does nobody come to this colour any more? */
};

/* X(ID, "name"): what a decision can be built on, by the names of the options. */
#define LAZ_GATE_INPUTS(X)                                                                         \
    X(HEALTH, "health")                                                                            \
    X(TASKS, "tasks")                                                                              \
    X(TARGETS, "target-health")                                                                    \
    X(RULES, "rules")                                                                              \
    X(BEANSTALK, "eb-health")                                                                      \
    X(VOLUMES, "volumes")                                                                          \
    X(PROTECTION, "protection")                                                                    \
    X(BASELINE, "baseline")

enum laz_gate_input_kind {
#define X(id, name) LAZ_GATE_INPUT_##id,
    LAZ_GATE_INPUTS(X)
#undef X
    LAZ_GATE_INPUT_COUNT
};

const char *laz_gate_input_name(enum laz_gate_input_kind value);

/* ---- What comes of it ---- */

/* Also the whole verdict, but for SKIPPED. */
enum laz_gate_result {
    LAZ_GATE_PASS,
    LAZ_GATE_FAIL,
    LAZ_GATE_INCONCLUSIVE,
    LAZ_GATE_SKIPPED, /* nobody asked for it */
};

#define LAZ_GATE_RESULT_COUNT 4

const char *laz_gate_result_name(enum laz_gate_result value);

#define LAZ_GATE_NAME_MAX    272 /* bytes of a target: a host, a port */
#define LAZ_GATE_SAID_MAX    256 /* of a sentence in a row */
#define LAZ_GATE_TARGETS_MAX 256 /* more than a service has tasks */
#define LAZ_GATE_ROWS_MAX    65536

/* One check of one target. All text is printable. */
struct laz_gate_row {
    const char *check; /* static */
    char target[LAZ_GATE_NAME_MAX];
    enum laz_gate_result result;
    bool is_final; /* no further poll changes it */
    char observed[LAZ_GATE_SAID_MAX];
    char wanted[LAZ_GATE_SAID_MAX];
};

/* Zero-initialise; end with laz_gate_rows_done. Invariant: rows that did not fit make the verdict
 * inconclusive. */
struct laz_gate_rows {
    struct laz_gate_row *items;
    size_t n;
    size_t room;
    bool overflow;
};

/* What a row says; the text is copied. */
struct laz_gate_say {
    const char *check;
    const char *target; /* "": the colour as a whole */
    enum laz_gate_result result;
    const char *wanted;
    bool is_final;
};

void laz_gate_rows_add(struct laz_gate_rows *rows, const struct laz_gate_say *say,
        const char *format, ...) LAZ_PRINTF(3, 4);
void laz_gate_rows_done(struct laz_gate_rows *rows);

/* The worst one: fail before inconclusive; without a single pass it is inconclusive. */
enum laz_gate_result laz_gate_rows_verdict(const struct laz_gate_rows *rows);

#endif
