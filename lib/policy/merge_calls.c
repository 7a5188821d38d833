/* SPDX-License-Identifier: Apache-2.0
 *
 * syscalls: which call gets which answer. Documents apply in order, a later one wins; within one
 * document groups and allow come first, then remove, then the rules, and refusing beats allowing.
 * Conditions that refuse are never lost; those that allow are lifted only by a later document that
 * names the call.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "policy/merge.h"

static const struct laz_verdict verdict_allow = {.action = LAZ_ACTION_ALLOW};

unsigned laz_verdict_strictness(struct laz_verdict verdict)
{
    switch (verdict.action) {
    case LAZ_ACTION_ALLOW:
        return 0;
    case LAZ_ACTION_LOG:
        return 1;
    case LAZ_ACTION_ERRNO:
        return 2;
    case LAZ_ACTION_NOTIFY:
        return 3;
    case LAZ_ACTION_KILL:
    case LAZ_ACTION_COUNT:
        break;
    }
    return 4;
}

void laz_clauses_insert(
        struct laz_arena *arena, struct laz_clauses *clauses, const struct laz_clause *clause)
{
    unsigned strictness = laz_verdict_strictness(clause->verdict);
    size_t slot = 0;
    while (slot < clauses->n) {
        const struct laz_clause *other = &clauses->items[slot];
        unsigned strictness_other = laz_verdict_strictness(other->verdict);
        bool is_same_document = other->verdict.pos.file == clause->verdict.pos.file;
        if (strictness_other < strictness ||
                (strictness_other == strictness && !is_same_document)) {
            break;
        }
        slot++;
    }
    if (laz_arena_append(arena, &clauses->items, &clauses->n, sizeof(*clause)) == NULL) {
        return;
    }
    (void)memmove(&clauses->items[slot + 1], &clauses->items[slot],
            (clauses->n - 1 - slot) * sizeof(*clause));
    clauses->items[slot] = *clause;
}

static struct laz_call_state *state_of(struct laz_merge *merge, const struct laz_syscall *call)
{
    return &merge->calls[laz_syscall_index(call)];
}

static bool is_execve(const struct laz_syscall *call)
{
    return strcmp(call->name, "execve") == 0;
}

/* The state of the call that an entry names; NULL for execve, which has a rule of its own:
 * reported. */
static struct laz_call_state *state_of_node(struct laz_merge *merge, struct laz_node *node)
{
    if (is_execve(laz_syscall_at(node->number))) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, node,
                "execve is governed by \"workload.exec-budget\" alone");
        return NULL;
    }
    return &merge->calls[node->number];
}

static void set_base(struct laz_call_state *state, struct laz_verdict verdict, struct laz_pos pos)
{
    state->is_said = true;
    state->removed_at = (struct laz_pos){0};
    state->refused_at = (struct laz_pos){0};
    state->base = verdict;
    state->base.pos = pos;
}

/* ---- groups, allow, remove ---- */

struct granting {
    struct laz_merge *merge;
    struct laz_node *node;
};

static int grant(void *context, const struct laz_syscall *call)
{
    const struct granting *granting = context;
    struct laz_call_state *state = state_of(granting->merge, call);
    if (!is_execve(call) && state->allow.n == 0) {
        struct laz_pos refused_at = state->is_said && laz_verdict_refuses(state->base)
                ? state->base.pos
                : state->refused_at;
        set_base(state, verdict_allow, granting->node->pos);
        state->refused_at = refused_at;
    }
    return 0;
}

static void take_groups(struct laz_merge *merge, struct laz_node *list)
{
    for (struct laz_node *node = laz_check_item(list, NULL); node != NULL;
            node = laz_check_item(list, node)) {
        struct granting granting = {.merge = merge, .node = node};
        const struct laz_group *group = laz_group_by_name(node->text, node->length);
        (void)laz_group_each(group, grant, &granting); /* grant never ends the walk */
    }
}

static void lift_conditions(struct laz_call_state *state, struct laz_node *node)
{
    if (state->allow.n > 0) {
        state->allow = (struct laz_clauses){0};
        state->lifted = node;
    }
}

static void take_allow(struct laz_merge *merge, struct laz_node *list)
{
    for (struct laz_node *node = laz_check_item(list, NULL); node != NULL;
            node = laz_check_item(list, node)) {
        struct laz_call_state *state = state_of_node(merge, node);
        if (state != NULL) {
            lift_conditions(state, node);
            set_base(state, verdict_allow, node->pos);
            state->allowed = node;
        }
    }
}

static void take_remove(struct laz_merge *merge, struct laz_node *list)
{
    for (struct laz_node *node = laz_check_item(list, NULL); node != NULL;
            node = laz_check_item(list, node)) {
        struct laz_call_state *state = state_of_node(merge, node);
        if (state == NULL) {
            continue;
        }
        if (state->allowed != NULL) {
            laz_report_node(merge->report, LAZ_E_POLICY_INVALID, node,
                    "also under \"allow\", at line %" PRIu32, state->allowed->pos.line);
            continue;
        }
        if (!state->is_said && state->allow.n == 0) {
            laz_report_warning(merge->report, node, "nothing allows or refuses this call");
        }
        state->is_said = false;
        state->allow = (struct laz_clauses){0};
        state->lifted = NULL;
        state->removed = node;
        state->removed_at = node->pos;
    }
}

/* ---- rules ---- */

/* The parts of one rule. */
struct rule {
    struct laz_node *names;
    struct laz_node *when;
    struct laz_verdict verdict;
};

/* false: the rule is not usable, which has been reported. */
static bool read_rule(struct laz_merge *merge, const struct laz_node *node, struct rule *ret)
{
    struct laz_node *action = laz_check_child(node, LAZ_FIELD_RULE_ACTION);
    struct laz_node *number = laz_check_child(node, LAZ_FIELD_RULE_ERRNO);
    ret->names = laz_check_child(node, LAZ_FIELD_RULE_NAMES);
    ret->when = laz_check_child(node, LAZ_FIELD_RULE_WHEN);
    if (node->has_bad || action == NULL || ret->names == NULL) {
        return false;
    }
    if (ret->names->kind == LAZ_NODE_SEQUENCE && ret->names->n_children == 0) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, ret->names, "must not be empty");
        return false;
    }
    ret->verdict = (struct laz_verdict){.action = (enum laz_action)action->number};
    bool has_errno =
            ret->verdict.action == LAZ_ACTION_ERRNO || ret->verdict.action == LAZ_ACTION_NOTIFY;
    if (number != NULL && !has_errno) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, number, "\"%s\" has no errno",
                laz_action_name(ret->verdict.action));
        return false;
    }
    ret->verdict.errno_value = (uint16_t)(!has_errno ? 0 : number != NULL ? number->number : EPERM);
    return true;
}

/* One name of a rule without conditions. */
static void apply_plain(struct laz_merge *merge, struct laz_node *name, struct laz_verdict verdict)
{
    struct laz_call_state *state = state_of_node(merge, name);
    if (state == NULL) {
        return;
    }
    bool refuses = laz_verdict_refuses(verdict);
    if (state->ruled != NULL) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, name,
                "another rule without conditions names this call, at line %" PRIu32,
                state->ruled->pos.line);
        return;
    }
    if (!refuses && state->allowed != NULL) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, name,
                "also under \"allow\", at line %" PRIu32, state->allowed->pos.line);
        return;
    }
    if (!refuses && state->removed != NULL) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, name,
                "also under \"remove\", at line %" PRIu32, state->removed->pos.line);
        return;
    }
    if (refuses && state->allowed != NULL) {
        laz_report_warning(merge->report, name,
                "also under \"allow\", at line %" PRIu32 "; refusing wins",
                state->allowed->pos.line);
    }
    if (refuses) {
        state->allow = (struct laz_clauses){0};
        state->lifted = NULL;
    } else {
        lift_conditions(state, name);
    }
    set_base(state, verdict, name->pos);
    state->ruled = name;
}

/* One name of a rule with conditions. */
static void apply_conditional(
        struct laz_merge *merge, struct laz_node *name, const struct rule *rule)
{
    struct laz_call_state *state = state_of_node(merge, name);
    struct laz_clause clause = {.verdict = rule->verdict};
    clause.verdict.pos = name->pos;
    if (state == NULL ||
            !laz_conditions_build(merge, rule->when, laz_syscall_at(name->number), &clause)) {
        return;
    }
    if (laz_verdict_refuses(rule->verdict)) {
        laz_clauses_insert(merge->arena, &state->refuse, &clause);
        return;
    }
    const struct laz_node *other = state->ruled != NULL ? state->ruled : state->allowed;
    if (other != NULL) {
        bool refused = state->ruled != NULL && laz_verdict_refuses(state->base);
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, name,
                "%s without conditions at line %" PRIu32 ": this rule has no effect",
                refused ? "refused" : "allowed", other->pos.line);
        return;
    }
    state->is_said = false;
    state->lifted = NULL;
    laz_clauses_insert(merge->arena, &state->allow, &clause);
}

static void apply_rule(struct laz_merge *merge, const struct rule *rule)
{
    for (struct laz_node *name = laz_check_item(rule->names, NULL); name != NULL;
            name = laz_check_item(rule->names, name)) {
        if (rule->when == NULL) {
            apply_plain(merge, name, rule->verdict);
        } else {
            apply_conditional(merge, name, rule);
        }
    }
}

static void take_rules(struct laz_merge *merge, struct laz_node *list, bool with_conditions)
{
    for (struct laz_node *node = laz_check_item(list, NULL); node != NULL;
            node = laz_check_item(list, node)) {
        struct rule rule = {0};
        bool has_conditions = laz_check_child(node, LAZ_FIELD_RULE_WHEN) != NULL;
        if (has_conditions != with_conditions || !read_rule(merge, node, &rule) ||
                (rule.when != NULL && !laz_conditions_check(merge, rule.when))) {
            continue;
        }
        if (merge->n_rules++ == LAZ_POLICY_RULES_MAX) {
            laz_report_node(merge->report, LAZ_E_POLICY_TOO_LARGE, node, "more than %d rules",
                    LAZ_POLICY_RULES_MAX);
            return;
        }
        apply_rule(merge, &rule);
    }
}

static void take_quiet(struct laz_merge *merge, struct laz_node *list)
{
    for (struct laz_node *node = laz_check_item(list, NULL); node != NULL;
            node = laz_check_item(list, node)) {
        struct laz_call_state *state = state_of_node(merge, node);
        if (state != NULL) {
            state->quiet = node;
        }
    }
}

void laz_merge_calls(struct laz_merge *merge, struct laz_document *document)
{
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        merge->calls[i].allowed = NULL;
        merge->calls[i].removed = NULL;
        merge->calls[i].ruled = NULL;
    }
    take_groups(merge, document->at[LAZ_FIELD_SYSCALLS_GROUPS]);
    take_allow(merge, document->at[LAZ_FIELD_SYSCALLS_ALLOW]);
    take_remove(merge, document->at[LAZ_FIELD_SYSCALLS_REMOVE]);
    take_rules(merge, document->at[LAZ_FIELD_SYSCALLS_RULES], false);
    take_rules(merge, document->at[LAZ_FIELD_SYSCALLS_RULES], true);
    take_quiet(merge, document->at[LAZ_FIELD_EVENTS_QUIET]);
}

/* ---- All documents are in ---- */

static void finish_verdict(
        struct laz_merge *merge, struct laz_verdict *verdict, enum laz_field_id field)
{
    if (verdict->action == LAZ_ACTION_KILL) {
        verdict->errno_value = 0;
    }
    verdict->pos = merge->policy->key_pos[field];
}

static bool is_same_place(struct laz_pos a, struct laz_pos b)
{
    return a.file == b.file && a.line == b.line && a.col == b.col;
}

static bool is_allowed_again(const struct laz_call_state *state)
{
    return state->is_said && state->refused_at.line > 0 && !laz_verdict_refuses(state->base);
}

/* Of the groups of a parent nobody sees, in the file that extends it, what they undo of the parents
 * before it. One warning for a group, at the first of its calls. */
static void warn_of_groups(struct laz_merge *merge, size_t first)
{
    const struct laz_call_state *state = &merge->calls[first];
    struct laz_buf names;
    char text[LAZ_DIAGNOSTIC_MESSAGE_MAX / 2];
    char where[LAZ_DIAGNOSTIC_FILE_MAX];
    for (size_t i = 0; i < first; i++) {
        if (is_allowed_again(&merge->calls[i]) &&
                is_same_place(merge->calls[i].base.pos, state->base.pos)) {
            return;
        }
    }
    laz_buf_init_fixed(&names, text, sizeof(text));
    for (size_t i = first; i < laz_syscall_count(); i++) {
        if (is_allowed_again(&merge->calls[i]) &&
                is_same_place(merge->calls[i].base.pos, state->base.pos)) {
            laz_buf_printf(&names, "%s%s", i == first ? "" : ", ", laz_syscall_at(i)->name);
        }
    }
    laz_policy_pos_format(merge->policy, state->refused_at, where, sizeof(where));
    laz_report_warning_at(merge->report, state->base.pos,
            "syscalls.groups: allows again what an earlier file refuses (%s): %s; name that file "
            "later under \"extends\", or refuse it in a rule of this policy",
            where, text);
}

void laz_finish_calls(struct laz_merge *merge)
{
    struct laz_policy *policy = merge->policy;
    finish_verdict(merge, &policy->default_verdict, LAZ_FIELD_SYSCALLS_DEFAULT);
    finish_verdict(merge, &policy->unknown_verdict, LAZ_FIELD_SYSCALLS_UNKNOWN);
    finish_verdict(merge, &policy->foreign_abi_verdict, LAZ_FIELD_SYSCALLS_FOREIGN_ABI);
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        const struct laz_call_state *state = &merge->calls[i];
        struct laz_decision *decision = &policy->decisions[i];
        decision->otherwise = policy->default_verdict;
        decision->base = state->is_said ? state->base : policy->default_verdict;
        if (!state->is_said && state->removed_at.line > 0) {
            decision->base.pos = state->removed_at;
        }
        decision->refuse = state->refuse;
        decision->allow = state->allow;
        if (is_allowed_again(state)) {
            warn_of_groups(merge, i);
        }
        if (is_execve(laz_syscall_at(i))) {
            decision->base = verdict_allow;
            decision->base.pos = policy->key_pos[LAZ_FIELD_WORKLOAD_EXEC_BUDGET];
        }
    }
}

static bool silence(struct laz_verdict *verdict, struct laz_pos pos)
{
    bool is_loud = verdict->action == LAZ_ACTION_NOTIFY;
    if (is_loud) {
        verdict->action = LAZ_ACTION_ERRNO;
        verdict->pos = pos;
    }
    return is_loud;
}

/* Last, because the network section adds refusals and guards. */
void laz_finish_quiet(struct laz_merge *merge)
{
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        struct laz_decision *decision = &merge->policy->decisions[i];
        struct laz_node *node = merge->calls[i].quiet;
        if (node == NULL) {
            continue;
        }
        bool was_loud = silence(&decision->base, node->pos);
        for (size_t k = 0; k < decision->refuse.n; k++) {
            was_loud = silence(&decision->refuse.items[k].verdict, node->pos) || was_loud;
        }
        bool can_default = decision->guard.n > 0 || decision->allow.n > 0;
        was_loud = (silence(&decision->otherwise, node->pos) && can_default) || was_loud;
        if (!was_loud) {
            laz_report_warning(merge->report, node, "this call never raises an event");
        }
    }
}
