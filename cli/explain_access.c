/* SPDX-License-Identifier: Apache-2.0
 *
 * `policy explain FILE PATH|PORT|CAPABILITY`: what Landlock and the capability sets grant, by which
 * rule. Paths are compared as text; the kernel goes by what they lead to.
 */
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

#include "cli/layers.h"
#include "cli/words.h"
#include "confine/landlock.h"
#include "confine/sys.h"

#define ABI_NEWEST 6 /* the last one that grants anything: rights are named by it */

static const struct laz_pos nowhere = {.line = 0};

static struct laz_buf *add_layer(struct laz_explanation *ret, const char *layer)
{
    return laz_lines_add(&ret->layers, NULL, layer, nowhere);
}

static void put_calls(const struct laz_policy *policy, const char *const *names, size_t n,
        struct laz_explanation *ret)
{
    struct laz_buf *text = add_layer(ret, LAZ_LAYER_SECCOMP);
    for (size_t i = 0; i < n; i++) {
        const struct laz_syscall *call = laz_syscall_by_name(names[i], strlen(names[i]));
        if (call != NULL) {
            laz_buf_str(text, i == 0 ? "" : "; ");
            laz_layers_brief(policy, call, text);
        }
    }
}

/* ---- Paths ---- */

static bool covers(const char *rule, const char *path)
{
    size_t length = strlen(rule);
    if (strcmp(rule, "/") == 0) {
        return true;
    }
    return strncmp(rule, path, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

static void put_rights(struct laz_buf *text, uint64_t rights)
{
    static const struct {
        uint64_t bit;
        const char *name;
    } names[] = {
            {LAZ_LL_READ_FILE, "read-file"},
            {LAZ_LL_READ_DIR, "read-dir"},
            {LAZ_LL_EXECUTE, "execute"},
            {LAZ_LL_WRITE_FILE, "write-file"},
            {LAZ_LL_TRUNCATE, "truncate"},
            {LAZ_LL_MAKE_REG, "make-reg"},
            {LAZ_LL_MAKE_DIR, "make-dir"},
            {LAZ_LL_MAKE_SYM, "make-sym"},
            {LAZ_LL_MAKE_FIFO, "make-fifo"},
            {LAZ_LL_MAKE_SOCK, "make-sock"},
            {LAZ_LL_MAKE_CHAR, "make-char"},
            {LAZ_LL_MAKE_BLOCK, "make-block"},
            {LAZ_LL_REMOVE_FILE, "remove-file"},
            {LAZ_LL_REMOVE_DIR, "remove-dir"},
            {LAZ_LL_REFER, "refer"},
            {LAZ_LL_IOCTL_DEV, "ioctl-dev"},
    };
    const char *separator = "";
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if ((rights & names[i].bit) != 0) {
            laz_buf_printf(text, "%s%s", separator, names[i].name);
            separator = " ";
        }
    }
}

/* The rules that cover a path add up. */
static uint64_t put_path_rules(
        const struct laz_policy *policy, const char *path, struct laz_explanation *ret)
{
    uint64_t rights = 0;
    for (size_t i = 0; i < policy->n_paths; i++) {
        const struct laz_path_rule *rule = &policy->paths[i];
        if (covers(rule->path, path)) {
            rights |= laz_landlock_rights(rule->class, ABI_NEWEST, true);
            struct laz_buf *text = laz_lines_add(&ret->rules, policy, "grant", rule->pos);
            laz_buf_printf(text, "%s under %s%s", laz_path_class_name(rule->class), rule->path,
                    rule->optional ? ", if it exists" : "");
        }
    }
    if (rights == 0) {
        laz_buf_str(laz_lines_add(&ret->rules, policy, "none", nowhere), "no rule covers it");
    }
    return rights;
}

/* Landlock is one of two that must agree: the word "granted" alone would promise too much. */
static void decide_path(
        const struct laz_policy *policy, uint64_t rights, struct laz_explanation *ret)
{
    if (rights == 0) {
        ret->decision = "refused";
        return;
    }
    (void)snprintf(ret->decision_text, sizeof(ret->decision_text),
            "Landlock grants read%s%s; file permissions %s",
            (rights & LAZ_LL_WRITE_FILE) != 0 ? ", write" : "",
            (rights & LAZ_LL_EXECUTE) != 0 ? ", execute" : "",
            laz_layers_keeps(policy, CAP_DAC_OVERRIDE) ? "do not bind (CAP_DAC_OVERRIDE)"
                                                       : "still apply");
    ret->decision = ret->decision_text;
}

void laz_explain_path(
        const struct laz_policy *policy, const char *path, struct laz_explanation *ret)
{
    static const char *const calls[] = {"openat", "execve"};
    bool is_disabled = policy->require[LAZ_REQUIRE_LANDLOCK] == LAZ_LEVEL_DISABLED;
    ret->kind = "path";
    ret->subject = path;
    uint64_t rights = put_path_rules(policy, path, ret);
    decide_path(policy, rights, ret);
    laz_layers_platform(ret);
    put_calls(policy, calls, 2, ret);
    struct laz_buf *text = add_layer(ret, LAZ_LAYER_LANDLOCK);
    if (is_disabled) {
        ret->decision = "not restricted by Landlock; file permissions still apply";
        laz_buf_str(text, "disabled by the policy");
        laz_buf_str(&ret->sees, "what the file's permissions allow");
    } else {
        put_rights(text, rights);
        laz_buf_str(text, rights == 0 ? "EACCES" : ", and EACCES for anything else");
        laz_layers_landlock_level(policy, 1, text);
        laz_buf_str(&ret->sees,
                rights == 0 ? "EACCES"
                            : "what the file's permissions allow; EACCES for what "
                              "Landlock does not grant");
    }
    laz_buf_printf(add_layer(ret, LAZ_LAYER_CAPABILITIES), "%s: the file's permissions %s uid %u",
            laz_layers_keeps(policy, CAP_DAC_OVERRIDE) ? "CAP_DAC_OVERRIDE is kept"
                                                       : "CAP_DAC_OVERRIDE is not kept",
            laz_layers_keeps(policy, CAP_DAC_OVERRIDE) ? "do not bind" : "count for", policy->uid);
    laz_layers_no_new_privs(ret, (rights & LAZ_LL_EXECUTE) != 0);
}

/* ---- Ports ---- */

static bool put_port_rule(const struct laz_policy *policy, const struct laz_port_list *list,
        uint16_t port, const char *key, struct laz_explanation *ret)
{
    if (list->any) {
        struct laz_pos pos = laz_policy_pos_of(
                policy, strcmp(key, "bind") == 0 ? "network.tcp-bind" : "network.tcp-connect");
        laz_buf_printf(laz_lines_add(&ret->rules, policy, key, pos), "%s: any port", key);
        return true;
    }
    for (size_t i = 0; i < list->n; i++) {
        if (list->ports[i] == port) {
            laz_buf_printf(laz_lines_add(&ret->rules, policy, key, list->pos[i]),
                    "%s: tcp-%s lists %u", key, key, port);
            return true;
        }
    }
    laz_buf_printf(laz_lines_add(&ret->rules, policy, key, nowhere), "%s: tcp-%s does not list it",
            key, key);
    return false;
}

static const char *port_decision(enum laz_port_use use, bool binds, bool connects)
{
    if (use == LAZ_PORT_BIND) {
        return binds ? "bind granted" : "bind refused";
    }
    if (use == LAZ_PORT_CONNECT) {
        return connects ? "connect granted" : "connect refused";
    }
    if (binds) {
        return connects ? "bind granted, connect granted" : "bind granted, connect refused";
    }
    return connects ? "bind refused, connect granted" : "bind refused, connect refused";
}

void laz_explain_port(const struct laz_policy *policy, enum laz_port_use use, uint16_t port,
        const char *operand, struct laz_explanation *ret)
{
    static const char *const calls[] = {"socket", "bind", "connect", "listen"};
    ret->kind = "port";
    ret->subject = operand;
    bool binds =
            use == LAZ_PORT_CONNECT || put_port_rule(policy, &policy->tcp_bind, port, "bind", ret);
    bool connects = use == LAZ_PORT_BIND ||
            put_port_rule(policy, &policy->tcp_connect, port, "connect", ret);
    ret->decision = port_decision(use, binds, connects);
    laz_layers_platform(ret);
    put_calls(policy, calls, 4, ret);
    struct laz_buf *text = add_layer(ret, LAZ_LAYER_LANDLOCK);
    if (policy->require[LAZ_REQUIRE_LANDLOCK] == LAZ_LEVEL_DISABLED) {
        ret->decision = "not restricted";
        laz_buf_str(text, "disabled by the policy");
        laz_buf_str(&ret->sees, "what seccomp and the network allow");
    } else {
        laz_buf_str(text, "TCP alone: UDP, and listening without bind, are not restricted");
        laz_layers_landlock_level(policy, 4, text);
        laz_buf_str(&ret->sees,
                binds && connects ? "what seccomp and the network allow"
                                  : "EACCES where it is refused");
    }
    text = add_layer(ret, LAZ_LAYER_CAPABILITIES);
    if (port >= 1024 || use == LAZ_PORT_CONNECT) {
        laz_buf_str(text, "none is asked for");
    } else {
        laz_buf_printf(text,
                "to bind, CAP_NET_BIND_SERVICE, which the policy %s, or the sysctl "
                "net.ipv4.ip_unprivileged_port_start at %u or below; else EACCES",
                laz_layers_keeps(policy, CAP_NET_BIND_SERVICE) ? "keeps" : "does not keep", port);
    }
    laz_layers_no_new_privs(ret, false);
}

/* ---- Capabilities ---- */

static void put_users(const struct laz_policy *policy, int capability, struct laz_explanation *ret)
{
    struct laz_buf *text = add_layer(ret, LAZ_LAYER_SECCOMP);
    const char *separator = "";
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        bool is_always = false;
        if (laz_layers_capability(laz_syscall_at(i), &is_always) == capability) {
            laz_buf_str(text, separator);
            laz_layers_brief(policy, laz_syscall_at(i), text);
            separator = "; ";
        }
    }
    if (text->len == 0) {
        laz_buf_str(text, "knows nothing of capabilities");
    }
}

void laz_explain_capability(
        const struct laz_policy *policy, int capability, struct laz_explanation *ret)
{
    bool is_kept = laz_layers_keeps(policy, capability);
    ret->kind = "capability";
    ret->subject = laz_capability_name(capability);
    ret->decision = is_kept ? "kept" : "dropped";
    struct laz_pos pos = is_kept ? policy->capability_pos[capability] : nowhere;
    laz_buf_str(laz_lines_add(&ret->rules, policy, is_kept ? "keep" : "none", pos),
            is_kept ? "privileges.capabilities.keep names it"
                    : "privileges.capabilities.keep does not name it");
    laz_layers_platform(ret);
    put_users(policy, capability, ret);
    laz_buf_str(add_layer(ret, LAZ_LAYER_LANDLOCK), "holds against every capability");
    struct laz_buf *text = add_layer(ret, LAZ_LAYER_CAPABILITIES);
    if (is_kept) {
        laz_buf_printf(text, "permitted, effective%s; lazaret-init must have it",
                policy->uid == 0 ? "" : ", inheritable and ambient");
        laz_buf_str(&ret->sees, "what the capability lets it do, as far as the layers above allow");
    } else {
        bool is_sure = policy->require[LAZ_REQUIRE_BOUNDING_SET] == LAZ_LEVEL_REQUIRED;
        laz_buf_printf(text, "in none of the five sets%s",
                is_sure ? ""
                        : "; in the bounding set it stays where the container starts without "
                          "CAP_SETPCAP");
        laz_buf_str(&ret->sees, "EPERM wherever the kernel asks for it");
    }
    laz_buf_str(add_layer(ret, LAZ_LAYER_NO_NEW_PRIVS),
            "on: no setuid program and no file capability brings it back");
}
