/* SPDX-License-Identifier: Apache-2.0
 *
 * Words for what policies say. Must mean what lib/policy means: a condition is (argument & mask) in
 * values, or not, and every phrase below is that and nothing else.
 */
#include "cli/words.h"

#include <stdio.h>

#include "core/err.h"

bool laz_words_is_refusal(enum laz_action action)
{
    return action != LAZ_ACTION_ALLOW && action != LAZ_ACTION_LOG;
}

bool laz_words_has_errno(enum laz_action action)
{
    return action == LAZ_ACTION_ERRNO || action == LAZ_ACTION_NOTIFY;
}

void laz_words_action(struct laz_verdict verdict, char ret[LAZ_WORDS_ACTION_MAX])
{
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, ret, LAZ_WORDS_ACTION_MAX);
    laz_buf_str(&buf, laz_action_name(verdict.action));
    if (laz_words_has_errno(verdict.action) && verdict.errno_value != 0) {
        laz_buf_printf(&buf, " %s", laz_err_errno_name(verdict.errno_value));
    }
}

void laz_words_verdict(struct laz_buf *buf, struct laz_verdict verdict)
{
    const char *name = laz_err_errno_name(verdict.errno_value);
    switch (verdict.action) {
    case LAZ_ACTION_ALLOW:
        laz_buf_str(buf, "allowed");
        return;
    case LAZ_ACTION_LOG:
        laz_buf_str(buf, "allowed and logged by the host");
        return;
    case LAZ_ACTION_ERRNO:
        laz_buf_printf(buf, "silently refused with %s", name);
        return;
    case LAZ_ACTION_NOTIFY:
        laz_buf_printf(buf, "refused with %s and an event", name);
        return;
    case LAZ_ACTION_KILL:
        laz_buf_str(buf, "killed by SIGSYS");
        return;
    case LAZ_ACTION_COUNT:
        break;
    }
    laz_buf_char(buf, '?');
}

/* ---- Conditions ---- */

static void put_number(struct laz_buf *buf, uint64_t value)
{
    laz_buf_printf(buf, value < 1024 ? "%llu" : "0x%llx", (unsigned long long)value);
}

static void put_value(
        struct laz_buf *buf, const struct laz_syscall *call, unsigned arg, uint64_t value)
{
    const char *name = laz_constant_name(call, arg, value);
    if (name != NULL) {
        laz_buf_str(buf, name);
    } else {
        put_number(buf, value);
    }
}

static void put_flags(
        struct laz_buf *buf, const struct laz_syscall *call, unsigned arg, uint64_t flags)
{
    const char *separator = "";
    for (unsigned bit = 0; bit < 64; bit++) {
        if ((flags >> bit & 1) != 0) {
            laz_buf_str(buf, separator);
            put_value(buf, call, arg, UINT64_C(1) << bit);
            separator = ", ";
        }
    }
    if (flags == 0) {
        laz_buf_str(buf, "none");
    }
}

/* One bit test: (argument & mask) is 0, or is not. A mask of most bits is the complement of what
 * was written. */
static void put_flag_test(struct laz_buf *buf, const struct laz_syscall *call,
        const struct laz_cond *cond, uint64_t mask, uint64_t all)
{
    bool is_complement = __builtin_popcountll(mask) > __builtin_popcountll(all & ~mask);
    const char *verb = "has none of ";
    if (is_complement) {
        verb = cond->negate ? "has other bits than " : "has no other bits than ";
    } else if (cond->negate) {
        verb = (mask & (mask - 1)) == 0 ? "has " : "has one of ";
    }
    laz_buf_str(buf, verb);
    put_flags(buf, call, cond->arg, is_complement ? all & ~mask : mask);
}

static void put_cond(
        struct laz_buf *buf, const struct laz_syscall *call, const struct laz_cond *cond)
{
    uint64_t all = cond->width_bits >= 64 ? UINT64_MAX : (UINT64_C(1) << cond->width_bits) - 1;
    uint64_t mask = cond->mask & all;
    if (cond->arg < call->n_args) {
        laz_buf_str(buf, call->args[cond->arg].name);
    } else {
        laz_buf_printf(buf, "arg%u", cond->arg);
    }
    laz_buf_char(buf, ' ');
    if (mask != all && cond->n_values == 1 && cond->values[0] == 0) {
        put_flag_test(buf, call, cond, mask, all);
        return;
    }
    if (mask != all) {
        laz_buf_printf(buf, "& %#llx ", (unsigned long long)mask);
    }
    if (cond->n_values == 0) {
        laz_buf_str(buf, cond->negate ? "is anything" : "is impossible");
        return;
    }
    if (cond->n_values == 1) {
        laz_buf_str(buf, cond->negate ? "is not " : "is ");
    } else {
        laz_buf_str(buf, cond->negate ? "is none of " : "is one of ");
    }
    for (size_t i = 0; i < cond->n_values; i++) {
        laz_buf_str(buf, i == 0 ? "" : ", ");
        put_value(buf, call, cond->arg, cond->values[i]);
    }
}

void laz_words_clause(
        struct laz_buf *buf, const struct laz_syscall *call, const struct laz_clause *clause)
{
    for (size_t i = 0; i < clause->n_conds; i++) {
        laz_buf_str(buf, i == 0 ? "" : " and ");
        put_cond(buf, call, &clause->conds[i]);
    }
    if (clause->n_conds == 0) {
        laz_buf_str(buf, "always");
    }
}

/* ---- Calls ---- */

void laz_words_call(struct laz_buf *buf, const struct laz_syscall *call)
{
    laz_buf_printf(buf, "%s(", call->name);
    for (unsigned i = 0; i < call->n_args; i++) {
        laz_buf_printf(buf, "%s%s", i == 0 ? "" : ", ", call->args[i].name);
    }
    laz_buf_char(buf, ')');
}

const char *laz_words_abi(enum laz_abi abi)
{
    switch (abi) {
    case LAZ_ABI_NATIVE:
        return "native";
    case LAZ_ABI_I386:
        return "i386";
    case LAZ_ABI_X32:
        return "x32";
    case LAZ_ABI_ARM:
        return "arm";
    }
    return "?";
}

void laz_words_test(struct laz_buf *buf, const struct laz_policy_test *test)
{
    if (test->abi != LAZ_ABI_NATIVE) {
        laz_buf_printf(buf, "%s ", laz_words_abi(test->abi));
    }
    if (test->call != NULL) {
        laz_buf_str(buf, test->call->name);
    } else {
        laz_buf_printf(buf, "number %u", test->nr);
    }
    laz_buf_char(buf, '(');
    const char *separator = "";
    for (unsigned i = 0; i < LAZ_SYSCALL_ARGS_MAX; i++) {
        if (test->args[i] == 0) {
            continue;
        }
        if (test->call != NULL && i < test->call->n_args) {
            laz_buf_printf(buf, "%s%s=", separator, test->call->args[i].name);
            put_value(buf, test->call, i, test->args[i]);
        } else {
            laz_buf_printf(buf, "%sarg%u=", separator, i);
            put_number(buf, test->args[i]);
        }
        separator = ", ";
    }
    laz_buf_char(buf, ')');
}
