/* SPDX-License-Identifier: Apache-2.0
 *
 * The state machine.
 */
#include "health/state.h"

#include <stdio.h>
#include <string.h>

#include "policy/vocabulary.h"

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

const char *laz_health_state_name(enum laz_health_state state)
{
    static const char *const names[] = {
#define X(id, name) name,
            LAZ_HEALTH_STATES(X)
#undef X
    };
    return names[state];
}

void laz_health_init(struct laz_health *health, const struct laz_health_config *config,
        const struct laz_health_now *now)
{
    (void)memset(health, 0, sizeof(*health));
    health->config = config;
    health->heard_ns = now->ns;
    health->since = now->unix_s;
    for (uint32_t i = 0; i < config->n_checks; i++) {
        laz_health_watch_init(&health->watches[i], &config->checks[i], config);
    }
    (void)snprintf(health->verdict.why, sizeof(health->verdict.why), "init");
    health->verdict.is_live = true;
}

/* Start-up is counted from the workload's start. A successor that comes after its deadline has to
 * ask for itself, before it can say that nothing has passed. */
static void begin_warming(struct laz_health *health, uint64_t now_ns)
{
    uint64_t started_ns = health->status.started_ns;
    uint64_t deadline_ns = health->config->startup_deadline_ms * NS_PER_MS;
    health->warm_since_ns = started_ns != 0 && started_ns < now_ns ? started_ns : now_ns;
    health->is_past_deadline = now_ns - health->warm_since_ns >= deadline_ns;
}

void laz_health_hear(struct laz_health *health, const struct laz_status *status, uint64_t now_ns)
{
    enum laz_phase before = health->has_status ? health->status.phase : LAZ_PHASE_SETUP;
    if (!health->has_status && status->restarts > 0) {
        health->drain.watched_ns = now_ns; /* who asked before, the one before this one knew */
    }
    health->status = *status;
    health->has_status = true;
    health->heard_ns = now_ns;
    health->asked_ns = 0;
    if (status->phase == LAZ_PHASE_LB_GRACE && !health->drain.has_begun) {
        laz_health_drain_begin(&health->drain, now_ns);
    }
    if (before == LAZ_PHASE_LB_GRACE && status->phase != LAZ_PHASE_LB_GRACE) {
        health->drained_ms = (now_ns - health->drain.began_ns) / NS_PER_MS;
        health->drain_timeouts += health->drain.is_over ? 0 : 1;
        health->drain.is_over = true;
    }
    if (status->phase >= LAZ_PHASE_RUNNING && health->warm_since_ns == 0) {
        begin_warming(health, now_ns);
    }
    health->is_warm = health->is_warm || status->has_started;
}

void laz_health_ask(struct laz_health *health, uint64_t now_ns)
{
    health->asked_ns = health->asked_ns == 0 ? now_ns : health->asked_ns;
}

static bool is_silent(const struct laz_health *health, uint64_t now_ns)
{
    return health->asked_ns != 0 && now_ns - health->asked_ns >= LAZ_HEALTH_SILENCE_MS * NS_PER_MS;
}

/* ---- checks ---- */

bool laz_health_asks(const struct laz_health *health, enum laz_health_list list)
{
    enum laz_phase phase = health->has_status ? health->status.phase : LAZ_PHASE_SETUP;
    bool runs = phase == LAZ_PHASE_RUNNING;
    switch (list) {
    case LAZ_HEALTH_STARTUP:
        return runs && !health->is_warm;
    case LAZ_HEALTH_READY:
        return runs;
    case LAZ_HEALTH_LIVE: /* something slow to start is not dead; what stops has its own end */
        return health->is_warm && (runs || phase == LAZ_PHASE_LB_GRACE);
    case LAZ_HEALTH_LIST_COUNT:
        break;
    }
    return false;
}

/* The first one of a list that is not up. */
static const struct laz_health_watch *first_down(
        const struct laz_health *health, enum laz_health_list list)
{
    for (uint32_t i = 0; i < health->config->n_checks; i++) {
        const struct laz_health_watch *watch = &health->watches[i];
        if (watch->check->list == list && !watch->is_up) {
            return watch;
        }
    }
    return NULL;
}

static bool has_list(const struct laz_health *health, enum laz_health_list list)
{
    for (uint32_t i = 0; i < health->config->n_checks; i++) {
        if (health->config->checks[i].list == list) {
            return true;
        }
    }
    return false;
}

static bool have_all_ended(const struct laz_health *health, enum laz_health_list list)
{
    for (uint32_t i = 0; i < health->config->n_checks; i++) {
        if (health->watches[i].check->list == list && !health->watches[i].has_ended) {
            return false;
        }
    }
    return true;
}

/* Once warm, always: what comes later is readiness. */
static void warm_up(struct laz_health *health, uint64_t now_ns)
{
    if (health->is_warm || health->status.phase != LAZ_PHASE_RUNNING) {
        return;
    }
    health->is_warm = has_list(health, LAZ_HEALTH_STARTUP)
            ? first_down(health, LAZ_HEALTH_STARTUP) == NULL
            : have_all_ended(health, LAZ_HEALTH_READY);
    if (health->is_warm) {
        uint64_t ms = (now_ns - health->warm_since_ns) / NS_PER_MS;
        health->started_ms = ms == 0 ? 1 : ms;
    }
}

const char *laz_health_overdue(const struct laz_health *health, uint64_t now_ns)
{
    if (!laz_health_asks(health, LAZ_HEALTH_STARTUP) || !has_list(health, LAZ_HEALTH_STARTUP) ||
            health->warm_since_ns == 0 ||
            now_ns - health->warm_since_ns < health->config->startup_deadline_ms * NS_PER_MS) {
        return NULL;
    }
    const struct laz_health_watch *late = first_down(health, LAZ_HEALTH_STARTUP);
    bool is_known = !health->is_past_deadline || have_all_ended(health, LAZ_HEALTH_STARTUP);
    return late == NULL || !is_known ? NULL : late->check->name;
}

/* A moment that is over has had its effect: to wake up for it again is to wake up for ever. */
static uint64_t sooner(uint64_t next, uint64_t at, uint64_t now_ns)
{
    return at > now_ns && at < next ? at : next;
}

uint64_t laz_health_next(const struct laz_health *health, uint64_t now_ns)
{
    uint64_t next = UINT64_MAX;
    if (health->asked_ns != 0) {
        next = sooner(next, health->asked_ns + LAZ_HEALTH_SILENCE_MS * NS_PER_MS, now_ns);
    }
    if (laz_health_asks(health, LAZ_HEALTH_STARTUP) && has_list(health, LAZ_HEALTH_STARTUP)) {
        next = sooner(next, health->warm_since_ns + health->config->startup_deadline_ms * NS_PER_MS,
                now_ns);
    }
    if (health->gauges.is_known) {
        next = sooner(next, health->gauges_ns + LAZ_HEALTH_GAUGES_MS * NS_PER_MS, now_ns);
    }
    return next;
}

/* ---- what is said ---- */

static bool is_refused(const struct laz_status *status)
{
    return status->phase >= LAZ_PHASE_DRAINING && status->started_ns == 0;
}

static enum laz_health_state state_of(const struct laz_health *health, bool is_fit)
{
    const struct laz_status *status = &health->status;
    if (!health->has_status) {
        return LAZ_HEALTH_IS_INIT;
    }
    if (status->forced_code != 0 || is_refused(status)) {
        return LAZ_HEALTH_IS_FAILED;
    }
    switch (status->phase) {
    case LAZ_PHASE_SETUP:
        return LAZ_HEALTH_IS_INIT;
    case LAZ_PHASE_STARTING:
        return LAZ_HEALTH_IS_STARTING;
    case LAZ_PHASE_RUNNING:
        return !health->is_warm ? LAZ_HEALTH_IS_WARMING
                : is_fit        ? LAZ_HEALTH_IS_READY
                                : LAZ_HEALTH_IS_NOT_READY;
    case LAZ_PHASE_LB_GRACE:
        return LAZ_HEALTH_IS_DRAINING;
    case LAZ_PHASE_STOPPING:
    case LAZ_PHASE_KILLING:
        return LAZ_HEALTH_IS_STOPPING;
    case LAZ_PHASE_DRAINING:
    case LAZ_PHASE_DRAIN_KILLED:
    case LAZ_PHASE_FLUSHING:
    case LAZ_PHASE_DONE:
    case LAZ_PHASE_COUNT:
        break;
    }
    return LAZ_HEALTH_IS_EXITED;
}

static void say(struct laz_health_verdict *verdict, const char *kind, const char *name)
{
    (void)snprintf(verdict->why, sizeof(verdict->why), "%s%s", kind, name);
}

/* "": it is live. The worst comes first. */
static void why_not_live(const struct laz_health *health, uint64_t now_ns,
        enum laz_health_state state, struct laz_health_verdict *verdict)
{
    const struct laz_health_watch *down = first_down(health, LAZ_HEALTH_LIVE);
    verdict->why[0] = '\0';
    if (state == LAZ_HEALTH_IS_FAILED) {
        say(verdict,
                is_refused(&health->status) ? "the workload was not started" : "ended by policy",
                "");
    } else if (is_silent(health, now_ns)) {
        say(verdict, "init does not answer", "");
    } else if (state == LAZ_HEALTH_IS_EXITED && health->status.stop_ns == 0) {
        say(verdict, "the workload has ended", "");
    } else if (down != NULL && state != LAZ_HEALTH_IS_STOPPING && state != LAZ_HEALTH_IS_EXITED) {
        say(verdict, "check:", down->check->name);
    }
}

/* Does every sink that is asked for work? One that nobody has spoken of does not. */
static bool are_sinks_up(const struct laz_health *health)
{
    for (uint32_t i = 0; i < health->config->n_sinks; i++) {
        bool is_up = false;
        for (uint32_t k = 0; k < health->gauges.n_sinks; k++) {
            const struct laz_health_sink *sink = &health->gauges.sinks[k];
            is_up = is_up || (sink->is_up && strcmp(sink->name, health->config->sinks[i]) == 0);
        }
        if (!is_up) {
            return false;
        }
    }
    return true;
}

/* A ship that hangs says nothing more: what it said last is not so for ever. What the task is, is.
 */
static void forget_old_gauges(struct laz_health *health, uint64_t now_ns)
{
    struct laz_health_gauges *gauges = &health->gauges;
    if (gauges->is_known && now_ns - health->gauges_ns >= LAZ_HEALTH_GAUGES_MS * NS_PER_MS) {
        gauges->is_known = gauges->has_spool = false;
        gauges->n_sinks = 0;
    }
}

static bool has_room(const struct laz_health *health)
{
    const struct laz_health_gauges *gauges = &health->gauges;
    uint32_t percent = health->config->spool_percent;
    if (percent == 0) {
        return true;
    }
    uint64_t most = gauges->spool_limit / 100 * percent + gauges->spool_limit % 100 * percent / 100;
    return gauges->has_spool && !gauges->spool_is_full && gauges->spool_used < most;
}

/* NULL: they are good, as far as the policy asks. */
static const char *what_of_items(const struct laz_health *health, uint64_t unix_s)
{
    const struct laz_status *status = &health->status;
    for (uint32_t i = 0; i < status->n_items; i++) {
        const struct laz_status_item *item = &status->items[i];
        if (item->state == LAZ_CONTROL_EXPIRED) {
            return "expired";
        }
        if (item->state == LAZ_CONTROL_STALE) {
            return "stale";
        }
        if (health->config->certificate_s != 0 && item->expires != 0 &&
                item->expires < unix_s + health->config->certificate_s) {
            return "certificate";
        }
    }
    return NULL;
}

/* "": nothing stands against requests, where the workload runs. */
static void why_not_fit(
        const struct laz_health *health, uint64_t unix_s, struct laz_health_verdict *verdict)
{
    const char *item = what_of_items(health, unix_s);
    const struct laz_health_watch *down = first_down(health, LAZ_HEALTH_READY);
    verdict->why[0] = '\0';
    if (item != NULL) {
        say(verdict, item, "");
    } else if (health->config->require_enforce && health->status.mode != LAZ_MODE_ENFORCE) {
        say(verdict, "policy is not enforced", "");
    } else if (!are_sinks_up(health)) {
        say(verdict, "sink", "");
    } else if (!has_room(health)) {
        say(verdict, "spool", "");
    } else if (down != NULL) {
        say(verdict, "check:", down->check->name);
    }
}

static bool has_failed(const struct laz_health_watch *watch)
{
    return !watch->is_up && watch->has_ended && !watch->last_ok && watch->in_a_row >= watch->fall;
}

/* Of the workload while it runs. One that has yet to rise is neither up nor has it failed: a
 * successor of this process knows nothing until it has asked for itself. */
static enum laz_checks what_of_checks(const struct laz_health *health)
{
    enum laz_checks checks = LAZ_CHECKS_UNKNOWN;
    if (!health->has_status || health->status.phase != LAZ_PHASE_RUNNING || !health->is_warm) {
        return checks;
    }
    bool are_known = true;
    for (uint32_t i = 0; i < health->config->n_checks; i++) {
        const struct laz_health_watch *watch = &health->watches[i];
        if (watch->check->list == LAZ_HEALTH_STARTUP) {
            continue;
        }
        if (has_failed(watch)) {
            return LAZ_CHECKS_FAIL;
        }
        are_known = are_known && watch->is_up && watch->has_ended;
        checks = LAZ_CHECKS_PASS;
    }
    return are_known ? checks : LAZ_CHECKS_UNKNOWN;
}

/* What a state says by itself. */
static void why_of_state(const struct laz_health *health, struct laz_health_verdict *verdict)
{
    const struct laz_health_watch *down = first_down(health, LAZ_HEALTH_STARTUP);
    if (verdict->state == LAZ_HEALTH_IS_WARMING && down != NULL) {
        say(verdict, "check:", down->check->name);
    } else if (health->status.stop_signal != 0) {
        const char *name = sigabbrev_np(health->status.stop_signal);
        bool drains = verdict->state == LAZ_HEALTH_IS_DRAINING;
        const char *more = drains && health->drain.is_blind ? "; /proc/net cannot be read"
                : drains && health->drain.has_udp           ? "; a UDP port is open"
                : drains && health->drain.is_young          ? "; a helper was started anew"
                                                            : "";
        (void)snprintf(verdict->why, sizeof(verdict->why), "SIG%s%s%s", name == NULL ? "?" : name,
                more, more[0] == '\0' ? "" : ": lb-grace does not end early");
    } else {
        say(verdict, laz_health_state_name(verdict->state), "");
    }
}

bool laz_health_judge(struct laz_health *health, const struct laz_health_now *now)
{
    const struct laz_health_verdict before = health->verdict;
    struct laz_health_verdict fit = {0};
    struct laz_health_verdict *verdict = &health->verdict;
    warm_up(health, now->ns);
    forget_old_gauges(health, now->ns);
    why_not_fit(health, now->unix_s, &fit);
    verdict->state = state_of(health, fit.why[0] == '\0');
    verdict->is_started = health->is_warm;
    verdict->checks = what_of_checks(health);
    why_not_live(health, now->ns, verdict->state, verdict);
    verdict->is_live = verdict->why[0] == '\0';
    verdict->is_ready = verdict->is_live && verdict->state == LAZ_HEALTH_IS_READY;
    if (verdict->is_live && verdict->state == LAZ_HEALTH_IS_NOT_READY) {
        say(verdict, fit.why, "");
    } else if (verdict->is_live && !verdict->is_ready) {
        why_of_state(health, verdict);
    }
    if (verdict->state != before.state) {
        health->transitions[before.state][verdict->state]++;
        health->since = now->unix_s;
    }
    return verdict->state != before.state || verdict->is_live != before.is_live ||
            verdict->is_ready != before.is_ready || verdict->is_started != before.is_started ||
            verdict->checks != before.checks || strcmp(verdict->why, before.why) != 0;
}
