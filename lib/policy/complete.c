/* SPDX-License-Identifier: Apache-2.0
 *
 * What only the whole policy shows: things that are missing, that contradict each other, or that
 * could not start. A part of the policy in which something else is wrong already is not judged.
 */
#include <inttypes.h>
#include <string.h>

#include "policy/merge.h"

/* Is something below this top-level key wrong? By key: a value of the wrong kind is not in
 * document->at. */
static bool is_wrong_below(const struct laz_document *document, enum laz_field_id id)
{
    const char *key = laz_field_at(id)->key;
    const struct laz_node *node =
            document->root->kind == LAZ_NODE_MAPPING ? document->root->first : NULL;
    while (node != NULL && strcmp(node->key, key) != 0) {
        node = node->next;
    }
    return node != NULL && node->has_bad;
}

/* Is it in any document, or is one of them missing? Then what seems to be absent may be meant
 * there. */
bool laz_complete_is_wrong(const struct laz_merge *merge, enum laz_field_id id)
{
    for (size_t i = 0; i < merge->load->n_order; i++) {
        const struct laz_document *document = &merge->load->documents[merge->load->order[i]];
        if (document->root == NULL || document->root->is_bad || is_wrong_below(document, id) ||
                is_wrong_below(document, LAZ_FIELD_EXTENDS)) {
            return true;
        }
    }
    return false;
}

/* The node of a key in the named file, or the file's root, to hang a message on that is about an
 * absence. */
static struct laz_node *nearest(const struct laz_merge *merge, enum laz_field_id id)
{
    const struct laz_document *document = &merge->load->documents[0];
    return document->at[id] != NULL ? document->at[id] : document->root;
}

/* A message about an absence: at the nearest node, without that node's path. */
static void report_absence(struct laz_merge *merge, enum laz_field_id near, const char *message)
{
    laz_report_at(merge->report, LAZ_E_POLICY_INVALID, nearest(merge, near)->pos, "%s", message);
}

static void check_workload(struct laz_merge *merge)
{
    const struct laz_policy *policy = merge->policy;
    struct laz_node *user = merge->said[LAZ_FIELD_WORKLOAD_USER];
    struct laz_node *budget = merge->said[LAZ_FIELD_WORKLOAD_EXEC_BUDGET];
    if (user == NULL && !laz_complete_is_wrong(merge, LAZ_FIELD_WORKLOAD)) {
        report_absence(merge, LAZ_FIELD_WORKLOAD,
                "workload.user: missing: say as whom the workload runs, such as \"10001:10001\"");
    }
    if (user != NULL && !user->is_bad && policy->uid == 0 && !policy->allow_root) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, user,
                "user 0 owns the image's files: choose another one, or say \"allow-root: true\"");
    }
    if (budget != NULL && policy->exec_budget == 0) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, budget,
                "0 would not even start the workload: 1 is the start alone");
    }
    if (policy->keep_capabilities != 0 && policy->uid != 0 && user != NULL) {
        for (size_t i = 0; i < merge->load->n_order; i++) {
            struct laz_node *keep =
                    merge->load->documents[merge->load->order[i]].at[LAZ_FIELD_CAPABILITIES_KEEP];
            for (struct laz_node *node = laz_check_item(keep, NULL); node != NULL;
                    node = laz_check_item(keep, node)) {
                laz_report_warning(merge->report, node,
                        "user %" PRIu32 " gets this as an ambient capability", policy->uid);
            }
        }
    }
}

static void check_requires(struct laz_merge *merge)
{
    const struct laz_policy *policy = merge->policy;
    struct laz_node *node = merge->said[LAZ_FIELD_REQUIRES_EXEC_BUDGET];
    if (node == NULL || node->is_bad ||
            policy->require[LAZ_REQUIRE_EXEC_BUDGET] != LAZ_LEVEL_REQUIRED) {
        return;
    }
    if (policy->require[LAZ_REQUIRE_EVENTS] == LAZ_LEVEL_DISABLED) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, node,
                "the budget is enforced by events, and \"requires.events\" is disabled");
    }
    if (policy->mode == LAZ_MODE_OBSERVE) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, node,
                "\"mode: observe\" lets through what is over the budget: take one of the two out");
    }
    if (policy->exec_budget < 0) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, node,
                "\"workload.exec-budget\" is -1: there is no budget to enforce");
    }
}

static void check_filesystem(struct laz_merge *merge)
{
    const struct laz_policy *policy = merge->policy;
    bool can_execute = policy->require[LAZ_REQUIRE_LANDLOCK] == LAZ_LEVEL_DISABLED;
    for (size_t i = 0; i < policy->n_paths; i++) {
        can_execute = can_execute || policy->paths[i].class == LAZ_PATH_READ_EXEC ||
                policy->paths[i].class == LAZ_PATH_WRITE_EXEC;
    }
    if (!can_execute && !laz_complete_is_wrong(merge, LAZ_FIELD_FILESYSTEM)) {
        report_absence(merge, LAZ_FIELD_FILESYSTEM,
                "filesystem.read-exec: empty: nothing could be executed");
    }
}

/* Init's gate reads from a pipe when the filter is on already. */
static void check_gate(struct laz_merge *merge)
{
    const struct laz_syscall *call = laz_syscall_by_name("read", strlen("read"));
    const struct laz_decision *decision = &merge->policy->decisions[laz_syscall_index(call)];
    bool is_free = decision->refuse.n == 0 && decision->guard.n == 0 && decision->allow.n == 0 &&
            !laz_verdict_refuses(decision->base);
    if (!is_free && !laz_complete_is_wrong(merge, LAZ_FIELD_SYSCALLS)) {
        report_absence(merge, LAZ_FIELD_SYSCALLS,
                "syscalls: \"read\" must be allowed without conditions, or nothing can be started "
                "(extend builtin/web-api or builtin/static, or name a group such as "
                "\"web-service\")");
    }
}

/* A refusal by SIGSYS has no errno: saying both in one file is a mistake. */
static void check_kill_errno(struct laz_merge *merge, const struct laz_document *document)
{
    static const enum laz_field_id maps[] = {
            LAZ_FIELD_SYSCALLS_DEFAULT, LAZ_FIELD_SYSCALLS_UNKNOWN, LAZ_FIELD_SYSCALLS_FOREIGN_ABI};
    for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
        const struct laz_node *action = document->at[maps[i] + 1];
        struct laz_node *number = document->at[maps[i] + 2];
        if (action != NULL && action->number == LAZ_ACTION_KILL && number != NULL) {
            laz_report_node(merge->report, LAZ_E_POLICY_INVALID, number, "\"kill\" has no errno");
        }
    }
}

static void put_duration(uint32_t ms, struct laz_buf *buf)
{
    bool is_whole = ms % 1000 == 0;
    laz_buf_printf(buf, "%" PRIu32 "%s", is_whole ? ms / 1000 : ms, is_whole ? "s" : "ms");
}

/* "drain 3s (default)": whoever did not write it must learn where it comes from. */
static void put_part(const struct laz_merge *merge, enum laz_field_id id, uint32_t ms,
        const char *unsaid, struct laz_buf *buf)
{
    laz_buf_printf(buf, "%s ", laz_field_at(id)->key);
    put_duration(ms, buf);
    laz_buf_str(buf, merge->said[id] == NULL ? unsaid : "");
}

static void report_shutdown(
        struct laz_merge *merge, const struct laz_shutdown *shutdown, uint32_t sum)
{
    struct laz_buf buf;
    char text[LAZ_DIAGNOSTIC_MESSAGE_MAX];
    laz_buf_init_fixed(&buf, text, sizeof(text));
    put_part(merge, LAZ_FIELD_SHUTDOWN_LB_GRACE, shutdown->lb_grace_ms, " (default)", &buf);
    laz_buf_str(&buf, " + ");
    put_part(merge, LAZ_FIELD_SHUTDOWN_GRACE, shutdown->grace_ms, " (what is left)", &buf);
    laz_buf_str(&buf, " + ");
    put_part(merge, LAZ_FIELD_SHUTDOWN_DRAIN, shutdown->drain_ms, " (default)", &buf);
    if (shutdown->flush_ms > 0) {
        laz_buf_str(&buf, " + ");
        put_part(
                merge, LAZ_FIELD_SHUTDOWN_FLUSH, shutdown->flush_ms, " (default with sinks)", &buf);
    }
    laz_buf_str(&buf, " = ");
    put_duration(sum, &buf);
    laz_buf_str(&buf, ", which is more than ");
    put_part(merge, LAZ_FIELD_SHUTDOWN_STOP_TIMEOUT, shutdown->stop_timeout_ms, " (default)", &buf);
    laz_report_at(merge->report, LAZ_E_POLICY_INVALID, nearest(merge, LAZ_FIELD_SHUTDOWN)->pos,
            "shutdown: %s", text);
}

static void check_shutdown(struct laz_merge *merge)
{
    struct laz_shutdown *shutdown = &merge->policy->shutdown;
    const struct laz_node *grace = merge->said[LAZ_FIELD_SHUTDOWN_GRACE];
    /* Each is at most an hour, so the sum fits. */
    uint32_t others = shutdown->lb_grace_ms + shutdown->drain_ms + shutdown->flush_ms;
    if (grace == NULL && others <= shutdown->stop_timeout_ms) {
        shutdown->grace_ms = shutdown->stop_timeout_ms - others;
    }
    uint32_t sum = others + shutdown->grace_ms;
    if (sum <= shutdown->stop_timeout_ms || laz_complete_is_wrong(merge, LAZ_FIELD_SHUTDOWN)) {
        return;
    }
    report_shutdown(merge, shutdown, sum);
}

void laz_complete(struct laz_merge *merge)
{
    if (merge->load->documents[0].root == NULL) {
        return;
    }
    for (size_t i = 0; i < merge->load->n_order; i++) {
        check_kill_errno(merge, &merge->load->documents[merge->load->order[i]]);
    }
    check_workload(merge);
    check_requires(merge);
    check_filesystem(merge);
    check_gate(merge);
    check_shutdown(merge);
    laz_complete_shipping(merge);
    laz_complete_sense(merge);
    laz_complete_plain(merge);
    laz_complete_secrets(merge);
    laz_complete_identities(merge);
    laz_complete_tunnel(merge);
    laz_complete_tls(merge);
    laz_complete_volumes(merge);
    laz_complete_health(merge);
    laz_complete_host(merge);
}
