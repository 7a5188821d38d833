/* SPDX-License-Identifier: Apache-2.0
 *
 * `policy explain FILE`: the whole policy in words, in the order of the language.
 */
#include <sys/socket.h>

#include "cli/explanation.h"
#include "cli/secrets.h"
#include "cli/shipping.h"
#include "cli/watching.h"
#include "cli/words.h"
#include "core/num.h"

static const struct laz_pos nowhere = {.line = 0};

static struct laz_buf *add(struct laz_explanation *ret, const struct laz_policy *policy,
        const char *key, struct laz_pos pos)
{
    return laz_lines_add(&ret->facts, policy, key, pos);
}

static struct laz_buf *add_key(struct laz_explanation *ret, const struct laz_policy *policy,
        const char *key, const char *field)
{
    return laz_lines_add(&ret->facts, policy, key, laz_policy_pos_of(policy, field));
}

static void add_list(struct laz_explanation *ret, const struct laz_policy *policy, const char *key,
        const struct laz_string_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        laz_buf_str(add(ret, policy, key, list->pos[i]), list->items[i]);
    }
    if (list->n == 0) {
        laz_buf_str(add(ret, policy, key, nowhere), "none");
    }
}

static void put_source(const struct laz_policy *policy, struct laz_explanation *ret)
{
    for (size_t i = 0; i < policy->n_files; i++) {
        laz_buf_str(add(ret, policy, "sources", nowhere), policy->files[i].name);
    }
    char digest[2 * LAZ_SHA256_SIZE + 1];
    laz_format_hex(policy->source_digest, LAZ_SHA256_SIZE, digest);
    laz_buf_str(add(ret, policy, "digest", nowhere), digest);
    laz_buf_printf(add_key(ret, policy, "mode", "mode"), "%s%s", laz_mode_name(policy->mode),
            policy->mode == LAZ_MODE_OBSERVE
                    ? ": system calls are let through with an event; a silent ENOSYS stays"
                    : "");
    if (policy->sealed) {
        laz_buf_str(add_key(ret, policy, "sealed", "sealed"), "true");
    }
    for (int i = 0; i < LAZ_REQUIRE_COUNT; i++) {
        enum laz_require require = (enum laz_require)i;
        struct laz_buf *text = add(ret, policy, "requires", nowhere);
        laz_buf_printf(
                text, "%s %s", laz_require_name(require), laz_level_name(policy->require[i]));
        if (require == LAZ_REQUIRE_LANDLOCK && policy->landlock_min_abi > 1) {
            laz_buf_printf(text, " (ABI %u)", policy->landlock_min_abi);
        }
    }
}

static void put_workload(const struct laz_policy *policy, struct laz_explanation *ret)
{
    laz_buf_printf(add_key(ret, policy, "user", "workload.user"), "%u:%u%s", policy->uid,
            policy->gid, policy->uid == 0 ? ", root" : "");
    for (size_t i = 0; i < policy->n_groups; i++) {
        laz_buf_printf(add(ret, policy, "groups", nowhere), "%u", policy->groups[i]);
    }
    laz_buf_str(add_key(ret, policy, "cwd", "workload.cwd"), policy->cwd);
    laz_buf_printf(add_key(ret, policy, "umask", "workload.umask"), "%04o", policy->umask);
    add_list(ret, policy, "env pass", &policy->env_pass);
    add_list(ret, policy, "env set", &policy->env_set);
    struct laz_buf *text = add_key(ret, policy, "exec-budget", "workload.exec-budget");
    if (policy->exec_budget < 0) {
        laz_buf_str(text, "none: execve is not counted");
    } else {
        laz_buf_printf(text, "%d, its own start included", policy->exec_budget);
    }
    for (int i = 0; i < 64; i++) {
        const char *name = laz_capability_name(i);
        if ((policy->keep_capabilities >> i & 1) != 0 && name != NULL) {
            laz_buf_str(add(ret, policy, "capabilities", policy->capability_pos[i]), name);
        }
    }
    if (policy->keep_capabilities == 0) {
        laz_buf_str(add(ret, policy, "capabilities", nowhere), "none");
    }
    for (int i = 0; i < LAZ_LIMIT_COUNT; i++) {
        const struct laz_limit_value *limit = &policy->limits[i];
        const char *name = laz_rlimit_name(i);
        if (limit->set && name != NULL) {
            laz_buf_printf(add(ret, policy, "limits", limit->pos), "%s %llu", name,
                    (unsigned long long)limit->value);
        }
    }
}

static void put_filesystem(const struct laz_policy *policy, struct laz_explanation *ret)
{
    for (int class = 0; class < LAZ_PATH_COUNT; class ++) {
        for (size_t i = 0; i < policy->n_paths; i++) {
            const struct laz_path_rule *rule = &policy->paths[i];
            if (rule->class == (enum laz_path_class) class) {
                laz_buf_printf(add(ret, policy, laz_path_class_name(rule->class), rule->pos),
                        "%s%s", rule->path, rule->optional ? ", if it exists" : "");
            }
        }
    }
    if (policy->isolate_signals) {
        laz_buf_str(add_key(ret, policy, "isolate", "filesystem.isolate"), "signals");
    }
    if (policy->isolate_abstract_sockets) {
        laz_buf_str(add_key(ret, policy, "isolate", "filesystem.isolate"), "abstract-sockets");
    }
}

/* ---- Network ---- */

/* A family counts as allowed if a socket of some ordinary type can be had: with protocol 0, or with
 * another one where 0 has an entry of its own. */
static bool has_family(
        const struct laz_policy *policy, enum laz_arch arch, const struct laz_socket_family *family)
{
    static const uint64_t types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_RAW};
    const struct laz_syscall *call = laz_syscall_by_name("socket", sizeof("socket") - 1);
    uint64_t protocol = 0;
    if (family->protocol >= 0) {
        protocol = (uint64_t)family->protocol;
    } else if (laz_socket_family_by_value(family->family, 0) != family) {
        protocol = 1;
    }
    for (size_t i = 0; call != NULL && i < sizeof(types) / sizeof(types[0]); i++) {
        const uint64_t args[LAZ_SYSCALL_ARGS_MAX] = {(uint64_t)family->family, types[i], protocol};
        struct laz_verdict verdict = laz_policy_decide(
                policy, arch, laz_arch_audit(arch), (uint32_t)call->nr[arch], args);
        if (!laz_words_is_refusal(verdict.action)) {
            return true;
        }
    }
    return false;
}

static void put_ports(const struct laz_policy *policy, const struct laz_port_list *list,
        const char *key, const char *field, struct laz_explanation *ret)
{
    if (list->any) {
        laz_buf_str(add_key(ret, policy, key, field), "any");
        return;
    }
    for (size_t i = 0; i < list->n; i++) {
        laz_buf_printf(add(ret, policy, key, list->pos[i]), "%u", list->ports[i]);
    }
    if (list->n == 0) {
        laz_buf_str(add(ret, policy, key, nowhere), "none");
    }
}

static void put_network(
        const struct laz_policy *policy, enum laz_arch arch, struct laz_explanation *ret)
{
    bool has_any = false;
    for (size_t i = 0; i < laz_socket_family_count(); i++) {
        const struct laz_socket_family *family = laz_socket_family_at(i);
        if (has_family(policy, arch, family)) {
            laz_buf_str(add(ret, policy, "families", nowhere), family->name);
            has_any = true;
        }
    }
    if (!has_any) {
        laz_buf_str(add(ret, policy, "families", nowhere), "none");
    }
    put_ports(policy, &policy->tcp_bind, "tcp-bind", "network.tcp-bind", ret);
    put_ports(policy, &policy->tcp_connect, "tcp-connect", "network.tcp-connect", ret);
}

/* ---- System calls ---- */

static bool is_conditional(const struct laz_decision *decision)
{
    return decision->refuse.n > 0 || decision->guard.n > 0 || decision->allow.n > 0;
}

static bool same_verdict(struct laz_verdict a, struct laz_verdict b)
{
    return a.action == b.action && a.errno_value == b.errno_value;
}

/* Calls that are refused in another way than by default, one key for each way. */
static void put_refused(const struct laz_policy *policy, enum laz_arch arch, enum laz_action action,
        const char *key, struct laz_explanation *ret)
{
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        const struct laz_decision *decision = &policy->decisions[i];
        const struct laz_syscall *call = laz_syscall_at(i);
        if (call->nr[arch] < 0 || is_conditional(decision) || decision->base.action != action ||
                same_verdict(decision->base, policy->default_verdict)) {
            continue;
        }
        struct laz_buf *text = add(ret, policy, key, decision->base.pos);
        laz_buf_str(text, call->name);
        if (laz_words_has_errno(action)) {
            laz_buf_printf(text, " %s", laz_err_errno_name(decision->base.errno_value));
        }
    }
}

static void put_system_calls(
        const struct laz_policy *policy, enum laz_arch arch, struct laz_explanation *ret)
{
    unsigned n_allowed = 0;
    unsigned n_conditional = 0;
    unsigned n_refused = 0;
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        const struct laz_decision *decision = &policy->decisions[i];
        if (laz_syscall_at(i)->nr[arch] < 0) {
            continue;
        }
        n_conditional += is_conditional(decision) ? 1 : 0;
        bool is_refused = laz_words_is_refusal(decision->base.action);
        n_refused += !is_conditional(decision) && is_refused ? 1 : 0;
        n_allowed += !is_conditional(decision) && !is_refused ? 1 : 0;
    }
    laz_buf_printf(add(ret, policy, "system calls", nowhere),
            "%u allowed, %u on conditions, %u refused, on %s", n_allowed, n_conditional, n_refused,
            laz_arch_name(arch));
    laz_words_verdict(
            add(ret, policy, "default", policy->default_verdict.pos), policy->default_verdict);
    laz_words_verdict(
            add(ret, policy, "unknown", policy->unknown_verdict.pos), policy->unknown_verdict);
    laz_words_verdict(add(ret, policy, "foreign-abi", policy->foreign_abi_verdict.pos),
            policy->foreign_abi_verdict);
    put_refused(policy, arch, LAZ_ACTION_KILL, "killed", ret);
    put_refused(policy, arch, LAZ_ACTION_NOTIFY, "with an event", ret);
    put_refused(policy, arch, LAZ_ACTION_ERRNO, "silently", ret);
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        if (is_conditional(&policy->decisions[i]) && laz_syscall_at(i)->nr[arch] >= 0) {
            laz_buf_str(add(ret, policy, "on conditions", nowhere), laz_syscall_at(i)->name);
        }
    }
    laz_buf_printf(add(ret, policy, "flood", nowhere),
            "%u at once, then %u a second, then held %u ms", policy->flood.burst,
            policy->flood.per_second, policy->flood.hold_ms);
    if (policy->flood.kill_after > 0) {
        laz_buf_printf(add_key(ret, policy, "kill-after", "events.flood.kill-after"),
                "%u refused calls in a minute", policy->flood.kill_after);
    }
}

/* ---- Supervision ---- */

static bool in_set(uint64_t set, int signal_number)
{
    return (set & LAZ_SIGNAL_BIT(signal_number)) != 0;
}

static void put_signals(const struct laz_policy *policy, struct laz_explanation *ret)
{
    static const char *const keys[] = {
            "signals stop", "signals group", "signals guard", "signals map", "signals drop"};
    for (size_t key = 0; key < sizeof(keys) / sizeof(keys[0]); key++) {
        for (int i = 1; i <= LAZ_SIGNAL_MAX; i++) {
            const char *name = laz_signal_name(i);
            uint8_t target = policy->signal_map[i];
            const bool applies[] = {in_set(policy->signal_stop, i), in_set(policy->signal_group, i),
                    in_set(policy->signal_guard, i), target != i && target != 0, target == 0};
            if (!applies[key] || name == NULL) {
                continue;
            }
            struct laz_buf *text = add(ret, policy, keys[key], nowhere);
            laz_buf_str(text, name);
            if (key == 3) {
                const char *other = laz_signal_name(target);
                laz_buf_printf(text, " as %s", other == NULL ? "?" : other);
            }
        }
    }
}

static void put_end(const struct laz_policy *policy, struct laz_explanation *ret)
{
    for (size_t i = 0; i < policy->n_exit_map; i++) {
        const struct laz_exit_map *map = &policy->exit_map[i];
        laz_buf_printf(add(ret, policy, "exit map", map->pos), "%u becomes %u%s", map->from,
                map->to, map->only_if_stop_requested ? ", if a stop was requested" : "");
    }
    const struct laz_shutdown *shutdown = &policy->shutdown;
    laz_buf_printf(add(ret, policy, "shutdown", nowhere),
            "lb-grace %u ms, grace %u ms, drain %u ms, flush %u ms; within stop-timeout %u ms",
            shutdown->lb_grace_ms, shutdown->grace_ms, shutdown->drain_ms, shutdown->flush_ms,
            shutdown->stop_timeout_ms);
    laz_buf_printf(add(ret, policy, "tests", nowhere), "%zu", policy->n_tests);
    add_list(ret, policy, "relaxations", &policy->relaxations);
}

void laz_explain_policy(
        const struct laz_policy *policy, enum laz_arch arch, struct laz_explanation *ret)
{
    ret->kind = "policy";
    ret->subject = policy->name;
    put_source(policy, ret);
    put_workload(policy, ret);
    put_filesystem(policy, ret);
    put_network(policy, arch, ret);
    put_system_calls(policy, arch, ret);
    put_signals(policy, ret);
    laz_shipping_explain(policy, ret);
    laz_secrets_explain(policy, ret);
    laz_watching_explain(policy, ret);
    laz_host_explain(policy, ret);
    put_end(policy, ret);
}
