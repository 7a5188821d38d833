/* SPDX-License-Identifier: Apache-2.0
 *
 * Does one policy allow nothing that another refuses? The one answer for sealed parents, `policy
 * diff` and the shim. Compares by form where arguments are concerned, so that it errs to "wider"
 * only.
 */
#include "policy/narrow.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "policy/merge.h"

bool laz_comparison_note(
        const struct laz_comparison *comparison, const char *key, const char *value)
{
    struct laz_widening *found = comparison->found;
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, found->key, sizeof(found->key));
    laz_buf_str(&buf, key);
    laz_buf_init_fixed(&buf, found->value, sizeof(found->value));
    laz_buf_put(&buf, value, strnlen(value, sizeof(found->value) - 1));
    found->child_pos = laz_policy_pos_of(comparison->child, key);
    found->parent_pos = laz_policy_pos_of(comparison->parent, key);
    return true;
}

/* The same, with positions that are not those of the key. */
static bool note_at(const struct laz_comparison *comparison, const char *key, const char *value,
        struct laz_pos child_pos, struct laz_pos parent_pos)
{
    (void)laz_comparison_note(comparison, key, value);
    comparison->found->child_pos = child_pos;
    comparison->found->parent_pos = parent_pos;
    return true;
}

/* Into a text of LAZ_NAME_LENGTH_MAX bytes, which is more than any key or number needs. */
static void print(char *text, const char *format, ...) LAZ_PRINTF(2, 3);

static void print(char *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, LAZ_NAME_LENGTH_MAX, format, args);
    va_end(args);
}

static bool note_number(const struct laz_comparison *comparison, const char *key, int64_t number)
{
    char text[LAZ_NAME_LENGTH_MAX];
    print(text, "%" PRId64, number);
    return laz_comparison_note(comparison, key, text);
}

/* ---- requires, workload, privileges, limits ---- */

static bool find_in_requires(const struct laz_comparison *comparison)
{
    const struct laz_policy *child = comparison->child;
    const struct laz_policy *parent = comparison->parent;
    for (unsigned i = 0; i < LAZ_REQUIRE_COUNT; i++) {
        char key[LAZ_NAME_LENGTH_MAX];
        print(key, "requires.%s", laz_require_name((enum laz_require)i));
        if (child->require[i] > parent->require[i]) { /* required, preferred, disabled */
            return laz_comparison_note(comparison, key, laz_level_name(child->require[i]));
        }
    }
    if (child->landlock_min_abi < parent->landlock_min_abi) {
        return note_number(comparison, "requires.landlock.min-abi", child->landlock_min_abi);
    }
    if (child->mode != parent->mode && child->mode != LAZ_MODE_ENFORCE) {
        return laz_comparison_note(comparison, "mode", laz_mode_name(child->mode));
    }
    return false;
}

/* -1 is above every number. */
static uint32_t budget_rank(int32_t budget)
{
    return budget < 0 ? UINT32_MAX : (uint32_t)budget;
}

static bool find_in_workload(const struct laz_comparison *comparison)
{
    const struct laz_policy *child = comparison->child;
    const struct laz_policy *parent = comparison->parent;
    if (child->allow_root && !parent->allow_root) {
        return laz_comparison_note(comparison, "workload.allow-root", "true");
    }
    bool parent_says_user = laz_policy_pos_of(parent, "workload.user").line > 0;
    if (parent_says_user && (child->uid != parent->uid || child->gid != parent->gid)) {
        char text[LAZ_NAME_LENGTH_MAX];
        print(text, "%" PRIu32 ":%" PRIu32, child->uid, child->gid);
        return laz_comparison_note(comparison, "workload.user", text);
    }
    for (size_t i = 0; i < child->n_groups; i++) {
        bool is_known = false;
        for (size_t k = 0; k < parent->n_groups; k++) {
            is_known = is_known || parent->groups[k] == child->groups[i];
        }
        if (!is_known) {
            return note_number(comparison, "workload.groups", child->groups[i]);
        }
    }
    if ((parent->umask & ~child->umask) != 0) {
        char text[LAZ_NAME_LENGTH_MAX];
        print(text, "0%03o", child->umask);
        return laz_comparison_note(comparison, "workload.umask", text);
    }
    if (budget_rank(child->exec_budget) > budget_rank(parent->exec_budget)) {
        return note_number(comparison, "workload.exec-budget", child->exec_budget);
    }
    return false;
}

static bool find_in_powers(const struct laz_comparison *comparison)
{
    const struct laz_policy *child = comparison->child;
    const struct laz_policy *parent = comparison->parent;
    uint64_t added = child->keep_capabilities & ~parent->keep_capabilities;
    if (added != 0) {
        int capability = __builtin_ctzll(added);
        const char *name = laz_capability_name(capability);
        return note_at(comparison, "privileges.capabilities.keep", name != NULL ? name : "?",
                child->capability_pos[capability],
                laz_policy_pos_of(parent, "privileges.capabilities.keep"));
    }
    for (int i = 0; i < LAZ_LIMIT_COUNT; i++) {
        const struct laz_limit_value *old = &parent->limits[i];
        const struct laz_limit_value *new = &child->limits[i];
        if (old->set && (!new->set || new->value > old->value)) {
            return note_at(comparison, "limits", laz_rlimit_name(i), new->pos, old->pos);
        }
    }
    return false;
}

/* ---- filesystem, network ---- */

enum right {
    RIGHT_READ = 1,
    RIGHT_EXECUTE = 2,
    RIGHT_WRITE = 4,
    RIGHT_DEVICE = 8
};

static unsigned rights_of(enum laz_path_class class)
{
    switch (class) {
    case LAZ_PATH_READ:
        return RIGHT_READ;
    case LAZ_PATH_READ_EXEC:
        return RIGHT_READ | RIGHT_EXECUTE;
    case LAZ_PATH_WRITE:
        return RIGHT_READ | RIGHT_WRITE;
    case LAZ_PATH_WRITE_EXEC:
        return RIGHT_READ | RIGHT_WRITE | RIGHT_EXECUTE;
    case LAZ_PATH_DEVICES:
    case LAZ_PATH_COUNT:
        break;
    }
    return RIGHT_DEVICE;
}

/* All that a policy grants at a path: the rules of the path and of all above it. */
static unsigned rights_at(const struct laz_policy *policy, const char *path)
{
    unsigned rights = 0;
    for (size_t i = 0; i < policy->n_paths; i++) {
        if (laz_path_is_at_or_below(path, policy->paths[i].path)) {
            rights |= rights_of(policy->paths[i].class);
        }
    }
    return rights;
}

static bool find_in_filesystem(const struct laz_comparison *comparison)
{
    const struct laz_policy *child = comparison->child;
    const struct laz_policy *parent = comparison->parent;
    for (size_t i = 0; i < child->n_paths; i++) {
        const struct laz_path_rule *rule = &child->paths[i];
        if ((rights_of(rule->class) & ~rights_at(parent, rule->path)) != 0) {
            char key[LAZ_NAME_LENGTH_MAX];
            print(key, "filesystem.%s", laz_path_class_name(rule->class));
            return note_at(comparison, key, rule->path, rule->pos, laz_policy_pos_of(parent, key));
        }
    }
    if (parent->isolate_signals && !child->isolate_signals) {
        return laz_comparison_note(comparison, "filesystem.isolate", "without signals");
    }
    if (parent->isolate_abstract_sockets && !child->isolate_abstract_sockets) {
        return laz_comparison_note(comparison, "filesystem.isolate", "without abstract-sockets");
    }
    return false;
}

static bool has_port(const struct laz_port_list *list, uint16_t port)
{
    for (size_t i = 0; i < list->n; i++) {
        if (list->ports[i] == port) {
            return true;
        }
    }
    return list->any;
}

static bool find_in_list(const struct laz_comparison *comparison, const char *key,
        const struct laz_port_list *child, const struct laz_port_list *parent)
{
    if (child->any && !parent->any) {
        return laz_comparison_note(comparison, key, "any");
    }
    for (size_t i = 0; i < child->n; i++) {
        if (!has_port(parent, child->ports[i])) {
            char port[LAZ_NAME_LENGTH_MAX];
            print(port, "%u", child->ports[i]);
            return note_at(comparison, key, port, child->pos[i],
                    laz_policy_pos_of(comparison->parent, key));
        }
    }
    return false;
}

static bool find_in_ports(const struct laz_comparison *comparison)
{
    const struct laz_policy *child = comparison->child;
    const struct laz_policy *parent = comparison->parent;
    return find_in_list(comparison, "network.tcp-bind", &child->tcp_bind, &parent->tcp_bind) ||
            find_in_list(
                    comparison, "network.tcp-connect", &child->tcp_connect, &parent->tcp_connect);
}

static bool find_in_network(const struct laz_comparison *comparison)
{
    const struct laz_policy *child = comparison->child;
    const struct laz_policy *parent = comparison->parent;

    if (child->raw && !parent->raw) {
        return laz_comparison_note(comparison, "network.raw", "allow");
    }
    if (child->multipath_tcp && !parent->multipath_tcp) {
        return laz_comparison_note(comparison, "network.multipath-tcp", "allow");
    }
    return child->fast_open && !parent->fast_open &&
            laz_comparison_note(comparison, "network.fast-open", "allow");
}

/* ---- syscalls ---- */

static bool is_weaker(struct laz_verdict child, struct laz_verdict parent)
{
    return laz_verdict_strictness(child) < laz_verdict_strictness(parent);
}

static bool find_in_calls(const struct laz_comparison *comparison)
{
    const struct laz_policy *child = comparison->child;
    const struct laz_policy *parent = comparison->parent;
    if (is_weaker(child->default_verdict, parent->default_verdict)) {
        return laz_comparison_note(
                comparison, "syscalls.default", laz_action_name(child->default_verdict.action));
    }
    if (is_weaker(child->unknown_verdict, parent->unknown_verdict)) {
        return laz_comparison_note(
                comparison, "syscalls.unknown", laz_action_name(child->unknown_verdict.action));
    }
    if (is_weaker(child->foreign_abi_verdict, parent->foreign_abi_verdict)) {
        return laz_comparison_note(comparison, "syscalls.foreign-abi",
                laz_action_name(child->foreign_abi_verdict.action));
    }
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        struct laz_pos child_pos = {0};
        struct laz_pos parent_pos = {0};
        const char *key = laz_decision_find_widening(
                &child->decisions[i], &parent->decisions[i], &child_pos, &parent_pos);
        if (key != NULL) {
            return note_at(comparison, key, laz_syscall_at(i)->name, child_pos, parent_pos);
        }
    }
    uint32_t limit = parent->flood.kill_after;
    if (limit > 0 && (child->flood.kill_after == 0 || child->flood.kill_after > limit)) {
        return note_number(comparison, "events.flood.kill-after", child->flood.kill_after);
    }
    return false;
}

bool laz_policy_find_widening(
        const struct laz_policy *child, const struct laz_policy *parent, struct laz_widening *ret)
{
    const struct laz_comparison comparison = {.child = child, .parent = parent, .found = ret};
    /* Where Landlock is disabled, paths and ports are words only; disabling it is found under
     * requires. */
    bool has_landlock = parent->require[LAZ_REQUIRE_LANDLOCK] != LAZ_LEVEL_DISABLED;
    /* Secrets come before files: their folder is among those that may be read. */
    return find_in_requires(&comparison) || find_in_workload(&comparison) ||
            find_in_powers(&comparison) || laz_identities_find_widening(&comparison) ||
            laz_secrets_find_widening(&comparison) ||
            (has_landlock && (find_in_filesystem(&comparison) || find_in_ports(&comparison))) ||
            find_in_network(&comparison) || find_in_calls(&comparison) ||
            laz_shipping_find_widening(&comparison) || laz_sense_find_widening(&comparison) ||
            laz_plain_find_widening(&comparison) || laz_tls_find_widening(&comparison) ||
            laz_tunnel_find_widening(&comparison) || laz_volumes_find_widening(&comparison) ||
            laz_health_find_widening(&comparison) || laz_host_find_widening(&comparison);
}
