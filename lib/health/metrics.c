/* SPDX-License-Identifier: Apache-2.0
 *
 * Metrics, as Prometheus' text format (0.0.4) has them. Without names of items, sinks and checks
 * for those who may not see the whole document.
 */
#include "core/buf.h"
#include "health/document.h"
#include "policy/vocabulary.h"

#define NS_PER_S  UINT64_C(1000000000)
#define LABEL_MAX 256 /* bytes of a word of the task's metadata */

struct out {
    struct laz_buf *buf;
};

static void head(const struct out *out, const char *name, const char *type, const char *help)
{
    laz_buf_printf(
            out->buf, "# HELP lazaret_%s %s\n# TYPE lazaret_%s %s\n", name, help, name, type);
}

/* A label's value: quotes, backslashes and line feeds are escaped; other bytes go as they are. */
static void put_text(const struct out *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            laz_buf_char(out->buf, '\\');
        }
        if (*text == '\n') {
            laz_buf_str(out->buf, "\\n");
        } else {
            laz_buf_char(out->buf, *text);
        }
    }
}

static void label(const struct out *out, const char *key, const char *value, bool is_first)
{
    laz_buf_printf(out->buf, "%s%s=\"", is_first ? "{" : ",", key);
    put_text(out, value);
    laz_buf_char(out->buf, '"');
}

static void end_labels(const struct out *out, uint64_t value)
{
    laz_buf_printf(out->buf, "} %llu\n", (unsigned long long)value);
}

static void plain(
        const struct out *out, const char *name, const char *type, const char *help, uint64_t value)
{
    head(out, name, type, help);
    laz_buf_printf(out->buf, "lazaret_%s %llu\n", name, (unsigned long long)value);
}

/* Milliseconds, in seconds. */
static void put_seconds(const struct out *out, uint64_t ms)
{
    laz_buf_printf(out->buf, " %llu.%03llu\n", (unsigned long long)(ms / 1000),
            (unsigned long long)(ms % 1000));
}

static void put_state(const struct out *out, const struct laz_health *health)
{
    head(out, "state", "gauge", "1 for the state that it is in.");
    for (unsigned i = 0; i < LAZ_HEALTH_STATE_COUNT; i++) {
        laz_buf_str(out->buf, "lazaret_state");
        label(out, "state", laz_health_state_name((enum laz_health_state)i), true);
        end_labels(out, health->verdict.state == i ? 1 : 0);
    }
    head(out, "state_transitions_total", "counter", "Changes of state.");
    for (unsigned i = 0; i < LAZ_HEALTH_STATE_COUNT; i++) {
        for (unsigned k = 0; k < LAZ_HEALTH_STATE_COUNT; k++) {
            if (health->transitions[i][k] == 0) {
                continue;
            }
            laz_buf_str(out->buf, "lazaret_state_transitions_total");
            label(out, "from", laz_health_state_name((enum laz_health_state)i), true);
            label(out, "to", laz_health_state_name((enum laz_health_state)k), false);
            end_labels(out, health->transitions[i][k]);
        }
    }
    plain(out, "live", "gauge", "1 while /livez says yes.", health->verdict.is_live ? 1 : 0);
    plain(out, "ready", "gauge", "1 while /readyz says yes.", health->verdict.is_ready ? 1 : 0);
}

static void put_check_labels(
        const struct out *out, const char *metric, const struct laz_health_watch *watch)
{
    laz_buf_printf(out->buf, "lazaret_%s", metric);
    label(out, "name", watch->check->name, true);
    label(out, "kind", laz_health_list_name(watch->check->list), false);
}

static void put_checks(const struct out *out, const struct laz_health *health)
{
    if (health->config->n_checks == 0) {
        return;
    }
    head(out, "check_ok", "gauge", "1 while a check counts as passed, after rise and fall.");
    for (uint32_t i = 0; i < health->config->n_checks; i++) {
        put_check_labels(out, "check_ok", &health->watches[i]);
        end_labels(out, health->watches[i].is_up ? 1 : 0);
    }
    head(out, "check_duration_seconds", "gauge", "How long a check took the last time.");
    for (uint32_t i = 0; i < health->config->n_checks; i++) {
        put_check_labels(out, "check_duration_seconds", &health->watches[i]);
        laz_buf_char(out->buf, '}');
        put_seconds(out, health->watches[i].last_ms);
    }
    head(out, "check_failures_total", "counter", "How often a check failed.");
    for (uint32_t i = 0; i < health->config->n_checks; i++) {
        put_check_labels(out, "check_failures_total", &health->watches[i]);
        end_labels(out, health->watches[i].n_failures);
    }
}

static void put_run(const struct out *out, const struct laz_health *health)
{
    const struct laz_status *status = &health->status;
    plain(out, "app_restarts_total", "counter",
            "Restarts of the workload: none, its end is the container's.", 0);
    if (health->started_ms != 0) {
        head(out, "app_start_seconds", "gauge", "From the start to the end of start-up checks.");
        laz_buf_str(out->buf, "lazaret_app_start_seconds");
        put_seconds(out, health->started_ms);
    }
    plain(out, "signals_total", "counter", "Signals passed on to the workload.", status->signals);
    plain(out, "reaped_total", "counter", "Orphans reaped.", status->reaped);
    plain(out, "helper_restarts_total", "counter", "Restarts of helpers.", status->restarts);
    plain(out, "policy_violations_total", "counter", "System calls refused.", status->denied);
    if (health->drained_ms != 0) {
        head(out, "drain_seconds", "gauge", "How long the balancer's grace was.");
        laz_buf_str(out->buf, "lazaret_drain_seconds");
        put_seconds(out, health->drained_ms);
    }
    plain(out, "drain_timeouts_total", "counter",
            "Drains that nothing but the end of lb-grace ended.", health->drain_timeouts);
}

static void put_net(const struct out *out, const struct laz_health_view *view)
{
    const struct laz_health *health = view->health;
    if (!health->sample.is_known) {
        return;
    }
    plain(out, "connections_established", "gauge", "Clients of the workload.",
            health->sample.established);
    plain(out, "connections_accepted_total", "counter",
            "Connections accepted in this network namespace, without health's own.",
            health->sample.opens);
    if (health->last_new_ns != 0) {
        plain(out, "last_connection_age_seconds", "gauge", "Since a new connection was seen.",
                (view->now.ns - health->last_new_ns) / NS_PER_S);
    }
}

static void put_sinks(const struct out *out, const struct laz_health *health)
{
    const struct laz_health_gauges *gauges = &health->gauges;
    plain(out, "gauges_refused_total", "counter",
            "Reports on sinks and the spool that could not be read.", health->bad_gauges);
    if (gauges->n_sinks == 0) {
        return;
    }
    head(out, "sink_up", "gauge", "1 while a sink takes records.");
    for (uint32_t i = 0; i < gauges->n_sinks; i++) {
        laz_buf_str(out->buf, "lazaret_sink_up");
        label(out, "sink", gauges->sinks[i].name, true);
        end_labels(out, gauges->sinks[i].is_up ? 1 : 0);
    }
    head(out, "log_backlog_bytes", "gauge", "What a sink has not got yet.");
    for (uint32_t i = 0; i < gauges->n_sinks; i++) {
        laz_buf_str(out->buf, "lazaret_log_backlog_bytes");
        label(out, "sink", gauges->sinks[i].name, true);
        end_labels(out, gauges->sinks[i].behind_bytes);
    }
    head(out, "log_dropped_total", "counter",
            "Records that a sink will never get, since ship was started.");
    for (uint32_t i = 0; i < gauges->n_sinks; i++) {
        laz_buf_str(out->buf, "lazaret_log_dropped_total");
        label(out, "sink", gauges->sinks[i].name, true);
        end_labels(out, gauges->sinks[i].dropped);
    }
}

static void put_certificates(const struct out *out, const struct laz_health *health)
{
    bool has_head = false;
    for (uint32_t i = 0; i < health->status.n_items && i < health->config->n_items; i++) {
        if (health->status.items[i].expires == 0) {
            continue;
        }
        if (!has_head) {
            head(out, "tls_not_after_timestamp_seconds", "gauge", "When a certificate ends.");
            has_head = true;
        }
        laz_buf_str(out->buf, "lazaret_tls_not_after_timestamp_seconds");
        label(out, "name", health->config->items[i], true);
        end_labels(out, health->status.items[i].expires);
    }
}

static void put_task(const struct out *out, const struct laz_health_gauges *gauges)
{
    static const char *const keys[] = {
            "launch_type", "cluster", "family", "revision", "service", "az"};
    if (gauges->ecs_length == 0) {
        return;
    }
    head(out, "ecs_info", "gauge", "What the task's metadata says.");
    laz_buf_str(out->buf, "lazaret_ecs_info");
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        char value[LABEL_MAX];
        laz_health_gauges_task(gauges, keys[i], value, sizeof(value));
        label(out, keys[i], value, i == 0);
    }
    end_labels(out, 1);
}

static void put_infos(const struct out *out, const struct laz_health_view *view)
{
    head(out, "build_info", "gauge", "Which version answers.");
    laz_buf_str(out->buf, "lazaret_build_info");
    label(out, "version", LAZARET_VERSION, true);
    label(out, "color", view->facts->color, false);
    label(out, "app_version", view->facts->version, false);
    end_labels(out, 1);
}

static void put_policy(const struct out *out, const struct laz_health_view *view)
{
    head(out, "policy_info", "gauge", "The policy that holds.");
    laz_buf_str(out->buf, "lazaret_policy_info");
    label(out, "sha256", view->facts->digest, true);
    label(out, "mode", laz_mode_name((enum laz_mode)view->health->status.mode), false);
    end_labels(out, 1);
}

void laz_health_write_metrics(const struct laz_health_view *view, bool is_full, struct laz_buf *ret)
{
    const struct out out = {.buf = ret};
    put_infos(&out, view);
    put_state(&out, view->health);
    put_run(&out, view->health);
    put_net(&out, view);
    if (is_full) {
        put_policy(&out, view);
        put_task(&out, &view->health->gauges);
        put_checks(&out, view->health);
        put_sinks(&out, view->health);
        put_certificates(&out, view->health);
    }
}
