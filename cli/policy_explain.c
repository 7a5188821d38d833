/* SPDX-License-Identifier: Apache-2.0
 *
 * lazaret policy explain FILE [SYSCALL|PATH|PORT|CAPABILITY]: finds out what the operand is, and
 * has it explained.
 */
#include <string.h>

#include "cli/explanation.h"
#include "cli/output.h"
#include "core/num.h"

/* "cap_chown" as "CAP_CHOWN", so that a name in the wrong case has a near one. */
static const char *near_capability(const char *operand, size_t length)
{
    char upper[LAZ_NAME_LENGTH_MAX + 1];
    if (length >= sizeof(upper)) {
        return NULL;
    }
    for (size_t i = 0; i <= length; i++) {
        bool is_lower = operand[i] >= 'a' && operand[i] <= 'z';
        upper[i] = (char)(is_lower ? operand[i] - 'a' + 'A' : operand[i]);
    }
    int exact = laz_capability_by_name(upper, length);
    return exact >= 0 ? laz_capability_name(exact)
                      : laz_suggest_name(LAZ_NAMES_CAPABILITY, upper, length);
}

static int unknown_operand(const char *operand, struct laz_err *err)
{
    size_t length = strlen(operand);
    if (strchr(operand, '/') != NULL) {
        return laz_err_set(err, LAZ_E_USAGE, 0,
                "\"%.64s\" is no absolute path: begin with \"/\", as the rules do", operand);
    }
    bool is_upper = operand[0] >= 'A' && operand[0] <= 'Z';
    const char *near = is_upper ? NULL : laz_suggest_name(LAZ_NAMES_SYSCALL, operand, length);
    near = near == NULL ? near_capability(operand, length) : near;
    return laz_err_set(err, LAZ_E_USAGE, 0,
            "\"%.64s\" is no system call, absolute path, TCP port or capability%s%s%s", operand,
            near == NULL ? "" : " (did you mean \"", near == NULL ? "" : near,
            near == NULL ? "" : "\"?)");
}

/* "8080", ":8080", "8080/tcp", "tcp:8080", "tcp-bind:8080", "tcp-connect:8080". 1 a port, 0 none,
 * -1 something like one. */
static int parse_port(
        const char *operand, enum laz_port_use *ret_use, uint16_t *ret_port, struct laz_err *err)
{
    const char *colon = strrchr(operand, ':');
    const char *digits = colon == NULL ? operand : colon + 1;
    size_t before = (size_t)(digits - operand);
    size_t n_digits = strspn(digits, "0123456789");
    const char *behind = digits + n_digits;
    if (n_digits == 0 || (behind[0] != '\0' && behind[0] != '/') || (colon == NULL && before > 0)) {
        return 0;
    }
    uint64_t port = 0;
    if (!laz_parse_u64(digits, n_digits, UINT16_MAX, &port) || port == 0) {
        return laz_err_set(err, LAZ_E_USAGE, 0, "\"%.64s\": TCP ports are 1 to 65535", operand);
    }
    bool is_bind = strncmp(operand, "tcp-bind:", before) == 0 && before == strlen("tcp-bind:");
    bool is_connect =
            strncmp(operand, "tcp-connect:", before) == 0 && before == strlen("tcp-connect:");
    bool is_both =
            before <= 1 || (before == strlen("tcp:") && strncmp(operand, "tcp:", before) == 0);
    if (strncmp(operand, "udp", strlen("udp")) == 0 || strcmp(behind, "/udp") == 0) {
        return laz_err_set(err, LAZ_E_USAGE, 0,
                "\"%.64s\": Landlock knows TCP ports alone; UDP is restricted by "
                "network.families, for all ports at once",
                operand);
    }
    if (!is_bind && !is_connect && !is_both) {
        return laz_err_set(err, LAZ_E_USAGE, 0,
                "\"%.64s\": rules know ports, not addresses: ask for %.*s, tcp-bind:%.*s or "
                "tcp-connect:%.*s",
                operand, (int)n_digits, digits, (int)n_digits, digits, (int)n_digits, digits);
    }
    if (behind[0] != '\0' && strcmp(behind, "/tcp") != 0) {
        return laz_err_set(
                err, LAZ_E_USAGE, 0, "\"%.64s\": behind a port stands /tcp or nothing", operand);
    }
    *ret_use = is_bind ? LAZ_PORT_BIND : is_connect ? LAZ_PORT_CONNECT : LAZ_PORT_BOTH;
    *ret_port = (uint16_t)port;
    return 1;
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
    if (operand[0] == '/') {
        if (check_path(operand, err) < 0) {
            return -1;
        }
        laz_explain_path(policy, operand, ret);
        return 0;
    }
    enum laz_port_use use = LAZ_PORT_BOTH;
    uint16_t port = 0;
    int is_port = parse_port(operand, &use, &port, err);
    if (is_port != 0) {
        if (is_port > 0) {
            laz_explain_port(policy, use, port, operand, ret);
        }
        return is_port > 0 ? 0 : -1;
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
