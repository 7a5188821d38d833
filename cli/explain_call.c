/* SPDX-License-Identifier: Apache-2.0
 *
 * `policy explain FILE SYSCALL`: the decision about one system call, clause by clause in the order
 * in which struct laz_decision asks them, and how much of the filter it takes.
 */
#include <string.h>

#include "cli/layers.h"
#include "cli/words.h"
#include "filter/filter.h"

/* ---- How many instructions ---- */

/* The shortest and longest run seen. */
struct path_length {
    uint32_t shortest;
    uint32_t longest;
};

static void run_point(const struct laz_filter *filter, const struct seccomp_data *data,
        struct path_length *length)
{
    struct laz_bpf_trace trace;
    (void)laz_bpf_evaluate(filter->insns, filter->n, data, &trace);
    length->shortest = length->shortest == 0 || trace.steps < length->shortest ? trace.steps
                                                                               : length->shortest;
    length->longest = trace.steps > length->longest ? trace.steps : length->longest;
}

/* A point at which the condition holds, if one is easily found: each value, else a bit that is
 * none. */
static uint64_t value_for(const struct laz_cond *cond, uint64_t other)
{
    uint64_t rest = other & ~cond->mask;
    if (!cond->negate) {
        return cond->n_values == 0 ? other : rest | cond->values[0];
    }
    for (unsigned bit = 0; bit <= 64; bit++) {
        uint64_t candidate = bit == 0 ? 0 : (UINT64_C(1) << (bit - 1)) & cond->mask;
        bool is_listed = false;
        for (size_t i = 0; i < cond->n_values; i++) {
            is_listed = is_listed || cond->values[i] == candidate;
        }
        if (!is_listed) {
            return rest | candidate;
        }
    }
    return other;
}

static void run_clauses(const struct laz_filter *filter, const struct laz_clauses *clauses,
        const struct seccomp_data *base, struct path_length *length)
{
    for (size_t i = 0; i < clauses->n; i++) {
        const struct laz_clause *clause = &clauses->items[i];
        struct seccomp_data point = *base;
        for (size_t j = 0; j < clause->n_conds; j++) {
            const struct laz_cond *cond = &clause->conds[j];
            point.args[cond->arg] = value_for(cond, point.args[cond->arg]);
            run_point(filter, &point, length);
            for (size_t k = 0; k < cond->n_values; k++) {
                struct seccomp_data single = point;
                single.args[cond->arg] = (single.args[cond->arg] & ~cond->mask) | cond->values[k];
                run_point(filter, &single, length);
            }
        }
    }
}

static struct path_length measure(const struct laz_filter *filter, enum laz_arch arch,
        const struct laz_syscall *call, const struct laz_decision *decision)
{
    struct path_length length = {0};
    struct seccomp_data zeros = {.nr = call->nr[arch], .arch = laz_arch_audit(arch)};
    struct seccomp_data ones = zeros;
    (void)memset(ones.args, 0xFF, sizeof(ones.args));
    const struct seccomp_data *bases[] = {&zeros, &ones};
    for (size_t i = 0; i < 2; i++) {
        run_point(filter, bases[i], &length);
        run_clauses(filter, &decision->refuse, bases[i], &length);
        run_clauses(filter, &decision->guard, bases[i], &length);
        run_clauses(filter, &decision->allow, bases[i], &length);
    }
    return length;
}

static int put_length(const struct laz_policy *policy, enum laz_arch arch,
        const struct laz_syscall *call, struct laz_buf *text, struct laz_err *err)
{
    struct laz_filter filter = {0};
    if (laz_filter_compile(policy, arch, LAZ_FILTER_WITH_EVENTS, &filter, err) < 0) {
        return -1;
    }
    const struct laz_decision *decision = &policy->decisions[laz_syscall_index(call)];
    struct path_length length = measure(&filter, arch, call, decision);
    if (length.shortest == length.longest) {
        laz_buf_printf(text, "; decided after %u", length.longest);
    } else {
        laz_buf_printf(text, "; decided after %u to %u", length.shortest, length.longest);
    }
    laz_buf_printf(text, " of the filter's %zu instructions", filter.n);
    laz_filter_done(&filter);
    return 0;
}

/* ---- The decision ---- */

static void put_clauses(const struct laz_policy *policy, const struct laz_syscall *call,
        const struct laz_clauses *clauses, const char *key, struct laz_explanation *ret)
{
    for (size_t i = 0; i < clauses->n; i++) {
        const struct laz_clause *clause = &clauses->items[i];
        struct laz_buf *text = laz_lines_add_rule(&ret->rules, policy, key, clause->verdict);
        laz_buf_str(text, "if ");
        laz_words_clause(text, call, clause);
    }
}

/* The guard is one step: nothing goes on unless one of its clauses holds. */
static void put_guard(const struct laz_policy *policy, const struct laz_syscall *call,
        const struct laz_decision *decision, struct laz_explanation *ret)
{
    if (decision->guard.n == 0) {
        return;
    }
    struct laz_buf *text = laz_lines_add_rule(&ret->rules, policy, "guard", decision->otherwise);
    laz_buf_str(text, "unless ");
    for (size_t i = 0; i < decision->guard.n; i++) {
        const struct laz_clause *clause = &decision->guard.items[i];
        char where[LAZ_CLI_WHERE_MAX];
        laz_policy_pos_format(policy, clause->verdict.pos, where, sizeof(where));
        laz_buf_str(text, i == 0 ? "" : ", or ");
        laz_words_clause(text, call, clause);
        laz_buf_printf(text, " (%s)", where);
    }
}

static bool is_conditional(const struct laz_decision *decision)
{
    return decision->refuse.n > 0 || decision->guard.n > 0 || decision->allow.n > 0;
}

static bool is_default(const struct laz_policy *policy, struct laz_verdict verdict)
{
    struct laz_pos a = verdict.pos;
    struct laz_pos b = policy->default_verdict.pos;
    return laz_words_is_refusal(verdict.action) && a.file == b.file && a.line == b.line &&
            a.col == b.col;
}

static void put_rules(const struct laz_policy *policy, const struct laz_syscall *call,
        const struct laz_decision *decision, struct laz_explanation *ret)
{
    put_clauses(policy, call, &decision->refuse, "refuse", ret);
    put_guard(policy, call, decision, ret);
    put_clauses(policy, call, &decision->allow, "allow", ret);
    struct laz_verdict last = decision->allow.n > 0 ? decision->otherwise : decision->base;
    struct laz_buf *text = laz_lines_add_rule(&ret->rules, policy, "otherwise", last);
    if (is_default(policy, last)) {
        laz_buf_str(text, "by default: nothing allows it");
    } else {
        laz_buf_str(text, is_conditional(decision) ? "otherwise" : "whatever its arguments");
    }
    if (is_conditional(decision)) {
        ret->decision = "depends on the arguments";
    } else {
        ret->decision = laz_words_is_refusal(last.action) ? "refused" : "allowed";
    }
}

/* ---- What the workload sees ---- */

/* What is being said, and of whom. */
struct answers {
    const struct laz_policy *policy;
    const struct laz_syscall *call;
    struct laz_buf *buf;
    bool is_lifted; /* a refusal that mode observe lets through has been left out */
};

/* Mode observe leaves nothing but what the kernel itself answers. */
static bool is_lifted(const struct answers *answers, struct laz_verdict verdict)
{
    uint32_t answer =
            laz_filter_return(answers->policy, LAZ_FILTER_WITH_EVENTS, answers->call, verdict);
    return answers->policy->mode == LAZ_MODE_OBSERVE && answer == SECCOMP_RET_USER_NOTIF;
}

static void put_answer(struct answers *answers, struct laz_verdict verdict)
{
    if (!laz_words_is_refusal(verdict.action)) {
        return;
    }
    if (is_lifted(answers, verdict)) {
        answers->is_lifted = true;
        return;
    }
    const char *name = verdict.action == LAZ_ACTION_KILL ? "its end by SIGSYS"
                                                         : laz_err_errno_name(verdict.errno_value);
    if (answers->buf->len > 0 && strstr(answers->buf->data, name) != NULL) {
        return; /* said already */
    }
    laz_buf_printf(answers->buf, "%s%s", answers->buf->len > 0 ? " or " : "", name);
}

static void put_refusals(struct answers *answers, const struct laz_decision *decision)
{
    for (size_t i = 0; i < decision->refuse.n; i++) {
        put_answer(answers, decision->refuse.items[i].verdict);
    }
    if (decision->guard.n > 0) {
        put_answer(answers, decision->otherwise);
    }
    for (size_t i = 0; i < decision->allow.n; i++) {
        put_answer(answers, decision->allow.items[i].verdict);
    }
    put_answer(answers, decision->allow.n > 0 ? decision->otherwise : decision->base);
}

static bool is_exec(const struct laz_syscall *call)
{
    return strcmp(call->name, "execve") == 0 || strcmp(call->name, "execveat") == 0;
}

static void put_sees(const struct laz_policy *policy, const struct laz_syscall *call,
        const struct laz_decision *decision, struct laz_buf *buf)
{
    bool is_always = false;
    int capability = laz_layers_capability(call, &is_always);
    bool lacks = is_always && !laz_layers_keeps(policy, capability);
    struct answers answers = {.policy = policy, .call = call, .buf = buf};
    put_refusals(&answers, decision);
    if (buf->len == 0) {
        laz_buf_str(buf,
                lacks ? "EPERM, from the kernel: the capability is not kept"
                      : "what the kernel answers");
    } else if (is_conditional(decision)) {
        laz_buf_str(buf, " where it is refused, else what the kernel answers");
    }
    if (answers.is_lifted) {
        laz_buf_str(buf, "; what would be refused is let through with an event, in mode observe");
    }
    if (is_exec(call) && policy->exec_budget >= 0 && !laz_words_is_refusal(decision->base.action)) {
        laz_buf_printf(buf,
                "; from attempt %d on, its own start included, %s exec.budget event (where "
                "notifications can be had)",
                policy->exec_budget + 1, policy->mode == LAZ_MODE_OBSERVE ? "an" : "EPERM and an");
    }
}

/* ---- All of it ---- */

static void put_facts(
        enum laz_arch arch, const struct laz_syscall *call, struct laz_explanation *ret)
{
    const struct laz_pos nowhere = {.line = 0};
    laz_words_call(laz_lines_add(&ret->facts, NULL, "call", nowhere), call);
    struct laz_buf *number = laz_lines_add(&ret->facts, NULL, "number", nowhere);
    if (call->nr[arch] >= 0) {
        laz_buf_printf(number, "%d on %s", call->nr[arch], laz_arch_name(arch));
    } else {
        laz_buf_printf(number, "does not exist on %s", laz_arch_name(arch));
    }
    if (call->since != 0) {
        laz_buf_printf(number, "; since Linux %d.%d", call->since >> 8, call->since & 0xFF);
    }
    for (size_t i = 0; i < laz_group_count(); i++) {
        const struct laz_group *group = laz_group_at(i);
        if (laz_group_contains(group, call)) {
            struct laz_buf *text = laz_lines_add(&ret->facts, NULL, "groups", nowhere);
            laz_buf_printf(text, "%s%s", group->name,
                    group->kind == LAZ_GROUP_NEVER ? " (never granted as a group)" : "");
        }
    }
}

int laz_explain_call(const struct laz_policy *policy, enum laz_arch arch,
        const struct laz_syscall *call, struct laz_explanation *ret, struct laz_err *err)
{
    const struct laz_decision *decision = &policy->decisions[laz_syscall_index(call)];
    ret->kind = "system-call";
    ret->subject = call->name;
    put_facts(arch, call, ret);
    put_rules(policy, call, decision, ret);
    laz_layers_platform(ret);
    struct laz_buf *text =
            laz_lines_add(&ret->layers, NULL, LAZ_LAYER_SECCOMP, (struct laz_pos){.line = 0});
    laz_buf_str(text, ret->decision);
    if (call->nr[arch] >= 0 && put_length(policy, arch, call, text, err) < 0) {
        return -1;
    }
    laz_layers_landlock_call(policy, call, ret);
    laz_layers_capability_call(policy, call, ret);
    laz_layers_no_new_privs(ret, is_exec(call));
    put_sees(policy, call, decision, &ret->sees);
    return 0;
}
