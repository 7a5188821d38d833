/* SPDX-License-Identifier: Apache-2.0
 *
 * A policy as a profile. For each call the arguments for which it is allowed are computed as a
 * union of cubes, each of which is one rule of masked equalities: rules that all have the same
 * answer mean the same in whatever order libseccomp puts them.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "filter/cubes.h"
#include "filter/filter.h"
#include "filter/profile.h"

/* What the work needs, most of it on one call; large. */
struct work {
    struct laz_region open;    /* no clause so far has decided about these */
    struct laz_region allowed; /* the result */
    struct laz_region clause;
    struct laz_region part;
    struct laz_region met;
    struct {
        bool is_plain; /* the same answer whatever the arguments are */
        struct laz_verdict verdict;
    } answers[LAZ_SYSCALL_TABLE_MAX]; /* by laz_syscall_index */
};

struct export
{
    const struct laz_policy *policy;
    enum laz_arch arch;
    const struct laz_profile_outer *outer; /* NULL: the policy's calls and nothing else */
    struct laz_verdict fallback;           /* of what is not named */
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

/* ---- Clauses ---- */

/* Where all of a clause holds, into work->clause. */
static void take_clause(struct work *work, const struct laz_clause *clause)
{
    laz_region_fill(&work->clause);
    for (size_t i = 0; i < clause->n_conds; i++) {
        laz_region_clear(&work->part);
        laz_region_add_condition(&work->part, &clause->conds[i], false);
        laz_region_meet(&work->clause, &work->part, &work->met);
        work->clause = work->met;
    }
}

/* Where it does not. */
static void take_no_clause(struct work *work, const struct laz_clause *clause)
{
    laz_region_clear(&work->clause);
    for (size_t i = 0; i < clause->n_conds; i++) {
        laz_region_add_condition(&work->clause, &clause->conds[i], true);
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
        laz_region_meet(&work->open, &work->clause, &work->met);
        laz_region_join(&work->allowed, &work->met);
    }
}

static void open_unless(struct work *work, const struct laz_clauses *refuse)
{
    for (size_t i = 0; i < refuse->n; i++) {
        take_no_clause(work, &refuse->items[i]);
        laz_region_meet(&work->open, &work->clause, &work->met);
        work->open = work->met;
    }
}

/* What our own programs need of a call. */
static void allow_own(const struct export *export, const struct laz_syscall *call)
{
    for (size_t i = 0; export->outer != NULL && i < export->outer->n; i++) {
        const struct laz_profile_call *own = &export->outer->calls[i];
        struct laz_cube cube = {.mask = {0}};
        int arg = own->arg == NULL ? 0 : laz_syscall_arg_by_name(call, own->arg, strlen(own->arg));
        if (strcmp(own->name, call->name) != 0 || arg < 0) {
            continue;
        }
        cube.mask[arg] = own->arg == NULL ? 0 : own->mask;
        cube.value[arg] = own->arg == NULL ? 0 : own->value & own->mask;
        laz_region_add(&export->work->allowed, &cube);
    }
}

/* The arguments for which it is allowed. Stricter clauses of `refuse` come first there, so one that
 * lets something through is behind all that refuse; none of the loader's does. */
static void find_allowed(const struct export *export, const struct laz_syscall *call,
        const struct laz_decision *decision)
{
    struct work *work = export->work;
    laz_region_fill(&work->open);
    laz_region_clear(&work->allowed);
    open_unless(work, &decision->refuse);
    if (decision->guard.n > 0) {
        allow_clauses(work, &decision->guard);
        work->open = work->allowed;
        laz_region_clear(&work->allowed);
    }
    if (decision->allow.n > 0) {
        allow_clauses(work, &decision->allow);
    } else if (lets(decision->base)) {
        work->allowed = work->open;
    }
    work->allowed.is_full = work->allowed.is_full || work->open.is_full;
    allow_own(export, call);
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

/* Is this answer for the filter inside to give, with an event? */
static bool reaches(
        const struct export *export, const struct laz_syscall *call, struct laz_verdict verdict)
{
    return export->outer != NULL && export->outer->is_loose &&
            laz_filter_return(export->policy, LAZ_FILTER_WITH_EVENTS, call, verdict) ==
            SECCOMP_RET_USER_NOTIF;
}

/* May it be let through whatever its arguments are? A filter inside knows better for which. */
static bool is_open(const struct export *export, const struct laz_syscall *call)
{
    const struct laz_decision *decision = &export->policy->decisions[laz_syscall_index(call)];
    bool is_loose = export->outer != NULL && export->outer->is_loose;
    bool has_base = decision->allow.n == 0;
    bool is = is_loose && (!has_base || lets(decision->base));
    is = is || (has_base && reaches(export, call, decision->base));
    is = is ||
            (decision->guard.n + decision->allow.n > 0 &&
                    reaches(export, call, decision->otherwise));
    for (size_t i = 0; i < decision->refuse.n; i++) {
        is = is || reaches(export, call, decision->refuse.items[i].verdict);
    }
    for (size_t i = 0; export->outer != NULL && i < export->outer->n; i++) {
        const struct laz_profile_call *own = &export->outer->calls[i];
        is = is || (strcmp(own->name, call->name) == 0 && own->arg == NULL);
    }
    return is;
}

static bool is_own(const struct export *export, const struct laz_syscall *call)
{
    size_t i = 0;
    size_t n = export->outer == NULL ? 0 : export->outer->n;
    while (i < n && strcmp(export->outer->calls[i].name, call->name) != 0) {
        i++;
    }
    return i < n;
}

/* Does it get the same answer whatever its arguments are? */
static bool is_plain(
        const struct export *export, const struct laz_syscall *call, struct laz_verdict *ret)
{
    const struct laz_verdict allow = {.action = LAZ_ACTION_ALLOW};
    const struct laz_decision *decision = &export->policy->decisions[laz_syscall_index(call)];
    bool is = is_open(export, call);
    *ret = is ? allow : decision->base;
    return is || (!is_conditional(decision) && (lets(*ret) || !is_own(export, call)));
}

/* Does some argument get another answer than the default, where it is not allowed? */
static bool has_other_answers(const struct export *export, const struct laz_decision *decision)
{
    struct laz_verdict fallback = export->fallback;
    bool has = !lets(decision->otherwise) && !is_same(decision->otherwise, fallback);
    has = has && decision->guard.n + decision->allow.n > 0;
    for (size_t i = 0; i < decision->refuse.n; i++) {
        has = has || !is_same(decision->refuse.items[i].verdict, fallback);
    }
    bool uses_base = decision->allow.n == 0 && !lets(decision->base);
    return has || (uses_base && !is_same(decision->base, fallback));
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

static void put_cube(struct laz_json *json, const char *name, const struct laz_cube *cube)
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
    const struct laz_region *allowed = &export->work->allowed;
    find_allowed(export, call, decision);
    if (allowed->is_full) {
        lose(export,
                "conditions: %s would need more than %d rules: it is refused whatever its "
                "arguments are",
                call->name, LAZ_PROFILE_CUBES_MAX);
        laz_region_clear(&export->work->allowed);
        allow_own(export, call);
    } else if (has_other_answers(export, decision)) {
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

static bool answers(const struct export *export, size_t index, struct laz_verdict verdict)
{
    return laz_syscall_at(index)->nr[export->arch] >= 0 && export->work->answers[index].is_plain &&
            is_same(export->work->answers[index].verdict, verdict);
}

/* All calls that have this answer whatever their arguments are, as one entry. */
static void put_alike(struct export *export, struct laz_verdict verdict)
{
    struct laz_json *json = &export->json;
    laz_json_object(json, NULL);
    laz_json_array(json, "names");
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        if (answers(export, i, verdict)) {
            laz_json_string(json, NULL, laz_syscall_at(i)->name);
        }
    }
    laz_json_array_end(json);
    put_verdict(json, "action", "errnoRet", verdict);
    laz_json_object_end(json);
}

/* Is this call the first with its answer? */
static bool is_first(const struct export *export, size_t index, struct laz_verdict verdict)
{
    size_t i = 0;
    while (i < index && !answers(export, i, verdict)) {
        i++;
    }
    return i == index;
}

static void put_calls(struct export *export)
{
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        struct laz_verdict *verdict = &export->work->answers[i].verdict;
        export->work->answers[i].is_plain = is_plain(export, laz_syscall_at(i), verdict);
    }
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        const struct laz_syscall *call = laz_syscall_at(i);
        const struct laz_verdict verdict = export->work->answers[i].verdict;
        if (call->nr[export->arch] < 0) {
            continue;
        }
        if (!export->work->answers[i].is_plain) {
            put_conditional(export, call, &export->policy->decisions[i]);
        } else if (!is_same(verdict, export->fallback) && is_first(export, i, verdict)) {
            put_alike(export, verdict);
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
    if (!is_same(policy->unknown_verdict, export->fallback)) {
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

/* Calls by the processor's other ABIs reach the filter behind a loose profile, if it has an event
 * for them. */
static void put_architectures(struct export *export)
{
    static const char *const names[LAZ_ARCH_COUNT][3] = {
            [LAZ_ARCH_X86_64] = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"},
            [LAZ_ARCH_AARCH64] = {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"}};
    size_t n = reaches(export, NULL, export->policy->foreign_abi_verdict) ? 3 : 1;
    laz_json_array(&export->json, "architectures");
    for (size_t i = 0; i < n && names[export->arch][i] != NULL; i++) {
        laz_json_string(&export->json, NULL, names[export->arch][i]);
    }
    laz_json_array_end(&export->json);
}

/* Around another filter a refusal suffices: what that one kills for, it does. */
static struct laz_verdict find_fallback(const struct export *export)
{
    const struct laz_verdict refusal = {.action = LAZ_ACTION_ERRNO, .errno_value = EPERM};
    bool kills = export->policy->default_verdict.action == LAZ_ACTION_KILL;
    return export->outer != NULL && kills ? refusal : export->policy->default_verdict;
}

int laz_profile_export(const struct laz_policy *policy, enum laz_arch arch,
        const struct laz_profile_outer *outer, struct laz_buf *ret_json,
        struct laz_profile_losses *losses, struct laz_err *err)
{
    struct export export = {.policy = policy,
            .arch = arch,
            .outer = outer,
            .losses = losses,
            .work = calloc(1, sizeof(*export.work))};
    if (export.work == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, ENOMEM, "no memory for a profile");
    }
    export.fallback = find_fallback(&export);
    lose_whole(&export);
    laz_json_init(&export.json, ret_json);
    laz_json_object(&export.json, NULL);
    put_verdict(&export.json, "defaultAction", "defaultErrnoRet", export.fallback);
    put_architectures(&export);
    laz_json_array(&export.json, "syscalls");
    put_calls(&export);
    laz_json_array_end(&export.json);
    laz_json_object_end(&export.json);
    laz_buf_char(ret_json, '\n');
    free(export.work);
    bool is_lost = ret_json->overflow || losses->text->overflow;
    return is_lost ? laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a profile") : 0;
}
