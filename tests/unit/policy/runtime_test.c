/* SPDX-License-Identifier: Apache-2.0
 *
 * The host's file: what it says, which policy it selects, and what is wrong with it, by kind,
 * position and text.
 */
#include "policy/runtime.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loading.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

#define MINIMAL_HOST                                                                               \
    "version: 1\n"                                                                                 \
    "runtime: /usr/sbin/runc\n"

struct host {
    int result;
    struct laz_err err;
    struct laz_runtime *runtime;
    struct laz_diagnostics *diagnostics;
};

static struct host load_host(const struct laz_policy_source *source)
{
    struct host host = {.diagnostics = calloc(1, sizeof(*host.diagnostics))};
    cr_assert_not_null(host.diagnostics);
    host.result = laz_runtime_load(source, host.diagnostics, &host.runtime, &host.err);
    return host;
}

static struct host host_of(const char *text)
{
    const struct laz_policy_source source = {
            .path = "/etc/lazaret/runtime.yaml", .text = text, .text_length = strlen(text)};
    return load_host(&source);
}

static void forget(struct host *host)
{
    laz_runtime_free(host->runtime);
    free(host->diagnostics);
}

#define ZEROS "00000000000000000000000000000000000000000000000000000000000000" /* 62 */

static const char everything[] = MINIMAL_HOST
        "runtime-by-name: {lazaret-nvidia: /usr/bin/nvidia-container-runtime, x: /usr/bin/crun}\n"
        "select:\n"
        "  - {runtime-name: lazaret-nvidia, policy: gpu}\n"
        "  - {cgroups-path: /ecs/, policy: task}\n"
        "  - {cgroups-path: \"ecstasks-\", runtime-name: x, policy: pass-through}\n"
        "infra-policy: infra\n"
        "default-policy: task\n"
        "unknown-container: clamp-default\n"
        "image-init: replace\n"
        "known-inits: [ab" ZEROS ", cd" ZEROS "]\n"
        "log: /var/log/lazaret/shim.log\n"
        "audit: {file: /var/log/a.jsonl, required: false, arguments: true, health-checks: false}\n";

Test(policy_runtime, says_what_its_keys_say)
{
    struct host host = host_of(everything);
    cr_assert_eq(host.result, 0, "%s", host.err.message);
    const struct laz_runtime *runtime = host.runtime;
    cr_expect_str_eq(runtime->program, "/usr/sbin/runc");
    cr_expect_eq(runtime->program_pos.line, 2);
    cr_assert_eq(runtime->n_names, 2);
    cr_expect_str_eq(runtime->names[0].name, "lazaret-nvidia");
    cr_expect_str_eq(runtime->names[0].program, "/usr/bin/nvidia-container-runtime");
    cr_assert_eq(runtime->n_rules, 3);
    cr_expect_str_eq(runtime->rules[0].name, "lazaret-nvidia");
    cr_expect_null(runtime->rules[0].cgroups_path);
    cr_expect_str_eq(runtime->rules[1].cgroups_path, "/ecs/");
    cr_expect_null(runtime->rules[1].name);
    cr_expect_str_eq(runtime->rules[2].policy, LAZ_RUNTIME_PASS_THROUGH);
    cr_expect_eq(runtime->rules[2].pos.line, 7);
    cr_expect_str_eq(runtime->infra_policy, "infra");
    cr_expect_str_eq(runtime->default_policy, "task");
    cr_expect_eq(runtime->default_policy_pos.line, 9);
    cr_expect_eq(runtime->unknown_container, (uint32_t)LAZ_UNKNOWN_CLAMP_DEFAULT);
    cr_expect_eq(runtime->image_init, (uint32_t)LAZ_IMAGE_INIT_REPLACE);
    cr_assert_eq(runtime->n_known_inits, 2);
    cr_expect_str_eq(runtime->known_inits[1], "cd" ZEROS);
    cr_expect_str_eq(runtime->log, "/var/log/lazaret/shim.log");
    cr_expect_str_eq(runtime->audit_file, "/var/log/a.jsonl");
    cr_expect_not(runtime->audit_required);
    cr_expect(runtime->audit_arguments);
    cr_expect_not(runtime->audit_health_checks);
    uint8_t digest[LAZ_SHA256_SIZE];
    laz_sha256_of(everything, strlen(everything), digest);
    cr_expect_arr_eq(runtime->digest, digest, sizeof(digest));
    forget(&host);
}

Test(policy_runtime, refuses_and_records_unless_it_says_otherwise)
{
    struct host host = host_of(MINIMAL_HOST);
    cr_assert_eq(host.result, 0, "%s", host.err.message);
    cr_expect_null(host.runtime->default_policy);
    cr_expect_null(host.runtime->infra_policy);
    cr_expect_null(host.runtime->log);
    cr_expect_eq(host.runtime->unknown_container, (uint32_t)LAZ_UNKNOWN_REFUSE);
    cr_expect_eq(host.runtime->image_init, (uint32_t)LAZ_IMAGE_INIT_REFUSE);
    cr_expect_str_eq(host.runtime->audit_file, "/var/log/lazaret/host-audit.jsonl");
    cr_expect(host.runtime->audit_required);
    cr_expect_not(host.runtime->audit_arguments);
    cr_expect(host.runtime->audit_health_checks);
    cr_expect_null(laz_runtime_select(host.runtime, "runc", "/docker/a"));
    forget(&host);
}

Test(policy_runtime, selects_by_what_the_host_decides)
{
    static const struct {
        const char *argv0;
        const char *cgroups_path;
        const char *policy;
        const char *program;
    } rows[] = {
            {"/usr/bin/lazaret-shim", "/ecs/t/c", "task", "/usr/sbin/runc"},
            {"lazaret-nvidia", "/ecs/t/c", "gpu", "/usr/bin/nvidia-container-runtime"},
            {"/a/lazaret-nvidia", NULL, "gpu", "/usr/bin/nvidia-container-runtime"},
            {"/lazaret-nvidia/runc", "/docker/a", "infra", "/usr/sbin/runc"},
            {"runc", "/ecs", "infra", "/usr/sbin/runc"},
            {"runc", "/ecs-other/c", "infra", "/usr/sbin/runc"},
            {"runc", "x/ecs/c", "infra", "/usr/sbin/runc"},
            {"runc", NULL, "infra", "/usr/sbin/runc"},
            {"runc", "ecstasks-t.slice:docker:c", "task", "/usr/sbin/runc"},
            {"x", "ecstasks-t.slice:docker:c", "pass-through", "/usr/bin/crun"},
            {"x", "system.slice:docker:c", "infra", "/usr/bin/crun"},
            {"", "system.slice:docker:c", "infra", "/usr/sbin/runc"},
    };
    struct host host = host_of(everything);
    cr_assert_eq(host.result, 0, "%s", host.err.message);
    for (size_t i = 0; i < LENGTH(rows); i++) {
        const char *policy = laz_runtime_select(host.runtime, rows[i].argv0, rows[i].cgroups_path);
        cr_assert_not_null(policy, "row %zu", i);
        cr_expect_str_eq(policy, rows[i].policy, "row %zu: %s", i, policy);
        cr_expect_str_eq(
                laz_runtime_program(host.runtime, rows[i].argv0), rows[i].program, "row %zu", i);
    }
    forget(&host);
}

Test(policy_runtime, without_a_policy_for_infrastructure_it_is_as_all_others)
{
    struct host host = host_of(MINIMAL_HOST "default-policy: a\n");
    cr_assert_eq(host.result, 0, "%s", host.err.message);
    cr_expect_str_eq(laz_runtime_select(host.runtime, "runc", "/docker/a"), "a");
    cr_expect_str_eq(laz_runtime_select(host.runtime, "runc", "/ecs/a"), "a");
    forget(&host);
}

static const struct {
    const char *name;
    const char *text;
    enum laz_err_kind kind;
    uint32_t line;
    uint32_t col;
    const char *message;
} bad[] = {
        {"nothing", "", LAZ_E_POLICY_SYNTAX, 1, 1, "the file is empty"},
        {"no runtime", "version: 1\n", LAZ_E_POLICY_INVALID, 1, 1, "missing key \"runtime\""},
        {"no version", "runtime: /a\n", LAZ_E_POLICY_INVALID, 1, 1, "missing key \"version\""},
        {"another version", "version: 2\nruntime: /a\n", LAZ_E_POLICY_INVALID, 1, 10,
                "version: must be 1, not \"2\""},
        {"a relative runtime", "version: 1\nruntime: runc\n", LAZ_E_POLICY_INVALID, 2, 10,
                "runtime: must be an absolute path, not \"runc\""},
        {"a typo", MINIMAL_HOST "default-polcy: a\n", LAZ_E_POLICY_INVALID, 3, 1,
                "unknown key \"default-polcy\" (did you mean \"default-policy\"?)"},
        {"a key of policies", MINIMAL_HOST "syscalls: {}\n", LAZ_E_POLICY_INVALID, 3, 1,
                "unknown key \"syscalls\""},
        {"a key of elsewhere", MINIMAL_HOST "audit: {log: /a}\n", LAZ_E_POLICY_INVALID, 3, 9,
                "audit: unknown key \"log\" (it exists as \"log\" of the whole file)"},
        {"twice", MINIMAL_HOST "log: /a\nlog: /b\n", LAZ_E_POLICY_SYNTAX, 4, 1,
                "log: duplicate key; the first is at line 3"},
        {"an alias", MINIMAL_HOST "log: *a\n", LAZ_E_POLICY_SYNTAX, 3, 6,
                "aliases (*) are not allowed"},
        {"a name that leads out", MINIMAL_HOST "default-policy: ../a\n", LAZ_E_POLICY_INVALID, 3,
                17,
                "default-policy: must be at most 63 letters, digits, dots, - and _, not "
                "\"../a\""},
        {"a runtime's name with a slash", MINIMAL_HOST "runtime-by-name: {a/b: /c}\n",
                LAZ_E_POLICY_INVALID, 3, 19,
                "runtime-by-name.a/b: must be at most 63 letters, digits, dots, - and _, not "
                "\"a/b\""},
        {"a rule without a policy", MINIMAL_HOST "select: [{cgroups-path: /ecs/}]\n",
                LAZ_E_POLICY_INVALID, 3, 10, "select[0]: missing key \"policy\""},
        {"a rule of everything", MINIMAL_HOST "select: [{policy: a}]\n", LAZ_E_POLICY_INVALID, 3,
                10,
                "select[0]: holds of every container: say \"runtime-name\" or \"cgroups-path\", or "
                "make it \"default-policy\""},
        {"a digest in capitals", MINIMAL_HOST "known-inits: [AB" ZEROS "]\n", LAZ_E_POLICY_INVALID,
                3, 15,
                "known-inits[0]: \"AB" ZEROS
                "\" is no SHA-256 in 64 lower-case hexadecimal digits"},
        {"a short digest", MINIMAL_HOST "known-inits: [ab" ZEROS ", abc]\n", LAZ_E_POLICY_INVALID,
                3, 81, "known-inits[1]: \"abc\" is no SHA-256 in 64 lower-case hexadecimal digits"},
        {"clamped by nothing", MINIMAL_HOST "unknown-container: clamp-default\n",
                LAZ_E_POLICY_INVALID, 3, 20,
                "unknown-container: \"clamp-default\" needs a \"default-policy\" that is a policy"},
        {"clamped by pass-through",
                MINIMAL_HOST "default-policy: pass-through\nunknown-container: clamp-default\n",
                LAZ_E_POLICY_INVALID, 4, 20,
                "unknown-container: \"clamp-default\" needs a \"default-policy\" that is a policy"},
        {"another word", MINIMAL_HOST "unknown-container: allow\n", LAZ_E_POLICY_INVALID, 3, 20,
                "unknown-container: must be one of refuse, clamp-default, not \"allow\""},
        {"audit as yes", MINIMAL_HOST "audit: {required: yes}\n", LAZ_E_POLICY_INVALID, 3, 19,
                "audit.required: must be true or false, not \"yes\""},
};

Test(policy_runtime, says_where_it_is_wrong)
{
    for (size_t i = 0; i < LENGTH(bad); i++) {
        struct host host = host_of(bad[i].text);
        cr_expect_eq(host.result, -1, "%s", bad[i].name);
        cr_expect_null(host.runtime, "%s", bad[i].name);
        cr_assert_gt(host.diagnostics->n, 0, "%s", bad[i].name);
        const struct laz_diagnostic *first = &host.diagnostics->items[0];
        cr_expect_eq(first->kind, bad[i].kind, "%s: %s", bad[i].name, laz_err_name(first->kind));
        cr_expect(first->line == bad[i].line && first->col == bad[i].col, "%s: %u:%u: %s",
                bad[i].name, first->line, first->col, first->message);
        cr_expect_str_eq(first->message, bad[i].message, "%s: %s", bad[i].name, first->message);
        char wanted[LAZ_DIAGNOSTIC_MESSAGE_MAX * 2];
        (void)snprintf(wanted, sizeof(wanted), "/etc/lazaret/runtime.yaml:%u:%u: %s", first->line,
                first->col, first->message);
        cr_expect_str_eq(host.err.message, wanted, "%s", bad[i].name);
        forget(&host);
    }
}

Test(policy_runtime, has_ceilings)
{
    static char text[32768];
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, text, sizeof(text));
    laz_buf_str(&buf, MINIMAL_HOST "select:\n");
    for (int i = 0; i <= LAZ_RUNTIME_RULES_MAX; i++) {
        laz_buf_printf(&buf, "  - {runtime-name: a%d, policy: b}\n", i);
    }
    laz_buf_str(&buf, "runtime-by-name:\n");
    for (int i = 0; i <= LAZ_RUNTIME_NAMES_MAX; i++) {
        laz_buf_printf(&buf, "  a%d: /b\n", i);
    }
    cr_assert(!buf.overflow);
    struct host host = host_of(text);
    cr_assert_eq(host.diagnostics->n, 2);
    cr_expect_eq(host.diagnostics->items[0].kind, LAZ_E_POLICY_TOO_LARGE);
    cr_expect_str_eq(host.diagnostics->items[0].message, "select[128]: more than 128 rules");
    cr_expect_str_eq(host.diagnostics->items[1].message, "runtime-by-name.a32: more than 32 names");
    forget(&host);
}

Test(policy_runtime, is_absent_by_name)
{
    const struct laz_policy_source source = {.path = "/nowhere/runtime.yaml"};
    struct host host = load_host(&source);
    cr_expect_eq(host.result, -1);
    cr_expect_eq(host.err.kind, LAZ_E_HOST_ABSENT);
    cr_expect_str_eq(
            host.err.message, "cannot open /nowhere/runtime.yaml: No such file or directory");
    forget(&host);
}

/* From a file as from a text; and what somebody else could have written is not read where it
 * counts: the folder is everybody's. */
Test(policy_runtime, is_read_from_a_file_that_only_root_can_have_written)
{
    char path[] = "/tmp/lazaret-runtime-XXXXXX";
    int fd = mkstemp(path);
    cr_assert(fd >= 0 && write(fd, everything, strlen(everything)) == (ssize_t)strlen(everything));
    cr_assert_eq(close(fd), 0);
    struct laz_policy_source source = {.path = path};
    struct host host = load_host(&source);
    cr_expect_eq(host.result, 0, "%s", host.err.message);
    forget(&host);
    source.check_ownership = true;
    host = load_host(&source);
    cr_expect_eq(host.result, -1);
    cr_expect_eq(host.err.kind, LAZ_E_HOST_UNSAFE, "%s", host.err.message);
    cr_expect_not_null(strstr(host.err.message, "/tmp may be written by others than root"), "%s",
            host.err.message);
    forget(&host);
    cr_assert_eq(unlink(path), 0);
}

Test(policy_runtime, finds_policies_by_names_that_stay_in_their_folder)
{
    static const char *const names[] = {"", "..", "../a", "a/b", "/a", "-a", ".a", "a b", "a\n",
            LAZ_RUNTIME_PASS_THROUGH,
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    char path[LAZ_RUNTIME_POLICY_PATH_MAX];
    struct laz_err err = {0};
    cr_assert_eq(laz_runtime_policy_path("task-1.x_y", path, &err), 0, "%s", err.message);
    cr_expect_str_eq(path, "/etc/lazaret/policies.d/task-1.x_y.yaml");
    for (size_t i = 0; i < LENGTH(names); i++) {
        err = (struct laz_err){0};
        cr_expect_eq(laz_runtime_policy_path(names[i], path, &err), -1, "\"%s\"", names[i]);
        cr_expect_eq(err.kind, LAZ_E_POLICY_INVALID, "\"%s\"", names[i]);
    }
}
