/* SPDX-License-Identifier: Apache-2.0
 *
 * What only the whole policy shows about health: names that nobody has, ports that somebody else
 * has, times that do not fit, commands that could not start, and what would never be ready.
 */
#include <inttypes.h>
#include <string.h>

#include "policy/address.h"
#include "policy/merge.h"

static void refuse(struct laz_merge *merge, enum laz_field_id id, const char *why)
{
    if (merge->said[id] != NULL && !merge->said[id]->is_bad) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, merge->said[id], "%s", why);
    }
}

/* ---- Where it listens ---- */

static void check_identity(struct laz_merge *merge)
{
    const struct laz_watching *watching = &merge->policy->watching;
    struct laz_node *name = merge->said[LAZ_FIELD_HEALTH_TLS];
    struct laz_quoted quoted;
    if (name == NULL || laz_complete_is_wrong(merge, LAZ_FIELD_TLS)) {
        return;
    }
    if (!watching->config.has_identity) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, name,
                "nothing of \"tls.identities\" has the name %s",
                laz_quote(&quoted, name->text, name->length));
        return;
    }
    const struct laz_fetch_config *secrets = &merge->policy->secrets.config;
    if ((secrets->identities[watching->identity].purpose & LAZ_PURPOSE_SERVER) == 0) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, name,
                "its certificate is for another purpose: say \"purpose: server\" or \"both\" "
                "there");
    }
}

static void check_listen(struct laz_merge *merge)
{
    const struct laz_policy *policy = merge->policy;
    const struct laz_health_config *config = &policy->watching.config;
    struct laz_node *listen = merge->said[LAZ_FIELD_HEALTH_LISTEN];
    if (listen == NULL) {
        static const char why[] = "goes with \"listen\", which is missing";
        refuse(merge, LAZ_FIELD_HEALTH_TLS, why);
        refuse(merge, LAZ_FIELD_HEALTH_EXPOSE, why);
        return;
    }
    for (uint32_t i = 0; i < policy->tunneling.config.n_entries; i++) {
        const struct laz_tunnel_entry *entry = &policy->tunneling.config.entries[i];
        if (entry->bind.port == config->port) {
            laz_report_node(merge->report, LAZ_E_POLICY_INVALID, listen,
                    "port %u is where entry \"%s\" of \"tls\" listens as well", config->port,
                    entry->name);
        }
    }
    if (policy->tcp_bind.any) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, listen,
                "\"network.tcp-bind\" is any port, %u too: the workload could answer in Lazaret's "
                "place; name its ports there",
                config->port);
    } else if (laz_ports_have(&policy->tcp_bind, config->port)) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, listen,
                "\"network.tcp-bind\" has port %u: the workload could answer in Lazaret's place",
                config->port);
    }
    check_identity(merge);
}

/* A variable with a secret is not for everybody to read. */
static void check_reported(struct laz_merge *merge, enum laz_field_id id)
{
    const struct laz_fetch_config *secrets = &merge->policy->secrets.config;
    struct laz_node *name = merge->said[id];
    bool is_secret = false;
    for (uint32_t i = 0; name != NULL && i < secrets->n_items; i++) {
        is_secret = is_secret ||
                (secrets->items[i].source == LAZ_SECRET_VARIABLE &&
                        strcmp(secrets->items[i].from, name->text) == 0);
    }
    is_secret =
            is_secret || (name != NULL && strcmp(secrets->vault.token_variable, name->text) == 0);
    if (is_secret) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, name,
                "the variable has a secret, and this is shown to whoever asks");
    } else if (name != NULL && laz_is_secret_like(name->text)) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, name,
                "the name looks like that of a secret, and this is shown to whoever asks: name a "
                "variable that says colour or version and nothing else");
    }
}

/* ---- Checks ---- */

static struct laz_node *part_of(const struct laz_merge *merge, uint32_t i, enum laz_field_id field)
{
    struct laz_node *child = laz_check_child(merge->checks[i], field);
    return child == NULL ? merge->checks[i] : child;
}

/* What says where it asks. */
static struct laz_node *target_of(const struct laz_merge *merge, uint32_t i)
{
    static const enum laz_field_id fields[LAZ_HEALTH_KIND_COUNT] = {
            [LAZ_HEALTH_TCP] = LAZ_FIELD_CHECK_TCP,
            [LAZ_HEALTH_HTTP] = LAZ_FIELD_CHECK_HTTP,
            [LAZ_HEALTH_EXEC] = LAZ_FIELD_CHECK_EXEC,
            [LAZ_HEALTH_GRPC] = LAZ_FIELD_CHECK_GRPC,
    };
    return part_of(merge, i, fields[merge->policy->watching.config.checks[i].kind]);
}

static void check_pair(struct laz_merge *merge, uint32_t i, uint32_t k)
{
    const struct laz_health_check *mine = &merge->policy->watching.config.checks[i];
    const struct laz_health_check *other = &merge->policy->watching.config.checks[k];
    struct laz_node *name = part_of(merge, i, LAZ_FIELD_CHECK_NAME);
    if (strcmp(mine->name, other->name) == 0 && mine->list != other->list && !name->is_bad) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, name,
                "is the name of a check of \"health.%s.checks\" as well",
                laz_health_list_name(other->list));
    }
}

static void check_command(struct laz_merge *merge, uint32_t i)
{
    const struct laz_policy *policy = merge->policy;
    const struct laz_watching *watching = &policy->watching;
    uint8_t number = watching->config.checks[i].command;
    struct laz_node *node = target_of(merge, i);
    if (number == LAZ_HEALTH_NONE) {
        laz_report_node(merge->report, LAZ_E_POLICY_TOO_LARGE, node,
                "more than %d checks are commands", LAZ_HEALTH_COMMANDS_MAX);
        return;
    }
    const char *path = watching->commands[number].first;
    bool can_start = policy->require[LAZ_REQUIRE_LANDLOCK] == LAZ_LEVEL_DISABLED ||
            laz_complete_is_wrong(merge, LAZ_FIELD_FILESYSTEM);
    for (size_t k = 0; k < policy->n_paths && !can_start; k++) {
        const struct laz_path_rule *rule = &policy->paths[k];
        can_start = (rule->class == LAZ_PATH_READ_EXEC || rule->class == LAZ_PATH_WRITE_EXEC) &&
                laz_path_is_at_or_below(path, rule->path);
    }
    if (!can_start) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, laz_check_item(node, NULL),
                "nothing of \"filesystem.read-exec\" leads there: it runs confined as the "
                "workload is, and could not start");
    }
}

/* Somebody else's answer, or one that is not to be had. */
static void check_target(struct laz_merge *merge, uint32_t i)
{
    const struct laz_policy *policy = merge->policy;
    const struct laz_health_check *check = &policy->watching.config.checks[i];
    bool is_here = laz_host_is_loopback(check->host, strlen(check->host));
    if (is_here && check->port == policy->watching.config.port) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, target_of(merge, i),
                "this is \"health.listen\": Lazaret would ask itself");
    }
    if (!is_here && !check->is_tls && policy->plain.mode != LAZ_PLAIN_UNSAID &&
            laz_ports_have(&policy->plain.tls_only, check->port) &&
            !laz_plain_allows_port(&policy->plain, check->port)) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, target_of(merge, i),
                "clear text to port %u leaves the container, and \"tls.plain\" is against it: ask "
                "this host's side of a tunnel, or by https",
                check->port);
    }
}

static void check_checks(struct laz_merge *merge)
{
    const struct laz_health_config *config = &merge->policy->watching.config;
    for (uint32_t i = 0; i < config->n_checks; i++) {
        for (uint32_t k = 0; k < i; k++) {
            check_pair(merge, i, k);
        }
        if (config->checks[i].kind == LAZ_HEALTH_EXEC) {
            check_command(merge, i);
        } else {
            check_target(merge, i);
        }
    }
}

static uint32_t count(const struct laz_health_config *config, enum laz_health_list list)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < config->n_checks; i++) {
        n += config->checks[i].list == list ? 1 : 0;
    }
    return n;
}

/* What counts, and there is nothing to count. */
static void check_lists(struct laz_merge *merge)
{
    static const struct {
        enum laz_field_id field;
        enum laz_health_list list;
    } rows[] = {{LAZ_FIELD_STARTUP_DEADLINE, LAZ_HEALTH_STARTUP},
            {LAZ_FIELD_READY_RISE, LAZ_HEALTH_READY}, {LAZ_FIELD_READY_FALL, LAZ_HEALTH_READY},
            {LAZ_FIELD_LIVE_FALL, LAZ_HEALTH_LIVE}};
    const struct laz_health_config *config = &merge->policy->watching.config;
    struct laz_node *deadline = merge->said[LAZ_FIELD_STARTUP_DEADLINE];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (count(config, rows[i].list) == 0) {
            refuse(merge, rows[i].field, "goes with \"checks\", of which there are none");
        }
    }
    for (uint32_t i = 0; i < config->n_checks; i++) {
        const struct laz_health_check *check = &config->checks[i];
        if (check->list != LAZ_HEALTH_STARTUP) {
            continue;
        }
        if (deadline == NULL) {
            laz_report_node(merge->report, LAZ_E_POLICY_INVALID, merge->checks[i],
                    "\"health.startup.deadline\" is missing: say by when it must have passed, such "
                    "as 120s");
            return;
        }
        if (check->timeout_ms >= config->startup_deadline_ms && !deadline->is_bad) {
            laz_report_node(merge->report, LAZ_E_POLICY_INVALID, deadline,
                    "%" PRIu32 "ms is not more than the timeout of check \"%s\", %" PRIu32
                    "ms: not one attempt would fit",
                    config->startup_deadline_ms, check->name, check->timeout_ms);
        }
    }
}

/* ---- What readiness hangs on ---- */

static void check_sinks(struct laz_merge *merge, struct laz_node *list)
{
    const struct laz_ship_config *shipping = &merge->policy->shipping.config;
    for (struct laz_node *name = laz_check_item(list, NULL); name != NULL;
            name = laz_check_item(list, name)) {
        bool is_there = false;
        for (uint32_t i = 0; i < shipping->n_sinks; i++) {
            is_there = is_there || strcmp(shipping->sinks[i].name, name->text) == 0;
        }
        struct laz_quoted quoted;
        if (!is_there) {
            laz_report_node(merge->report, LAZ_E_POLICY_INVALID, name,
                    "nothing of \"sinks\" has the name %s",
                    laz_quote(&quoted, name->text, name->length));
        }
    }
}

static void check_requirements(struct laz_merge *merge)
{
    const struct laz_policy *policy = merge->policy;
    if (!laz_complete_is_wrong(merge, LAZ_FIELD_SINKS)) {
        for (size_t i = 0; i < merge->load->n_order; i++) {
            check_sinks(merge,
                    merge->load->documents[merge->load->order[i]].at[LAZ_FIELD_REQUIRES_SINKS]);
        }
        if (policy->shipping.config.n_sinks == 0) {
            refuse(merge, LAZ_FIELD_REQUIRES_SPOOL, "there are no sinks, and so no spool");
        }
    }
    if (policy->secrets.config.n_identities == 0 && !laz_complete_is_wrong(merge, LAZ_FIELD_TLS)) {
        refuse(merge, LAZ_FIELD_REQUIRES_CERTIFICATES,
                "there are no certificates: \"tls.identities\" is empty");
    }
    if (policy->mode != LAZ_MODE_ENFORCE) {
        refuse(merge, LAZ_FIELD_REQUIRES_MODE,
                "the policy's own \"mode\" is another one: it would never be ready");
    }
}

/* ---- The drain ---- */

static void check_drain(struct laz_merge *merge)
{
    const struct laz_shutdown *shutdown = &merge->policy->shutdown;
    static const enum laz_field_id fields[] = {
            LAZ_FIELD_SHUTDOWN_LB_LEAST, LAZ_FIELD_SHUTDOWN_LB_QUIET, LAZ_FIELD_SHUTDOWN_THRESHOLD};
    if (laz_complete_is_wrong(merge, LAZ_FIELD_SHUTDOWN)) {
        return;
    }
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        struct laz_node *node = merge->said[fields[i]];
        bool is_time = fields[i] != LAZ_FIELD_SHUTDOWN_THRESHOLD;
        if (node == NULL) {
            continue;
        }
        if (!merge->policy->watching.is_said) {
            laz_report_node(merge->report, LAZ_E_POLICY_INVALID, node,
                    "goes with \"health\": without it \"lb-grace\" is waited for to its end");
        } else if (shutdown->lb_grace_ms == 0) {
            laz_report_node(merge->report, LAZ_E_POLICY_INVALID, node,
                    "goes with \"lb-grace\", which is %s",
                    merge->said[LAZ_FIELD_SHUTDOWN_LB_GRACE] == NULL ? "0s (default)" : "0s");
        } else if (is_time && node->number > shutdown->lb_grace_ms) {
            laz_report_node(merge->report, LAZ_E_POLICY_INVALID, node,
                    "%" PRIu64 "ms is more than \"lb-grace\", which is %" PRIu32
                    "ms: the wait would be over before",
                    node->number, shutdown->lb_grace_ms);
        }
    }
}

static void check_length(struct laz_merge *merge)
{
    struct laz_buf buf;
    struct laz_err err = {0};
    char *memory = laz_arena_take(merge->arena, LAZ_HEALTH_MAX + 1, 1);
    if (memory == NULL) {
        return;
    }
    laz_buf_init_fixed(&buf, memory, LAZ_HEALTH_MAX + 1);
    if (laz_health_encode(&merge->policy->watching.config, &buf, &err) < 0) {
        laz_report_at(merge->report, err.kind, merge->policy->key_pos[LAZ_FIELD_HEALTH],
                "health: %s", err.message);
    }
}

void laz_complete_health(struct laz_merge *merge)
{
    const struct laz_policy *policy = merge->policy;
    check_drain(merge);
    if (!policy->watching.is_said || laz_complete_is_wrong(merge, LAZ_FIELD_HEALTH)) {
        return;
    }
    check_listen(merge);
    check_reported(merge, LAZ_FIELD_HEALTH_COLOR_FROM);
    check_reported(merge, LAZ_FIELD_HEALTH_VERSION_FROM);
    check_checks(merge);
    check_lists(merge);
    check_requirements(merge);
    laz_warn_health(merge);
    if (policy->shipping.config.n_sinks == 0 && policy->secrets.config.n_items == 0 &&
            policy->tunneling.config.n_entries == 0) {
        laz_complete_user(merge, "health checks"); /* or it is said already */
    }
    check_length(merge);
}

/* ---- What is given up ---- */

void laz_relaxations_health(struct laz_merge *merge)
{
    const struct laz_policy *policy = merge->policy;
    const struct laz_health_config *config = &policy->watching.config;
    if (config->expose_full && config->port != 0) {
        laz_relaxations_add(merge, policy->key_pos[LAZ_FIELD_HEALTH_EXPOSE],
                "health: everything is shown to whoever connects");
    }
    for (uint32_t i = 0; i < config->n_checks; i++) {
        const struct laz_health_check *check = &config->checks[i];
        if (check->ca[0] != '\0' && laz_policy_may_write(policy, check->ca)) {
            laz_relaxations_add(merge, part_of(merge, i, LAZ_FIELD_CHECK_CA)->pos,
                    "health: ca of %s is where the workload may write", check->name);
        }
    }
}
