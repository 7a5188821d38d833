/* SPDX-License-Identifier: Apache-2.0
 *
 * The proof that a filter is its policy: for all architectures, numbers and arguments, by running
 * it. Inputs that neither the policy nor the program can tell apart are tried once. Must never
 * share code with compile.c, except laz_filter_return. docs/explanation/filters.md says why this is
 * complete.
 */
#include <linux/audit.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter/filter.h"
#include "filter/graph.h"
#include "filter/survey.h"

#define WORDS          (sizeof(struct seccomp_data) / sizeof(uint32_t))
#define WORD_OF(field) (offsetof(struct seccomp_data, field) / sizeof(uint32_t))
#define CALL_WORDS     ((1U << WORD_OF(nr)) | (1U << WORD_OF(arch)))

#define NUMBERS_EACH 1024 /* of the native ABI, and of x32 */
#define X32_FIRST    0x40000000U
#define NEGATIVE     0x80000000U

struct prover {
    const struct laz_policy *policy;
    enum laz_arch arch;
    uint32_t native; /* what seccomp_data says for it */
    enum laz_filter_variant variant;
    const struct laz_filter *filter;
    struct laz_filter_proof proof;
    struct laz_err *err;
    struct laz_values arches;
    struct laz_values edges;        /* numbers beyond the dense ranges */
    struct laz_survey survey;       /* of the whole filter at first, then of one call */
    struct laz_values words[WORDS]; /* of one call */
};

/* ---- One point ---- */

static const struct laz_syscall *call_at(
        const struct prover *prover, const struct seccomp_data *data)
{
    return data->arch == prover->native ? laz_syscall_by_nr(prover->arch, (uint32_t)data->nr)
                                        : NULL;
}

/* "errno EPERM" */
static void format_answer(uint32_t answer, char *ret, size_t size)
{
    const char *name = "an action that no policy has";
    switch (answer & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ERRNO:
        (void)snprintf(ret, size, "errno %s", laz_err_errno_name((int)(answer & SECCOMP_RET_DATA)));
        return;
    case SECCOMP_RET_ALLOW:
        name = "allow";
        break;
    case SECCOMP_RET_LOG:
        name = "log";
        break;
    case SECCOMP_RET_USER_NOTIF:
        name = "notify";
        break;
    case SECCOMP_RET_KILL_PROCESS:
        name = "kill";
        break;
    default:
        break;
    }
    (void)snprintf(ret, size, "%s", name);
}

static int disagree(
        const struct prover *prover, const struct seccomp_data *data, uint32_t wanted, uint32_t got)
{
    char wanted_text[64];
    char got_text[64];
    format_answer(wanted, wanted_text, sizeof(wanted_text));
    format_answer(got, got_text, sizeof(got_text));
    const struct laz_syscall *call = call_at(prover, data);
    return laz_err_set(prover->err, LAZ_E_PROOF, 0,
            "%s (number %#x, architecture %#x, arguments %#llx %#llx %#llx %#llx %#llx %#llx): "
            "the policy says %s, the filter %s",
            call == NULL ? "a call without a name" : call->name, (unsigned)data->nr, data->arch,
            data->args[0], data->args[1], data->args[2], data->args[3], data->args[4],
            data->args[5], wanted_text, got_text);
}

/* What the filter answered, against what the policy wants. */
static int compare(struct prover *prover, const struct seccomp_data *data, uint32_t got)
{
    uint64_t args[6];
    for (size_t i = 0; i < 6; i++) {
        args[i] = data->args[i];
    }
    struct laz_verdict verdict =
            laz_policy_decide(prover->policy, prover->arch, data->arch, (uint32_t)data->nr, args);
    uint32_t wanted =
            laz_filter_return(prover->policy, prover->variant, call_at(prover, data), verdict);
    prover->proof.n_checked++;
    return got == wanted ? 0 : disagree(prover, data, wanted, got);
}

static int check_point(struct prover *prover, const struct seccomp_data *data, uint32_t *ret_words)
{
    struct laz_bpf_trace trace;
    uint32_t got = laz_bpf_evaluate(prover->filter->insns, prover->filter->n, data, &trace);
    *ret_words = trace.words;
    return compare(prover, data, got);
}

/* ---- One call ---- */

static void survey_cond(struct laz_survey *survey, const struct laz_cond *cond)
{
    uint32_t offset =
            (uint32_t)(offsetof(struct seccomp_data, args) + sizeof(uint64_t) * cond->arg);
    for (size_t i = 0; i < cond->n_values; i++) {
        uint64_t value = cond->values[i];
        laz_survey_add(survey,
                (struct laz_word_test){
                        .offset = offset, .mask = (uint32_t)cond->mask, .k = (uint32_t)value});
        laz_survey_add(survey,
                (struct laz_word_test){.offset = offset + 4,
                        .mask = (uint32_t)(cond->mask >> 32),
                        .k = (uint32_t)(value >> 32)});
    }
}

static void survey_clauses(struct laz_survey *survey, const struct laz_clauses *clauses)
{
    for (size_t i = 0; i < clauses->n; i++) {
        for (size_t j = 0; j < clauses->items[i].n_conds; j++) {
            survey_cond(survey, &clauses->items[i].conds[j]);
        }
    }
}

static bool is_conditional(const struct laz_decision *decision)
{
    return decision->refuse.n + decision->guard.n + decision->allow.n > 0;
}

static const struct laz_decision *decision_of(
        const struct prover *prover, const struct laz_syscall *call)
{
    return call == NULL ? NULL : &prover->policy->decisions[laz_syscall_index(call)];
}

static int refuse_size(const struct prover *prover, const struct laz_syscall *call)
{
    return laz_err_set(prover->err, LAZ_E_POLICY_TOO_LARGE, 0,
            "the conditions on %s can be combined in more ways than can be proved (%d)",
            call == NULL ? "a number" : call->name, LAZ_PROOF_POINTS_MAX);
}

/* All combinations of the values of all words. */
static int check_combinations(struct prover *prover, struct seccomp_data *data)
{
    uint32_t words[WORDS];
    size_t at[WORDS] = {0};
    (void)memcpy(words, data, sizeof(words));
    for (;;) {
        for (size_t i = WORD_OF(instruction_pointer); i < WORDS; i++) {
            words[i] = prover->words[i].items[at[i]];
        }
        uint32_t looked_at = 0;
        (void)memcpy(data, words, sizeof(words));
        if (check_point(prover, data, &looked_at) < 0) {
            return -1;
        }
        size_t i = WORD_OF(instruction_pointer);
        while (i < WORDS && ++at[i] == prover->words[i].n) {
            at[i++] = 0;
        }
        if (i == WORDS) {
            return 0;
        }
    }
}

static int check_conditional(
        struct prover *prover, struct seccomp_data *data, const struct laz_decision *decision)
{
    struct laz_survey *survey = &prover->survey;
    laz_survey_init(survey);
    laz_survey_program(survey, prover->filter->insns, prover->filter->n, data);
    if (decision != NULL) {
        survey_clauses(survey, &decision->refuse);
        survey_clauses(survey, &decision->guard);
        survey_clauses(survey, &decision->allow);
    }
    uint64_t n_points = prover->proof.n_checked;
    uint64_t n_combinations = 1;
    bool is_full = survey->is_full;
    for (size_t i = WORD_OF(instruction_pointer); i < WORDS && !is_full; i++) {
        struct laz_values *values = &prover->words[i];
        laz_survey_values(survey, (uint32_t)(i * sizeof(uint32_t)), values);
        n_combinations *= values->n; /* 2^22 at most, by 2^16 at most */
        is_full = values->is_full || n_points + n_combinations > LAZ_PROOF_POINTS_MAX;
    }
    return is_full ? refuse_size(prover, call_at(prover, data)) : check_combinations(prover, data);
}

static struct seccomp_data point_at(uint32_t arch, uint32_t nr)
{
    const uint64_t ones = UINT64_MAX;
    return (struct seccomp_data){.nr = (int)nr,
            .arch = arch,
            .instruction_pointer = ones,
            .args = {ones, ones, ones, ones, ones, ones}};
}

/* ret_words: what the filter looked at, as in struct laz_bpf_trace. */
static int check_number(struct prover *prover, uint32_t arch, uint32_t nr, uint32_t *ret_words)
{
    struct seccomp_data data = point_at(arch, nr);
    if (check_point(prover, &data, ret_words) < 0) {
        return -1;
    }
    const struct laz_decision *decision = decision_of(prover, call_at(prover, &data));
    bool has_clauses = decision != NULL && is_conditional(decision);
    if (!has_clauses && (*ret_words & ~CALL_WORDS) == 0) {
        return 0; /* neither side knows the arguments: this point stands for all of them */
    }
    return check_conditional(prover, &data, decision);
}

/* ---- All calls ---- */

/* The filter's own constants, so that no range of numbers or architectures between two of them is
 * skipped. */
static int add_constants(struct prover *prover)
{
    laz_survey_program(&prover->survey, prover->filter->insns, prover->filter->n, NULL);
    for (size_t i = 0; i < prover->survey.n; i++) {
        const struct laz_word_test *test = &prover->survey.tests[i];
        bool is_arch = test->offset == offsetof(struct seccomp_data, arch);
        if (test->offset > offsetof(struct seccomp_data, arch)) {
            continue;
        }
        if (test->mask != UINT32_MAX) {
            return laz_err_set(prover->err, LAZ_E_PROOF, 0,
                    "the filter tests single bits of the number or the architecture");
        }
        for (uint32_t j = 0; j < 3; j++) {
            uint32_t value = test->k + j - 1;
            struct laz_values *values = is_arch ? &prover->arches : &prover->edges;
            if (is_arch || value >= NUMBERS_EACH) {
                laz_values_add(values, value);
            }
        }
    }
    if (prover->survey.is_full || prover->survey.is_unclear) {
        return laz_err_set(prover->err, LAZ_E_PROOF, 0,
                "the filter has a test that looks at different words, or too many of them");
    }
    return 0;
}

static int check_range(struct prover *prover, uint32_t arch, uint32_t first)
{
    uint32_t words = 0;
    for (uint32_t i = 0; i < NUMBERS_EACH; i++) {
        if (check_number(prover, arch, first + i, &words) < 0) {
            return -1;
        }
    }
    return 0;
}

/* The filter looks at nothing but this architecture, so its answer to one number is its answer to
 * all. Is it the policy's, too? */
static int check_policy_range(struct prover *prover, uint32_t arch)
{
    struct seccomp_data data = point_at(arch, 0);
    uint32_t got = laz_bpf_evaluate(prover->filter->insns, prover->filter->n, &data, NULL);
    for (int i = 0; i < NUMBERS_EACH; i++) {
        data.nr = i;
        if (compare(prover, &data, got) < 0) {
            return -1;
        }
    }
    return 0;
}

static int check_arch(struct prover *prover, uint32_t arch, bool has_name)
{
    uint32_t words = 0;
    uint32_t all_words = 0;
    for (size_t i = 0; i < prover->edges.n; i++) {
        if (check_number(prover, arch, prover->edges.items[i], &words) < 0) {
            return -1;
        }
        all_words |= words;
    }
    if ((all_words & ~(1U << WORD_OF(arch))) == 0) {
        return has_name ? check_policy_range(prover, arch) : 0;
    }
    return check_range(prover, arch, 0) < 0 ? -1 : check_range(prover, arch, X32_FIRST);
}

static int check_all(struct prover *prover)
{
    static const uint32_t arches[] = {
            AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64, AUDIT_ARCH_I386, AUDIT_ARCH_ARM};
    static const uint32_t edges[] = {X32_FIRST - 1, NEGATIVE - 1, NEGATIVE, UINT32_MAX};
    size_t n_named = sizeof(arches) / sizeof(arches[0]);
    for (size_t i = 0; i < n_named; i++) {
        laz_values_add(&prover->arches, arches[i]);
    }
    laz_values_add(&prover->arches, AUDIT_ARCH_RISCV64); /* one that is nobody's */
    for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
        laz_values_add(&prover->edges, edges[i]);
    }
    if (add_constants(prover) < 0) {
        return -1;
    }
    for (size_t i = 0; i < prover->arches.n; i++) {
        if (check_arch(prover, prover->arches.items[i], i < n_named) < 0) {
            return -1;
        }
    }
    return 0;
}

static void count_actions(struct prover *prover)
{
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        const struct laz_decision *decision = &prover->policy->decisions[i];
        if (laz_syscall_at(i)->nr[prover->arch] < 0) {
            continue;
        }
        if (is_conditional(decision)) {
            prover->proof.n_conditional++;
            prover->proof.n_by_action[LAZ_ACTION_ALLOW]++;
        } else {
            prover->proof.n_by_action[decision->base.action]++;
        }
    }
}

/* 1.5 MB, of which few pages are touched: hence not calloc, which would touch them all. */
static struct prover *prover_new(struct laz_err *err)
{
    struct prover *prover = malloc(sizeof(*prover));
    if (prover == NULL) {
        (void)laz_err_set(err, LAZ_E_MEMORY, 0, "no memory to prove a filter");
        return NULL;
    }
    prover->proof = (struct laz_filter_proof){0};
    laz_survey_init(&prover->survey);
    laz_values_init(&prover->arches);
    laz_values_init(&prover->edges);
    return prover;
}

int laz_filter_prove(const struct laz_policy *policy, enum laz_arch arch,
        enum laz_filter_variant variant, const struct laz_filter *filter,
        struct laz_filter_proof *ret, struct laz_err *err)
{
    struct prover *prover = prover_new(err);
    if (prover == NULL) {
        return -1;
    }
    prover->policy = policy;
    prover->arch = arch;
    prover->native = laz_arch_audit(arch);
    prover->variant = variant;
    prover->filter = filter;
    prover->err = err;
    int result = check_all(prover);
    if (result == 0) {
        count_actions(prover);
        *ret = prover->proof;
    }
    free(prover);
    return result;
}
