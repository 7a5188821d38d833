/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of `lazaret gate`: its files, its targets, and how they are asked. What it all means is
 * lib/gate's business.
 */
#ifndef LAZ_CLI_GATE_H
#define LAZ_CLI_GATE_H

#include "gate/report.h"

#define LAZ_GATE_INPUTS_MAX 64

enum laz_gate_format {
    LAZ_GATE_FORMAT_TEXT,
    LAZ_GATE_FORMAT_JSON,
    LAZ_GATE_FORMAT_ECS_HOOK,
    LAZ_GATE_FORMAT_CODEDEPLOY,
};

/* Whom it asks. `names` has the texts of which `list` is. */
struct laz_gate_targets {
    char (*names)[LAZ_GATE_NAME_MAX]; /* owned; LAZ_GATE_TARGETS_MAX of them */
    const char *list[LAZ_GATE_TARGETS_MAX];
    size_t n;
    char unclear[LAZ_GATE_SAID_MAX]; /* why they may not be all; "" */
};

/* The command line, understood. All texts borrowed from it. */
struct laz_gate_plan {
    enum laz_gate_mode mode;
    const char *config;
    const char *targets; /* NULL: not given, as all that follow */
    const char *dns;
    const char *ca;
    const char *server_name;
    const char *json;
    const char *junit;
    enum laz_gate_format format;
    uint64_t timeout_ms;
    struct laz_gate_input inputs[LAZ_GATE_INPUTS_MAX]; /* owned */
    size_t n_inputs;
};

int64_t laz_gate_now_ms(void); /* Unix time */

/* A file into `ret`: its text, or why it cannot be had. For ever at most LAZ_GATE_TEXT_MAX bytes.
 */
void laz_gate_file_read(const char *path, struct laz_gate_input *ret);

LAZ_MUST_CHECK int laz_gate_targets_new(struct laz_gate_targets *ret, struct laz_err *err);
void laz_gate_targets_done(struct laz_gate_targets *targets);
/* Once more is nothing. LAZ_E_USAGE where there are too many. */
LAZ_MUST_CHECK int laz_gate_targets_add(
        struct laz_gate_targets *targets, const char *name, struct laz_err *err);
/* "HOST:PORT,[ADDRESS]:PORT"; one that is there twice is LAZ_E_USAGE. */
LAZ_MUST_CHECK int laz_gate_targets_parse(
        const char *text, struct laz_gate_targets *ret, struct laz_err *err);

/* "10.0.2.100:9100" in its parts; the host without brackets. */
struct laz_gate_place {
    char host[LAZ_GATE_NAME_MAX];
    uint16_t port;
};

LAZ_MUST_CHECK int laz_gate_place_parse(
        const char *text, struct laz_gate_place *ret, struct laz_err *err);

/* Asks each target for /healthz, every so often, until `is_over` says so after a round, or the time
 * is over. */
struct laz_gate_poll {
    const struct laz_gate_plan *plan;
    uint64_t every_ms;
    struct laz_gate_targets *targets; /* with `dns`, they are added */
    struct laz_gate_samples *samples;
    bool (*is_over)(void *context);
    void *context;
};

/* -1 only where it cannot begin: LAZ_E_USAGE for a certificate that cannot be used, LAZ_E_MEMORY.
 */
LAZ_MUST_CHECK int laz_gate_poll(const struct laz_gate_poll *poll, struct laz_err *err);

#endif
