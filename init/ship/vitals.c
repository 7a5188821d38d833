/* SPDX-License-Identifier: Apache-2.0
 *
 * Records of init are taken by the first bytes of their form, which is init's own, and read as JSON
 * only where they are of health.
 */
#include "init/ship/vitals.h"

#include <string.h>

#include "core/json_read.h"
#include "init/ship/ship.h"

#define START     "{\"lz\":1,\"ev\":\""
#define NODES_MAX 512 /* a record of 4096 bytes has fewer */
#define ACT_MAX   16
#define MS_PER_S  1000U

static bool is_of(const char *line, size_t length, const char *start)
{
    size_t n = strlen(start);
    return length > n && memcmp(line, start, n) == 0;
}

static bool note_state(struct laz_ship_state *state, const struct laz_json_doc *doc)
{
    char act[ACT_MAX];
    if (!laz_json_copy(doc, laz_json_member(doc, laz_json_root(doc), "act"), act, sizeof(act))) {
        return false;
    }
    uint64_t before = state->readiness;
    state->readiness = strcmp(act, "ready") == 0 ? LAZ_SHIP_IS_READY : LAZ_SHIP_IS_NOT_READY;
    return state->readiness != before;
}

/* With the helper gone nobody says that it is ready: its successor does, when it is. */
static bool note_exit(struct laz_ship_state *state, const struct laz_json_doc *doc)
{
    char role[ACT_MAX];
    uint64_t before = state->readiness;
    if (before != LAZ_SHIP_IS_UNKNOWN &&
            laz_json_copy(
                    doc, laz_json_member(doc, laz_json_root(doc), "obj"), role, sizeof(role)) &&
            strcmp(role, "health") == 0) {
        state->readiness = LAZ_SHIP_IS_NOT_READY;
    }
    return state->readiness != before;
}

static bool note_drain(struct laz_ship_state *state, const struct laz_json_doc *doc)
{
    uint64_t ms = 0;
    const struct laz_json_node *d = laz_json_member(doc, laz_json_root(doc), "d");
    if (!laz_json_number(doc, laz_json_member(doc, d, "ms"), UINT32_MAX, &ms)) {
        return false;
    }
    state->drain_ms = ms;
    return true;
}

bool laz_ship_vitals_note(struct laz_ship *ship, const char *line, size_t length)
{
    struct laz_json_node nodes[NODES_MAX];
    const struct laz_json_room room = {.nodes = nodes, .max = NODES_MAX, .kind = LAZ_E_INTERNAL};
    struct laz_json_doc doc;
    struct laz_err ignored = {0};
    ship->counts.violations += is_of(line, length, START "seccomp.deny\"") ||
                    is_of(line, length, START "exec.budget\"")
            ? 1
            : 0;
    bool is_state = is_of(line, length, START "health.state\"");
    bool is_drain = is_of(line, length, START "drain.end\"");
    bool is_exit = is_of(line, length, START "helper.exit\"");
    if ((!is_state && !is_drain && !is_exit) ||
            laz_json_read(line, length, &room, &doc, &ignored) < 0) {
        return false;
    }
    return is_state   ? note_state(ship->state, &doc)
            : is_exit ? note_exit(ship->state, &doc)
                      : note_drain(ship->state, &doc);
}

bool laz_ship_vitals_put(const struct laz_ship *ship, struct laz_ship_vitals *told,
        struct laz_emf_metric ret[LAZ_SHIP_VITALS_METRICS])
{
    const struct laz_ship_state *state = ship->state;
    const struct laz_ship_vitals now = {
            .violations = ship->counts.violations, .dropped = ship->ledger.dropped_lines_ever};
    if (state->readiness == LAZ_SHIP_IS_UNKNOWN) {
        return false;
    }
    uint64_t drain_s = (state->drain_ms + MS_PER_S - 1) / MS_PER_S;
    uint64_t dropped = now.dropped > told->dropped ? now.dropped - told->dropped : 0;
    ret[0] = (struct laz_emf_metric){
            "Ready", "Count", state->readiness == LAZ_SHIP_IS_READY ? 1 : 0};
    ret[1] =
            (struct laz_emf_metric){"PolicyViolations", "Count", now.violations - told->violations};
    ret[2] = (struct laz_emf_metric){"DrainSeconds", "Seconds", drain_s};
    ret[3] = (struct laz_emf_metric){"LogDropped", "Count", dropped};
    *told = now;
    return true;
}
