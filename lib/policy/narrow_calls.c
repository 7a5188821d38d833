/* SPDX-License-Identifier: Apache-2.0
 *
 * Is one decision about a system call at least as strict as another, for all arguments? Answered by
 * the form of the clauses: "no" may be wrong where only arithmetic shows it, "yes" never is.
 */
#include "policy/merge.h"
#include "policy/narrow.h"

/* ---- When does one condition follow from another? ---- */

static bool contains_value(const struct laz_cond *condition, uint64_t value)
{
    for (size_t i = 0; i < condition->n_values; i++) {
        if (condition->values[i] == value) {
            return true;
        }
    }
    return false;
}

/* Each value of a, seen through b's mask, satisfies b. */
static bool values_satisfy(const struct laz_cond *a, const struct laz_cond *b)
{
    for (size_t i = 0; i < a->n_values; i++) {
        if (contains_value(b, a->values[i] & b->mask) == b->negate) {
            return false;
        }
    }
    return true;
}

/* "These bits are zero", or not. */
static bool is_zero_test(const struct laz_cond *condition)
{
    return condition->n_values == 1 && condition->values[0] == 0;
}

/* Whenever a holds, b does. */
static bool condition_implies(const struct laz_cond *a, const struct laz_cond *b)
{
    if (a->arg != b->arg) {
        return false;
    }
    if (is_zero_test(a) && is_zero_test(b) && a->negate == b->negate) {
        /* Zero in many bits is zero in fewer; a bit among few is a bit among more. */
        return a->negate ? (a->mask & ~b->mask) == 0 : (b->mask & ~a->mask) == 0;
    }
    if (!a->negate) {
        return (b->mask & ~a->mask) == 0 && values_satisfy(a, b);
    }
    if (!b->negate || a->mask != b->mask) {
        return false;
    }
    for (size_t i = 0; i < b->n_values; i++) {
        if (!contains_value(a, b->values[i])) {
            return false;
        }
    }
    return true;
}

/* Whenever clause a holds, b does: each condition of b follows from one of a. */
static bool clause_implies(const struct laz_clause *a, const struct laz_clause *b)
{
    for (size_t i = 0; i < b->n_conds; i++) {
        bool follows = false;
        for (size_t k = 0; k < a->n_conds && !follows; k++) {
            follows = condition_implies(&a->conds[k], &b->conds[i]);
        }
        if (!follows) {
            return false;
        }
    }
    return true;
}

/* ---- Strictness ---- */

static unsigned strictness(const struct laz_clause *clause)
{
    return laz_verdict_strictness(clause->verdict);
}

static unsigned least_of(const struct laz_clauses *clauses, unsigned least)
{
    for (size_t i = 0; i < clauses->n; i++) {
        least = strictness(&clauses->items[i]) < least ? strictness(&clauses->items[i]) : least;
    }
    return least;
}

static unsigned most_of(const struct laz_clauses *clauses, unsigned most)
{
    for (size_t i = 0; i < clauses->n; i++) {
        most = strictness(&clauses->items[i]) > most ? strictness(&clauses->items[i]) : most;
    }
    return most;
}

/* What answers where no refusing clause holds and the guard does: `base`, or the clauses of
 * `allow`. */
static unsigned least_allowed(const struct laz_decision *decision)
{
    return decision->allow.n == 0
            ? laz_verdict_strictness(decision->base)
            : least_of(&decision->allow, laz_verdict_strictness(decision->otherwise));
}

static unsigned most_allowed(const struct laz_decision *decision)
{
    return decision->allow.n == 0
            ? laz_verdict_strictness(decision->base)
            : most_of(&decision->allow, laz_verdict_strictness(decision->otherwise));
}

/* The same, the guard included. */
static unsigned least_guarded(const struct laz_decision *decision)
{
    unsigned least = least_allowed(decision);
    unsigned otherwise = laz_verdict_strictness(decision->otherwise);
    return decision->guard.n > 0 && otherwise < least ? otherwise : least;
}

static unsigned most_guarded(const struct laz_decision *decision)
{
    unsigned most = most_allowed(decision);
    unsigned otherwise = laz_verdict_strictness(decision->otherwise);
    return decision->guard.n > 0 && otherwise > most ? otherwise : most;
}

static struct laz_pos pos_of_allowed(const struct laz_decision *decision)
{
    return decision->allow.n > 0 ? decision->allow.items[0].verdict.pos : decision->base.pos;
}

/* ---- Clauses against clauses ---- */

/* Each clause of the parent that is stricter than `floor` has one of the child's that holds
 * whenever it does and is as strict. The strictest come first in a list, so a weaker one never
 * hides it. */
static const struct laz_clause *find_lost(
        const struct laz_clauses *child, const struct laz_clauses *parent, unsigned floor)
{
    for (size_t i = 0; i < parent->n; i++) {
        const struct laz_clause *old = &parent->items[i];
        bool is_kept = floor >= strictness(old);
        for (size_t k = 0; k < child->n && !is_kept; k++) {
            is_kept = strictness(&child->items[k]) >= strictness(old) &&
                    clause_implies(old, &child->items[k]);
        }
        if (!is_kept) {
            return old;
        }
    }
    return NULL;
}

/* The first clause of the child that holds where none of the parent's need hold. */
static const struct laz_clause *find_added(
        const struct laz_clauses *child, const struct laz_clauses *parent)
{
    for (size_t i = 0; i < child->n; i++) {
        bool is_within = false;
        for (size_t k = 0; k < parent->n && !is_within; k++) {
            is_within = clause_implies(&child->items[i], &parent->items[k]);
        }
        if (!is_within) {
            return &child->items[i];
        }
    }
    return NULL;
}

/* A refusing clause of the child that is weaker than what it takes the place of. */
static const struct laz_clause *find_weak_refusal(
        const struct laz_decision *child, const struct laz_decision *parent)
{
    unsigned most = most_guarded(parent);
    for (size_t i = 0; i < child->refuse.n; i++) {
        const struct laz_clause *clause = &child->refuse.items[i];
        const struct laz_clauses alone = {.n = 1, .items = &child->refuse.items[i]};
        /* Where it holds together with one of the parent's, find_lost has judged. Where it takes
         * away what a condition of the parent allows, any refusal is enough. */
        bool is_judged = find_added(&alone, &parent->refuse) == NULL;
        bool is_in_allowed = parent->guard.n == 0 && parent->allow.n > 0 &&
                find_added(&alone, &parent->allow) == NULL;
        if (strictness(clause) < most && !is_judged && !is_in_allowed) {
            return clause;
        }
    }
    return NULL;
}

/* The part behind refusals and guards. NULL if the child is as strict. */
static const char *find_in_allowed(const struct laz_decision *child,
        const struct laz_decision *parent, struct laz_pos *ret_child_pos,
        struct laz_pos *ret_parent_pos)
{
    *ret_child_pos = pos_of_allowed(child);
    *ret_parent_pos = pos_of_allowed(parent);
    if (least_allowed(child) >= most_allowed(parent)) {
        return NULL;
    }
    if (parent->allow.n == 0 || child->allow.n == 0) {
        return "syscalls";
    }
    const struct laz_clause *added = find_added(&child->allow, &parent->allow);
    const struct laz_clause *lost =
            find_lost(&child->allow, &parent->allow, least_of(&child->allow, UINT32_MAX));
    if (added != NULL) {
        *ret_child_pos = added->verdict.pos;
    }
    if (lost != NULL) {
        *ret_parent_pos = lost->verdict.pos;
    }
    bool is_weaker =
            laz_verdict_strictness(child->otherwise) < laz_verdict_strictness(parent->otherwise);
    return added != NULL || lost != NULL || is_weaker ? "syscalls" : NULL;
}

static const char *find_in_guard(const struct laz_decision *child,
        const struct laz_decision *parent, struct laz_pos *ret_child_pos,
        struct laz_pos *ret_parent_pos)
{
    unsigned otherwise = laz_verdict_strictness(child->otherwise);
    *ret_child_pos = child->otherwise.pos;
    *ret_parent_pos = parent->otherwise.pos;
    if (child->guard.n > 0 && otherwise < most_guarded(parent)) {
        return "syscalls.default";
    }
    if (parent->guard.n == 0) {
        return NULL;
    }
    *ret_parent_pos = parent->guard.items[0].verdict.pos;
    if (child->guard.n == 0) {
        *ret_child_pos = pos_of_allowed(child);
        return "network.families";
    }
    const struct laz_clause *added = find_added(&child->guard, &parent->guard);
    if (added != NULL) {
        *ret_child_pos = added->verdict.pos;
        return "network.families";
    }
    return NULL;
}

const char *laz_decision_find_widening(const struct laz_decision *child,
        const struct laz_decision *parent, struct laz_pos *ret_child_pos,
        struct laz_pos *ret_parent_pos)
{
    unsigned floor = least_of(&child->refuse, least_guarded(child));
    const struct laz_clause *lost = find_lost(&child->refuse, &parent->refuse, floor);
    if (lost != NULL) {
        *ret_child_pos = pos_of_allowed(child);
        *ret_parent_pos = lost->verdict.pos;
        return "syscalls";
    }
    const struct laz_clause *weak = find_weak_refusal(child, parent);
    if (weak != NULL) {
        *ret_child_pos = weak->verdict.pos;
        *ret_parent_pos = pos_of_allowed(parent);
        return "syscalls";
    }
    if (least_guarded(child) >= most_guarded(parent)) {
        return NULL;
    }
    const char *key = find_in_guard(child, parent, ret_child_pos, ret_parent_pos);
    return key != NULL ? key : find_in_allowed(child, parent, ret_child_pos, ret_parent_pos);
}
