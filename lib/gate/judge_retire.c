/* SPDX-License-Identifier: Apache-2.0
 *
 * Does nobody come to this colour any more, and is nobody there yet? By each target's own count of
 * connections that it accepted, by how long ago the last one came, and by how many are open. None
 * of them is known without being said.
 */
#include <inttypes.h>

#include "gate/judge.h"

#define MINUTE_MS 60000

/* The first and the last document of a target, and whether what is between them holds together. */
struct window {
    const struct laz_gate_sample *first;
    const struct laz_gate_sample *before; /* the last one */
    const struct laz_gate_sample *last;
    uint64_t polls;                 /* with a document */
    bool is_known;                  /* each of them counts */
    bool is_minimal;                /* the last one cannot */
    bool is_fresh;                  /* the last one is of now */
    char broken[LAZ_GATE_SAID_MAX]; /* why what was counted before is no beginning; "" */
};

/* Does the later one go on where the earlier one was, in time and in number? A helper that is
 * started anew counts anew, and so does a target. */
static void find_break(const struct laz_gate_config *config, const struct laz_gate_sample *before,
        const struct laz_gate_sample *at, char ret[LAZ_GATE_SAID_MAX])
{
    const struct laz_gate_health *old = &before->health;
    const struct laz_gate_health *new = &at->health;
    int64_t elapsed_s = (at->at_ms - before->at_ms) / 1000;
    int64_t least_s = old->uptime_s + elapsed_s - (int64_t)(config->clock_skew_ms / 1000);
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, ret, LAZ_GATE_SAID_MAX);
    if (at->at_ms <= before->at_ms) {
        laz_buf_str(&buf, "its samples are not in order");
    } else if (old->uptime_s >= 0 && new->uptime_s < 0) {
        laz_buf_str(&buf, "it does not say any more for how long it is up: it was started anew");
    } else if (old->uptime_s >= 0 && (new->uptime_s < old->uptime_s || new->uptime_s < least_s)) {
        laz_buf_printf(&buf,
                "it was started anew between two polls (up for %" PRId64 " s, then %" PRId64
                " s): its count has a new beginning",
                old->uptime_s, new->uptime_s);
    } else if (old->helper_restarts >= 0 && new->helper_restarts >= 0 &&
            old->helper_restarts != new->helper_restarts) {
        laz_buf_printf(&buf,
                "a helper was started anew between two polls (helper_restarts %" PRId64
                ", then %" PRId64 "): the count may have a new beginning",
                old->helper_restarts, new->helper_restarts);
    } else if (new->accepted < old->accepted) {
        laz_buf_printf(&buf,
                "its count went back (%" PRId64 ", then %" PRId64 "): it was started anew",
                old->accepted, new->accepted);
    }
}

/* Seconds that are rounded, and skew that is allowed, hide between two polls what they cannot hide
 * over all of them: a document that is an old one each time. */
static void find_standstill(const struct laz_gate_config *config,
        const struct laz_gate_sample *first, const struct laz_gate_sample *at,
        char ret[LAZ_GATE_SAID_MAX])
{
    int64_t elapsed_s = (at->at_ms - first->at_ms) / 1000;
    int64_t least_s = first->health.uptime_s + elapsed_s - (int64_t)(config->clock_skew_ms / 1000);
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, ret, LAZ_GATE_SAID_MAX);
    if (first->health.uptime_s >= 0 && at->health.uptime_s < least_s) {
        laz_buf_printf(&buf,
                "its time stands still (up for %" PRId64 " s, and %" PRId64 " s when %" PRId64
                " s were over): its documents are old ones",
                first->health.uptime_s, at->health.uptime_s, elapsed_s);
    }
}

static struct window look(const struct laz_gate_case *judged, const char *target)
{
    struct window window = {.is_known = true};
    bool has_answered = false; /* the last time */
    const struct laz_gate_sample *at = laz_gate_sample_next(judged->samples, target, NULL);
    for (; at != NULL; at = laz_gate_sample_next(judged->samples, target, at)) {
        has_answered = at->has_document;
        if (!at->has_document) {
            continue;
        }
        window.is_known = window.is_known && at->health.accepted >= 0 && at->at_ms >= 0;
        if (window.last != NULL && window.broken[0] == '\0') {
            find_break(judged->config, window.last, at, window.broken);
        }
        if (window.first != NULL && window.broken[0] == '\0') {
            find_standstill(judged->config, window.first, at, window.broken);
        }
        window.first = window.first == NULL ? at : window.first;
        window.before = window.last;
        window.last = at;
        window.is_minimal = laz_gate_health_is_minimal(&at->health);
        window.polls++;
    }
    char text[LAZ_GATE_SAID_MAX];
    struct laz_buf why;
    laz_buf_init_fixed(&why, text, sizeof(text));
    window.is_fresh =
            has_answered && window.last != NULL && laz_gate_is_fresh(judged, window.last, &why);
    return window;
}

/* For how long nobody has come, where nobody ever has; -1: that is not known. A helper that was
 * started anew has not seen who came before. */
static int64_t never_reached_s(const struct window *window)
{
    const struct laz_gate_health *health = &window->last->health;
    bool is_whole = health->last_connection_s < 0 && window->is_known &&
            window->broken[0] == '\0' && health->helper_restarts == 0;
    return is_whole ? health->uptime_s : -1;
}

static void say_age(const struct laz_gate_case *judged, const char *target,
        const struct window *window, struct laz_gate_rows *rows)
{
    int64_t wanted_s = (int64_t)(judged->config->quiet_ms / 1000);
    int64_t age_s = window->last == NULL ? -1 : window->last->health.last_connection_s;
    char wanted_text[LAZ_GATE_SAID_MAX];
    struct laz_buf wanted;
    laz_buf_init_fixed(&wanted, wanted_text, sizeof(wanted_text));
    laz_buf_printf(&wanted, "the last connection came more than %" PRId64 " s ago", wanted_s);
    struct laz_gate_say say = {.check = "last-connection",
            .target = target,
            .result = LAZ_GATE_INCONCLUSIVE,
            .wanted = wanted_text};
    if (window->last == NULL) {
        laz_gate_rows_add(rows, &say, "no document");
    } else if (!window->is_fresh) {
        laz_gate_rows_add(rows, &say, "the last document is not of now");
    } else if (never_reached_s(window) > wanted_s) {
        say.result = LAZ_GATE_PASS;
        laz_gate_rows_add(rows, &say, "none has come since it was started, %" PRId64 " s ago",
                never_reached_s(window));
    } else if (age_s < 0) {
        say.is_final = true; /* whoever came now would be too young */
        laz_gate_rows_add(rows, &say, "%s",
                window->is_minimal         ? LAZ_GATE_SAYS_MINIMAL
                        : window->is_known ? "none has come since the helper began"
                                           : "it does not say: it cannot count");
    } else if (age_s <= wanted_s && window->broken[0] != '\0') {
        say.is_final = true;
        laz_gate_rows_add(rows, &say, "%s", window->broken);
    } else {
        say.result = age_s > wanted_s ? LAZ_GATE_PASS : LAZ_GATE_FAIL;
        laz_gate_rows_add(rows, &say, "%" PRId64 " s ago", age_s);
    }
}

/* What health checks alone would have made, rounded up to whole ones. */
static int64_t allowance(const struct laz_gate_case *judged, int64_t span_ms)
{
    int64_t per_minute = (int64_t)judged->config->probes_per_minute;
    return (span_ms * per_minute + MINUTE_MS - 1) / MINUTE_MS;
}

static void say_accepted(const struct laz_gate_case *judged, const char *target,
        const struct window *window, struct laz_gate_rows *rows)
{
    struct laz_gate_say say = {.check = "accepted",
            .target = target,
            .result = LAZ_GATE_INCONCLUSIVE,
            .wanted = "no more connections than the health checks' own"};
    if (window->last == NULL) {
        laz_gate_rows_add(rows, &say, "no document");
        return;
    }
    if (!window->is_known) {
        say.is_final = true;
        laz_gate_rows_add(rows, &say, "%s",
                window->is_minimal ? LAZ_GATE_SAYS_MINIMAL : "it does not say: it cannot count");
        return;
    }
    if (!window->is_fresh) {
        laz_gate_rows_add(rows, &say, "the last document is not of now");
        return;
    }
    if (window->broken[0] != '\0') {
        say.is_final = true;
        laz_gate_rows_add(rows, &say, "%s", window->broken);
        return;
    }
    int64_t span_ms = window->last->at_ms - window->first->at_ms;
    int64_t came = window->last->health.accepted - window->first->health.accepted;
    int64_t most = allowance(judged, span_ms);
    if (came > most) {
        say.result = LAZ_GATE_FAIL;
    } else if (window->polls >= judged->config->consecutive && window->polls >= 2 &&
            span_ms >= (int64_t)judged->config->bake_ms) {
        say.result = LAZ_GATE_PASS;
    }
    laz_gate_rows_add(rows, &say,
            "%" PRId64 " in %" PRId64 " s, of which health checks explain %" PRId64 "; %" PRIu64
            " polls",
            came, span_ms / 1000, most, window->polls);
}

/* Who is connected stays connected when nobody comes any more. Where health checks come to the
 * workload's port, one of them may be open just at this poll: the next one tells. */
static void say_open(const struct laz_gate_case *judged, const char *target,
        const struct window *window, struct laz_gate_rows *rows)
{
    struct laz_gate_say say = {.check = "open",
            .target = target,
            .result = LAZ_GATE_INCONCLUSIVE,
            .wanted = "no connection is open"};
    int64_t open = window->last == NULL ? -1 : window->last->health.established;
    if (window->last == NULL) {
        laz_gate_rows_add(rows, &say, "no document");
    } else if (!window->is_fresh) {
        laz_gate_rows_add(rows, &say, "the last document is not of now");
    } else if (open < 0) {
        say.is_final = true;
        laz_gate_rows_add(rows, &say, "%s",
                window->is_minimal ? LAZ_GATE_SAYS_MINIMAL : "it does not say: it cannot count");
    } else if (open > 0 && judged->config->probes_per_minute > 0 &&
            (window->before == NULL || window->before->health.established == 0)) {
        laz_gate_rows_add(
                rows, &say, "%" PRId64 " now, and none before: perhaps a health check", open);
    } else {
        say.result = open == 0 ? LAZ_GATE_PASS : LAZ_GATE_FAIL;
        laz_gate_rows_add(rows, &say, "%" PRId64, open);
    }
}

void laz_gate_judge_retire(const struct laz_gate_case *judged, struct laz_gate_rows *rows)
{
    for (size_t i = 0; i < judged->n_targets; i++) {
        const struct window window = look(judged, judged->targets[i]);
        say_age(judged, judged->targets[i], &window, rows);
        say_accepted(judged, judged->targets[i], &window, rows);
        say_open(judged, judged->targets[i], &window, rows);
    }
}
