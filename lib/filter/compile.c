/* SPDX-License-Identifier: Apache-2.0
 *
 * Policy to graph: which branches decide a call, in the order that struct laz_decision defines.
 * Must never decide anything itself that laz_policy_decide would decide otherwise; laz_filter_prove
 * holds it to that.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "filter/graph.h"

/* Numbers above are x32's: the kernel ors this bit to them. Only x86-64 has x32. */
#define X32_BIT 0x40000000U
/* Negative as an int: no ABI has such numbers. */
#define NEGATIVE 0x80000000U

#define ERRNO_MAX 4095 /* above it the kernel takes this one */

struct compiler {
    const struct laz_policy *policy;
    enum laz_arch arch;
    enum laz_filter_variant variant;
    struct laz_graph *graph;
    const struct laz_syscall *call; /* the one that is being compiled */
};

/* ---- Verdict to answer ---- */

static bool is_named(const struct laz_syscall *call, const char *name)
{
    return call != NULL && strcmp(call->name, name) == 0;
}

static bool is_refusal(enum laz_action action)
{
    return action != LAZ_ACTION_ALLOW && action != LAZ_ACTION_LOG;
}

/* Says that this kernel has no such call, so its caller takes another way. Mode observe that let it
 * through would see the calls of a way that mode enforce never takes. */
static bool is_absence(struct laz_verdict verdict)
{
    return verdict.action == LAZ_ACTION_ERRNO && verdict.errno_value == ENOSYS;
}

uint32_t laz_filter_return(const struct laz_policy *policy, enum laz_filter_variant variant,
        const struct laz_syscall *call, struct laz_verdict verdict)
{
    bool with_events = variant == LAZ_FILTER_WITH_EVENTS;
    if (is_named(call, "execve") && variant != LAZ_FILTER_OWN) {
        /* Its notification is the gate at which init attests the child, and later the exec budget.
         */
        return with_events ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW;
    }
    if (with_events && is_named(call, "execveat") && !is_refusal(verdict.action)) {
        return SECCOMP_RET_USER_NOTIF; /* or the budget could be walked around */
    }
    if (with_events && policy->mode == LAZ_MODE_OBSERVE && is_refusal(verdict.action) &&
            !is_absence(verdict)) {
        return SECCOMP_RET_USER_NOTIF; /* init lets it through, and says what would have been */
    }
    switch (verdict.action) {
    case LAZ_ACTION_ALLOW:
        return SECCOMP_RET_ALLOW;
    case LAZ_ACTION_LOG:
        return SECCOMP_RET_LOG;
    case LAZ_ACTION_ERRNO:
        return SECCOMP_RET_ERRNO | verdict.errno_value;
    case LAZ_ACTION_NOTIFY:
        return with_events ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ERRNO | verdict.errno_value;
    case LAZ_ACTION_KILL:
    case LAZ_ACTION_COUNT:
        break;
    }
    return SECCOMP_RET_KILL_PROCESS;
}

static struct laz_target answer(const struct compiler *compiler, struct laz_verdict verdict)
{
    return laz_graph_return(
            laz_filter_return(compiler->policy, compiler->variant, compiler->call, verdict));
}

/* ---- Conditions ---- */

static uint32_t arg_offset(uint8_t arg, bool high)
{
    return (uint32_t)(offsetof(struct seccomp_data, args) + sizeof(uint64_t) * arg +
            (high ? 4 : 0));
}

/* Lead single values of a word to their targets and all others to `rest`. singles: ascending,
 * unique and possible under the mask. */
static struct laz_target put_singles(struct compiler *compiler, uint32_t offset, uint32_t mask,
        const struct laz_piece *singles, size_t n, struct laz_target rest)
{
    struct laz_piece pieces[2 * LAZ_POLICY_VALUES_MAX + 1] = {{.first = 0, .to = rest}};
    size_t n_pieces = 1;
    for (size_t i = 0; i < n; i++) {
        if (pieces[n_pieces - 1].first == singles[i].first) {
            n_pieces--; /* nothing lies between this value and the one before */
        }
        pieces[n_pieces++] = singles[i];
        uint32_t end = laz_mask_next(mask, singles[i].first);
        if (end != 0) {
            pieces[n_pieces++] = (struct laz_piece){.first = end, .to = rest};
        }
    }
    return laz_graph_branch(compiler->graph, offset, mask, pieces, n_pieces);
}

/* A register is two words to BPF. For each upper half in the list there is a list of lower halves;
 * where the mask leaves nothing of a half, its branch comes out empty and is none. */
static struct laz_target put_cond(struct compiler *compiler, const struct laz_cond *cond,
        struct laz_target hit, struct laz_target miss)
{
    if (cond->negate) {
        struct laz_target swap = hit;
        hit = miss;
        miss = swap;
    }
    struct laz_piece highs[LAZ_POLICY_VALUES_MAX];
    struct laz_piece lows[LAZ_POLICY_VALUES_MAX];
    size_t n_highs = 0;
    size_t n_lows = 0;
    for (size_t i = 0; i < cond->n_values; i++) {
        uint64_t value = cond->values[i];
        lows[n_lows++] = (struct laz_piece){.first = (uint32_t)value, .to = hit};
        bool is_last = i + 1 == cond->n_values || cond->values[i + 1] >> 32 != value >> 32;
        if (is_last) {
            struct laz_target to = put_singles(compiler, arg_offset(cond->arg, false),
                    (uint32_t)cond->mask, lows, n_lows, miss);
            highs[n_highs++] = (struct laz_piece){.first = (uint32_t)(value >> 32), .to = to};
            n_lows = 0;
        }
    }
    return put_singles(compiler, arg_offset(cond->arg, true), (uint32_t)(cond->mask >> 32), highs,
            n_highs, miss);
}

static struct laz_target put_clause(struct compiler *compiler, const struct laz_clause *clause,
        struct laz_target hit, struct laz_target miss)
{
    struct laz_target to = hit;
    for (size_t i = clause->n_conds; i-- > 0;) {
        to = put_cond(compiler, &clause->conds[i], to, miss);
    }
    return to;
}

/* Try clauses in order; the answer of the first that holds, else `rest`. */
static struct laz_target put_clauses(
        struct compiler *compiler, const struct laz_clauses *clauses, struct laz_target rest)
{
    for (size_t i = clauses->n; i-- > 0;) {
        const struct laz_clause *clause = &clauses->items[i];
        rest = put_clause(compiler, clause, answer(compiler, clause->verdict), rest);
    }
    return rest;
}

/* Everything is built from its end, as the emitter writes it: what a branch leads to must exist. */
static struct laz_target put_decision(
        struct compiler *compiler, const struct laz_decision *decision)
{
    struct laz_target otherwise = answer(compiler, decision->otherwise);
    struct laz_target to = decision->allow.n == 0
            ? answer(compiler, decision->base)
            : put_clauses(compiler, &decision->allow, otherwise);
    if (decision->guard.n > 0) {
        struct laz_target passed = to;
        to = otherwise;
        for (size_t i = decision->guard.n; i-- > 0;) {
            to = put_clause(compiler, &decision->guard.items[i], passed, to);
        }
    }
    return put_clauses(compiler, &decision->refuse, to);
}

/* ---- Numbers and architecture ---- */

static struct laz_target put_numbers(struct compiler *compiler, struct laz_target foreign)
{
    struct laz_target unknown = answer(compiler, compiler->policy->unknown_verdict);
    struct laz_piece pieces[LAZ_SYSCALL_NR_MAX + 4];
    for (uint32_t nr = 0; nr <= LAZ_SYSCALL_NR_MAX + 1; nr++) {
        pieces[nr] = (struct laz_piece){.first = nr, .to = unknown};
    }
    size_t n = LAZ_SYSCALL_NR_MAX + 2;
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        compiler->call = laz_syscall_at(i);
        int16_t nr = compiler->call->nr[compiler->arch];
        if (nr >= 0) {
            pieces[nr].to = put_decision(compiler, &compiler->policy->decisions[i]);
        }
    }
    compiler->call = NULL;
    if (compiler->arch == LAZ_ARCH_X86_64) {
        pieces[n++] = (struct laz_piece){.first = X32_BIT, .to = foreign};
        pieces[n++] = (struct laz_piece){.first = NEGATIVE, .to = unknown};
    }
    return laz_graph_branch(
            compiler->graph, offsetof(struct seccomp_data, nr), UINT32_MAX, pieces, n);
}

/* Numbers mean something else in every ABI, so the architecture comes first. */
static struct laz_target put_filter(struct compiler *compiler)
{
    uint32_t native = laz_arch_audit(compiler->arch);
    struct laz_target foreign = answer(compiler, compiler->policy->foreign_abi_verdict);
    struct laz_piece single = {.first = native, .to = put_numbers(compiler, foreign)};
    return put_singles(
            compiler, offsetof(struct seccomp_data, arch), UINT32_MAX, &single, 1, foreign);
}

/* ---- What the structure promises ---- */

static bool is_verdict(struct laz_verdict verdict)
{
    switch (verdict.action) {
    case LAZ_ACTION_ALLOW:
    case LAZ_ACTION_KILL:
    case LAZ_ACTION_LOG:
        return true;
    case LAZ_ACTION_ERRNO:
    case LAZ_ACTION_NOTIFY:
        /* 0 would tell the caller that its call succeeded. */
        return verdict.errno_value > 0 && verdict.errno_value <= ERRNO_MAX;
    case LAZ_ACTION_COUNT:
        break;
    }
    return false;
}

/* The mask has no bit that the kernel does not look at: comparing the whole register of an `int`
 * would let socket(AF_VSOCK + 2^32) through. */
static bool is_mask(const struct laz_cond *cond)
{
    return cond->width_bits == 64 || (cond->width_bits == 32 && cond->mask <= UINT32_MAX);
}

static bool is_cond(const struct laz_cond *cond)
{
    if (cond->arg >= LAZ_SYSCALL_ARGS_MAX || cond->n_values > LAZ_POLICY_VALUES_MAX ||
            !is_mask(cond)) {
        return false;
    }
    for (size_t i = 0; i < cond->n_values; i++) {
        bool is_ascending = i == 0 || cond->values[i] > cond->values[i - 1];
        if (!is_ascending || (cond->values[i] & ~cond->mask) != 0) {
            return false;
        }
    }
    return true;
}

static bool are_clauses(const struct laz_clauses *clauses)
{
    for (size_t i = 0; i < clauses->n; i++) {
        const struct laz_clause *clause = &clauses->items[i];
        if (!is_verdict(clause->verdict) || clause->n_conds > LAZ_POLICY_CONDS_MAX) {
            return false;
        }
        for (size_t j = 0; j < clause->n_conds; j++) {
            if (!is_cond(&clause->conds[j])) {
                return false;
            }
        }
    }
    return true;
}

static int check_policy(const struct laz_policy *policy, struct laz_err *err)
{
    if (!is_verdict(policy->unknown_verdict) || !is_verdict(policy->foreign_abi_verdict)) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "a default of the policy is malformed");
    }
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        const struct laz_decision *decision = &policy->decisions[i];
        if (!is_verdict(decision->base) || !is_verdict(decision->otherwise) ||
                !are_clauses(&decision->refuse) || !are_clauses(&decision->guard) ||
                !are_clauses(&decision->allow)) {
            return laz_err_set(err, LAZ_E_INTERNAL, 0, "the decision about %s is malformed",
                    laz_syscall_at(i)->name);
        }
    }
    return 0;
}

int laz_filter_compile(const struct laz_policy *policy, enum laz_arch arch,
        enum laz_filter_variant variant, struct laz_filter *ret, struct laz_err *err)
{
    if (check_policy(policy, err) < 0) {
        return -1;
    }
    struct compiler compiler = {.policy = policy, .arch = arch, .variant = variant};
    compiler.graph = malloc(sizeof(*compiler.graph)); /* 1.7 MB, of which some pages are touched */
    if (compiler.graph == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory to compile a filter");
    }
    compiler.graph->n_branches = 0;
    compiler.graph->n_pieces = 0;
    compiler.graph->full = false;
    struct laz_target root = put_filter(&compiler);
    int result = laz_graph_emit(compiler.graph, root, ret, err);
    free(compiler.graph);
    return result;
}

void laz_filter_done(struct laz_filter *filter)
{
    free(filter->insns);
    *filter = (struct laz_filter){0};
}
