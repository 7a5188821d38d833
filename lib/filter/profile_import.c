/* SPDX-License-Identifier: Apache-2.0
 *
 * A profile as a policy. Entries are read in two passes: first what is said of calls whatever their
 * arguments are, because that wins in libseccomp, then conditions. What cannot be said is left out
 * where it allows; where it refuses, the call is refused as a whole.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_read.h"
#include "core/num.h"
#include "filter/profile.h"

#define NAME_SIZE  64
#define NAMES_LOST 8192 /* bytes of the names that nobody here knows */
#define LINE_WIDTH 100
#define SMALL      64 /* values of an order that are named one by one */
#define TEXT_SIZE  4096
#define ERRNO_MAX  4095

/* What was said of a call without conditions. */
struct said {
    bool is_allowed;
    bool is_ruled;              /* it has another answer */
    struct laz_verdict verdict; /* then */
};

struct import {
    const struct laz_json_doc *doc;
    enum laz_arch arch;
    uint64_t capabilities;
    struct laz_verdict by_default;
    struct said said[LAZ_SYSCALL_TABLE_MAX];
    struct laz_buf *yaml;
    struct laz_profile_losses *losses;
    struct laz_err *err;
};

/* One entry of `syscalls`. */
struct entry {
    const struct laz_json_node *node;
    const struct laz_json_node *args; /* NULL: it has none */
    struct laz_verdict verdict;
};

static void lose(struct import *import, const char *format, ...) LAZ_PRINTF(2, 3);

static void lose(struct import *import, const char *format, ...)
{
    va_list args;
    char text[LAZ_DIAGNOSTIC_MESSAGE_MAX];
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    struct laz_buf *said = import->losses->text;
    if (said->len == 0 || strstr(said->data, text) == NULL) { /* what is said once is enough */
        laz_buf_printf(said, "%s\n", text);
        import->losses->n++;
    }
}

static const struct laz_json_node *member(
        const struct import *import, const struct laz_json_node *object, const char *key)
{
    const struct laz_json_node *node = laz_json_member(import->doc, object, key);
    return node == NULL || node->type == LAZ_JSON_NULL ? NULL : node;
}

static bool is_empty(const struct import *import, const struct laz_json_node *list)
{
    return list == NULL || laz_json_next(import->doc, list, NULL) == NULL;
}

/* ---- Actions ---- */

static int take_action(struct import *import, const struct laz_json_node *object, const char *key,
        const char *number_key, struct laz_verdict *ret)
{
    static const struct {
        const char *name;
        enum laz_action action;
        bool is_near; /* ours is not quite the same */
    } rows[] = {
            {"SCMP_ACT_ALLOW", LAZ_ACTION_ALLOW, false},
            {"SCMP_ACT_LOG", LAZ_ACTION_LOG, false},
            {"SCMP_ACT_ERRNO", LAZ_ACTION_ERRNO, false},
            {"SCMP_ACT_KILL_PROCESS", LAZ_ACTION_KILL, false},
            {"SCMP_ACT_KILL", LAZ_ACTION_KILL, true},
            {"SCMP_ACT_KILL_THREAD", LAZ_ACTION_KILL, true},
            {"SCMP_ACT_TRAP", LAZ_ACTION_KILL, true},
            {"SCMP_ACT_NOTIFY", LAZ_ACTION_NOTIFY, true},
            {"SCMP_ACT_TRACE", LAZ_ACTION_ERRNO, true},
    };
    const struct laz_json_node *node = member(import, object, key);
    const struct laz_json_node *number = member(import, object, number_key);
    uint64_t value = EPERM;
    size_t i = 0;
    while (i < sizeof(rows) / sizeof(rows[0]) && !laz_json_is(import->doc, node, rows[i].name)) {
        i++;
    }
    if (i == sizeof(rows) / sizeof(rows[0])) {
        return laz_err_set(import->err, LAZ_E_OCI, 0, "%s is no action that seccomp knows", key);
    }
    if (number != NULL && !laz_json_number(import->doc, number, ERRNO_MAX, &value)) {
        return laz_err_set(import->err, LAZ_E_OCI, 0, "%s is no errno", number_key);
    }
    if (laz_errno_name((int)value) == NULL) {
        lose(import, "errno: %u has no name here: EPERM", (unsigned)value);
        value = EPERM;
    }
    *ret = (struct laz_verdict){.action = rows[i].action, .errno_value = (uint16_t)value};
    if (rows[i].is_near) {
        lose(import, "action: %s becomes %s", rows[i].name, laz_action_name(ret->action));
    }
    return 0;
}

static bool is_same(struct laz_verdict a, struct laz_verdict b)
{
    bool has_errno = a.action == LAZ_ACTION_ERRNO || a.action == LAZ_ACTION_NOTIFY;
    return a.action == b.action && (!has_errno || a.errno_value == b.errno_value);
}

static bool lets(struct laz_verdict verdict)
{
    return verdict.action == LAZ_ACTION_ALLOW || verdict.action == LAZ_ACTION_LOG;
}

/* ---- Whether an entry counts here ---- */

static bool names_arch(const struct import *import, const struct laz_json_node *list)
{
    static const char *const names[LAZ_ARCH_COUNT] = {
            [LAZ_ARCH_X86_64] = "amd64", [LAZ_ARCH_AARCH64] = "arm64"};
    const struct laz_json_node *item = NULL;
    while ((item = laz_json_next(import->doc, list, item)) != NULL) {
        if (laz_json_is(import->doc, item, names[import->arch])) {
            return true;
        }
    }
    return false;
}

/* Are all of them there, or, if not `all`, one? */
static bool has_capabilities(
        const struct import *import, const struct laz_json_node *list, bool all)
{
    const struct laz_json_node *item = NULL;
    while ((item = laz_json_next(import->doc, list, item)) != NULL) {
        char name[NAME_SIZE] = "";
        bool is_text = laz_json_copy(import->doc, item, name, sizeof(name));
        int number = is_text ? laz_capability_by_name(name, strlen(name)) : -1;
        bool has = number >= 0 && (import->capabilities >> number & 1) != 0;
        if (has != all) {
            return has;
        }
    }
    return all;
}

/* Kernels that are newer than a profile asks for are taken for granted. */
static bool counts(const struct import *import, const struct laz_json_node *entry)
{
    const struct laz_json_node *includes = member(import, entry, "includes");
    const struct laz_json_node *excludes = member(import, entry, "excludes");
    const struct laz_json_node *arches = member(import, includes, "arches");
    const struct laz_json_node *caps = member(import, includes, "caps");
    const struct laz_json_node *no_arches = member(import, excludes, "arches");
    const struct laz_json_node *no_caps = member(import, excludes, "caps");
    return (is_empty(import, arches) || names_arch(import, arches)) &&
            (is_empty(import, caps) || has_capabilities(import, caps, true)) &&
            (is_empty(import, no_arches) || !names_arch(import, no_arches)) &&
            (is_empty(import, no_caps) || !has_capabilities(import, no_caps, false));
}

/* ---- Names ---- */

typedef int visit_call(
        struct import *import, const struct entry *entry, const struct laz_syscall *call);

static int visit_name(struct import *import, const struct entry *entry,
        const struct laz_json_node *node, visit_call *visit, struct laz_buf *unknown)
{
    char name[NAME_SIZE];
    if (!laz_json_copy(import->doc, node, name, sizeof(name))) {
        return laz_err_set(import->err, LAZ_E_OCI, 0, "a name of a system call is no text");
    }
    const struct laz_syscall *call = laz_syscall_by_name(name, strlen(name));
    if (call != NULL && strcmp(name, "execve") == 0) {
        if (entry->args != NULL || entry->verdict.action != LAZ_ACTION_ALLOW) {
            lose(import, "execve: workload.exec-budget alone says how often it is allowed");
        }
        return 0;
    }
    if (call != NULL && strcmp(name, "socket") == 0 && lets(entry->verdict)) {
        lose(import,
                "network: of the sockets that the profile allows a policy allows those of its "
                "network.families");
    }
    if (call != NULL && call->nr[import->arch] >= 0) {
        return visit(import, entry, call);
    }
    if (call == NULL && unknown != NULL) {
        laz_buf_printf(unknown, " %s", name);
    }
    return 0;
}

static int visit_names(struct import *import, const struct entry *entry, visit_call *visit,
        struct laz_buf *unknown)
{
    const struct laz_json_node *one = member(import, entry->node, "name");
    const struct laz_json_node *list = member(import, entry->node, "names");
    const struct laz_json_node *item = NULL;
    if (one != NULL) {
        return visit_name(import, entry, one, visit, unknown);
    }
    while ((item = laz_json_next(import->doc, list, item)) != NULL) {
        if (visit_name(import, entry, item, visit, unknown) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- Conditions ---- */

/* The value, where all of `whole` is compared; of what else `mask` has, the flags that are to be
 * set, and those that are not. */
static bool put_masked(struct laz_buf *when, const char *name, uint64_t whole, uint64_t mask,
        uint64_t value, unsigned *n)
{
    if ((value & ~mask) != 0) {
        return false; /* it never holds */
    }
    if ((mask & whole) == whole) {
        laz_buf_printf(when, "%s{arg: %s, eq: 0x%llx}", *n > 0 ? ", " : "", name,
                (unsigned long long)(value & whole));
        *n += 1;
        mask &= ~whole;
        value &= ~whole;
    }
    if ((mask & ~value) != 0) {
        laz_buf_printf(when, "%s{arg: %s, no-flags: 0x%llx}", *n > 0 ? ", " : "", name,
                (unsigned long long)(mask & ~value));
        *n += 1;
    }
    for (uint64_t rest = value; rest != 0; rest &= rest - 1) {
        laz_buf_printf(when, "%s{arg: %s, any-flags: 0x%llx}", *n > 0 ? ", " : "", name,
                (unsigned long long)(rest & -rest));
        *n += 1;
    }
    return true;
}

/* Values from 0 on, or all but them. */
static bool put_order(
        struct laz_buf *when, const char *name, uint64_t below, bool is_not, unsigned *n)
{
    if (below == 0 || below > SMALL) {
        return false;
    }
    laz_buf_printf(when, "%s{arg: %s, %s: [", *n > 0 ? ", " : "", name, is_not ? "not-in" : "in");
    for (uint64_t i = 0; i < below; i++) {
        laz_buf_printf(when, "%s%llu", i > 0 ? ", " : "", (unsigned long long)i);
    }
    laz_buf_str(when, "]}");
    *n += 1;
    return true;
}

/* false: our language has no word for it. */
static bool put_condition(const struct import *import, const struct laz_syscall *call,
        const struct laz_json_node *arg, struct laz_buf *when, unsigned *n)
{
    uint64_t index = 0;
    uint64_t first = 0;
    uint64_t second = 0;
    const struct laz_json_node *op = member(import, arg, "op");
    const struct laz_json_node *two = member(import, arg, "valueTwo");
    if (!laz_json_number(import->doc, member(import, arg, "index"), 5, &index) ||
            !laz_json_number(import->doc, member(import, arg, "value"), UINT64_MAX, &first) ||
            (two != NULL && !laz_json_number(import->doc, two, UINT64_MAX, &second)) ||
            index >= call->n_args) {
        return false;
    }
    const char *name = call->args[index].name;
    uint64_t bits = laz_arg_mask((enum laz_arg_kind)call->args[index].kind);
    bool is_masked = laz_json_is(import->doc, op, "SCMP_CMP_MASKED_EQ");
    if (bits == 0 || (first & ~bits & (is_masked ? second : UINT64_MAX)) != 0) {
        return false; /* a pointer, or bits that the kernel does not look at */
    }
    uint64_t whole = laz_arg_value_mask(call, (unsigned)index);
    if (is_masked) {
        return put_masked(when, name, whole, first & bits, second, n);
    }
    if (laz_json_is(import->doc, op, "SCMP_CMP_EQ")) {
        return put_masked(when, name, whole, bits, first, n);
    }
    if (whole != bits) {
        return false; /* the others compare flags and value at once */
    }
    if (laz_json_is(import->doc, op, "SCMP_CMP_NE")) {
        laz_buf_printf(when, "%s{arg: %s, not-in: [0x%llx]}", *n > 0 ? ", " : "", name,
                (unsigned long long)first);
        *n += 1;
        return true;
    }
    if (laz_json_is(import->doc, op, "SCMP_CMP_LT")) {
        return put_order(when, name, first, false, n);
    }
    if (laz_json_is(import->doc, op, "SCMP_CMP_LE")) {
        return first < SMALL && put_order(when, name, first + 1, false, n);
    }
    if (laz_json_is(import->doc, op, "SCMP_CMP_GE")) {
        return put_order(when, name, first, true, n);
    }
    return laz_json_is(import->doc, op, "SCMP_CMP_GT") && first < SMALL &&
            put_order(when, name, first + 1, true, n);
}

static void put_rule(struct import *import, const struct laz_syscall *call,
        struct laz_verdict verdict, const char *when)
{
    laz_buf_printf(import->yaml, "    - {names: [%s], action: %s", call->name,
            laz_action_name(verdict.action));
    if (verdict.action == LAZ_ACTION_ERRNO || verdict.action == LAZ_ACTION_NOTIFY) {
        laz_buf_printf(import->yaml, ", errno: %s", laz_errno_name(verdict.errno_value));
    }
    laz_buf_printf(import->yaml, "%s%s%s}\n", when[0] == '\0' ? "" : ", when: [", when,
            when[0] == '\0' ? "" : "]");
}

/* The arguments of an entry, as one rule; or, where one stands there twice, as a rule for each,
 * because that is what runtimes make of it. */
static bool put_conditions(struct import *import, const struct entry *entry,
        const struct laz_syscall *call, bool each, struct laz_buf *when)
{
    const struct laz_json_node *arg = NULL;
    unsigned n = 0;
    while ((arg = laz_json_next(import->doc, entry->args, arg)) != NULL) {
        if (!put_condition(import, call, arg, when, &n) || n > LAZ_POLICY_CONDS_MAX ||
                when->overflow) {
            return false;
        }
        if (each) {
            put_rule(import, call, entry->verdict, when->data);
            when->len = 0;
            when->data[0] = '\0';
            n = 0;
        }
    }
    return true;
}

static bool has_twice(const struct import *import, const struct laz_json_node *args)
{
    unsigned seen = 0;
    const struct laz_json_node *arg = NULL;
    while ((arg = laz_json_next(import->doc, args, arg)) != NULL) {
        uint64_t index = 0;
        if (laz_json_number(import->doc, member(import, arg, "index"), 5, &index)) {
            if ((seen >> index & 1) != 0) {
                return true;
            }
            seen |= 1U << index;
        }
    }
    return false;
}

/* ---- The passes ---- */

static int note_whole(
        struct import *import, const struct entry *entry, const struct laz_syscall *call)
{
    struct said *said = &import->said[laz_syscall_index(call)];
    if (entry->args != NULL) {
        return 0;
    }
    if (entry->verdict.action == LAZ_ACTION_ALLOW) {
        said->is_allowed = true;
    } else if (!is_same(entry->verdict, import->by_default)) {
        said->is_ruled = true;
        said->verdict = entry->verdict;
    }
    return 0;
}

static int put_conditional(
        struct import *import, const struct entry *entry, const struct laz_syscall *call)
{
    struct said *said = &import->said[laz_syscall_index(call)];
    char text[TEXT_SIZE];
    struct laz_buf when;
    if (entry->args == NULL || is_same(entry->verdict, import->by_default) ||
            (lets(entry->verdict) && (said->is_allowed || said->is_ruled))) {
        return 0;
    }
    laz_buf_init_fixed(&when, text, sizeof(text));
    bool each = has_twice(import, entry->args);
    size_t before = import->yaml->len;
    if (put_conditions(import, entry, call, each, &when)) {
        if (!each) {
            put_rule(import, call, entry->verdict, text);
        }
        return 0;
    }
    import->yaml->len = before;
    if (lets(entry->verdict)) {
        lose(import,
                "condition: %s is allowed by the profile for arguments that a policy cannot "
                "name: it is left out",
                call->name);
    } else {
        lose(import,
                "condition: %s is refused by the profile for arguments that a policy cannot "
                "name: it is refused whatever they are",
                call->name);
        put_rule(import, call, entry->verdict, "");
    }
    return 0;
}

static int walk(struct import *import, const struct laz_json_node *list, visit_call *visit,
        struct laz_buf *unknown)
{
    struct entry entry = {0};
    while ((entry.node = laz_json_next(import->doc, list, entry.node)) != NULL) {
        const struct laz_json_node *args = member(import, entry.node, "args");
        entry.args = is_empty(import, args) ? NULL : args;
        if (!counts(import, entry.node)) {
            continue;
        }
        if (take_action(import, entry.node, "action", "errnoRet", &entry.verdict) < 0 ||
                visit_names(import, &entry, visit, unknown) < 0) {
            return -1;
        }
    }
    return 0;
}

static void put_allowed(struct import *import)
{
    size_t column = 0;
    laz_buf_str(import->yaml, "  allow: [");
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        const char *name = laz_syscall_at(i)->name;
        if (!import->said[i].is_allowed || import->said[i].is_ruled) {
            continue;
        }
        bool wraps = column == 0 || column + strlen(name) + 2 > LINE_WIDTH;
        laz_buf_printf(
                import->yaml, "%s%s%s", column == 0 ? "" : ",", wraps ? "\n    " : " ", name);
        column = (wraps ? 4 : column + 2) + strlen(name);
    }
    laz_buf_str(import->yaml, "]\n");
}

static void put_head(struct import *import)
{
    const struct laz_verdict by_default = import->by_default;
    laz_buf_printf(import->yaml,
            "# Imported from a seccomp profile for %s; to be named under `extends`.\n"
            "version: 1\n"
            "syscalls:\n",
            laz_arch_name(import->arch));
    static const char *const keys[] = {"default", "unknown"};
    for (size_t i = 0; i < 2; i++) {
        laz_buf_printf(
                import->yaml, "  %s: {action: %s", keys[i], laz_action_name(by_default.action));
        if (by_default.action != LAZ_ACTION_KILL) {
            laz_buf_printf(import->yaml, ", errno: %s", laz_errno_name(by_default.errno_value));
        }
        laz_buf_str(import->yaml, "}\n");
    }
}

/* Two answers for all arguments of one call: what a runtime makes of them is for libseccomp to say.
 */
static void put_ruled(struct import *import)
{
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        const struct said *said = &import->said[i];
        if (said->is_ruled) {
            put_rule(import, laz_syscall_at(i), said->verdict, "");
        }
        if (said->is_ruled && said->is_allowed) {
            lose(import, "twice: %s is allowed, and has another answer as well, which counts",
                    laz_syscall_at(i)->name);
        }
    }
}

static int put_profile(struct import *import, const struct laz_json_node *root)
{
    const struct laz_json_node *calls = member(import, root, "syscalls");
    char text[NAMES_LOST];
    struct laz_buf unknown;
    laz_buf_init_fixed(&unknown, text, sizeof(text));
    if (root->type != LAZ_JSON_OBJECT ||
            take_action(import, root, "defaultAction", "defaultErrnoRet", &import->by_default) <
                    0) {
        return root->type == LAZ_JSON_OBJECT
                ? -1
                : laz_err_set(import->err, LAZ_E_OCI, 0, "a profile is an object");
    }
    if (lets(import->by_default)) {
        return laz_err_set(import->err, LAZ_E_OCI, 0,
                "defaultAction: the profile allows what it does not name, and a policy refuses "
                "that: write down what is needed");
    }
    if (walk(import, calls, note_whole, &unknown) < 0) {
        return -1;
    }
    put_head(import);
    put_allowed(import);
    laz_buf_str(import->yaml, "  rules:\n");
    size_t before = import->yaml->len;
    put_ruled(import);
    if (walk(import, calls, put_conditional, NULL) < 0) {
        return -1;
    }
    if (import->yaml->len == before) {
        import->yaml->len -= strlen("  rules:\n");
    }
    if (unknown.len > 0) {
        laz_buf_printf(import->losses->text,
                "names: left out, because no ABI that a policy allows has them:%s\n", text);
        import->losses->n++;
    }
    return 0;
}

int laz_profile_import(const char *text, size_t length, const struct laz_profile_reader *reader,
        struct laz_buf *ret_yaml, struct laz_profile_losses *losses, struct laz_err *err)
{
    struct laz_json_doc doc;
    struct import *import = calloc(1, sizeof(*import));
    uint32_t most = laz_json_nodes_max(length);
    const struct laz_json_room room = {
            .nodes = calloc(most, sizeof(*room.nodes)), .max = most, .kind = LAZ_E_OCI};
    int result = -1;
    if (import == NULL || room.nodes == NULL) {
        result = laz_err_set(err, LAZ_E_MEMORY, ENOMEM, "no memory for a profile");
    } else if (laz_json_read(text, length, &room, &doc, err) == 0) {
        *import = (struct import){.doc = &doc,
                .arch = reader->arch,
                .capabilities = reader->capabilities,
                .yaml = ret_yaml,
                .losses = losses,
                .err = err};
        result = put_profile(import, laz_json_root(&doc));
    }
    free(room.nodes);
    free(import);
    return result;
}
