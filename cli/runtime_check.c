/* SPDX-License-Identifier: Apache-2.0
 *
 * lazaret runtime check [FILE]: the host's file, the program that it names and every policy that it
 * selects, as lazaret-shim would come to them. Each finding is at the key that names what is wrong.
 * And of this host, the programs that have to lie beside the shim, and engines that were told of
 * it.
 */
#include "cli/runtime_check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/command.h"
#include "cli/install.h"
#include "cli/loaded.h"
#include "cli/output.h"
#include "cli/programs.h"
#include "cli/runtime_secrets.h"
#include "core/fd.h"
#include "core/num.h"
#include "core/rooted.h"
#include "policy/report.h"
#include "policy/runtime.h"

#define POLICIES_MAX (LAZ_RUNTIME_RULES_MAX + 2)
#define KEY_COLUMN   18
#define UNFIT_MAX    24

struct check {
    const char *path;
    bool is_here; /* this host's own */
    bool json;
    bool is_quiet; /* somebody asks for the first error alone */
    struct laz_diagnostics *diagnostics;
    struct laz_runtime *runtime;
    size_t n_named; /* policies that have been looked at */
    const char *named[POLICIES_MAX];
    size_t n_unfit;
    struct laz_err unfit[UNFIT_MAX]; /* of the programs beside the shim, and of engines */
    struct laz_buf out;
    struct laz_json policies; /* members of one array */
    struct laz_buf policies_text;
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
    static const char shim[] = "lazaret-shim ";
    char says[LAZ_PROGRAM_SAYS];
    laz_cleanup_fd int fd = -1;
    struct stat status;
    if (laz_rooted_open(path, &fd, err) < 0) {
        return -1;
    }
    if (fstat(fd, &status) < 0 || (status.st_mode & S_IXUSR) == 0) {
        return laz_err_set(err, LAZ_E_RUNTIME, 0, "%s is not executable", path);
    }
    laz_program_says(fd, says); /* a copy of it too */
    return strncmp(says, shim, sizeof(shim) - 1) == 0
            ? laz_err_set(err, LAZ_E_RUNTIME, 0, "%s is lazaret-shim itself", path)
            : 0;
}

/* Those that lie beside the shim. */
static void check_programs(struct check *check)
{
    for (size_t i = 0; laz_programs[i] != NULL && check->n_unfit < UNFIT_MAX; i++) {
        struct laz_err *err = &check->unfit[check->n_unfit];
        if (laz_program_look(laz_programs[i], err) < 0) {
            check->n_unfit++;
        }
    }
    if (check->n_unfit == 0) {
        put_key(check, "programs");
        laz_buf_str(&check->out, LAZ_PROGRAMS_FOLDER ", version " LAZARET_VERSION "\n");
    }
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

/* What is not there yet may come before a container does: a unit fills the folder at boot. */
static void check_secrets(
        struct check *check, const char *name, const struct laz_policy *policy, struct laz_pos pos)
{
    struct laz_report report = {.diagnostics = check->diagnostics, .files = &check->runtime->file};
    for (size_t i = 0; i < policy->secrets.config.n_items; i++) {
        bool is_absent = false;
        struct laz_err err = {0};
        const char *item = policy->secrets.config.items[i].name;
        if (laz_runtime_secret_check(policy, i, name, &is_absent, &err) == 0) {
            continue;
        }
        if (is_absent) {
            laz_report_warning_at(&report, pos,
                    "policy %s: secret %s: %s: no container begins under it until it is", name,
                    item, err.message);
        } else {
            laz_report_at(
                    &report, err.kind, pos, "policy %s: secret %s: %s", name, item, err.message);
        }
    }
}

static void json_policy(struct check *check, const struct laz_loaded *loaded)
{
    struct laz_json *json = &check->policies;
    const struct laz_policy *policy = loaded->policy;
    laz_json_object(json, NULL);
    laz_json_string(json, "name", loaded->path);
    laz_json_bool(json, "ok", policy != NULL);
    laz_loaded_json_diagnostics(loaded, json);
    if (policy != NULL) {
        laz_cli_json_digest(json, "digest", policy->source_digest);
        laz_json_array(json, "relaxations");
        for (size_t i = 0; i < policy->relaxations.n; i++) {
            laz_json_string(json, NULL, policy->relaxations.items[i]);
        }
        laz_json_array_end(json);
    }
    laz_json_object_end(json);
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
    json_policy(check, &loaded);
    if (!check->json && !check->is_quiet) {
        laz_loaded_print_diagnostics(&loaded);
    }
    if (result < 0) {
        struct laz_err err = {0};
        (void)laz_err_set(&err, loaded.err.kind, 0, "policy %s: %s", name, loaded.err.message);
        report(check, &err, pos);
    } else {
        put_policy(check, name, loaded.policy);
        if (check->is_here) {
            check_secrets(check, name, loaded.policy, pos);
        }
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
    if (runtime->audit_arguments) {
        put_key(check, "audit");
        laz_buf_str(&check->out, "the arguments of what enters a container are recorded too\n");
    }
    if (runtime->image_init == LAZ_IMAGE_INIT_REPLACE) {
        put_key(check, "image-init");
        laz_buf_str(
                &check->out, "an image's own init is replaced, and its policy does not count\n");
    }
    if (!check->is_here) {
        put_key(check, "not asked");
        laz_buf_str(&check->out, "whose the files are, and whether there are such programs\n");
    }
}

/* The first error, and how many there are. */
static size_t count(const struct check *check, struct laz_err *err)
{
    size_t n = check->diagnostics->n_errors + check->n_unfit;
    if (err->kind == LAZ_E_NONE && check->diagnostics->n_errors > 0) {
        (void)laz_err_set(err, check->diagnostics->items[0].kind, 0, "%.256s: %zu error%s",
                check->path, check->diagnostics->n_errors,
                check->diagnostics->n_errors == 1 ? "" : "s");
    } else if (err->kind == LAZ_E_NONE && n > 0) {
        *err = check->unfit[0];
    }
    return n;
}

static int end(struct check *check, struct laz_err *err)
{
    struct laz_loaded shown = {.path = check->path, .diagnostics = check->diagnostics};
    bool is_read = err->kind == LAZ_E_NONE;
    size_t n = count(check, err);
    laz_loaded_print_diagnostics(&shown);
    if (is_read) { /* what is good is shown as well */
        int result = laz_cli_print(&check->out, n == 0 ? LAZ_EXIT_FINE : LAZ_EXIT_FINDINGS);
        if (n == 0) {
            return result;
        }
    }
    for (size_t i = 0; i < check->n_unfit; i++) {
        laz_ignore(laz_cli_fail(&check->unfit[i], false)); /* 1, as below */
    }
    return !is_read || check->diagnostics->n_errors > 0 ? laz_cli_fail(err, false)
                                                        : LAZ_EXIT_FINDINGS;
}

static int end_json(struct check *check, struct laz_err *err)
{
    struct laz_loaded shown = {.path = check->path, .diagnostics = check->diagnostics};
    bool is_read = err->kind == LAZ_E_NONE;
    bool is_good = is_read && count(check, err) == 0;
    struct laz_json json;
    laz_cleanup_buf struct laz_buf out;
    laz_buf_init_heap(&out, LAZ_CLI_OUTPUT_MAX);
    laz_json_init(&json, &out);
    laz_json_object(&json, NULL);
    laz_json_bool(&json, "ok", is_good);
    laz_json_string(&json, "file", check->path);
    laz_loaded_json_diagnostics(&shown, &json);
    laz_json_array(&json, "unfit");
    for (size_t i = 0; i < check->n_unfit; i++) {
        laz_json_string(&json, NULL, check->unfit[i].message);
    }
    laz_json_array_end(&json);
    laz_json_array(&json, "policies");
    laz_buf_put(&out, check->policies_text.data, check->policies_text.len);
    laz_json_array_end(&json);
    if (!is_good) {
        laz_cli_error_json(&json, err);
    }
    laz_json_object_end(&json);
    laz_buf_char(&out, '\n');
    return laz_cli_print(&out, is_good ? LAZ_EXIT_FINE : LAZ_EXIT_FINDINGS);
}

static int read_all(struct check *check, struct laz_err *err)
{
    const struct laz_policy_source source = {
            .path = check->path, .check_ownership = check->is_here};
    check->diagnostics = calloc(1, sizeof(*check->diagnostics));
    if (check->diagnostics == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for the host's file");
    }
    laz_buf_printf(&check->out, "%s\n", check->path);
    if (laz_runtime_load(&source, check->diagnostics, &check->runtime, err) < 0) {
        return -1;
    }
    check_all(check);
    return 0;
}

static void begin(struct check *check)
{
    laz_buf_init_heap(&check->out, LAZ_CLI_OUTPUT_MAX);
    laz_buf_init_heap(&check->policies_text, LAZ_CLI_OUTPUT_MAX);
    laz_json_init(&check->policies, &check->policies_text);
}

static void done(struct check *check)
{
    laz_buf_done(&check->out);
    laz_buf_done(&check->policies_text);
    laz_runtime_free(check->runtime);
    free(check->diagnostics);
}

int laz_runtime_require(struct laz_err *err)
{
    struct check check = {.path = LAZ_RUNTIME_FILE, .is_here = true, .is_quiet = true};
    begin(&check);
    int result = read_all(&check, err);
    if (result == 0 && check.diagnostics->n_errors > 0) {
        const struct laz_diagnostic *first = check.diagnostics->items;
        while (first->is_warning) {
            first++;
        }
        result = laz_err_set(err, first->kind, 0, "%s:%u:%u: %s", first->file, first->line,
                first->col, first->message);
    }
    done(&check);
    return result;
}

int laz_cli_runtime_check(const struct laz_cli_arguments *arguments)
{
    struct laz_err err = {0};
    bool is_here = arguments->n_operands == 0;
    struct check check = {.path = is_here ? LAZ_RUNTIME_FILE : arguments->operands[0],
            .is_here = is_here,
            .json = arguments->json};
    begin(&check);
    if (read_all(&check, &err) == 0 && is_here) {
        check_programs(&check);
        check.n_unfit += laz_install_kept(&check.unfit[check.n_unfit], UNFIT_MAX - check.n_unfit);
    }
    int result = LAZ_EXIT_FINDINGS;
    if (check.diagnostics == NULL) {
        result = laz_cli_fail(&err, check.json);
    } else {
        result = check.json ? end_json(&check, &err) : end(&check, &err);
    }
    done(&check);
    return result;
}
