/* SPDX-License-Identifier: Apache-2.0
 *
 * lazaret policy test FILE: the tests that the policy carries, each with its line, what it expects
 * and what the filter answers.
 */
#include "cli/loaded.h"
#include "cli/output.h"
#include "cli/trial.h"
#include "cli/words.h"

struct tally {
    size_t met;
    size_t broken;
    size_t not_here;
};

/* One test and what came of it, in words. */
struct outcome {
    const struct laz_policy_test *test;
    enum laz_filter_test_result result;
    char where[LAZ_CLI_WHERE_MAX];
    char expected[LAZ_WORDS_ACTION_MAX];
    char seen[LAZ_WORDS_ACTION_MAX];
};

static const char *result_name(enum laz_filter_test_result result)
{
    switch (result) {
    case LAZ_FILTER_TEST_MET:
        return "ok";
    case LAZ_FILTER_TEST_BROKEN:
        return "FAILED";
    case LAZ_FILTER_TEST_NOT_HERE:
        break;
    }
    return "skipped";
}

static void try_one(const struct laz_policy *policy, const struct laz_trial *trial,
        const struct laz_policy_test *test, struct outcome *ret)
{
    struct laz_verdict seen = {0};
    *ret = (struct outcome){.test = test, .seen = "not on this architecture"};
    ret->result = laz_trial_try(trial, test, &seen);
    laz_policy_pos_format(policy, test->pos, ret->where, sizeof(ret->where));
    laz_words_action(
            (struct laz_verdict){.action = test->expect, .errno_value = test->expect_errno},
            ret->expected);
    if (ret->result != LAZ_FILTER_TEST_NOT_HERE) {
        laz_words_action(seen, ret->seen);
    }
}

static void put_text(struct laz_buf *buf, const struct outcome *outcome)
{
    laz_buf_printf(buf, "%-8s%s: ", result_name(outcome->result), outcome->where);
    laz_words_test(buf, outcome->test);
    laz_buf_printf(buf, ": expected %s, seen %s\n", outcome->expected, outcome->seen);
}

static void put_json(struct laz_json *json, const struct outcome *outcome)
{
    laz_cleanup_buf struct laz_buf call;
    laz_buf_init_heap(&call, LAZ_CLI_OUTPUT_MAX);
    laz_words_test(&call, outcome->test);
    laz_json_object(json, NULL);
    laz_json_string(json, "at", outcome->where);
    laz_json_string(json, "call", call.overflow ? "" : call.data);
    laz_json_string(json, "abi", laz_words_abi(outcome->test->abi));
    laz_json_string(json, "expected", outcome->expected);
    laz_json_string(json, "seen", outcome->seen);
    laz_json_string(json, "result", result_name(outcome->result));
    laz_json_object_end(json);
}

static void run_all(const struct laz_policy *policy, const struct laz_trial *trial,
        const struct laz_cli_arguments *arguments, struct laz_json *json, struct tally *ret)
{
    for (size_t i = 0; i < policy->n_tests; i++) {
        struct outcome outcome;
        try_one(policy, trial, &policy->tests[i], &outcome);
        ret->met += outcome.result == LAZ_FILTER_TEST_MET ? 1 : 0;
        ret->broken += outcome.result == LAZ_FILTER_TEST_BROKEN ? 1 : 0;
        ret->not_here += outcome.result == LAZ_FILTER_TEST_NOT_HERE ? 1 : 0;
        if (arguments->json) {
            put_json(json, &outcome);
        } else {
            put_text(json->buf, &outcome);
        }
    }
}

static int print(const struct laz_policy *policy, const struct laz_trial *trial,
        const struct laz_cli_arguments *arguments)
{
    const char *path = arguments->operands[0];
    laz_cleanup_buf struct laz_buf buf;
    laz_buf_init_heap(&buf, LAZ_CLI_OUTPUT_MAX);
    struct laz_json json;
    laz_json_init(&json, &buf);
    struct tally tally = {0};
    if (arguments->json) {
        laz_json_object(&json, NULL);
        laz_json_string(&json, "file", path);
        laz_json_string(&json, "arch", laz_arch_name(arguments->arch));
        laz_json_array(&json, "tests");
    }
    run_all(policy, trial, arguments, &json, &tally);
    int result = tally.broken == 0 ? LAZ_EXIT_FINE : LAZ_EXIT_FINDINGS;
    if (arguments->json) {
        laz_json_array_end(&json);
        laz_json_u64(&json, "passed", tally.met);
        laz_json_u64(&json, "failed", tally.broken);
        laz_json_u64(&json, "skipped", tally.not_here);
        laz_json_bool(&json, "ok", result == LAZ_EXIT_FINE);
        laz_json_object_end(&json);
        laz_buf_char(&buf, '\n');
    } else {
        laz_buf_printf(&buf, "%s: %zu passed, %zu failed, %zu skipped, on the filter for %s\n",
                path, tally.met, tally.broken, tally.not_here, laz_arch_name(arguments->arch));
    }
    return laz_cli_print(&buf, result);
}

int laz_cli_policy_test(const struct laz_cli_arguments *arguments)
{
    laz_cleanup_loaded struct laz_loaded loaded = {0};
    laz_loaded_init(&loaded, arguments->operands[0], arguments->root);
    int result = laz_loaded_require(&loaded, arguments->json);
    if (result != LAZ_EXIT_FINE) {
        return result;
    }
    struct laz_err err = {0};
    laz_cleanup_trial struct laz_trial trial;
    if (laz_trial_init(&trial, loaded.policy, arguments->arch, &err) < 0) {
        return laz_cli_fail(&err, arguments->json);
    }
    return print(loaded.policy, &trial, arguments);
}
