/* SPDX-License-Identifier: Apache-2.0
 *
 * The documents. docs/reference/health.md; policies/health-1.schema.json.
 */
#include "health/document.h"

#include <string.h>

#include "confine/degradation.h"
#include "core/json.h"
#include "core/record.h"
#include "policy/vocabulary.h"

#define NS_PER_S      UINT64_C(1000000000)
#define NS_PER_MS     UINT64_C(1000000)
#define S_PER_DAY     86400
#define ASK_AGAIN_MAX 10U

enum laz_health_question laz_health_question_of_path(const char *path)
{
    static const char *const paths[] = {
#define X(id, path, byte) path,
            LAZ_HEALTH_QUESTIONS(X)
#undef X
    };
    size_t i = 0;
    while (i < LAZ_HEALTH_QUESTION_COUNT && strcmp(path, paths[i]) != 0) {
        i++;
    }
    return (enum laz_health_question)i;
}

enum laz_health_question laz_health_question_of_byte(char byte)
{
    static const char bytes[] = {
#define X(id, path, byte) byte,
            LAZ_HEALTH_QUESTIONS(X)
#undef X
    };
    size_t i = 0;
    while (i < LAZ_HEALTH_QUESTION_COUNT && (byte == '\0' || byte != bytes[i])) {
        i++;
    }
    return (enum laz_health_question)i;
}

bool laz_health_is_fine(const struct laz_health *health, enum laz_health_question question)
{
    return question == LAZ_HEALTH_ASK_LIVE ? health->verdict.is_live
            : question == LAZ_HEALTH_ASK_READY
            ? health->verdict.is_ready
            : question != LAZ_HEALTH_ASK_STARTUP || health->verdict.is_started;
}

/* Milliseconds since the balancer's grace began; 0: it has not. */
static uint64_t drain_ms(const struct laz_health_view *view)
{
    const struct laz_health *health = view->health;
    bool drains = health->verdict.state == LAZ_HEALTH_IS_DRAINING;
    return drains ? (view->now.ns - health->drain.began_ns) / NS_PER_MS : 0;
}

unsigned laz_health_retry_after(const struct laz_health_view *view)
{
    uint64_t gone = drain_ms(view);
    uint64_t most = view->health->config->lb_max_ms;
    if (view->health->verdict.state != LAZ_HEALTH_IS_DRAINING) {
        return ASK_AGAIN_MAX / 2;
    }
    uint64_t left_s = gone >= most ? 1 : (most - gone + 999) / 1000;
    return left_s < 1 ? 1 : left_s > ASK_AGAIN_MAX ? ASK_AGAIN_MAX : (unsigned)left_s;
}

/* To the second: no more of it is known. */
static void put_second(struct laz_json *json, const char *key, uint64_t unix_s)
{
    const struct timespec when = {.tv_sec = (time_t)unix_s};
    char text[LAZ_RECORD_TIME_SIZE];
    laz_record_time(&when, text);
    size_t length = strcspn(text, ".");
    text[length++] = 'Z';
    laz_json_bytes(json, key, text, length);
}

static void put_time(struct laz_json *json, const char *key, uint64_t unix_s, uint32_t us)
{
    const struct timespec when = {.tv_sec = (time_t)unix_s, .tv_nsec = (long)us * 1000};
    char text[LAZ_RECORD_TIME_SIZE];
    laz_record_time(&when, text);
    laz_json_string(json, key, text);
}

static void put_word(struct laz_json *json, const char *key, const char *value)
{
    if (value[0] != '\0') {
        laz_json_string(json, key, value);
    }
}

/* What everybody may see of the three answers. */
static void put_answer(const struct laz_health_view *view, enum laz_health_question question,
        struct laz_json *json)
{
    static const char *const keys[] = {"live", "ready", "started"};
    const struct laz_health *health = view->health;
    const struct laz_health_verdict *verdict = &health->verdict;
    bool is_fine = laz_health_is_fine(health, question);
    laz_json_bool(json, keys[question], is_fine);
    laz_json_string(json, "state", laz_health_state_name(verdict->state));
    if (!is_fine) {
        laz_json_string(json, "reason", verdict->why);
        put_second(json, "since", health->since);
        if (question != LAZ_HEALTH_ASK_LIVE) {
            laz_json_u64(json, "retry_after_s", laz_health_retry_after(view));
        }
    }
    if (verdict->state == LAZ_HEALTH_IS_DRAINING) {
        laz_json_u64(json, "drain_elapsed_ms", drain_ms(view));
    }
    put_time(json, "now", view->now.unix_s, view->now_us);
    put_word(json, "color", view->facts->color);
    put_word(json, "version", view->facts->version);
}

/* ---- the whole document ---- */

static void put_build(const struct laz_health_view *view, struct laz_json *json)
{
    laz_json_object(json, "build");
    laz_json_string(json, "version", LAZARET_VERSION);
    put_word(json, "policy", view->facts->policy);
    put_word(json, "policy_sha256", view->facts->digest);
    /* The policy is all the configuration that there is. */
    put_word(json, "config_sha256", view->facts->digest);
    laz_json_object_end(json);
}

static void put_app(const struct laz_health_view *view, struct laz_json *json)
{
    const struct laz_status *status = &view->health->status;
    laz_json_object(json, "app");
    laz_json_u64(json, "pid", status->pid < 0 ? 0 : (uint64_t)status->pid);
    laz_json_u64(json, "restarts", 0); /* a workload that ends ends the container */
    laz_json_u64(json, "signals", status->signals);
    laz_json_u64(json, "reaped", status->reaped);
    laz_json_u64(json, "helper_restarts", status->restarts);
    if (status->phase >= LAZ_PHASE_DRAINING) {
        laz_json_i64(json, "exit", status->exit_code);
    }
    laz_json_object_end(json);
}

static void put_policy(const struct laz_health_view *view, struct laz_json *json)
{
    static const char *const degradations[] = {
#define X(id, name, meaning) name,
            LAZ_DEGRADATIONS(X)
#undef X
    };
    const struct laz_status *status = &view->health->status;
    laz_json_object(json, "policy");
    laz_json_string(json, "mode", laz_mode_name((enum laz_mode)status->mode));
    laz_json_u64(json, "violations", status->denied);
    laz_json_u64(json, "held", status->held);
    laz_json_array(json, "degraded");
    for (unsigned i = 0; i < LAZ_DEGRADATION_COUNT; i++) {
        if ((status->degraded >> i & 1U) != 0) {
            laz_json_string(json, NULL, degradations[i]);
        }
    }
    laz_json_array_end(json);
    laz_json_object_end(json);
}

/* What is fetched and expires; its key fits, or it would not have been delivered. */
static void put_certificates(const struct laz_health_view *view, struct laz_json *json)
{
    const struct laz_health *health = view->health;
    laz_json_array(json, "tls");
    for (uint32_t i = 0; i < health->status.n_items && i < health->config->n_items; i++) {
        const struct laz_status_item *item = &health->status.items[i];
        if (item->expires == 0) {
            continue;
        }
        int64_t left_s = (int64_t)item->expires - (int64_t)view->now.unix_s;
        laz_json_object(json, NULL);
        laz_json_string(json, "name", health->config->items[i]);
        put_second(json, "not_after", item->expires);
        bool is_over =
                item->state == LAZ_CONTROL_EXPIRED || left_s <= 0; /* init's clock may be ahead */
        laz_json_i64(json, "days_left", is_over ? -1 : left_s / S_PER_DAY);
        laz_json_bool(json, "key_match", true);
        laz_json_object_end(json);
    }
    laz_json_array_end(json);
    laz_json_array(json, "items");
    for (uint32_t i = 0; i < health->status.n_items && i < health->config->n_items; i++) {
        laz_json_object(json, NULL);
        laz_json_string(json, "name", health->config->items[i]);
        laz_json_string(json, "state", laz_control_state_name(health->status.items[i].state));
        laz_json_object_end(json);
    }
    laz_json_array_end(json);
}

static void put_sinks(const struct laz_health_gauges *gauges, struct laz_json *json)
{
    laz_json_array(json, "logs");
    for (uint32_t i = 0; i < gauges->n_sinks; i++) {
        const struct laz_health_sink *sink = &gauges->sinks[i];
        laz_json_object(json, NULL);
        laz_json_string(json, "sink", sink->name);
        laz_json_bool(json, "required", sink->is_required);
        laz_json_bool(json, "up", sink->is_up);
        laz_json_u64(json, "backlog_bytes", sink->behind_bytes);
        laz_json_u64(json, "dropped", sink->dropped);
        if (sink->has_ack) {
            laz_json_u64(json, "last_ack_age_s", sink->ack_age_s);
        }
        laz_json_object_end(json);
    }
    laz_json_array_end(json);
    if (gauges->has_spool) {
        laz_json_object(json, "spool");
        laz_json_u64(json, "used", gauges->spool_used);
        laz_json_u64(json, "limit", gauges->spool_limit);
        laz_json_bool(json, "full", gauges->spool_is_full);
        laz_json_object_end(json);
    }
}

static void put_checks(const struct laz_health *health, struct laz_json *json)
{
    laz_json_array(json, "checks");
    for (uint32_t i = 0; i < health->config->n_checks; i++) {
        const struct laz_health_watch *watch = &health->watches[i];
        laz_json_object(json, NULL);
        laz_json_string(json, "name", watch->check->name);
        laz_json_string(json, "list", laz_health_list_name(watch->check->list));
        laz_json_string(json, "kind", laz_health_kind_name(watch->check->kind));
        laz_json_bool(json, "ok", watch->is_up);
        laz_json_u64(json, "fails", watch->has_ended && !watch->last_ok ? watch->in_a_row : 0);
        if (watch->has_ended) {
            laz_json_u64(json, "ms", watch->last_ms);
        }
        put_word(json, "why", watch->why);
        laz_json_object_end(json);
    }
    laz_json_array_end(json);
}

static void put_net(const struct laz_health_view *view, struct laz_json *json)
{
    const struct laz_health *health = view->health;
    laz_json_object(json, "net");
    if (!health->sample.is_known) {
        laz_json_string(json, "reason", "/proc/net cannot be read");
    } else {
        laz_json_u64(json, "established", health->sample.established);
        laz_json_u64(json, "passive_opens", health->sample.opens);
        if (health->last_new_ns != 0) {
            laz_json_u64(
                    json, "last_new_conn_age_s", (view->now.ns - health->last_new_ns) / NS_PER_S);
        }
    }
    laz_json_object_end(json);
}

static void put_rest(const struct laz_health_view *view, struct laz_json *json)
{
    const struct laz_health *health = view->health;
    laz_json_bool(json, "pid1", view->facts->is_pid1);
    put_build(view, json);
    put_app(view, json);
    put_policy(view, json);
    put_certificates(view, json);
    put_sinks(&health->gauges, json);
    put_checks(health, json);
    put_net(view, json);
    if (health->gauges.ecs_length > 0) {
        laz_buf_str(json->buf, ",\"ecs\":"); /* a value that was read, as it came */
        laz_buf_put(json->buf, health->gauges.ecs, health->gauges.ecs_length);
    }
}

static void put_whole(const struct laz_health_view *view, bool is_full, struct laz_json *json)
{
    const struct laz_health *health = view->health;
    const struct laz_health_verdict *verdict = &health->verdict;
    laz_json_string(json, "schema", "lazaret.health/1");
    laz_json_string(json, "state", laz_health_state_name(verdict->state));
    laz_json_bool(json, "live", verdict->is_live);
    laz_json_bool(json, "ready", verdict->is_ready);
    laz_json_bool(json, "started", verdict->is_started);
    put_word(json, "reason", verdict->why);
    put_second(json, "since", health->since);
    put_time(json, "now", view->now.unix_s, view->now_us);
    if (health->status.started_ns != 0 && view->now.ns >= health->status.started_ns) {
        laz_json_u64(json, "uptime_s", (view->now.ns - health->status.started_ns) / NS_PER_S);
    }
    if (verdict->state == LAZ_HEALTH_IS_DRAINING) {
        laz_json_u64(json, "drain_elapsed_ms", drain_ms(view));
    }
    put_word(json, "color", view->facts->color);
    put_word(json, "version", view->facts->version);
    if (is_full) {
        put_rest(view, json);
    }
}

void laz_health_write_answer(const struct laz_health_view *view, enum laz_health_question question,
        bool is_full, struct laz_buf *ret)
{
    struct laz_json json;
    if (question == LAZ_HEALTH_ASK_METRICS) {
        laz_health_write_metrics(view, is_full, ret);
        return;
    }
    laz_json_init(&json, ret);
    laz_json_object(&json, NULL);
    if (question == LAZ_HEALTH_ASK_WHOLE) {
        put_whole(view, is_full, &json);
    } else {
        put_answer(view, question, &json);
    }
    laz_json_object_end(&json);
    laz_buf_char(ret, '\n');
}

void laz_health_write_line(
        const struct laz_health_view *view, enum laz_health_question question, struct laz_buf *ret)
{
    static const char *const yes[] = {"live", "ready", "started"};
    static const char *const no[] = {"not live", "not ready", "not started"};
    const struct laz_health *health = view->health;
    bool is_fine = laz_health_is_fine(health, question);
    laz_buf_printf(ret, "%s", is_fine ? yes[question] : no[question]);
    if (!is_fine || question == LAZ_HEALTH_ASK_LIVE) {
        laz_buf_printf(
                ret, "%s%s", health->verdict.why[0] == '\0' ? "" : ": ", health->verdict.why);
    }
    laz_buf_printf(ret, " state=%s", laz_health_state_name(health->verdict.state));
    for (uint32_t i = 0; i < health->config->n_checks; i++) {
        const struct laz_health_watch *watch = &health->watches[i];
        if (!watch->is_up && watch->has_ended) {
            laz_buf_printf(ret, " %s=failed(%u)", watch->check->name, watch->in_a_row);
        }
    }
    if (health->status.started_ns != 0 && view->now.ns >= health->status.started_ns) {
        laz_buf_printf(ret, " uptime=%llus",
                (unsigned long long)((view->now.ns - health->status.started_ns) / NS_PER_S));
    }
}
