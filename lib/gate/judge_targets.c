/* SPDX-License-Identifier: Apache-2.0
 *
 * Are there enough targets, has each one been asked, and was it good often enough in a row? What
 * each one says of itself is judge_facts.c's.
 */
#include <inttypes.h>

#include "gate/judge.h"

/* ---- Samples ---- */

const struct laz_gate_sample *laz_gate_sample_next(const struct laz_gate_samples *samples,
        const char *target, const struct laz_gate_sample *previous)
{
    size_t i = previous == NULL ? 0 : (size_t)(previous - samples->items) + 1;
    while (i < samples->n && strcmp(samples->items[i].target, target) != 0) {
        i++;
    }
    return i < samples->n ? &samples->items[i] : NULL;
}

const struct laz_gate_sample *laz_gate_sample_last(
        const struct laz_gate_samples *samples, const char *target)
{
    const struct laz_gate_sample *last = NULL;
    const struct laz_gate_sample *at = laz_gate_sample_next(samples, target, NULL);
    for (; at != NULL; at = laz_gate_sample_next(samples, target, at)) {
        last = at->has_document ? at : last;
    }
    return last;
}

bool laz_gate_is_fresh(const struct laz_gate_case *judged, const struct laz_gate_sample *sample,
        struct laz_buf *ret_why)
{
    const struct laz_gate_config *config = judged->config;
    if (judged->asks_targets) {
        return true; /* it was made now */
    }
    if (sample->at_ms < 0) {
        laz_buf_str(ret_why, "does not say when it was made");
    } else if (judged->now_ms - sample->at_ms > (int64_t)config->max_age_ms) {
        laz_buf_printf(ret_why, "expired evidence: %" PRId64 " s old",
                (judged->now_ms - sample->at_ms) / 1000);
    } else if (sample->at_ms - judged->now_ms > (int64_t)config->clock_skew_ms) {
        laz_buf_printf(ret_why, "clock skew: it is from %" PRId64 " s in the future",
                (sample->at_ms - judged->now_ms) / 1000);
    }
    return ret_why->len == 0;
}

/* ---- Ready, and for how long ---- */

/* The polls of one target. */
struct run {
    uint64_t good; /* in a row, up to the last one */
    int64_t first_ms;
    int64_t last_ms;
    uint64_t failures;
    uint64_t polls;
    bool was_good;
    bool is_disordered; /* times that do not rise */
    char last[LAZ_GATE_SAID_MAX];
};

static bool is_good(const struct laz_gate_config *config, const struct laz_gate_health *health)
{
    const char *wanted = config->require.state;
    return strcmp(health->state, wanted) == 0 &&
            (strcmp(wanted, "ready") != 0 || (health->ready == 1 && health->live != 0));
}

/* States from which nobody becomes ready again. */
static bool is_lost(const char *state)
{
    static const char *const lost[] = {"failed", "draining", "stopping", "exited"};
    for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++) {
        if (strcmp(state, lost[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* "state ready, not ready, not live: check:ping (exit code 1)" */
static void put_state(const struct laz_gate_health *health, struct laz_buf *ret)
{
    static const char prefix[] = "check:";
    laz_buf_printf(ret, "state %s%s%s", health->state[0] == '\0' ? "unknown" : health->state,
            health->ready == 1           ? ""
                    : health->ready == 0 ? ", not ready"
                                         : ", ready unknown",
            health->live == 0 ? ", not live" : "");
    if (health->ready == 1 && health->live != 0) {
        return; /* a check may fail without taking readiness away */
    }
    bool is_named = strncmp(health->reason, prefix, strlen(prefix)) == 0 &&
            strcmp(health->reason + strlen(prefix), health->failing_name) == 0;
    if (health->reason[0] != '\0') {
        laz_buf_printf(ret, ": %.80s", health->reason);
    }
    if (health->failing_why[0] != '\0') {
        laz_buf_printf(ret, " (%s%s%s)", is_named ? "" : health->failing_name, is_named ? "" : ": ",
                health->failing_why);
    }
}

static void describe(
        const struct laz_gate_sample *sample, const char *stale, char ret[LAZ_GATE_SAID_MAX])
{
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, ret, LAZ_GATE_SAID_MAX);
    if (stale[0] != '\0') {
        laz_buf_printf(&buf, "a document %s", stale);
    } else if (sample->has_document) {
        put_state(&sample->health, &buf);
    } else {
        laz_buf_printf(&buf, "%.200s", sample->why);
    }
}

static void count(
        const struct laz_gate_case *judged, const struct laz_gate_sample *sample, struct run *run)
{
    char text[LAZ_GATE_SAID_MAX];
    struct laz_buf why;
    laz_buf_init_fixed(&why, text, sizeof(text));
    bool is_fresh = laz_gate_is_fresh(judged, sample, &why);
    bool says_state = sample->has_document && is_fresh && sample->health.state[0] != '\0';
    describe(sample, is_fresh ? "" : text, run->last);
    if (run->polls > 0 && sample->at_ms <= run->last_ms) {
        run->is_disordered = true;
    }
    run->polls++;
    run->last_ms = sample->at_ms;
    if (says_state && is_good(judged->config, &sample->health)) {
        run->first_ms = run->good == 0 ? sample->at_ms : run->first_ms;
        run->good++;
        run->was_good = true;
        return;
    }
    run->good = 0;
    /* Before it was good for the first time, a colour that is to be promoted may still be starting;
     * and silence is no answer. */
    bool has_begun = run->was_good || judged->mode != LAZ_GATE_PROMOTE;
    if (says_state && (has_begun || is_lost(sample->health.state))) {
        run->failures++;
    }
}

static enum laz_gate_result judge_run(const struct laz_gate_case *judged, const struct run *run)
{
    const struct laz_gate_config *config = judged->config;
    if (run->is_disordered) {
        return LAZ_GATE_INCONCLUSIVE;
    }
    if (run->failures > config->failure_limit) {
        return LAZ_GATE_FAIL;
    }
    if (run->good < config->consecutive) {
        return LAZ_GATE_INCONCLUSIVE;
    }
    int64_t span = run->last_ms - run->first_ms;
    bool has_baked = judged->mode != LAZ_GATE_VERIFY || span >= (int64_t)config->bake_ms;
    return has_baked ? LAZ_GATE_PASS : LAZ_GATE_INCONCLUSIVE;
}

static void say_ready(
        const struct laz_gate_case *judged, const char *target, struct laz_gate_rows *rows)
{
    const struct laz_gate_config *config = judged->config;
    struct run run = {.last = "no answer yet"};
    const struct laz_gate_sample *sample = laz_gate_sample_next(judged->samples, target, NULL);
    for (; sample != NULL; sample = laz_gate_sample_next(judged->samples, target, sample)) {
        count(judged, sample, &run);
    }
    char wanted_text[LAZ_GATE_SAID_MAX];
    struct laz_buf wanted;
    laz_buf_init_fixed(&wanted, wanted_text, sizeof(wanted_text));
    laz_buf_printf(&wanted, "state %s for %" PRIu64 " polls in a row", config->require.state,
            config->consecutive);
    if (judged->mode == LAZ_GATE_VERIFY) {
        laz_buf_printf(&wanted, " and %" PRIu64 " s", config->bake_ms / 1000);
    }
    laz_buf_printf(&wanted, ", at most %" PRIu64 " failures", config->failure_limit);
    const struct laz_gate_say say = {.check = "ready",
            .target = target,
            .result = judge_run(judged, &run),
            .wanted = wanted_text,
            .is_final = run.is_disordered};
    if (run.is_disordered) {
        laz_gate_rows_add(rows, &say, "the times of its samples do not rise, or are not said");
        return;
    }
    laz_gate_rows_add(rows, &say,
            "%" PRIu64 " good in a row of %" PRIu64 " polls, %" PRIu64 " failures; last: %.176s",
            run.good, run.polls, run.failures, run.last);
}

/* ---- How many ---- */

static void say_number(const struct laz_gate_case *judged, const struct laz_gate_counts *counts,
        struct laz_gate_rows *rows)
{
    uint64_t min = judged->config->min_targets;
    int64_t known = counts->running > counts->registered ? counts->running : counts->registered;
    known = known > counts->instances ? known : counts->instances;
    struct laz_gate_say say = {.check = "number",
            .target = "",
            .result = judged->n_targets >= min ? LAZ_GATE_PASS : LAZ_GATE_FAIL,
            .wanted = "as many targets as min-targets"};
    laz_gate_rows_add(rows, &say, "%zu of at least %" PRIu64, judged->n_targets, min);
    if (known > (int64_t)judged->n_targets || judged->unclear != NULL) {
        say.check = "missing";
        say.is_final = true; /* who is asked is settled when the gate begins */
        say.result = LAZ_GATE_INCONCLUSIVE;
        say.wanted = "each task, registered target and instance is asked";
    }
    if (known > (int64_t)judged->n_targets) {
        laz_gate_rows_add(
                rows, &say, "%zu were asked, and there are %" PRId64, judged->n_targets, known);
    }
    if (judged->unclear != NULL) {
        laz_gate_rows_add(rows, &say, "%s", judged->unclear);
    }
    if (counts->registered >= 0 && counts->running > counts->registered) {
        say.check = "registered";
        say.is_final = true;
        say.result = LAZ_GATE_INCONCLUSIVE;
        say.wanted = "each running task is registered in the target group";
        laz_gate_rows_add(
                rows, &say, "%" PRId64 " of %" PRId64, counts->registered, counts->running);
    }
}

/* Without targets there may be no reason to have any: `inputs` says whether they are needed. */
static bool has_health(const struct laz_gate_case *judged)
{
    for (size_t i = 0; i < judged->n_inputs; i++) {
        if (judged->inputs[i].kind == LAZ_GATE_INPUT_HEALTH) {
            return true;
        }
    }
    return judged->asks_targets || judged->n_targets > 0;
}

void laz_gate_judge_targets(const struct laz_gate_case *judged,
        const struct laz_gate_counts *counts, struct laz_gate_rows *rows)
{
    if (!has_health(judged)) {
        return; /* said by laz_gate_judge_files */
    }
    if (judged->n_targets == 0 || judged->samples->overflow) {
        const struct laz_gate_say say = {.check = "number",
                .target = "",
                .result = LAZ_GATE_INCONCLUSIVE,
                .wanted = "targets, and what they say"};
        laz_gate_rows_add(rows, &say, "%s",
                judged->n_targets == 0 ? "there is no target" : "more samples than are kept");
        return;
    }
    say_number(judged, counts, rows);
    if (judged->mode == LAZ_GATE_RETIRE) {
        laz_gate_judge_retire(judged, rows);
        laz_gate_judge_time(judged, rows);
        return;
    }
    for (size_t i = 0; i < judged->n_targets; i++) {
        say_ready(judged, judged->targets[i], rows);
    }
    laz_gate_judge_facts(judged, rows);
}
