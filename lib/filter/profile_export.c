/* SPDX-License-Identifier: Apache-2.0
 *
 * A policy as a profile. For each call the arguments for which it is allowed are computed as a
 * union of cubes, each of which is one rule of masked equalities: rules that all have the same
 * answer mean the same in whatever order libseccomp puts them.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "filter/profile.h"

/* Per argument (value & mask) == value; a mask of 0 asks nothing. */
struct cube {
    uint64_t mask[6];
    uint64_t value[6];
};

/* A union. Invariant: n <= LAZ_PROFILE_CUBES_MAX; is_full: there would have been more. */
struct region {
    size_t n;
    bool is_full;
    struct cube items[LAZ_PROFILE_CUBES_MAX];
};

/* What the work on one call needs; large. */
struct work {
    struct region open;    /* no clause so far has decided about these */
    struct region allowed; /* the result */
    struct region clause;
    struct region part;
    struct region met;
};

struct export
{
    const struct laz_policy *policy;
    enum laz_arch arch;
    struct laz_json json;
    struct laz_profile_losses *losses;
    struct work *work;
};

static void lose(struct export *export, const char *format, ...) LAZ_PRINTF(2, 3);

static void lose(struct export *export, const char *format, ...)
{
    va_list args;
    char text[LAZ_DIAGNOSTIC_MESSAGE_MAX];
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    laz_buf_printf(export->losses->text, "%s\n", text);
    export->losses->n++;
}

/* ---- Cubes ---- */

static bool contains(const struct cube *outer, const struct cube *inner)
{
    for (size_t i = 0; i < 6; i++) {
        if ((outer->mask[i] & ~inner->mask[i]) != 0 ||
                (inner->value[i] & outer->mask[i]) != outer->value[i]) {
            return false;
        }
    }
    return true;
}

/* One more, unless it is there; those that it contains go. */
static void add(struct region *region, const struct cube *cube)
{
    size_t kept = 0;
    for (size_t i = 0; i < region->n; i++) {
        if (contains(&region->items[i], cube)) {
            return;
        }
    }
    for (size_t i = 0; i < region->n; i++) {
        if (!contains(cube, &region->items[i])) {
            region->items[kept++] = region->items[i];
        }
    }
    region->n = kept;
    if (region->n == LAZ_PROFILE_CUBES_MAX) {
        region->is_full = true;
        return;
    }
    region->items[region->n++] = *cube;
}

static void join(struct region *region, const struct region *other)
{
    region->is_full = region->is_full || other->is_full;
    for (size_t i = 0; i < other->n; i++) {
        add(region, &other->items[i]);
    }
}

static void clear(struct region *region)
{
    region->n = 0;
    region->is_full = false;
}

static void fill(struct region *region)
{
    const struct cube whole = {.mask = {0}};
    clear(region);
    add(region, &whole);
}

/* false: nothing is in both. */
static bool meet_cubes(const struct cube *a, const struct cube *b, struct cube *ret)
{
    for (size_t i = 0; i < 6; i++) {
        uint64_t both = a->mask[i] & b->mask[i];
        if (((a->value[i] ^ b->value[i]) & both) != 0) {
            return false;
        }
        ret->mask[i] = a->mask[i] | b->mask[i];
        ret->value[i] = a->value[i] | b->value[i];
    }
    return true;
}

/* What is in both, into ret, which is neither. */
static void meet(const struct region *a, const struct region *b, struct region *ret)
{
    clear(ret);
    ret->is_full = a->is_full || b->is_full;
    for (size_t i = 0; i < a->n && !ret->is_full; i++) {
        for (size_t k = 0; k < b->n; k++) {
            struct cube cube;
            if (meet_cubes(&a->items[i], &b->items[k], &cube)) {
                add(ret, &cube);
            }
        }
    }
}

/* ---- Conditions ---- */

static bool has_prefix(const struct laz_cond *condition, uint64_t bits, uint64_t prefix)
{
    size_t i = 0;
    while (i < condition->n_values && (condition->values[i] & bits) != prefix) {
        i++;
    }
    return i < condition->n_values;
}

/* None of the values: beside the way to each of them, every branch that leads to no other. */
static void add_none(struct region *region, const struct laz_cond *condition)
{
    if (condition->n_values == 0) {
        fill(region);
    }
    for (size_t i = 0; i < condition->n_values; i++) {
        uint64_t bits = 0;
        for (unsigned b = 64; b-- > 0;) {
            uint64_t bit = UINT64_C(1) << b;
            if ((condition->mask & bit) == 0) {
                continue;
            }
            bits |= bit;
            uint64_t branch = (condition->values[i] ^ bit) & bits;
            if (!has_prefix(condition, bits, branch)) {
                struct cube cube = {.mask = {0}};
                cube.mask[condition->arg] = bits;
                cube.value[condition->arg] = branch;
                add(region, &cube);
            }
        }
    }
}

static void add_any(struct region *region, const struct laz_cond *condition)
{
    for (size_t i = 0; i < condition->n_values; i++) {
        struct cube cube = {.mask = {0}};
        cube.mask[condition->arg] = condition->mask;
        cube.value[condition->arg] = condition->values[i];
        add(region, &cube);
    }
}

static void add_condition(struct region *region, const struct laz_cond *condition, bool is_not)
{
    if (condition->negate != is_not) {
        add_none(region, condition);
    } else {
        add_any(region, condition);
    }
}

/* Where all of a clause holds, into work->clause. */
static void take_clause(struct work *work, const struct laz_clause *clause)
{
    fill(&work->clause);
    for (size_t i = 0; i < clause->n_conds; i++) {
        clear(&work->part);
        add_condition(&work->part, &clause->conds[i], false);
        meet(&work->clause, &work->part, &work->met);
        work->clause = work->met;
    }
}

/* Where it does not. */
static void take_no_clause(struct work *work, const struct laz_clause *clause)
{
    clear(&work->clause);
    for (size_t i = 0; i < clause->n_conds; i++) {
        add_condition(&work->clause, &clause->conds[i], true);
    }
}

/* ---- One call ---- */

static bool lets(struct laz_verdict verdict)
{
    return verdict.action == LAZ_ACTION_ALLOW || verdict.action == LAZ_ACTION_LOG;
}

/* What of `open` is in one of the clauses, into work->allowed. */
static void allow_clauses(struct work *work, const struct laz_clauses *clauses)
{
    for (size_t i = 0; i < clauses->n; i++) {
        take_clause(work, &clauses->items[i]);
        meet(&work->open, &work->clause, &work->met);
        join(&work->allowed, &work->met);
    }
}

static void open_unless(struct work *work, const struct laz_clauses *refuse)
{
    for (size_t i = 0; i < refuse->n; i++) {
        take_no_clause(work, &refuse->items[i]);
        meet(&work->open, &work->clause, &work->met);
        work->open = work->met;
    }
}

/* The arguments for which it is allowed. Stricter clauses of `refuse` come first there, so one that
 * lets something through is behind all that refuse; none of the loader's does. */
static void find_allowed(struct work *work, const struct laz_decision *decision)
{
    fill(&work->open);
    clear(&work->allowed);
    open_unless(work, &decision->refuse);
    if (decision->guard.n > 0) {
        allow_clauses(work, &decision->guard);
        work->open = work->allowed;
        clear(&work->allowed);
    }
    if (decision->allow.n > 0) {
        allow_clauses(work, &decision->allow);
    } else if (lets(decision->base)) {
        work->allowed = work->open;
    }
    work->allowed.is_full = work->allowed.is_full || work->open.is_full;
}

/* As a runtime would have it: an event is an errno. */
static struct laz_verdict plain(struct laz_verdict verdict)
{
    verdict.action = verdict.action == LAZ_ACTION_NOTIFY ? LAZ_ACTION_ERRNO : verdict.action;
    verdict.errno_value = verdict.action == LAZ_ACTION_ERRNO ? verdict.errno_value : 0;
    return verdict;
}

static bool is_same(struct laz_verdict a, struct laz_verdict b)
{
    a = plain(a);
    b = plain(b);
    return a.action == b.action && a.errno_value == b.errno_value;
}

static bool is_conditional(const struct laz_decision *decision)
{
    return decision->refuse.n + decision->guard.n + decision->allow.n > 0;
}

/* Does some argument get another answer than the default, where it is not allowed? */
static bool has_other_answers(const struct laz_policy *policy, const struct laz_decision *decision)
{
    bool has = !lets(decision->otherwise) && !is_same(decision->otherwise, policy->default_verdict);
    has = has && decision->guard.n + decision->allow.n > 0;
    for (size_t i = 0; i < decision->refuse.n; i++) {
        has = has || !is_same(decision->refuse.items[i].verdict, policy->default_verdict);
    }
    bool uses_base = decision->allow.n == 0 && !lets(decision->base);
    return has || (uses_base && !is_same(decision->base, policy->default_verdict));
}

static bool logs_some(const struct laz_decision *decision)
{
    bool logs = decision->allow.n == 0 && decision->base.action == LAZ_ACTION_LOG;
    for (size_t i = 0; i < decision->allow.n; i++) {
        logs = logs || decision->allow.items[i].verdict.action == LAZ_ACTION_LOG;
    }
    return logs;
}

/* ---- JSON ---- */

static void put_verdict(
        struct laz_json *json, const char *action, const char *number, struct laz_verdict verdict)
{
    static const char *const names[LAZ_ACTION_COUNT] = {
            [LAZ_ACTION_ALLOW] = "SCMP_ACT_ALLOW",
            [LAZ_ACTION_LOG] = "SCMP_ACT_LOG",
            [LAZ_ACTION_ERRNO] = "SCMP_ACT_ERRNO",
            [LAZ_ACTION_KILL] = "SCMP_ACT_KILL_PROCESS",
    };
    verdict = plain(verdict);
    laz_json_string(json, action, names[verdict.action]);
    if (verdict.action == LAZ_ACTION_ERRNO) {
        laz_json_u64(json, number, verdict.errno_value);
    }
}

static void put_cube(struct laz_json *json, const char *name, const struct cube *cube)
{
    const struct laz_verdict allow = {.action = LAZ_ACTION_ALLOW};
    laz_json_object(json, NULL);
    laz_json_array(json, "names");
    laz_json_string(json, NULL, name);
    laz_json_array_end(json);
    put_verdict(json, "action", "errnoRet", allow);
    laz_json_array(json, "args");
    for (size_t i = 0; i < 6; i++) {
        if (cube->mask[i] != 0) {
            laz_json_object(json, NULL);
            laz_json_u64(json, "index", i);
            laz_json_u64(json, "value", cube->mask[i]);
            laz_json_u64(json, "valueTwo", cube->value[i]);
            laz_json_string(json, "op", "SCMP_CMP_MASKED_EQ");
            laz_json_object_end(json);
        }
    }
    laz_json_array_end(json);
    laz_json_object_end(json);
}

static void put_conditional(
        struct export *export, const struct laz_syscall *call, const struct laz_decision *decision)
{
    const struct region *allowed = &export->work->allowed;
    find_allowed(export->work, decision);
    if (allowed->is_full) {
        lose(export,
                "conditions: %s would need more than %d rules: it is refused whatever its "
                "arguments are",
                call->name, LAZ_PROFILE_CUBES_MAX);
        return;
    }
    if (has_other_answers(export->policy, decision)) {
        lose(export,
                "answers: %s has other answers than the default for some arguments: where it "
                "is refused it gets the default",
                call->name);
    }
    if (logs_some(decision)) {
        lose(export, "log: %s is allowed under conditions and not logged", call->name);
    }
    for (size_t i = 0; i < allowed->n; i++) {
        put_cube(&export->json, call->name, &allowed->items[i]);
    }
}

/* All calls that have this answer whatever their arguments are, as one entry. */
static void put_alike(struct export *export, struct laz_verdict verdict)
{
    struct laz_json *json = &export->json;
    bool has_any = false;
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        const struct laz_syscall *call = laz_syscall_at(i);
        const struct laz_decision *decision = &export->policy->decisions[i];
        bool is_one = call->nr[export->arch] >= 0 && !is_conditional(decision) &&
                is_same(decision->base, verdict);
        if (is_one && !has_any) {
            laz_json_object(json, NULL);
            laz_json_array(json, "names");
        }
        if (is_one) {
            laz_json_string(json, NULL, call->name);
        }
        has_any = has_any || is_one;
    }
    if (has_any) {
        laz_json_array_end(json);
        put_verdict(json, "action", "errnoRet", verdict);
        laz_json_object_end(json);
    }
}

/* Is this call the first with its answer? */
static bool is_first(const struct export *export, size_t index)
{
    const struct laz_decision *decisions = export->policy->decisions;
    for (size_t i = 0; i < index; i++) {
        if (laz_syscall_at(i)->nr[export->arch] >= 0 && !is_conditional(&decisions[i]) &&
                is_same(decisions[i].base, decisions[index].base)) {
            return false;
        }
    }
    return true;
}

static void put_calls(struct export *export)
{
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        const struct laz_decision *decision = &export->policy->decisions[i];
        const struct laz_syscall *call = laz_syscall_at(i);
        if (call->nr[export->arch] < 0) {
            continue;
        }
        if (is_conditional(decision)) {
            put_conditional(export, call, decision);
        } else if (!is_same(decision->base, export->policy->default_verdict) &&
                is_first(export, i)) {
            put_alike(export, decision->base);
        }
    }
}

/* ---- What a profile cannot say ---- */

static bool raises_events(const struct laz_policy *policy)
{
    bool raises = policy->default_verdict.action == LAZ_ACTION_NOTIFY;
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        const struct laz_decision *decision = &policy->decisions[i];
        raises = raises || decision->base.action == LAZ_ACTION_NOTIFY;
        for (size_t k = 0; k < decision->refuse.n; k++) {
            raises = raises || decision->refuse.items[k].verdict.action == LAZ_ACTION_NOTIFY;
        }
    }
    return raises;
}

static void lose_whole(struct export *export)
{
    const struct laz_policy *policy = export->policy;
    if (raises_events(policy)) {
        lose(export, "events: what is refused with an event is refused silently");
    }
    if (policy->exec_budget >= 0) {
        lose(export, "exec-budget: execve is allowed as often as anybody likes, not %d time%s",
                (int)policy->exec_budget, policy->exec_budget == 1 ? "" : "s");
    }
    if (!is_same(policy->unknown_verdict, policy->default_verdict)) {
        lose(export,
                "unknown: numbers that nobody knows get the default, unless the runtime has an "
                "answer of its own for them");
    }
    if (policy->foreign_abi_verdict.action != LAZ_ACTION_KILL) {
        lose(export,
                "foreign-abi: a call by another ABI of the processor ends the process or the "
                "thread, as libseccomp has it");
    }
    if (policy->mode != LAZ_MODE_ENFORCE) {
        lose(export, "mode: what is only observed is refused");
    }
}

int laz_profile_export(const struct laz_policy *policy, enum laz_arch arch,
        struct laz_buf *ret_json, struct laz_profile_losses *losses, struct laz_err *err)
{
    static const char *const architectures[LAZ_ARCH_COUNT] = {
            [LAZ_ARCH_X86_64] = "SCMP_ARCH_X86_64", [LAZ_ARCH_AARCH64] = "SCMP_ARCH_AARCH64"};
    struct export export = {.policy = policy,
            .arch = arch,
            .losses = losses,
            .work = calloc(1, sizeof(*export.work))};
    if (export.work == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, ENOMEM, "no memory for a profile");
    }
    lose_whole(&export);
    laz_json_init(&export.json, ret_json);
    laz_json_object(&export.json, NULL);
    put_verdict(&export.json, "defaultAction", "defaultErrnoRet", policy->default_verdict);
    laz_json_array(&export.json, "architectures");
    laz_json_string(&export.json, NULL, architectures[arch]);
    laz_json_array_end(&export.json);
    laz_json_array(&export.json, "syscalls");
    put_calls(&export);
    laz_json_array_end(&export.json);
    laz_json_object_end(&export.json);
    laz_buf_char(ret_json, '\n');
    free(export.work);
    bool is_lost = ret_json->overflow || losses->text->overflow;
    return is_lost ? laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a profile") : 0;
}
