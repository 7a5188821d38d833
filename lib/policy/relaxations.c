/* SPDX-License-Identifier: Apache-2.0
 *
 * What a policy gives up, by name, for `check`, the start event and the report: nothing that
 * weakens the workload's confinement goes unmentioned.
 */
#include <sched.h>
#include <stdarg.h>
#include <string.h>

#include "policy/merge.h"

void laz_relaxations_add(struct laz_merge *merge, struct laz_pos pos, const char *format, ...)
{
    char text[LAZ_DIAGNOSTIC_MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (length >= 0) {
        laz_strings_append(
                merge->arena, &merge->policy->relaxations, text, strnlen(text, sizeof(text)), pos);
    }
}

static void add_workload(struct laz_merge *merge)
{
    const struct laz_policy *policy = merge->policy;
    const struct laz_pos *pos = policy->key_pos;
    if (policy->mode == LAZ_MODE_OBSERVE) {
        laz_relaxations_add(merge, pos[LAZ_FIELD_MODE], "mode: observe");
    }
    for (unsigned i = 0; i < LAZ_REQUIRE_COUNT; i++) {
        /* write-xor-execute is off by default: it is not given up, it was never there. */
        if (policy->require[i] == LAZ_LEVEL_DISABLED && i != LAZ_REQUIRE_WRITE_XOR_EXECUTE) {
            const char *name = laz_require_name((enum laz_require)i);
            enum laz_field_id id = laz_field_find(LAZ_FIELD_REQUIRES, name, strlen(name));
            laz_relaxations_add(merge, pos[id], "requires: %s disabled", name);
        }
    }
    if (policy->allow_root) {
        laz_relaxations_add(merge, pos[LAZ_FIELD_WORKLOAD_ALLOW_ROOT], "workload: allow-root");
    }
    if (policy->exec_budget < 0) {
        laz_relaxations_add(merge, pos[LAZ_FIELD_WORKLOAD_EXEC_BUDGET], "workload: no exec-budget");
    }
    for (int i = 0; i < 64; i++) {
        if ((policy->keep_capabilities >> i & 1) != 0) {
            laz_relaxations_add(
                    merge, policy->capability_pos[i], "capability: %s", laz_capability_name(i));
        }
    }
}

/* What every container has there, and nobody can execute. */
static bool is_common_node(const char *path)
{
    static const char *const nodes[] = {
            "/dev/full", "/dev/null", "/dev/random", "/dev/tty", "/dev/urandom", "/dev/zero"};
    bool is = false;
    for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
        is = is || strcmp(path, nodes[i]) == 0;
    }
    return is;
}

static bool can_write(const struct laz_path_rule *rule)
{
    return laz_path_class_writes(rule->class) && !is_common_node(rule->path);
}

static bool can_execute(const struct laz_path_rule *rule)
{
    return rule->class == LAZ_PATH_READ_EXEC || rule->class == LAZ_PATH_WRITE_EXEC;
}

/* Landlock adds up the rules of a path and of all above it: write below an executable path, or
 * execution below a writable one, is both. */
static void add_overlaps(struct laz_merge *merge, const struct laz_path_rule *rule)
{
    const struct laz_policy *policy = merge->policy;
    for (size_t i = 0; i < policy->n_paths; i++) {
        const struct laz_path_rule *above = &policy->paths[i];
        bool is_both =
                (can_write(rule) && can_execute(above)) || (can_execute(rule) && can_write(above));
        bool is_below = laz_path_is_at_or_below(rule->path, above->path);
        bool is_twin = is_below && strcmp(rule->path, above->path) == 0;
        if (above != rule && is_both && is_below && (!is_twin || can_write(rule))) {
            laz_relaxations_add(
                    merge, rule->pos, "filesystem: write and execute at %s", rule->path);
            return;
        }
    }
}

static void add_filesystem(struct laz_merge *merge)
{
    const struct laz_policy *policy = merge->policy;
    if (policy->require[LAZ_REQUIRE_LANDLOCK] == LAZ_LEVEL_DISABLED) {
        return; /* said already, and the rules mean nothing */
    }
    for (size_t i = 0; i < policy->n_paths; i++) {
        const struct laz_path_rule *rule = &policy->paths[i];
        if (rule->class == LAZ_PATH_WRITE_EXEC) {
            laz_relaxations_add(merge, rule->pos, "filesystem: write-exec %s", rule->path);
        } else {
            add_overlaps(merge, rule);
        }
        if (rule->class == LAZ_PATH_WRITE && strcmp(rule->path, "/") == 0) {
            laz_relaxations_add(merge, rule->pos, "filesystem: write /");
        }
    }
}

static bool is_usual_family(const char *name)
{
    return strcmp(name, "unix") == 0 || strcmp(name, "inet") == 0 || strcmp(name, "inet6") == 0 ||
            strcmp(name, "netlink-route") == 0;
}

static void add_network(struct laz_merge *merge)
{
    const struct laz_policy *policy = merge->policy;
    static const enum laz_field_id permissions[] = {
            LAZ_FIELD_NETWORK_RAW, LAZ_FIELD_NETWORK_MULTIPATH_TCP, LAZ_FIELD_NETWORK_FAST_OPEN};
    for (size_t i = 0; i < laz_socket_family_count(); i++) {
        const char *name = laz_socket_family_at(i)->name;
        if ((merge->families >> i & 1) != 0 && !is_usual_family(name)) {
            laz_relaxations_add(merge, merge->family_pos[i], "network: family %s", name);
        }
    }
    if (policy->tcp_bind.any) {
        laz_relaxations_add(
                merge, policy->key_pos[LAZ_FIELD_NETWORK_TCP_BIND], "network: tcp-bind any");
    }
    if (policy->tcp_connect.any) {
        laz_relaxations_add(
                merge, policy->key_pos[LAZ_FIELD_NETWORK_TCP_CONNECT], "network: tcp-connect any");
    }
    for (size_t i = 0; i < sizeof(permissions) / sizeof(permissions[0]); i++) {
        const struct laz_node *said = merge->said[permissions[i]];
        if (said != NULL && said->number != 0) {
            laz_relaxations_add(merge, said->pos, "network: %s", laz_field_at(permissions[i])->key);
        }
    }
}

/* A user namespace, in which its first process has all capabilities. */
static bool makes_user_namespaces(const struct laz_policy *policy, const struct laz_syscall *call)
{
    static const uint64_t args[LAZ_SYSCALL_ARGS_MAX] = {CLONE_NEWUSER};
    enum laz_arch arch = LAZ_ARCH_X86_64; /* each has it, with the flags first */
    return strcmp(call->name, "clone") == 0 &&
            !laz_verdict_refuses(laz_policy_decide(
                    policy, arch, laz_arch_audit(arch), (uint32_t)call->nr[arch], args));
}

/* Calls that undo another part of the policy, beside those of the dangerous groups. */
static const char *why_dangerous(const struct laz_policy *policy, const struct laz_syscall *call)
{
    if (makes_user_namespaces(policy, call)) {
        return "also with CLONE_NEWUSER";
    }
    if (strcmp(call->name, "clone3") == 0) {
        return "its flags cannot be checked";
    }
    if (strcmp(call->name, "execveat") == 0 && policy->exec_budget >= 0) {
        return "not counted by the exec-budget";
    }
    return NULL;
}

/* For each call the first of the dangerous groups that has it. One walk over the groups: asking for
 * each call takes twenty times as long as the rest of the load. */
struct dangers {
    const struct laz_group *group; /* at hand */
    const struct laz_group *of[LAZ_SYSCALL_TABLE_MAX];
};

static int note_danger(void *context, const struct laz_syscall *call)
{
    struct dangers *dangers = context;
    size_t i = laz_syscall_index(call);
    dangers->of[i] = dangers->of[i] == NULL ? dangers->group : dangers->of[i];
    return 0;
}

static void find_dangers(struct dangers *ret)
{
    for (size_t i = 0; i < laz_group_count(); i++) {
        ret->group = laz_group_at(i);
        if (ret->group->kind == LAZ_GROUP_NEVER) {
            (void)laz_group_each(ret->group, note_danger, ret); /* which never ends the walk */
        }
    }
}

static void add_calls(struct laz_merge *merge)
{
    const struct laz_policy *policy = merge->policy;
    struct dangers dangers = {0};
    find_dangers(&dangers);
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        const struct laz_syscall *call = laz_syscall_at(i);
        const struct laz_decision *decision = &policy->decisions[i];
        const struct laz_call_state *state = &merge->calls[i];
        bool is_conditional = decision->allow.n > 0;
        if (laz_verdict_refuses(decision->base) && !is_conditional) {
            continue;
        }
        struct laz_pos pos =
                is_conditional ? decision->allow.items[0].verdict.pos : decision->base.pos;
        const struct laz_group *group = dangers.of[i];
        const char *why = why_dangerous(policy, call);
        const char *conditions = is_conditional ? ", with conditions" : "";
        if (group != NULL) {
            laz_relaxations_add(
                    merge, pos, "syscalls: %s (group %s%s)", call->name, group->name, conditions);
        } else if (why != NULL) {
            laz_relaxations_add(merge, pos, "syscalls: %s (%s%s)", call->name, why, conditions);
        }
        if (state->lifted != NULL) {
            laz_relaxations_add(merge, state->lifted->pos,
                    "syscalls: %s without the conditions of an extended policy", call->name);
        }
    }
}

void laz_relaxations(struct laz_merge *merge)
{
    add_workload(merge);
    add_filesystem(merge);
    add_network(merge);
    add_calls(merge);
    laz_relaxations_shipping(merge);
    laz_relaxations_sense(merge);
    laz_relaxations_plain(merge);
    laz_relaxations_secrets(merge);
    laz_relaxations_tls(merge);
    laz_relaxations_trust(merge);
    laz_relaxations_volumes(merge);
    laz_relaxations_health(merge);
    laz_relaxations_host(merge);
}
