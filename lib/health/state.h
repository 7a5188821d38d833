/* SPDX-License-Identifier: Apache-2.0
 *
 * The state machine: from what init says, what checks found and how sinks are, to three answers.
 * Live: the run is as it should be, a drain included. Ready: send requests here. Started: start-up
 * checks have passed. Pure: no socket, and no clock of its own.
 */
#ifndef LAZ_HEALTH_STATE_H
#define LAZ_HEALTH_STATE_H

#include "health/drain.h"
#include "health/gauges.h"
#include "health/watch.h"
#include "ipc/status.h"

#define LAZ_HEALTH_SILENCE_MS 15000 /* so long may init leave a question without an answer */
#define LAZ_HEALTH_GAUGES_MS  30000 /* ship says them every 10 s: what is older is not known */

/* X(ENUM, "its name") */
#define LAZ_HEALTH_STATES(X)                                                                       \
    X(INIT, "init")                                                                                \
    X(STARTING, "starting")                                                                        \
    X(WARMING, "warming")                                                                          \
    X(READY, "ready")                                                                              \
    X(NOT_READY, "not-ready")                                                                      \
    X(DRAINING, "draining")                                                                        \
    X(STOPPING, "stopping")                                                                        \
    X(EXITED, "exited")                                                                            \
    X(FAILED, "failed")

enum laz_health_state {
#define X(id, name) LAZ_HEALTH_IS_##id,
    LAZ_HEALTH_STATES(X)
#undef X
    LAZ_HEALTH_STATE_COUNT
};

const char *laz_health_state_name(enum laz_health_state state);

/* What is said outside. */
struct laz_health_verdict {
    enum laz_health_state state;
    bool is_live;
    bool is_ready;
    bool is_started;
    enum laz_checks checks;             /* for init alone */
    char why[LAZ_HEALTH_WORDS_MAX + 1]; /* why it is not live, or not ready; "": it is both */
};

/* Now: on the clock of all times here, CLOCK_BOOTTIME as init's; and for people. */
struct laz_health_now {
    uint64_t ns;
    uint64_t unix_s;
};

/* Everything that is known. */
struct laz_health {
    const struct laz_health_config *config; /* borrowed */
    struct laz_health_watch watches[LAZ_HEALTH_CHECKS_MAX];
    bool has_status;
    struct laz_status status;
    uint64_t heard_ns; /* when init spoke last */
    uint64_t asked_ns; /* the first question since then; 0: there is none */
    struct laz_health_gauges gauges;
    uint64_t gauges_ns;  /* when they came */
    uint64_t bad_gauges; /* how often what came was none */
    struct laz_health_drain drain;
    struct laz_health_sample sample; /* the last one */
    uint64_t last_new_ns;            /* when a new connection was last seen; 0: never */
    bool is_warm;
    uint64_t warm_since_ns; /* when start-up checks began; 0: they have not */
    bool is_past_deadline;  /* of start-up: it was, before this process came */
    uint64_t started_ms;    /* how long start-up took; 0: not over yet */
    uint64_t drained_ms;    /* how long the balancer's grace was */
    uint64_t drain_timeouts;
    struct laz_health_verdict verdict;
    uint64_t since; /* Unix time of the last change of state */
    uint64_t transitions[LAZ_HEALTH_STATE_COUNT][LAZ_HEALTH_STATE_COUNT];
};

void laz_health_init(struct laz_health *health, const struct laz_health_config *config,
        const struct laz_health_now *now);
void laz_health_hear(struct laz_health *health, const struct laz_status *status, uint64_t now_ns);
void laz_health_ask(struct laz_health *health, uint64_t now_ns);

/* Should checks of this list be asked in this state? */
bool laz_health_asks(const struct laz_health *health, enum laz_health_list list);
/* The first start-up check that has not passed, where its time is over; NULL: none. */
const char *laz_health_overdue(const struct laz_health *health, uint64_t now_ns);
/* When, after now, the verdict may change by time alone; UINT64_MAX: it does not. */
uint64_t laz_health_next(const struct laz_health *health, uint64_t now_ns);

/* From all that is known. True: what is said outside has changed. */
bool laz_health_judge(struct laz_health *health, const struct laz_health_now *now);

#endif
