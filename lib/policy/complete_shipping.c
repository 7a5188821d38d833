/* SPDX-License-Identifier: Apache-2.0
 *
 * What only the whole policy shows about sinks, logs, audit and spool; and what of it is given up,
 * by name.
 */
#include <inttypes.h>
#include <string.h>

#include "policy/merge.h"
#include "policy/scalar.h"

/* Users of Lazaret's own helpers, one each. */
#define HELPER_UID_FIRST 65311
#define HELPER_UID_LAST  65315

/* ---- Contradictions ---- */

static struct laz_document *document_at(const struct laz_merge *merge, size_t i)
{
    return &merge->load->documents[merge->load->order[i]];
}

/* Keys that mean nothing without a sink. */
static void report_unused(struct laz_merge *merge)
{
    static const enum laz_field_id unused[] = {LAZ_FIELD_LOGS, LAZ_FIELD_AUDIT, LAZ_FIELD_SPOOL,
            LAZ_FIELD_SENSE, LAZ_FIELD_SHUTDOWN_FLUSH};
    for (size_t i = 0; i < merge->load->n_order; i++) {
        for (size_t k = 0; k < sizeof(unused) / sizeof(unused[0]); k++) {
            struct laz_node *node = document_at(merge, i)->at[unused[k]];
            if (node != NULL && !node->is_bad) {
                laz_report_key(merge->report, LAZ_E_POLICY_INVALID, node,
                        "no sink takes it: name one%s under \"sinks\"",
                        unused[k] == LAZ_FIELD_SENSE ? " that takes class \"ids\"" : "");
            }
        }
    }
}

static void warn_without_logs(struct laz_merge *merge)
{
    for (size_t i = 0; i < merge->load->n_order; i++) {
        const struct laz_node *node = document_at(merge, i)->at[LAZ_FIELD_LOGS];
        if (node != NULL && node->n_children > 0) {
            laz_report_warning(merge->report, node,
                    "no sink takes class \"log\": what the workload writes is not captured");
        }
    }
}

void laz_complete_user(struct laz_merge *merge, const char *where)
{
    uint32_t uid = merge->policy->uid;
    struct laz_node *user = merge->said[LAZ_FIELD_WORKLOAD_USER];
    if (user != NULL && !user->is_bad && uid >= HELPER_UID_FIRST && uid <= HELPER_UID_LAST) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, user,
                "where there are %s, users %d to %d are Lazaret's own", where, HELPER_UID_FIRST,
                HELPER_UID_LAST);
    }
}

static void check_segment(struct laz_merge *merge)
{
    const struct laz_ship_config *config = &merge->policy->shipping.config;
    struct laz_node *segment = merge->said[LAZ_FIELD_SPOOL_SEGMENT];
    if (segment == NULL ||
            config->spool_segment_bytes <= config->spool_max_bytes / LAZ_SHIP_SEGMENTS_MIN) {
        return;
    }
    struct laz_buf max;
    char text[LAZ_NAME_LENGTH_MAX];
    laz_buf_init_fixed(&max, text, sizeof(text));
    laz_size_format(config->spool_max_bytes, &max);
    laz_report_node(merge->report, LAZ_E_POLICY_INVALID, segment,
            "must be at most a quarter of \"spool.max\", which is %s", text);
}

static void check_redaction(struct laz_merge *merge)
{
    const struct laz_policy_shipping *shipping = &merge->policy->shipping;
    struct laz_node *mrn = merge->said[LAZ_FIELD_REDACT_MRN];
    bool is_wanted = (shipping->config.redact >> LAZ_REDACT_MRN & 1) != 0;
    if (laz_complete_is_wrong(merge, LAZ_FIELD_LOGS)) {
        return;
    }
    if (is_wanted && mrn == NULL) {
        laz_report_at(merge->report, LAZ_E_POLICY_INVALID, shipping->redact_pos[LAZ_REDACT_MRN],
                "logs.redact.patterns: \"mrn\" has no form of its own: give its pattern as "
                "\"logs.redact.mrn\"");
    }
    if (!is_wanted && mrn != NULL) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, mrn,
                "would redact nothing: name \"mrn\" under \"logs.redact.patterns\" too");
    }
}

static bool has_required(const struct laz_ship_config *config)
{
    for (uint32_t i = 0; i < config->n_sinks; i++) {
        if (config->sinks[i].required &&
                (config->sinks[i].classes >> LAZ_SHIP_CLASS_AUDIT & 1) != 0) {
            return true;
        }
    }
    return false;
}

static void check_durability(struct laz_merge *merge)
{
    const struct laz_ship_config *config = &merge->policy->shipping.config;
    struct laz_node *node = merge->said[LAZ_FIELD_AUDIT_DURABILITY];
    if (node != NULL && config->durability_acked && !has_required(config)) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, node,
                "nobody would acknowledge: no sink is \"required\" and takes class \"audit\"");
    }
}

/* Two writers of one file would each miss what the other wrote. */
static void check_files(struct laz_merge *merge)
{
    const struct laz_ship_config *config = &merge->policy->shipping.config;
    for (uint32_t i = 0; i < config->n_sinks; i++) {
        for (uint32_t k = 0; k < i; k++) {
            const struct laz_ship_sink *other = &config->sinks[k];
            struct laz_node *path = laz_check_child(merge->sinks[i], LAZ_FIELD_SINK_PATH);
            if (path != NULL && config->sinks[i].type == LAZ_SINK_FILE &&
                    other->type == LAZ_SINK_FILE && strcmp(other->path, path->text) == 0) {
                laz_report_node(merge->report, LAZ_E_POLICY_INVALID, path,
                        "sink \"%s\" writes there", other->name);
            }
        }
    }
}

static void check_length(struct laz_merge *merge)
{
    struct laz_buf buf;
    struct laz_err err = {0};
    char *memory = laz_arena_take(merge->arena, LAZ_SHIP_MAX + 1, 1);
    if (memory == NULL) {
        return;
    }
    laz_buf_init_fixed(&buf, memory, LAZ_SHIP_MAX + 1);
    if (laz_ship_encode(&merge->policy->shipping.config, &buf, &err) < 0) {
        laz_report_at(merge->report, err.kind, merge->policy->key_pos[LAZ_FIELD_SINKS], "sinks: %s",
                err.message);
    }
}

void laz_complete_shipping(struct laz_merge *merge)
{
    const struct laz_ship_config *config = &merge->policy->shipping.config;
    if (laz_complete_is_wrong(merge, LAZ_FIELD_SINKS)) {
        return;
    }
    if (config->n_sinks == 0) {
        report_unused(merge);
        return;
    }
    laz_complete_user(merge, "sinks");
    check_segment(merge);
    check_redaction(merge);
    check_durability(merge);
    check_files(merge);
    check_length(merge);
    if (!laz_policy_ships(merge->policy, LAZ_SHIP_CLASS_LOG)) {
        warn_without_logs(merge);
    }
}

/* ---- What is given up ---- */

static void add_sink(struct laz_merge *merge, uint32_t i)
{
    const struct laz_policy *policy = merge->policy;
    const struct laz_ship_sink *sink = &policy->shipping.config.sinks[i];
    if (policy->shipping.plain[i]) {
        laz_relaxations_add(merge, laz_policy_pos_of_sink(policy, i, "plain"),
                sink->type == LAZ_SINK_OSSEC ? "sinks: %s is encrypted as OSSEC does"
                                             : "sinks: %s is not encrypted",
                sink->name);
    }
    if (sink->imds) {
        laz_relaxations_add(merge, laz_policy_pos_of_sink(policy, i, "imds"),
                "sinks: %s may use the role of the instance", sink->name);
    }
    if (sink->type == LAZ_SINK_FILE && laz_policy_may_write(policy, sink->path)) {
        laz_relaxations_add(merge, laz_policy_pos_of_sink(policy, i, "path"),
                "sinks: %s is where the workload may write", sink->name);
    }
}

void laz_relaxations_shipping(struct laz_merge *merge)
{
    const struct laz_policy *policy = merge->policy;
    const struct laz_policy_shipping *shipping = &policy->shipping;
    const struct laz_ship_config *config = &shipping->config;
    struct laz_pos sinks = policy->key_pos[LAZ_FIELD_SINKS];
    struct laz_pos spool = policy->key_pos[LAZ_FIELD_SPOOL];
    if (config->n_sinks == 0) {
        return;
    }
    for (uint32_t i = 0; i < config->n_sinks; i++) {
        add_sink(merge, i);
    }
    if (!has_required(config)) {
        laz_relaxations_add(merge, sinks, "sinks: none that takes audit is required");
    }
    if (config->passthrough && shipping->capture && laz_policy_ships(policy, LAZ_SHIP_CLASS_LOG)) {
        laz_relaxations_add(merge, policy->key_pos[LAZ_FIELD_LOGS_PASSTHROUGH],
                "logs: passthrough, past redaction");
    }
    spool = spool.line > 0 ? spool : sinks;
    if (config->n_seal_to == 0) {
        laz_relaxations_add(merge, spool, "spool: no recovery key");
    }
    if (laz_policy_may_write(policy, shipping->spool_dir)) {
        laz_relaxations_add(merge, spool, "spool: where the workload may write");
    }
}
