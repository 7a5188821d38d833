/* SPDX-License-Identifier: Apache-2.0
 *
 * What each target says of itself, held against what is required: a fact fails as soon as one
 * sample shows it to be wrong, and is good only if the last one shows it to be right.
 */
#include <inttypes.h>

#include "gate/judge.h"

/* One fact: is it required, what is wanted, what of it is so. */
struct fact {
    const char *check;
    bool (*is_wanted)(const struct laz_gate_config *config);
    void (*put_wanted)(const struct laz_gate_config *config, struct laz_buf *ret);
    /* The result, and what was seen. */
    enum laz_gate_result (*judge)(const struct laz_gate_config *config,
            const struct laz_gate_sample *sample, struct laz_buf *ret);
    /* What this document does not say, no later one does: the policy, or the place where the
     * container runs, is why. */
    bool (*is_settled)(const struct laz_gate_health *health);
};

static enum laz_gate_result unknown(const struct laz_gate_health *health, struct laz_buf *ret)
{
    laz_buf_str(
            ret, laz_gate_health_is_minimal(health) ? LAZ_GATE_SAYS_MINIMAL : "it does not say");
    return LAZ_GATE_INCONCLUSIVE;
}

static enum laz_gate_result judge_text(const struct laz_gate_health *health, const char *wanted,
        const char *text, struct laz_buf *ret)
{
    if (text[0] == '\0') {
        return unknown(health, ret);
    }
    laz_buf_str(ret, text);
    return wanted[0] == '\0' || strcmp(wanted, text) == 0 ? LAZ_GATE_PASS : LAZ_GATE_FAIL;
}

static enum laz_gate_result judge_most(
        const struct laz_gate_health *health, uint64_t most, int64_t number, struct laz_buf *ret)
{
    if (number < 0) {
        return unknown(health, ret);
    }
    laz_buf_printf(ret, "%" PRId64, number);
    return (uint64_t)number <= most ? LAZ_GATE_PASS : LAZ_GATE_FAIL;
}

static void put_most(uint64_t most, struct laz_buf *ret)
{
    laz_buf_printf(ret, "at most %" PRIu64, most);
}

/* ---- The facts ---- */

static bool wants_policy(const struct laz_gate_config *config)
{
    return !config->require.any_policy;
}

static void put_policy(const struct laz_gate_config *config, struct laz_buf *ret)
{
    const char *wanted = config->require.policy_sha256;
    laz_buf_str(ret, wanted[0] == '\0' ? "the policy's digest" : wanted);
}

static enum laz_gate_result judge_policy(const struct laz_gate_config *config,
        const struct laz_gate_sample *sample, struct laz_buf *ret)
{
    return judge_text(
            &sample->health, config->require.policy_sha256, sample->health.policy_sha256, ret);
}

static bool wants_mode(const struct laz_gate_config *config)
{
    return config->require.mode[0] != '\0';
}

static void put_mode(const struct laz_gate_config *config, struct laz_buf *ret)
{
    laz_buf_str(ret, config->require.mode);
}

static enum laz_gate_result judge_mode(const struct laz_gate_config *config,
        const struct laz_gate_sample *sample, struct laz_buf *ret)
{
    return judge_text(&sample->health, config->require.mode, sample->health.mode, ret);
}

static bool wants_violations(const struct laz_gate_config *config)
{
    return config->require.violations != LAZ_GATE_ANY;
}

static void put_violations(const struct laz_gate_config *config, struct laz_buf *ret)
{
    put_most(config->require.violations, ret);
}

static enum laz_gate_result judge_violations(const struct laz_gate_config *config,
        const struct laz_gate_sample *sample, struct laz_buf *ret)
{
    return judge_most(&sample->health, config->require.violations, sample->health.violations, ret);
}

static bool wants_restarts(const struct laz_gate_config *config)
{
    return config->require.restarts != LAZ_GATE_ANY;
}

static void put_restarts(const struct laz_gate_config *config, struct laz_buf *ret)
{
    put_most(config->require.restarts, ret);
}

static enum laz_gate_result judge_restarts(const struct laz_gate_config *config,
        const struct laz_gate_sample *sample, struct laz_buf *ret)
{
    return judge_most(&sample->health, config->require.restarts, sample->health.restarts, ret);
}

static bool wants_logs(const struct laz_gate_config *config)
{
    return config->require.log_dropped != LAZ_GATE_ANY;
}

static void put_dropped(const struct laz_gate_config *config, struct laz_buf *ret)
{
    put_most(config->require.log_dropped, ret);
}

static enum laz_gate_result judge_dropped(const struct laz_gate_config *config,
        const struct laz_gate_sample *sample, struct laz_buf *ret)
{
    return judge_most(&sample->health, config->require.log_dropped, sample->health.dropped, ret);
}

static void put_sinks(const struct laz_gate_config *config, struct laz_buf *ret)
{
    (void)config;
    laz_buf_str(ret, "each sink is up");
}

static enum laz_gate_result judge_sinks(const struct laz_gate_config *config,
        const struct laz_gate_sample *sample, struct laz_buf *ret)
{
    const struct laz_gate_health *health = &sample->health;
    (void)config;
    if (health->sinks_up < 0) {
        return unknown(health, ret);
    }
    laz_buf_printf(ret, "%" PRId64 " up", health->n_sinks);
    if (health->sinks_up == 1) {
        return LAZ_GATE_PASS;
    }
    ret->len = 0;
    laz_buf_printf(ret, "%s is down", health->down_name);
    return LAZ_GATE_FAIL;
}

static bool wants_certificates(const struct laz_gate_config *config)
{
    return config->require.tls_min_days != LAZ_GATE_ANY;
}

static void put_days(const struct laz_gate_config *config, struct laz_buf *ret)
{
    laz_buf_printf(ret, "each has its key, and at least %" PRIu64 " days left",
            config->require.tls_min_days);
}

static enum laz_gate_result judge_days(const struct laz_gate_config *config,
        const struct laz_gate_sample *sample, struct laz_buf *ret)
{
    const struct laz_gate_health *health = &sample->health;
    if (health->n_certificates == 0) {
        laz_buf_str(
                ret, "it has no certificate: leave tls-min-days out, or have the policy use one");
        return LAZ_GATE_INCONCLUSIVE;
    }
    if (health->least_days == LAZ_GATE_EXPIRED) {
        laz_buf_printf(ret, "%s has expired", health->least_name);
        return LAZ_GATE_FAIL;
    }
    if (health->key_match == 0) {
        laz_buf_printf(ret, "%s and its key do not fit", health->mismatch_name);
        return LAZ_GATE_FAIL;
    }
    if (health->least_days < 0) {
        return unknown(health, ret);
    }
    laz_buf_printf(ret, "%s has %" PRId64 " days left", health->least_name, health->least_days);
    if ((uint64_t)health->least_days < config->require.tls_min_days) {
        return LAZ_GATE_FAIL;
    }
    return health->key_match == 1 ? LAZ_GATE_PASS : unknown(health, ret);
}

static bool has_no_certificate(const struct laz_gate_health *health)
{
    return health->n_certificates == 0 || laz_gate_health_is_minimal(health);
}

static bool wants_clock(const struct laz_gate_config *config)
{
    return config->require.clock[0] != '\0';
}

static void put_clock(const struct laz_gate_config *config, struct laz_buf *ret)
{
    laz_buf_str(ret, config->require.clock);
}

static bool is_off_ecs(const struct laz_gate_health *health)
{
    return !health->has_ecs;
}

static enum laz_gate_result judge_clock(const struct laz_gate_config *config,
        const struct laz_gate_sample *sample, struct laz_buf *ret)
{
    const struct laz_gate_health *health = &sample->health;
    if (is_off_ecs(health) && !laz_gate_health_is_minimal(health)) {
        laz_buf_str(ret, "it is not on ECS, which alone says it: leave clock out");
        return LAZ_GATE_INCONCLUSIVE;
    }
    return judge_text(health, config->require.clock, health->clock, ret);
}

static bool is_always_wanted(const struct laz_gate_config *config)
{
    (void)config;
    return true;
}

static void put_skew(const struct laz_gate_config *config, struct laz_buf *ret)
{
    laz_buf_printf(
            ret, "its clock and ours at most %" PRIu64 " s apart", config->clock_skew_ms / 1000);
}

/* Evidence whose time is wrong is none; it does not make the colour bad. */
static enum laz_gate_result judge_skew(const struct laz_gate_config *config,
        const struct laz_gate_sample *sample, struct laz_buf *ret)
{
    if (sample->at_ms < 0 || sample->date_ms < 0) {
        laz_buf_str(ret, "it does not say its time");
        return LAZ_GATE_INCONCLUSIVE;
    }
    int64_t skew = sample->date_ms - sample->at_ms;
    int64_t apart = skew < 0 ? -skew : skew;
    /* A header tells whole seconds. */
    bool is_close = apart <= (int64_t)config->clock_skew_ms;
    laz_buf_printf(ret, "%s%" PRId64 " s%s", is_close ? "" : "clock skew: ", apart / 1000,
            skew < 0 ? " behind" : " ahead");
    return is_close ? LAZ_GATE_PASS : LAZ_GATE_INCONCLUSIVE;
}

static bool is_never(const struct laz_gate_health *health)
{
    (void)health;
    return false; /* clocks are set */
}

static const struct fact facts[] = {
        {"policy", wants_policy, put_policy, judge_policy, laz_gate_health_is_minimal},
        {"mode", wants_mode, put_mode, judge_mode, laz_gate_health_is_minimal},
        {"violations", wants_violations, put_violations, judge_violations,
                laz_gate_health_is_minimal},
        {"restarts", wants_restarts, put_restarts, judge_restarts, laz_gate_health_is_minimal},
        {"log-dropped", wants_logs, put_dropped, judge_dropped, laz_gate_health_is_minimal},
        {"sinks", wants_logs, put_sinks, judge_sinks, laz_gate_health_is_minimal},
        {"certificates", wants_certificates, put_days, judge_days, has_no_certificate},
        {"clock", wants_clock, put_clock, judge_clock, is_off_ecs},
};

static const struct fact skew = {"clock-skew", is_always_wanted, put_skew, judge_skew, is_never};

/* ---- Each fact of each target ---- */

static void judge_fact(const struct laz_gate_case *judged, const struct fact *fact,
        const char *target, struct laz_gate_rows *rows)
{
    const struct laz_gate_config *config = judged->config;
    char wanted_text[LAZ_GATE_SAID_MAX];
    char text[LAZ_GATE_SAID_MAX];
    struct laz_buf wanted;
    struct laz_buf seen;
    laz_buf_init_fixed(&wanted, wanted_text, sizeof(wanted_text));
    laz_buf_init_fixed(&seen, text, sizeof(text));
    fact->put_wanted(config, &wanted);
    struct laz_gate_say say = {.check = fact->check,
            .target = target,
            .result = LAZ_GATE_INCONCLUSIVE,
            .wanted = wanted_text};
    laz_buf_str(&seen, "no document");
    const struct laz_gate_sample *at = laz_gate_sample_next(judged->samples, target, NULL);
    for (; at != NULL && say.result != LAZ_GATE_FAIL;
            at = laz_gate_sample_next(judged->samples, target, at)) {
        char stale_text[LAZ_GATE_SAID_MAX];
        struct laz_buf stale;
        if (!at->has_document) {
            continue;
        }
        laz_buf_init_fixed(&stale, stale_text, sizeof(stale_text));
        seen.len = 0;
        if (laz_gate_is_fresh(judged, at, &stale)) {
            say.result = fact->judge(config, at, &seen);
        } else {
            say.result = LAZ_GATE_INCONCLUSIVE;
            laz_buf_printf(&seen, "a document %.200s", stale_text);
        }
        say.is_final = say.result == LAZ_GATE_INCONCLUSIVE && fact->is_settled(&at->health);
    }
    laz_gate_rows_add(rows, &say, "%s", text);
}

/* ---- The colour as a whole ---- */

/* One text in all: the first one's. */
static void judge_one(const struct laz_gate_case *judged, const char *check, size_t offset,
        bool may_be_unknown, struct laz_gate_rows *rows)
{
    const char *first = NULL;
    bool is_unknown = false;
    bool may_come = false;
    struct laz_gate_say say = {
            .check = check, .target = "", .result = LAZ_GATE_PASS, .wanted = "the same everywhere"};
    for (size_t i = 0; i < judged->n_targets; i++) {
        const struct laz_gate_sample *last =
                laz_gate_sample_last(judged->samples, judged->targets[i]);
        const char *text = last == NULL ? "" : (const char *)&last->health + offset;
        if (text[0] == '\0') {
            is_unknown = true;
            may_come = may_come || last == NULL || !laz_gate_health_is_minimal(&last->health);
        } else if (first == NULL) {
            first = text;
        } else if (strcmp(first, text) != 0) {
            say.result = LAZ_GATE_FAIL;
            say.target = judged->targets[i];
            laz_gate_rows_add(rows, &say, "%.80s, and elsewhere %.80s", text, first);
            return;
        }
    }
    if (is_unknown && (!may_be_unknown || first != NULL)) {
        say.result = LAZ_GATE_INCONCLUSIVE;
        say.is_final = !may_come;
        laz_gate_rows_add(rows, &say, "not every target says it");
    } else if (first == NULL) {
        say.result = LAZ_GATE_SKIPPED;
        laz_gate_rows_add(rows, &say, "nobody says it");
    } else {
        laz_gate_rows_add(rows, &say, "%s", first);
    }
}

/* What tells two versions apart: what the workload calls its own, or else its image. */
static const char *version_of(const struct laz_gate_sample *sample, bool by_image)
{
    return by_image ? sample->health.image_id : sample->health.version;
}

/* "": no document of the baseline says it. */
static void judge_version(
        const struct laz_gate_case *judged, const char *target, struct laz_gate_rows *rows)
{
    const struct laz_gate_sample *last = laz_gate_sample_last(judged->samples, target);
    const struct laz_gate_samples *base = judged->baseline;
    struct laz_gate_say say = {.check = "version",
            .target = target,
            .result = LAZ_GATE_INCONCLUSIVE,
            .wanted = "another version than the baseline's"};
    bool by_image = last != NULL && last->health.version[0] == '\0';
    const char *ours = last == NULL ? "" : version_of(last, by_image);
    bool is_known = ours[0] != '\0';
    size_t compared = 0;
    for (size_t i = 0; i < base->n && is_known; i++) {
        const char *theirs = version_of(&base->items[i], by_image);
        if (!base->items[i].has_document) {
            continue;
        }
        compared++;
        is_known = theirs[0] != '\0';
        if (is_known && strcmp(theirs, ours) == 0) {
            say.result = LAZ_GATE_FAIL;
            laz_gate_rows_add(rows, &say, "%s, as the baseline", ours);
            return;
        }
    }
    say.result = is_known && compared > 0 ? LAZ_GATE_PASS : LAZ_GATE_INCONCLUSIVE;
    /* The baseline is a file; a version comes with the first document, an image from ECS. */
    say.is_final = say.result == LAZ_GATE_INCONCLUSIVE && last != NULL &&
            (ours[0] != '\0' || !last->health.has_ecs);
    laz_gate_rows_add(rows, &say, "%s",
            say.result == LAZ_GATE_PASS ? ours
                    : last == NULL      ? "no document"
                    : ours[0] == '\0'   ? "it does not say: have version-from name a variable"
                                        : "the baseline does not say");
}

static bool has_baseline(const struct laz_gate_case *judged)
{
    for (size_t i = 0; i < judged->n_inputs; i++) {
        if (judged->inputs[i].kind == LAZ_GATE_INPUT_BASELINE) {
            return true;
        }
    }
    return false;
}

/* Who can be ended is asked for nothing that a colour has to be, but its evidence is of now. */
void laz_gate_judge_time(const struct laz_gate_case *judged, struct laz_gate_rows *rows)
{
    for (size_t i = 0; i < judged->n_targets; i++) {
        judge_fact(judged, &skew, judged->targets[i], rows);
    }
}

void laz_gate_judge_facts(const struct laz_gate_case *judged, struct laz_gate_rows *rows)
{
    const struct laz_gate_config *config = judged->config;
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
        const struct laz_gate_say say = {
                .check = facts[i].check, .target = "", .result = LAZ_GATE_SKIPPED, .wanted = ""};
        if (!facts[i].is_wanted(config)) {
            laz_gate_rows_add(rows, &say, "not required");
            continue;
        }
        for (size_t j = 0; j < judged->n_targets; j++) {
            judge_fact(judged, &facts[i], judged->targets[j], rows);
        }
    }
    laz_gate_judge_time(judged, rows);
    if (!config->require.any_policy) {
        judge_one(
                judged, "one-policy", offsetof(struct laz_gate_health, policy_sha256), false, rows);
        judge_one(
                judged, "one-config", offsetof(struct laz_gate_health, config_sha256), true, rows);
    }
    for (size_t i = 0; i < judged->n_targets && has_baseline(judged); i++) {
        if (judged->mode == LAZ_GATE_PROMOTE) {
            judge_version(judged, judged->targets[i], rows);
        }
    }
}
