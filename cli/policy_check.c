/* SPDX-License-Identifier: Apache-2.0
 *
 * lazaret policy check FILE...: everything that is wrong, and what a policy comes to. Does on every
 * architecture what lazaret-setup does at a start, so that nothing comes up there for the first
 * time.
 */
#include <string.h>

#include "cli/loaded.h"
#include "cli/output.h"
#include "cli/secrets.h"
#include "cli/shipping.h"
#include "cli/task.h"
#include "cli/trial.h"
#include "cli/watching.h"
#include "cli/words.h"
#include "core/num.h"
#include "policy/image.h"
#include "policy/report.h"

/* What one filter came to. */
struct measured {
    uint32_t n_instructions;
    uint32_t longest_path;
    struct laz_filter_proof proof;
};

struct checked {
    struct laz_loaded loaded;
    struct laz_err err; /* of compiling, proving and testing */
    struct measured with_events[LAZ_ARCH_COUNT];
    bool has_task; /* --task-definition was given, and could be looked at */
    struct laz_task task;
};

static int measure(const struct laz_policy *policy, enum laz_arch arch, struct measured *ret,
        struct laz_err *err)
{
    laz_cleanup_filter struct laz_filter filter = {0};
    if (laz_filter_compile(policy, arch, LAZ_FILTER_WITH_EVENTS, &filter, err) < 0) {
        return laz_err_context(err, "%s", laz_arch_name(arch));
    }
    ret->n_instructions = (uint32_t)filter.n;
    ret->longest_path = filter.longest_path;
    if (laz_filter_prove(policy, arch, LAZ_FILTER_WITH_EVENTS, &filter, &ret->proof, err) < 0) {
        return laz_err_context(err, "%s", laz_arch_name(arch));
    }
    return 0;
}

/* What was seen where the test is broken: "allow on x86-64", or "allow" if that is so everywhere.
 * false: nowhere. */
static bool put_broken(const struct laz_trial trials[LAZ_ARCH_COUNT],
        const struct laz_policy_test *test, struct laz_buf *ret)
{
    char seen[LAZ_ARCH_COUNT][LAZ_WORDS_ACTION_MAX];
    int n_broken = 0;
    bool is_same = true;
    for (int i = 0; i < LAZ_ARCH_COUNT; i++) {
        struct laz_verdict verdict = {0};
        seen[i][0] = '\0';
        if (laz_trial_try(&trials[i], test, &verdict) == LAZ_FILTER_TEST_BROKEN) {
            laz_words_action(verdict, seen[i]);
            n_broken++;
        }
        is_same = is_same && strcmp(seen[i], seen[0]) == 0;
    }
    for (int i = 0; i < (is_same ? 1 : LAZ_ARCH_COUNT); i++) {
        if (seen[i][0] != '\0') {
            laz_buf_printf(ret, "%s%s%s%s", ret->len > 0 ? ", " : "", seen[i],
                    is_same ? "" : " on ", is_same ? "" : laz_arch_name((enum laz_arch)i));
        }
    }
    return n_broken > 0;
}

/* Each test that is broken is a finding at its line; returns how many. */
static size_t run_tests(
        const struct laz_loaded *loaded, const struct laz_trial trials[LAZ_ARCH_COUNT])
{
    struct laz_report report = {.diagnostics = loaded->diagnostics, .files = loaded->policy->files};
    size_t n_broken = 0;
    for (size_t i = 0; i < loaded->policy->n_tests; i++) {
        const struct laz_policy_test *test = &loaded->policy->tests[i];
        laz_cleanup_buf struct laz_buf call;
        laz_cleanup_buf struct laz_buf seen;
        laz_buf_init_heap(&call, LAZ_CLI_OUTPUT_MAX);
        laz_buf_init_heap(&seen, LAZ_CLI_OUTPUT_MAX);
        if (!put_broken(trials, test, &seen)) {
            continue;
        }
        char wanted[LAZ_WORDS_ACTION_MAX];
        laz_words_action(
                (struct laz_verdict){.action = test->expect, .errno_value = test->expect_errno},
                wanted);
        laz_words_test(&call, test);
        laz_report_at(&report, LAZ_E_TEST_FAILED, test->pos, "tests: %s: expected %s, seen %s",
                call.overflow ? "" : call.data, wanted, seen.overflow ? "" : seen.data);
        n_broken++;
    }
    return n_broken;
}

static int check_tests(const struct laz_loaded *loaded, struct laz_err *err)
{
    struct laz_trial trials[LAZ_ARCH_COUNT] = {0};
    int result = 0;
    for (int i = 0; i < LAZ_ARCH_COUNT && result == 0; i++) {
        result = laz_trial_init(&trials[i], loaded->policy, (enum laz_arch)i, err);
    }
    size_t n_broken = result == 0 ? run_tests(loaded, trials) : 0;
    for (int i = 0; i < LAZ_ARCH_COUNT; i++) {
        laz_trial_done(&trials[i]);
    }
    if (n_broken > 0) {
        result = laz_err_set(err, LAZ_E_TEST_FAILED, 0, "%.256s: %zu of %zu tests failed",
                loaded->path, n_broken, loaded->policy->n_tests);
    }
    return result;
}

/* What lazaret-setup does, ceilings of the compiled form included. */
static int build(const struct laz_policy *policy, enum laz_arch arch, struct laz_err *err)
{
    laz_cleanup_buf struct laz_buf block;
    laz_buf_init_heap(&block, (size_t)LAZ_IMAGE_MAX + 1);
    if (laz_filter_build_image(policy, arch, &block, err) < 0) {
        return laz_err_context(err, "%s", laz_arch_name(arch));
    }
    return 0;
}

static void check(struct checked *ret, const char *path, const struct laz_cli_arguments *arguments)
{
    laz_loaded_init(&ret->loaded, path, arguments->root);
    const struct laz_policy *policy = ret->loaded.policy;
    for (int i = 0; policy != NULL && i < LAZ_ARCH_COUNT; i++) {
        if (measure(policy, (enum laz_arch)i, &ret->with_events[i], &ret->err) < 0) {
            return;
        }
    }
    if (policy == NULL || check_tests(&ret->loaded, &ret->err) < 0) {
        return;
    }
    for (int i = 0; i < LAZ_ARCH_COUNT; i++) {
        if (build(policy, (enum laz_arch)i, &ret->err) < 0) {
            return;
        }
    }
    if (arguments->task_definition != NULL) {
        ret->has_task = laz_task_init(&ret->task, policy, arguments, &ret->err) == 0;
    }
}

/* The policy by itself. */
static bool is_fine(const struct checked *checked)
{
    return checked->loaded.policy != NULL && checked->err.kind == LAZ_E_NONE;
}

/* And what it was held against. */
static bool fits(const struct checked *checked)
{
    return is_fine(checked) && checked->task.n_by_level[LAZ_TASK_ERROR] == 0;
}

/* ---- Text ---- */

static void put_filter(struct laz_buf *buf, enum laz_arch arch, const struct measured *measured)
{
    const uint32_t *n = measured->proof.n_by_action;
    laz_buf_printf(buf,
            "  %-12s%u system calls allowed, %u of them on conditions; refused: "
            "%u with an event, %u silently, %u by a kill; %u logged\n",
            laz_arch_name(arch), n[LAZ_ACTION_ALLOW], measured->proof.n_conditional,
            n[LAZ_ACTION_NOTIFY], n[LAZ_ACTION_ERRNO], n[LAZ_ACTION_KILL], n[LAZ_ACTION_LOG]);
    laz_buf_printf(buf,
            "  %-12sfilter of %u instructions, longest path %u, proved at %llu points\n", "",
            measured->n_instructions, measured->longest_path,
            (unsigned long long)measured->proof.n_checked);
}

static void put_policy(struct laz_buf *buf, const struct checked *checked)
{
    const struct laz_policy *policy = checked->loaded.policy;
    char digest[2 * LAZ_SHA256_SIZE + 1];
    laz_format_hex(policy->source_digest, LAZ_SHA256_SIZE, digest);
    laz_buf_printf(buf, "%s: fine\n  %-12s%s, mode %s, user %u:%u\n  %-12s%s\n",
            checked->loaded.path, "policy", policy->name, laz_mode_name(policy->mode), policy->uid,
            policy->gid, "digest", digest);
    for (int i = 0; i < LAZ_ARCH_COUNT; i++) {
        put_filter(buf, (enum laz_arch)i, &checked->with_events[i]);
    }
    laz_buf_printf(buf, "  %-12s%zu paths, %d capabilities kept, ", "", policy->n_paths,
            __builtin_popcountll(policy->keep_capabilities));
    if (policy->n_tests == 0) {
        laz_buf_str(buf, "no tests\n");
    } else {
        laz_buf_printf(buf, "tests passed: %zu\n", policy->n_tests);
    }
    laz_shipping_put(buf, policy);
    laz_secrets_put(buf, policy);
    laz_watching_put(buf, policy);
    if (policy->relaxations.n == 0) {
        laz_buf_printf(buf, "  %-12snone\n", "relaxations");
    }
    for (size_t i = 0; i < policy->relaxations.n; i++) {
        char where[LAZ_CLI_WHERE_MAX];
        laz_policy_pos_format(policy, policy->relaxations.pos[i], where, sizeof(where));
        laz_buf_printf(buf, "  %-12s%s  (%s)\n", i == 0 ? "relaxations" : "",
                policy->relaxations.items[i], where);
    }
}

/* Findings on standard error as they come; the report is kept for the end. */
static int put_text(struct laz_buf *buf, const struct checked *checked)
{
    int result = laz_loaded_require(&checked->loaded, false);
    if (result != LAZ_EXIT_FINE) {
        return result;
    }
    laz_loaded_print_diagnostics(&checked->loaded);
    if (checked->err.kind != LAZ_E_NONE) {
        return laz_cli_fail(&checked->err, false);
    }
    put_policy(buf, checked);
    if (checked->has_task) {
        laz_task_print(&checked->task);
        laz_task_put(buf, &checked->task);
    }
    return fits(checked) ? LAZ_EXIT_FINE : LAZ_EXIT_FINDINGS;
}

/* ---- JSON ---- */

static void json_filter(struct laz_json *json, enum laz_arch arch, const struct measured *measured)
{
    laz_json_object(json, NULL);
    laz_json_string(json, "arch", laz_arch_name(arch));
    laz_json_object(json, "calls");
    for (int i = 0; i < LAZ_ACTION_COUNT; i++) {
        laz_json_u64(json, laz_action_name((enum laz_action)i), measured->proof.n_by_action[i]);
    }
    laz_json_u64(json, "conditional", measured->proof.n_conditional);
    laz_json_object_end(json);
    laz_json_u64(json, "instructions", measured->n_instructions);
    laz_json_u64(json, "longest_path", measured->longest_path);
    laz_json_u64(json, "points_proved", measured->proof.n_checked);
    laz_json_object_end(json);
}

static void json_policy(struct laz_json *json, const struct checked *checked)
{
    const struct laz_policy *policy = checked->loaded.policy;
    laz_json_string(json, "name", policy->name);
    laz_json_string(json, "mode", laz_mode_name(policy->mode));
    laz_cli_json_digest(json, "digest", policy->source_digest);
    laz_json_array(json, "sources");
    for (size_t i = 0; i < policy->n_files; i++) {
        laz_json_string(json, NULL, policy->files[i].name);
    }
    laz_json_array_end(json);
    laz_json_u64(json, "uid", policy->uid);
    laz_json_u64(json, "gid", policy->gid);
    laz_json_u64(json, "paths", policy->n_paths);
    laz_json_u64(json, "capabilities", (uint64_t)__builtin_popcountll(policy->keep_capabilities));
    laz_json_u64(json, "tests", policy->n_tests);
    laz_json_array(json, "relaxations");
    for (size_t i = 0; i < policy->relaxations.n; i++) {
        char where[LAZ_CLI_WHERE_MAX];
        laz_policy_pos_format(policy, policy->relaxations.pos[i], where, sizeof(where));
        laz_json_object(json, NULL);
        laz_json_string(json, "name", policy->relaxations.items[i]);
        laz_json_string(json, "at", where);
        laz_json_object_end(json);
    }
    laz_json_array_end(json);
    laz_shipping_json(json, policy);
    laz_secrets_json(json, policy);
    laz_watching_json(json, policy);
    laz_json_array(json, "filters");
    for (int i = 0; i < LAZ_ARCH_COUNT; i++) {
        json_filter(json, (enum laz_arch)i, &checked->with_events[i]);
    }
    laz_json_array_end(json);
}

static void put_json(struct laz_json *json, const struct checked *checked)
{
    laz_json_object(json, NULL);
    laz_json_string(json, "file", checked->loaded.path);
    laz_json_bool(json, "ok", fits(checked));
    if (!is_fine(checked)) {
        laz_cli_error_json(
                json, checked->loaded.policy == NULL ? &checked->loaded.err : &checked->err);
    }
    laz_loaded_json_diagnostics(&checked->loaded, json);
    if (is_fine(checked)) {
        json_policy(json, checked);
    }
    if (checked->has_task) {
        laz_task_json(json, &checked->task);
    }
    laz_json_object_end(json);
}

static int check_arguments(const struct laz_cli_arguments *arguments, struct laz_err *err)
{
    if (arguments->task_definition == NULL &&
            (arguments->container != NULL || arguments->n_groups > 0)) {
        return laz_err_set(err, LAZ_E_USAGE, 0, "--%s needs --task-definition",
                arguments->container != NULL ? "container" : "target-group");
    }
    if (arguments->task_definition != NULL && arguments->n_operands > 1) {
        return laz_err_set(err, LAZ_E_USAGE, 0,
                "--task-definition is held against one policy, and there are %zu",
                arguments->n_operands);
    }
    return 0;
}

int laz_cli_policy_check(const struct laz_cli_arguments *arguments)
{
    laz_cleanup_buf struct laz_buf buf;
    laz_buf_init_heap(&buf, LAZ_CLI_OUTPUT_MAX);
    struct laz_json json;
    laz_json_init(&json, &buf);
    struct laz_err err = {0};
    if (check_arguments(arguments, &err) < 0) {
        return laz_cli_fail(&err, false);
    }
    if (arguments->json) {
        laz_json_object(&json, NULL);
        laz_json_array(&json, "policies");
    }
    int result = LAZ_EXIT_FINE;
    for (size_t i = 0; i < arguments->n_operands; i++) {
        struct checked checked = {.loaded = {0}};
        check(&checked, arguments->operands[i], arguments);
        if (checked.err.kind == LAZ_E_USAGE) { /* then it is the only policy */
            result = laz_cli_fail(&checked.err, false);
            laz_task_done(&checked.task);
            laz_loaded_done(&checked.loaded);
            return result;
        }
        if (!fits(&checked)) {
            result = LAZ_EXIT_FINDINGS;
        }
        if (arguments->json) {
            put_json(&json, &checked);
        } else if (put_text(&buf, &checked) != LAZ_EXIT_FINE) {
            result = LAZ_EXIT_FINDINGS;
        }
        laz_task_done(&checked.task);
        laz_loaded_done(&checked.loaded);
    }
    if (arguments->json) {
        laz_json_array_end(&json);
        laz_json_bool(&json, "ok", result == LAZ_EXIT_FINE);
        laz_json_object_end(&json);
        laz_buf_char(&buf, '\n');
    }
    return laz_cli_print(&buf, result);
}
