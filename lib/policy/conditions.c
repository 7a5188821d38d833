/* SPDX-License-Identifier: Apache-2.0
 *
 * `when:` of a rule. Every test of the language becomes (argument & mask) in or not in a set of
 * values, with the bits that the kernel looks at and no others.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "policy/merge.h"
#include "policy/scalar.h"

static const enum laz_field_id tests[] = {LAZ_FIELD_WHEN_EQ, LAZ_FIELD_WHEN_IN,
        LAZ_FIELD_WHEN_NOT_IN, LAZ_FIELD_WHEN_ANY_FLAGS, LAZ_FIELD_WHEN_NO_FLAGS,
        LAZ_FIELD_WHEN_FLAGS_SUBSET_OF};

/* The test of a condition: the first one that it has. */
static struct laz_node *test_of(const struct laz_node *condition)
{
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        struct laz_node *test = laz_check_child(condition, tests[i]);
        if (test != NULL) {
            return test;
        }
    }
    return NULL;
}

static void check_condition(struct laz_merge *merge, struct laz_node *condition)
{
    struct laz_node *first = test_of(condition);
    if (first == NULL) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, condition,
                "needs a test: eq, in, not-in, any-flags, no-flags or flags-subset-of");
        return;
    }
    for (struct laz_node *child = condition->first; child != NULL; child = child->next) {
        if (child != first && child->field != LAZ_FIELD_WHEN_ARG) {
            laz_report_key(merge->report, LAZ_E_POLICY_INVALID, child,
                    "one test a condition; write a list of conditions that must all hold");
        }
    }
    if (first->kind == LAZ_NODE_SEQUENCE && first->n_children == 0) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, first, "must not be empty");
    }
    if (first->n_children > LAZ_POLICY_VALUES_MAX) {
        laz_report_node(merge->report, LAZ_E_POLICY_TOO_LARGE, first, "more than %d values",
                LAZ_POLICY_VALUES_MAX);
    }
}

bool laz_conditions_check(struct laz_merge *merge, struct laz_node *when)
{
    size_t n = 0;
    for (struct laz_node *condition = laz_check_item(when, NULL); condition != NULL;
            condition = laz_check_item(when, condition)) {
        check_condition(merge, condition);
        n++;
    }
    if (n == 0 && !when->has_bad) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, when, "must not be empty");
    }
    if (n > LAZ_POLICY_CONDS_MAX) {
        laz_report_node(merge->report, LAZ_E_POLICY_TOO_LARGE, when, "more than %d conditions",
                LAZ_POLICY_CONDS_MAX);
    }
    return !when->has_bad;
}

bool laz_value_resolve(struct laz_merge *merge, struct laz_node *node,
        const struct laz_syscall *call, unsigned arg, uint64_t *ret_value)
{
    if (node->is_plain && laz_scalar_integer(node->text, node->length, ret_value)) {
        return true;
    }
    struct laz_quoted quoted;
    struct laz_quoted mean;
    switch (laz_constant_lookup(call, arg, node->text, node->length, ret_value)) {
    case LAZ_CONSTANT_SCOPED:
        return true;
    case LAZ_CONSTANT_ELSEWHERE:
        laz_report_warning(merge->report, node, "%s is not a constant of this argument of %s",
                laz_quote(&quoted, node->text, node->length), call->name);
        return true;
    case LAZ_CONSTANT_UNKNOWN:
        break;
    }
    laz_report_node(merge->report, LAZ_E_POLICY_INVALID, node, "unknown constant %s%s",
            laz_quote(&quoted, node->text, node->length),
            laz_quote_suggestion(&mean, laz_suggest_constant(call, arg, node->text, node->length)));
    return false;
}

const char *laz_name_arguments(struct laz_quoted *ret, const struct laz_syscall *call)
{
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, ret->text, sizeof(ret->text));
    laz_buf_str(&buf, call->n_args == 0 ? " (it has none)" : " (its arguments: ");
    for (size_t i = 0; i < call->n_args; i++) {
        laz_buf_printf(&buf, "%s%s", call->args[i].name, i + 1 < call->n_args ? ", " : ")");
    }
    return ret->text;
}

/* The argument that a condition names; -1: reported. */
static int find_argument(
        struct laz_merge *merge, struct laz_node *node, const struct laz_syscall *call)
{
    int arg = laz_syscall_arg_by_name(call, node->text, node->length);
    struct laz_quoted quoted;
    struct laz_quoted known;
    if (arg < 0) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, node, "%s has no argument %s%s",
                call->name, laz_quote(&quoted, node->text, node->length),
                laz_name_arguments(&known, call));
        return -1;
    }
    if (call->args[arg].kind == LAZ_ARG_POINTER) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, node,
                "%s of %s is a pointer: what it points to can change after the check",
                laz_quote(&quoted, node->text, node->length), call->name);
        return -1;
    }
    return arg;
}

static unsigned bits_of(uint64_t mask)
{
    return mask == 0 ? 0 : 64 - (unsigned)__builtin_clzll(mask);
}

/* The values of a test, within the bits of the argument. */
static bool take_values(struct laz_merge *merge, struct laz_node *test,
        const struct laz_syscall *call, struct laz_cond *ret)
{
    uint64_t bits = laz_arg_mask((enum laz_arg_kind)call->args[ret->arg].kind);
    for (struct laz_node *node = laz_check_item(test, NULL); node != NULL;
            node = laz_check_item(test, node)) {
        uint64_t value = 0;
        uint64_t number = 0;
        if (!laz_value_resolve(merge, node, call, ret->arg, &value)) {
            return false;
        }
        bool is_number = laz_scalar_integer(node->text, node->length, &number);
        if (is_number && (number & ~bits) != 0) {
            laz_report_node(merge->report, LAZ_E_POLICY_INVALID, node,
                    "does not fit into the %u bits of this argument that the kernel looks at",
                    bits_of(bits));
            return false;
        }
        ret->values[ret->n_values++] = value & bits;
    }
    return true;
}

static uint64_t all_of(const struct laz_cond *condition)
{
    uint64_t flags = 0;
    for (size_t i = 0; i < condition->n_values; i++) {
        flags |= condition->values[i];
    }
    return flags;
}

/* Turn a test of flags into mask and zero. false: it would hold always or never; reported. */
static bool make_flags(struct laz_merge *merge, struct laz_node *test, struct laz_cond *condition)
{
    uint64_t flags = all_of(condition);
    bool is_subset = test->field == LAZ_FIELD_WHEN_FLAGS_SUBSET_OF;
    condition->mask = is_subset ? condition->mask & ~flags : flags;
    condition->negate = test->field == LAZ_FIELD_WHEN_ANY_FLAGS;
    condition->n_values = 1;
    condition->values[0] = 0;
    if (condition->mask == 0) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, test,
                is_subset ? "every value is a subset of this" : "no flag is not a test");
        return false;
    }
    return true;
}

/* A test for whole values looks at no more than makes the value: a program could add a flag to pass
 * it by. false: a value has more; reported. */
static bool make_values(struct laz_merge *merge, struct laz_node *test,
        const struct laz_syscall *call, struct laz_cond *condition)
{
    condition->negate = test->field == LAZ_FIELD_WHEN_NOT_IN;
    condition->mask = laz_arg_value_mask(call, condition->arg);
    if ((all_of(condition) & ~condition->mask) != 0) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, test,
                "%s of %s is compared without the flags beside it: test those by \"any-flags\" or "
                "\"no-flags\", in a condition of their own",
                call->args[condition->arg].name, call->name);
        return false;
    }
    return true;
}

static bool build_condition(struct laz_merge *merge, struct laz_node *node,
        const struct laz_syscall *call, struct laz_clause *clause)
{
    uint64_t values[LAZ_POLICY_VALUES_MAX];
    int arg = find_argument(merge, laz_check_child(node, LAZ_FIELD_WHEN_ARG), call);
    if (arg < 0) {
        return false;
    }
    struct laz_cond condition = {.arg = (uint8_t)arg,
            .mask = laz_arg_mask((enum laz_arg_kind)call->args[arg].kind),
            .values = values};
    struct laz_node *test = test_of(node);
    if (!take_values(merge, test, call, &condition)) {
        return false;
    }
    bool is_whole = test->field == LAZ_FIELD_WHEN_EQ || test->field == LAZ_FIELD_WHEN_IN ||
            test->field == LAZ_FIELD_WHEN_NOT_IN;
    bool is_made = is_whole ? make_values(merge, test, call, &condition)
                            : make_flags(merge, test, &condition);
    return is_made && laz_clause_add(merge->arena, clause, call, &condition);
}

bool laz_conditions_build(struct laz_merge *merge, struct laz_node *when,
        const struct laz_syscall *call, struct laz_clause *ret_clause)
{
    for (struct laz_node *node = laz_check_item(when, NULL); node != NULL;
            node = laz_check_item(when, node)) {
        if (!build_condition(merge, node, call, ret_clause)) {
            return false;
        }
    }
    return true;
}

static int compare_values(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

bool laz_clause_add(struct laz_arena *arena, struct laz_clause *clause,
        const struct laz_syscall *call, const struct laz_cond *condition)
{
    uint64_t *values = laz_arena_take(arena, condition->n_values, sizeof(*values));
    if (values == NULL || clause->n_conds == LAZ_POLICY_CONDS_MAX) {
        return false;
    }
    (void)memcpy(values, condition->values, condition->n_values * sizeof(*values));
    qsort(values, condition->n_values, sizeof(*values), compare_values);
    size_t n = 0;
    for (size_t i = 0; i < condition->n_values; i++) {
        if (i == 0 || values[i] != values[n - 1]) {
            values[n++] = values[i]; /* AF_UNIX and AF_LOCAL are one value */
        }
    }
    bool is_wide = call->args[condition->arg].kind == LAZ_ARG_INT64;
    struct laz_cond *slot = &clause->conds[clause->n_conds++];
    *slot = *condition;
    slot->width_bits = is_wide ? 64 : 32;
    slot->n_values = n;
    slot->values = values;
    return true;
}
