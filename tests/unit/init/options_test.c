/* SPDX-License-Identifier: Apache-2.0
 *
 * lazaret-init's words and variables: which one wins, where the command begins, and what each
 * mistake is called.
 */
#include "init/pid1/options.h"

#include <string.h>

#include <criterion/criterion.h>

#define WORDS_MAX 8
#define PIN       "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeFF"

struct row {
    const char *words[WORDS_MAX];
    const char *environment[WORDS_MAX];
    const char *policy;
    const char *events;
    const char *command; /* its first word */
    bool has_pin;
    bool enters;
};

static const struct row good[] = {
        {.words = {"init", "app"}, .command = "app"},
        {.words = {"init", "--", "app", "--policy"}, .command = "app"},
        {.words = {"init", "--", "--policy"}, .command = "--policy"},
        {.words = {"init", "app", "--version"}, .command = "app"},
        {.words = {"init", "--policy", "a", "--events", "3", "app"},
                .policy = "a",
                .events = "3",
                .command = "app"},
        {.words = {"init", "--policy=a=b", "--events=c", "app"},
                .policy = "a=b",
                .events = "c",
                .command = "app"},
        {.words = {"init", "--policy", "--", "app"}, .policy = "--", .command = "app"},
        {.words = {"init", "--policy=a", "--policy=b", "app"}, .policy = "b", .command = "app"},
        {.words = {"init", "--policy-sha256", PIN, "app"}, .command = "app", .has_pin = true},
        {.words = {"init", "--policy-sha256=" PIN, "--policy=a", "app"},
                .policy = "a",
                .command = "app",
                .has_pin = true},
        {.words = {"init", "app"},
                .environment = {"LAZARET_POLICY=e", "LAZARET_EVENTS=2",
                        "LAZARET_POLICY_SHA256=" PIN},
                .policy = "e",
                .events = "2",
                .command = "app",
                .has_pin = true},
        {.words = {"init", "--policy=a", "app"},
                .environment = {"LAZARET_POLICY=e"},
                .policy = "a",
                .command = "app"},
        {.words = {"init", "app"},
                .environment = {"LAZARET_POLICY=", "LAZARET_POLICYX=x", "LAZARET_EVENTS",
                        "XLAZARET_EVENTS=1"},
                .command = "app"},
        {.words = {"init", "--enter", "--policy=a", "--", "--enter"},
                .environment = {"LAZARET_EVENTS=2"},
                .policy = "a",
                .command = "--enter",
                .enters = true},
        {.words = {"init", "app", "--enter"}, .command = "app"},
};

static bool is_same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

Test(options, are_taken_as_they_stand)
{
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        const struct row *row = &good[i];
        struct laz_options options;
        struct laz_err err = {0};
        cr_assert_eq(laz_options_parse(laz_unconst(row->words), laz_unconst(row->environment),
                             &options, &err),
                0, "row %zu: %s", i, err.message);
        cr_expect(is_same(options.policy, row->policy), "row %zu: policy %s", i, options.policy);
        cr_expect(is_same(options.events, row->events), "row %zu: events %s", i, options.events);
        cr_expect(is_same(options.command[0], row->command), "row %zu: command %s", i,
                options.command[0]);
        cr_expect_eq(options.has_pin, row->has_pin, "row %zu", i);
        cr_expect_eq(options.enters, row->enters, "row %zu", i);
        cr_expect(!row->has_pin || (options.pin[0] == 0 && options.pin[31] == 0xff), "row %zu", i);
        cr_expect_null(options.say, "row %zu", i);
    }
}

Test(options, that_ask_for_words_need_no_command)
{
    static const char *const words[][3] = {{"init", "--version"}, {"init", "--help"}};
    for (size_t i = 0; i < 2; i++) {
        struct laz_options options;
        struct laz_err err = {0};
        cr_assert_eq(laz_options_parse(laz_unconst(words[i]), NULL, &options, &err), 0);
        cr_assert_not_null(options.say);
        cr_expect_not_null(strstr(options.say, i == 0 ? LAZARET_VERSION : "usage:"));
        cr_expect(i == 0 || strstr(options.say, "lazaret-init probe live|ready|startup\n") != NULL);
    }
}

Test(options, that_are_wrong_are_named)
{
    static const struct {
        const char *words[WORDS_MAX];
        const char *variable;
        const char *message;
    } rows[] = {
            {{NULL}, NULL, "no command to run"},
            {{"init"}, NULL, "no command to run"},
            {{"init", "--"}, NULL, "no command to run"},
            {{"init", "--policy", "a"}, NULL, "no command to run"},
            {{"init", "--policy"}, NULL, "--policy needs a value"},
            {{"init", "--policy=", "app"}, NULL, "--policy needs a value"},
            {{"init", "--events", ""}, NULL, "--events needs a value"},
            {{"init", "--policy-sha256"}, NULL, "--policy-sha256 needs a value"},
            {{"init", "-p", "a"}, NULL, "unknown option \"-p\"; known are --policy, "},
            {{"init", "--enter"}, NULL, "no command to run"},
            {{"init", "--read-exec=/a", "app"}, NULL, "--read-exec: an absolute path, and with"},
            {{"init", "--enter", "--read-exec=a", "app"}, NULL, "--read-exec: an absolute path"},
            {{"init", "--enter=1", "app"}, NULL, "unknown option \"--enter=1\""},
            {{"init", "--enter", "--events=3", "app"}, NULL,
                    "--events: with --enter events go to standard error"},
            {{"init", "--policyfile", "a"}, NULL, "unknown option \"--policyfile\""},
            {{"init", "--policy-sha256=12", "app"}, NULL,
                    "the policy pin must be 64 hexadecimal digits, not \"12\""},
            {{"init", "app"}, "LAZARET_POLICY_SHA256=" PIN "0",
                    "the policy pin must be 64 hexadecimal digits, not \"" PIN "0\""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *const environment[] = {rows[i].variable, NULL};
        struct laz_options options = {.events = "untouched"};
        struct laz_err err = {0};
        cr_expect_eq(laz_options_parse(
                             laz_unconst(rows[i].words), laz_unconst(environment), &options, &err),
                -1, "row %zu", i);
        cr_expect_eq(err.kind, LAZ_E_USAGE, "row %zu", i);
        cr_expect_eq(strncmp(err.message, rows[i].message, strlen(rows[i].message)), 0,
                "row %zu: %s", i, err.message);
        cr_expect_str_eq(options.events, "untouched", "row %zu", i);
    }
}
