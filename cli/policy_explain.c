/* SPDX-License-Identifier: Apache-2.0
 *
 * lazaret policy explain FILE [SYSCALL|PATH|PORT|CAPABILITY]: finds out what the operand is, and
 * has it explained.
 */
#include <string.h>

#include "cli/explanation.h"
#include "cli/output.h"
#include "core/num.h"

static int unknown_operand(const char *operand, struct laz_err *err)
{
    size_t length = strlen(operand);
    bool is_upper = operand[0] >= 'A' && operand[0] <= 'Z';
    const char *near =
            laz_suggest_name(is_upper ? LAZ_NAMES_CAPABILITY : LAZ_NAMES_SYSCALL, operand, length);
    return laz_err_set(err, LAZ_E_USAGE, 0,
            "\"%.64s\" is no system call, absolute path, TCP port or capability%s%s%s", operand,
            near == NULL ? "" : " (did you mean \"", near == NULL ? "" : near,
            near == NULL ? "" : "\"?)");
}

/* Rules are about whole names: "." and ".." would be guesses about links. */
static int check_path(const char *path, struct laz_err *err)
{
    const char *at = path;
    while (*at == '/') {
        size_t length = strcspn(at + 1, "/");
        bool is_dots = (length == 1 || length == 2) && strspn(at + 1, ".") >= length;
        if (is_dots || (length == 0 && at[1] == '/')) {
            return laz_err_set(err, LAZ_E_USAGE, 0,
                    "%.256s: name the path without \".\", \"..\" and \"//\"", path);
        }
        at += 1 + length;
    }
    return 0;
}

static int explain(const struct laz_policy *policy, const struct laz_cli_arguments *arguments,
        struct laz_explanation *ret, struct laz_err *err)
{
    if (arguments->n_operands < 2) {
        laz_explain_policy(policy, arguments->arch, ret);
        return 0;
    }
    const char *operand = arguments->operands[1];
    size_t length = strlen(operand);
    const struct laz_syscall *call = laz_syscall_by_name(operand, length);
    if (call != NULL) {
        return laz_explain_call(policy, arguments->arch, call, ret, err);
    }
    uint64_t port = 0;
    if (operand[0] == '/') {
        if (check_path(operand, err) < 0) {
            return -1;
        }
        laz_explain_path(policy, operand, ret);
        return 0;
    }
    if (laz_parse_u64(operand, length, UINT16_MAX, &port) && port > 0) {
        laz_explain_port(policy, (uint16_t)port, operand, ret);
        return 0;
    }
    int capability = laz_capability_by_name(operand, length);
    if (capability >= 0) {
        laz_explain_capability(policy, capability, ret);
        return 0;
    }
    return unknown_operand(operand, err);
}

int laz_cli_policy_explain(const struct laz_cli_arguments *arguments)
{
    laz_cleanup_loaded struct laz_loaded loaded = {0};
    laz_loaded_init(&loaded, arguments->operands[0], arguments->root);
    int result = laz_loaded_require(&loaded, arguments->json);
    if (result != LAZ_EXIT_FINE) {
        return result;
    }
    struct laz_err err = {0};
    laz_cleanup_explanation struct laz_explanation explanation;
    laz_explanation_init(&explanation);
    if (explain(loaded.policy, arguments, &explanation, &err) < 0) {
        return laz_cli_fail(&err, arguments->json);
    }
    return laz_explanation_print(&explanation, arguments->json);
}
