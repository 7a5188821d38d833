/* SPDX-License-Identifier: Apache-2.0
 *
 * What is right by itself and surely a trap: checks that cannot pass, containers that are replaced
 * for one bad moment, stops that cost requests. Warns and never refuses: who knows better has it.
 */
#include <inttypes.h>
#include <string.h>

#include "policy/address.h"
#include "policy/merge.h"

static bool is_tunnel(const struct laz_policy *policy, uint16_t port)
{
    const struct laz_tunnel_config *config = &policy->tunneling.config;
    bool is = false;
    for (uint32_t i = 0; i < config->n_entries; i++) {
        is = is || config->entries[i].bind.port == port;
    }
    return is;
}

/* Nobody of this container may listen there; a neighbour in its network might. */
static void warn_of_port(struct laz_merge *merge, uint32_t i)
{
    static const enum laz_field_id fields[LAZ_HEALTH_KIND_COUNT] = {
            [LAZ_HEALTH_TCP] = LAZ_FIELD_CHECK_TCP,
            [LAZ_HEALTH_HTTP] = LAZ_FIELD_CHECK_HTTP,
            [LAZ_HEALTH_GRPC] = LAZ_FIELD_CHECK_GRPC,
    };
    const struct laz_policy *policy = merge->policy;
    const struct laz_health_check *check = &policy->watching.config.checks[i];
    bool is_free = policy->tcp_bind.any || laz_complete_is_wrong(merge, LAZ_FIELD_NETWORK) ||
            policy->require[LAZ_REQUIRE_LANDLOCK] == LAZ_LEVEL_DISABLED;
    if (check->kind == LAZ_HEALTH_EXEC || is_free ||
            !laz_host_is_loopback(check->host, strlen(check->host)) ||
            laz_ports_have(&policy->tcp_bind, check->port) || is_tunnel(policy, check->port) ||
            check->port == policy->watching.config.port) {
        return;
    }
    const struct laz_node *node = laz_check_child(merge->checks[i], fields[check->kind]);
    if (node != NULL) {
        laz_report_warning(merge->report, node,
                "\"network.tcp-bind\" does not have %u: the workload may not listen there, and the "
                "check would never pass",
                check->port);
    }
}

/* The error is that not one attempt fits; with one alone the first miss is the end. */
static void warn_of_deadline(struct laz_merge *merge, const struct laz_health_check *check)
{
    const struct laz_node *deadline = merge->said[LAZ_FIELD_STARTUP_DEADLINE];
    uint32_t deadline_ms = merge->policy->watching.config.startup_deadline_ms;
    if (deadline != NULL && check->list == LAZ_HEALTH_STARTUP && check->timeout_ms < deadline_ms &&
            deadline_ms <= check->every_ms) {
        laz_report_warning(merge->report, deadline,
                "not more than \"every\" of check \"%s\": it is tried once, and the run ends if "
                "that "
                "fails",
                check->name);
    }
}

/* Whoever asks whether it lives comes from outside, and is seen when it waits for an answer. */
static void warn_of_sense(struct laz_merge *merge, bool has_live)
{
    const struct laz_sensing *sensing = &merge->policy->sensing;
    bool is_expected = sensing->config.level[LAZ_DETECTOR_FOREIGN] == LAZ_LEVEL_DISABLED;
    for (size_t i = 0; i < sensing->foreign.n; i++) {
        is_expected = is_expected || strcmp(sensing->foreign.items[i], "lazaret-init") == 0;
    }
    if (has_live && sensing->is_said && !is_expected) {
        laz_report_warning_at(merge->report, merge->policy->key_pos[LAZ_FIELD_SENSE],
                "sense: the health command lazaret-init, which \"health.live\" is for, would be "
                "told as exec.foreign: name it under \"sense.foreign.allow\"");
    }
}

/* Nobody counts who comes there, and Landlock has no rule for it: that a workload serves UDP is
 * known where its author says so. */
static void warn_of_udp(struct laz_merge *merge)
{
    const struct laz_sensing *sensing = &merge->policy->sensing;
    uint32_t grace_ms = merge->policy->shutdown.lb_grace_ms;
    bool is_whole = merge->policy->watching.config.lb_least_ms >= grace_ms;
    for (uint32_t i = 0; i < sensing->n_ports_said && !is_whole; i++) {
        if (sensing->config.ports[i].protocol == LAZ_SENSE_UDP) {
            laz_report_warning_at(merge->report, sensing->port_pos[i],
                    "sense.listen.allow: nobody counts who comes by UDP: while port %u is open to "
                    "others a drain takes all of \"shutdown.lb-grace\", %" PRIu32
                    "ms; if that is meant, say \"lb-grace-least: %" PRIu32 "ms\"",
                    sensing->config.ports[i].port, grace_ms, grace_ms);
            return;
        }
    }
}

void laz_warn_health(struct laz_merge *merge)
{
    const struct laz_policy *policy = merge->policy;
    const struct laz_health_config *config = &policy->watching.config;
    const struct laz_node *fall = merge->said[LAZ_FIELD_LIVE_FALL];
    bool has_live = false;
    if (merge->report->diagnostics->n_errors > 0) {
        return; /* those first: a port that is wrong is in nobody's list */
    }
    for (uint32_t i = 0; i < config->n_checks; i++) {
        warn_of_port(merge, i);
        warn_of_deadline(merge, &config->checks[i]);
        has_live = has_live || config->checks[i].list == LAZ_HEALTH_LIVE;
    }
    if (has_live && fall != NULL && config->live_fall == 1) {
        laz_report_warning(merge->report, fall,
                "one slow answer and the container is replaced: 3 (the default) outlives a moment");
    }
    if (config->port != 0 && merge->said[LAZ_FIELD_SHUTDOWN_LB_GRACE] == NULL) {
        laz_report_warning(merge->report, merge->said[LAZ_FIELD_HEALTH_LISTEN],
                "\"shutdown.lb-grace\" is missing: a stop does not wait until the balancer sends "
                "nothing more; say how long, such as 25s, or 0s where none asks");
    }
    warn_of_sense(merge, has_live);
    warn_of_udp(merge);
}
