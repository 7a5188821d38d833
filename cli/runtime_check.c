/* SPDX-License-Identifier: Apache-2.0
 *
 * lazaret runtime check [FILE]: the host's file, the program that it names and every policy that it
 * selects, as lazaret-shim would come to them. Each finding is at the key that names what is wrong.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/command.h"
#include "cli/loaded.h"
#include "cli/output.h"
#include "core/fd.h"
#include "core/num.h"
#include "core/rooted.h"
#include "policy/report.h"
#include "policy/runtime.h"

#define POLICIES_MAX (LAZ_RUNTIME_RULES_MAX + 2)
#define KEY_COLUMN   18

struct check {
    const char *path;
    bool is_here; /* this host's own */
    struct laz_diagnostics *diagnostics;
    struct laz_runtime *runtime;
    size_t n_named; /* policies that have been looked at */
    const char *named[POLICIES_MAX];
    struct laz_buf out;
};

static bool is_pass_through(const char *name)
{
    return strcmp(name, LAZ_RUNTIME_PASS_THROUGH) == 0;
}

/* A finding at the place of the file that led to it. */
static void report(const struct check *check, const struct laz_err *err, struct laz_pos pos)
{
    struct laz_report report = {.diagnostics = check->diagnostics, .files = &check->runtime->file};
    laz_report_at(&report, err->kind, pos, "%s", err->message);
}

static void put_key(struct check *check, const char *key)
{
    laz_buf_printf(&check->out, "  %-*s ", KEY_COLUMN - 3, key);
}

/* ---- Programs ---- */

static int look_at_program(const char *path, struct laz_err *err)
{
    laz_cleanup_fd int fd = -1;
    struct stat status;
    if (laz_rooted_open(path, &fd, err) < 0) {
        return -1;
    }
    if (fstat(fd, &status) < 0 || (status.st_mode & S_IXUSR) == 0) {
        return laz_err_set(err, LAZ_E_RUNTIME, 0, "%s is not executable", path);
    }
    return 0;
}

static void check_program(
        struct check *check, const char *name, const char *path, struct laz_pos pos)
{
    struct laz_err err = {0};
    put_key(check, name == NULL ? "runtime" : "runtime-by-name");
    laz_buf_printf(
            &check->out, "%s%s%s\n", name == NULL ? "" : name, name == NULL ? "" : ": ", path);
    if (check->is_here && look_at_program(path, &err) < 0) {
        report(check, &err, pos);
    }
}

/* ---- Policies ---- */

/* The folder policies.d beside the file. */
static int load_beside(const struct check *check, const char *name,
        struct laz_diagnostics *ret_diagnostics, struct laz_policy **ret, struct laz_err *err)
{
    char unused[LAZ_RUNTIME_POLICY_PATH_MAX];
    const char *slash = strrchr(check->path, '/');
    int folder = slash == NULL ? 0 : (int)(slash + 1 - check->path);
    laz_cleanup_buf struct laz_buf path;
    laz_buf_init_heap(&path, LAZ_CLI_OUTPUT_MAX);
    laz_buf_printf(&path, "%.*spolicies.d/%s.yaml", folder, check->path, name);
    if (path.overflow) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for the name of a policy");
    }
    if (laz_runtime_policy_path(name, unused, err) < 0) {
        return -1;
    }
    const struct laz_policy_source source = {.path = path.data};
    return laz_policy_load(&source, ret_diagnostics, ret, err);
}

static void put_policy(struct check *check, const char *name, const struct laz_policy *policy)
{
    char digest[2 * LAZ_SHA256_SIZE + 1];
    laz_format_hex(policy->source_digest, LAZ_SHA256_SIZE, digest);
    put_key(check, "policy");
    laz_buf_printf(&check->out, "%s, sha256 %s\n", name, digest);
    for (size_t i = 0; i < policy->relaxations.n; i++) {
        put_key(check, i == 0 ? "  relaxations" : "");
        laz_buf_printf(&check->out, "%s\n", policy->relaxations.items[i]);
    }
}

/* Each once, at the first key that names it. */
static void check_policy(struct check *check, const char *name, struct laz_pos pos)
{
    for (size_t i = 0; i < check->n_named; i++) {
        if (strcmp(check->named[i], name) == 0) {
            return;
        }
    }
    check->named[check->n_named++] = name;
    struct laz_loaded loaded = {
            .path = name, .diagnostics = calloc(1, sizeof(*loaded.diagnostics))};
    if (loaded.diagnostics == NULL) {
        check->out.overflow = true;
        return;
    }
    int result = check->is_here
            ? laz_runtime_policy_load(name, loaded.diagnostics, &loaded.policy, &loaded.err)
            : load_beside(check, name, loaded.diagnostics, &loaded.policy, &loaded.err);
    laz_loaded_print_diagnostics(&loaded);
    if (result < 0) {
        struct laz_err err = {0};
        (void)laz_err_set(&err, loaded.err.kind, 0, "policy %s: %s", name, loaded.err.message);
        report(check, &err, pos);
    } else {
        put_policy(check, name, loaded.policy);
    }
    laz_loaded_done(&loaded);
}

static void check_choice(struct check *check, const char *who, const char *name, struct laz_pos pos)
{
    put_key(check, who);
    if (name == NULL) {
        laz_buf_str(&check->out, "refused: no key names a policy for them\n");
    } else if (is_pass_through(name)) {
        laz_buf_str(&check->out, "pass-through: nothing is enforced\n");
    } else {
        laz_buf_printf(&check->out, "%s\n", name);
        check_policy(check, name, pos);
    }
}

static void check_rule(struct check *check, const struct laz_runtime_rule *rule)
{
    put_key(check, "select");
    laz_buf_printf(&check->out, "%s%s%s%s%s -> %s\n", rule->name == NULL ? "" : "name ",
            rule->name == NULL ? "" : rule->name,
            rule->name != NULL && rule->cgroups_path != NULL ? ", " : "",
            rule->cgroups_path == NULL ? "" : "cgroups ",
            rule->cgroups_path == NULL ? "" : rule->cgroups_path,
            is_pass_through(rule->policy) ? "pass-through: nothing is enforced" : rule->policy);
    if (!is_pass_through(rule->policy)) {
        check_policy(check, rule->policy, rule->pos);
    }
}

/* ---- The whole ---- */

static void check_all(struct check *check)
{
    const struct laz_runtime *runtime = check->runtime;
    check_program(check, NULL, runtime->program, runtime->program_pos);
    for (size_t i = 0; i < runtime->n_names; i++) {
        check_program(
                check, runtime->names[i].name, runtime->names[i].program, runtime->names[i].pos);
    }
    for (size_t i = 0; i < runtime->n_rules; i++) {
        check_rule(check, &runtime->rules[i]);
    }
    if (runtime->infra_policy != NULL) {
        check_choice(check, "no task of ECS", runtime->infra_policy, runtime->infra_policy_pos);
    }
    check_choice(check, "all others", runtime->default_policy, runtime->default_policy_pos);
    if (runtime->unknown_container == LAZ_UNKNOWN_CLAMP_DEFAULT) {
        put_key(check, "unknown");
        laz_buf_str(&check->out, "an exec into a container without a record is let in\n");
    }
    if (!runtime->audit_required) {
        put_key(check, "audit");
        laz_buf_str(&check->out, "what cannot be recorded is let through\n");
    }
    if (!check->is_here) {
        put_key(check, "not asked");
        laz_buf_str(&check->out, "whose the files are, and whether there are such programs\n");
    }
}

static int end(struct check *check, struct laz_err *err)
{
    struct laz_loaded shown = {.path = check->path, .diagnostics = check->diagnostics};
    laz_loaded_print_diagnostics(&shown);
    size_t n = check->diagnostics->n_errors;
    if (check->runtime != NULL && n == 0) {
        return laz_cli_print(&check->out, LAZ_EXIT_FINE);
    }
    if (check->runtime != NULL) { /* what is good is shown as well */
        (void)laz_cli_print(&check->out, LAZ_EXIT_FINDINGS);
        (void)laz_err_set(err, check->diagnostics->items[0].kind, 0, "%.256s: %zu error%s",
                check->path, n, n == 1 ? "" : "s");
    }
    return laz_cli_fail(err, false);
}

int laz_cli_runtime_check(const struct laz_cli_arguments *arguments)
{
    struct laz_err err = {0};
    bool is_here = arguments->n_operands == 0;
    struct check check = {.path = is_here ? LAZ_RUNTIME_FILE : arguments->operands[0],
            .is_here = is_here,
            .diagnostics = calloc(1, sizeof(*check.diagnostics))};
    const struct laz_policy_source source = {.path = check.path, .check_ownership = is_here};
    if (check.diagnostics == NULL) {
        (void)laz_err_set(&err, LAZ_E_MEMORY, 0, "no memory for the host's file");
        return laz_cli_fail(&err, false);
    }
    laz_buf_init_heap(&check.out, LAZ_CLI_OUTPUT_MAX);
    laz_buf_printf(&check.out, "%s\n", check.path);
    if (laz_runtime_load(&source, check.diagnostics, &check.runtime, &err) == 0) {
        check_all(&check);
    }
    int result = end(&check, &err);
    laz_buf_done(&check.out);
    laz_runtime_free(check.runtime);
    free(check.diagnostics);
    return result;
}
