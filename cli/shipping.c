/* SPDX-License-Identifier: Apache-2.0
 *
 * Sinks in words: what is captured, where it goes, and what happens when it cannot go there.
 */
#include "cli/shipping.h"

#include "cli/explanation.h"
#include "policy/scalar.h"

static void put_classes(struct laz_buf *buf, const struct laz_ship_sink *sink)
{
    bool is_first = true;
    for (int i = 0; i < LAZ_SHIP_CLASS_COUNT; i++) {
        if ((sink->classes >> i & 1) != 0) {
            laz_buf_printf(
                    buf, "%s%s", is_first ? "" : "+", laz_ship_class_name((enum laz_ship_class)i));
            is_first = false;
        }
    }
}

/* ---- check ---- */

void laz_shipping_put(struct laz_buf *buf, const struct laz_policy *policy)
{
    const struct laz_ship_config *config = &policy->shipping.config;
    for (uint32_t i = 0; i < config->n_sinks; i++) {
        const struct laz_ship_sink *sink = &config->sinks[i];
        laz_buf_printf(buf, "  %-12s%s (%s%s): %s\n", i == 0 ? "sinks" : "", sink->name,
                laz_sink_type_name(sink->type), sink->required ? ", required" : "",
                laz_ship_guarantee(sink));
    }
}

void laz_shipping_json(struct laz_json *json, const struct laz_policy *policy)
{
    const struct laz_ship_config *config = &policy->shipping.config;
    laz_json_array(json, "sinks");
    for (uint32_t i = 0; i < config->n_sinks; i++) {
        const struct laz_ship_sink *sink = &config->sinks[i];
        laz_json_object(json, NULL);
        laz_json_string(json, "name", sink->name);
        laz_json_string(json, "type", laz_sink_type_name(sink->type));
        laz_json_bool(json, "required", sink->required);
        laz_json_array(json, "classes");
        for (int k = 0; k < LAZ_SHIP_CLASS_COUNT; k++) {
            if ((sink->classes >> k & 1) != 0) {
                laz_json_string(json, NULL, laz_ship_class_name((enum laz_ship_class)k));
            }
        }
        laz_json_array_end(json);
        laz_json_string(json, "guarantee", laz_ship_guarantee(sink));
        laz_json_object_end(json);
    }
    laz_json_array_end(json);
}

/* ---- explain ---- */

static struct laz_buf *add(struct laz_explanation *ret, const struct laz_policy *policy,
        const char *key, const char *field)
{
    return laz_lines_add(&ret->facts, policy, key, laz_policy_pos_of(policy, field));
}

static void put_destination(struct laz_buf *text, const struct laz_policy *policy, uint32_t i)
{
    const struct laz_ship_sink *sink = &policy->shipping.config.sinks[i];
    switch (sink->type) {
    case LAZ_SINK_FILE:
        laz_buf_printf(text, "appended to %s", sink->path);
        break;
    case LAZ_SINK_STDOUT:
        laz_buf_str(text, "to the container's standard output");
        break;
    case LAZ_SINK_RELP:
        laz_buf_printf(text, "to %s port %u by relp", sink->host, sink->port);
        break;
    case LAZ_SINK_SYSLOG:
        if (sink->transport == LAZ_TRANSPORT_UNIX) {
            laz_buf_printf(text, "to the socket %s by syslog", sink->path);
        } else {
            laz_buf_printf(text, "to %s port %u by syslog over %s", sink->host, sink->port,
                    laz_transport_name(sink->transport));
        }
        break;
    case LAZ_SINK_EMF:
        laz_buf_printf(text, "metrics of %s every %u ms", sink->space, sink->interval_ms);
        if (sink->group[0] == '\0') {
            laz_buf_str(text, " to the container's standard output");
            break;
        }
        laz_buf_char(text, ' ');
        __attribute__((fallthrough));
    case LAZ_SINK_CLOUDWATCH:
        laz_buf_printf(text, "to log group %s, stream %s, in %s", sink->group, sink->stream,
                sink->region[0] == '\0' ? "the container's region" : sink->region);
        if (sink->host[0] != '\0') {
            laz_buf_printf(text, ", by %s port %u", sink->host, sink->port);
        }
        laz_buf_str(text, sink->fips ? ", FIPS" : "");
        laz_buf_str(text, sink->imds ? ", by the instance's role if need be" : "");
        break;
    case LAZ_SINK_OSSEC:
        laz_buf_printf(text, "to %s port %u as an OSSEC agent", sink->host, sink->port);
        if (sink->enrol_host[0] != '\0') {
            laz_buf_printf(text, " that %s port %u enrols", sink->enrol_host, sink->enrol_port);
        }
        break;
    case LAZ_SINK_TYPE_COUNT:
        break;
    }
    if (sink->type == LAZ_SINK_OSSEC) {
        laz_buf_str(text, ", by an encryption that nothing authenticates");
    } else if (sink->has_tls && sink->tls_peer[0] == '\0') {
        laz_buf_str(text, ", encrypted");
    } else if (sink->has_tls) {
        laz_buf_printf(text, ", encrypted for %s", sink->tls_peer);
    } else if (policy->shipping.plain[i]) {
        laz_buf_str(text, ", NOT encrypted");
    }
    laz_buf_str(text, sink->required ? ", required" : "");
}

static void put_sinks(const struct laz_policy *policy, struct laz_explanation *ret)
{
    const struct laz_ship_config *config = &policy->shipping.config;
    for (uint32_t i = 0; i < config->n_sinks; i++) {
        const struct laz_ship_sink *sink = &config->sinks[i];
        struct laz_buf *text = laz_lines_add(
                &ret->facts, policy, "sinks", laz_policy_pos_of_sink(policy, i, "name"));
        laz_buf_printf(text, "%s: ", sink->name);
        put_classes(text, sink);
        if (sink->min_severity > 0) {
            laz_buf_printf(text, " from severity %u", sink->min_severity);
        }
        laz_buf_str(text, " ");
        put_destination(text, policy, i);
    }
}

static void put_redaction(const struct laz_policy *policy, struct laz_explanation *ret)
{
    const struct laz_policy_shipping *shipping = &policy->shipping;
    for (int i = 0; i < LAZ_REDACT_LITERAL; i++) {
        if ((shipping->config.redact >> i & 1) != 0) {
            laz_buf_str(laz_lines_add(&ret->facts, policy, "redacted", shipping->redact_pos[i]),
                    laz_redaction_name((enum laz_redaction)i));
        }
    }
    for (size_t i = 0; i < shipping->literals.n; i++) {
        laz_buf_printf(laz_lines_add(&ret->facts, policy, "redacted", shipping->literals.pos[i]),
                "the text \"%s\"", shipping->literals.items[i]);
    }
    if (shipping->config.redact == 0) {
        laz_buf_str(add(ret, policy, "redacted", "logs.redact"), "nothing");
    }
}

static void put_logs(const struct laz_policy *policy, struct laz_explanation *ret)
{
    const struct laz_ship_config *config = &policy->shipping.config;
    if (!policy->shipping.capture || !laz_policy_ships(policy, LAZ_SHIP_CLASS_LOG)) {
        laz_buf_printf(add(ret, policy, "captured", "logs.capture"), "nothing: %s",
                policy->shipping.capture ? "no sink takes class log" : "logs.capture is disabled");
        return;
    }
    struct laz_buf *text = add(ret, policy, "captured", "logs");
    laz_buf_str(text, "standard output and error, unless a terminal; lines of at most ");
    laz_size_format(config->max_line, text);
    laz_buf_printf(text, "%s",
            config->passthrough ? "; also to the container's own streams, unredacted" : "");
    if (config->multiline_start[0] != '\0') {
        laz_buf_printf(add(ret, policy, "records", "logs.multiline.start"),
                "begin where a line matches %s; wait %u ms for more", config->multiline_start,
                config->multiline_wait_ms);
    }
    put_redaction(policy, ret);
}

static void put_spool(const struct laz_policy *policy, struct laz_explanation *ret)
{
    const struct laz_policy_shipping *shipping = &policy->shipping;
    const struct laz_ship_config *config = &shipping->config;
    struct laz_buf *text = add(ret, policy, "spool", "spool");
    laz_buf_printf(text, "%s, ", shipping->spool_dir);
    laz_size_format(config->spool_max_bytes, text);
    laz_buf_str(text, " in files of ");
    laz_size_format(config->spool_segment_bytes, text);
    for (size_t i = 0; i < shipping->seal_to.n; i++) {
        laz_buf_str(laz_lines_add(&ret->facts, policy, "sealed to", shipping->seal_to.pos[i]),
                shipping->seal_to.items[i]);
    }
    if (shipping->seal_to.n == 0) {
        laz_buf_str(add(ret, policy, "sealed to", "spool.seal-to"),
                "nobody: what a killed container leaves cannot be read, and the next run on the "
                "same "
                "directory drops it");
    }
    laz_buf_str(add(ret, policy, "when full", "logs.when-full"),
            config->logs_block ? "the workload waits where it writes; other records have a reserve"
                               : "new lines are dropped and counted; other records have a reserve");
    text = add(ret, policy, "started", "audit.durability");
    if (config->durability_acked) {
        laz_buf_printf(text,
                "when every required sink has acknowledged the first records; after %u ms it "
                "is given up, with code 106",
                shipping->start_wait_ms);
    } else {
        laz_buf_str(text, "when the first records are in the spool");
    }
    laz_buf_printf(add(ret, policy, "signed", "audit.checkpoint"), "after %u records or %u ms",
            config->checkpoint_records, config->checkpoint_ms);
}

static void put_watched(const struct laz_policy *policy, struct laz_explanation *ret)
{
    const struct laz_sensing *sensing = &policy->sensing;
    const struct laz_sense_config *config = &sensing->config;
    if (!sensing->is_said) {
        laz_buf_str(add(ret, policy, "sensed", "sense"), "nothing");
        return;
    }
    struct laz_buf *text = add(ret, policy, "sensed", "sense");
    laz_buf_printf(text, "every %u ms:", config->interval_ms);
    for (int i = 0; i < LAZ_DETECTOR_COUNT; i++) {
        bool is_idle = (i == LAZ_DETECTOR_FILES && config->n_watch == 0) ||
                (i == LAZ_DETECTOR_PLAIN && !config->plain);
        if (config->level[i] != LAZ_LEVEL_DISABLED && !is_idle) {
            laz_buf_printf(text, " %s%s", laz_detector_name((enum laz_detector)i),
                    config->level[i] == LAZ_LEVEL_REQUIRED ? " (required)" : "");
        }
    }
    for (uint32_t i = 0; i < config->n_ports; i++) {
        struct laz_pos pos = i < sensing->n_ports_said
                ? sensing->port_pos[i]
                : laz_policy_pos_of(policy, "network.tcp-bind");
        laz_buf_printf(laz_lines_add(&ret->facts, policy, "expected", pos), "listening on %u/%s",
                config->ports[i].port, config->ports[i].protocol == LAZ_SENSE_UDP ? "udp" : "tcp");
    }
    for (size_t i = 0; i < sensing->watch.n; i++) {
        laz_buf_str(laz_lines_add(&ret->facts, policy, "watched", sensing->watch.pos[i]),
                sensing->watch.items[i]);
    }
    for (size_t i = 0; i < sensing->except.n; i++) {
        laz_buf_printf(laz_lines_add(&ret->facts, policy, "watched", sensing->except.pos[i]),
                "but not %s", sensing->except.items[i]);
    }
}

static void put_volumes(const struct laz_policy *policy, struct laz_explanation *ret)
{
    const struct laz_sense_config *config = &policy->sensing.config;
    for (uint32_t i = 0; i < config->n_volumes; i++) {
        const struct laz_sense_volume *volume = &config->volumes[i];
        struct laz_buf *text =
                laz_lines_add(&ret->facts, policy, "volume", laz_policy_pos_of(policy, "volumes"));
        laz_buf_printf(text, "%s: %s%s%s", volume->path, laz_volume_require_name(volume->require),
                volume->attested_by[0] == '\0' ? "" : ", by ", volume->attested_by);
    }
}

void laz_shipping_explain(const struct laz_policy *policy, struct laz_explanation *ret)
{
    if (policy->shipping.config.n_sinks == 0) {
        laz_buf_str(add(ret, policy, "sinks", "sinks"), "none");
        return;
    }
    put_sinks(policy, ret);
    put_logs(policy, ret);
    put_spool(policy, ret);
    put_watched(policy, ret);
    put_volumes(policy, ret);
}
