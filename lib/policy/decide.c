/* SPDX-License-Identifier: Apache-2.0
 *
 * What a policy says about one system call, read off the structure step by step. Deliberately
 * simple: this is the meaning that emitted filters are proved against, so it shares no code with
 * what compiles them.
 */
#include <string.h>

#include "policy/policy.h"

#define X32_BIT  0x40000000u /* set in the numbers of x32, on x86-64 alone */
#define SIGN_BIT 0x80000000u /* no call has it; a tracer's "skip" is -1 */

static bool holds(const struct laz_cond *condition, const uint64_t args[6])
{
    uint64_t value = args[condition->arg] & condition->mask;
    bool is_in = false;
    for (size_t i = 0; i < condition->n_values; i++) {
        is_in = is_in || value == condition->values[i];
    }
    return is_in != condition->negate;
}

/* The first clause all of whose conditions hold, or NULL. */
static const struct laz_clause *first_holding(
        const struct laz_clauses *clauses, const uint64_t args[6])
{
    for (size_t i = 0; i < clauses->n; i++) {
        const struct laz_clause *clause = &clauses->items[i];
        size_t held = 0;
        while (held < clause->n_conds && holds(&clause->conds[held], args)) {
            held++;
        }
        if (held == clause->n_conds) {
            return clause;
        }
    }
    return NULL;
}

static struct laz_verdict decide_call(const struct laz_decision *decision, const uint64_t args[6])
{
    const struct laz_clause *refused = first_holding(&decision->refuse, args);
    if (refused != NULL) {
        return refused->verdict;
    }
    if (decision->guard.n > 0 && first_holding(&decision->guard, args) == NULL) {
        return decision->otherwise;
    }
    if (decision->allow.n > 0) {
        const struct laz_clause *allowed = first_holding(&decision->allow, args);
        return allowed != NULL ? allowed->verdict : decision->otherwise;
    }
    return decision->base;
}

struct laz_verdict laz_policy_decide(const struct laz_policy *policy, enum laz_arch native,
        uint32_t audit_arch, uint32_t nr, const uint64_t args[6])
{
    bool is_x32 = native == LAZ_ARCH_X86_64 && (nr & X32_BIT) != 0 && (nr & SIGN_BIT) == 0;
    if (audit_arch != laz_arch_audit(native) || is_x32) {
        return policy->foreign_abi_verdict;
    }
    const struct laz_syscall *call = nr >= SIGN_BIT ? NULL : laz_syscall_by_nr(native, nr);
    if (call == NULL) {
        return policy->unknown_verdict;
    }
    return decide_call(&policy->decisions[laz_syscall_index(call)], args);
}
