/* SPDX-License-Identifier: Apache-2.0
 *
 * From argv to a struct: no state, no printing, no exit. Meanings of operands are the commands'
 * business.
 */
#include <string.h>

#include "cli/command.h"

struct option {
    const char *name;
    char letter;
    const char *value; /* NULL: takes none */
};

static const struct option options[LAZ_OPTION_COUNT] = {
#define X(id, name, letter, value, help) [LAZ_OPTION_##id] = {name, letter, value},
        LAZ_CLI_OPTIONS(X)
#undef X
};

/* What follows the option's name in a word: "" in --json, "=x" in --arch=x, "x" in -ox; NULL:
 * another. */
static const char *rest_of(const char *word, const struct option *option)
{
    size_t length = strlen(option->name);
    if (word[1] != '-') {
        return option->letter != 0 && word[1] == option->letter ? word + 2 : NULL;
    }
    if (strncmp(word + 2, option->name, length) != 0) {
        return NULL;
    }
    const char *rest = word + 2 + length;
    return rest[0] == '\0' || rest[0] == '=' ? rest : NULL;
}

/* For commands that read their options by themselves. */
static int keep_word(struct laz_cli_arguments *arguments, enum laz_cli_option option,
        const char *value, struct laz_err *err)
{
    if (arguments->n_words == LAZ_CLI_WORDS_MAX) {
        return laz_err_set(err, LAZ_E_USAGE, 0, "more than %d options", LAZ_CLI_WORDS_MAX);
    }
    arguments->words[arguments->n_words++] =
            (struct laz_cli_word){.option = option, .value = value};
    return 0;
}

static int set_option(struct laz_cli_arguments *arguments, enum laz_cli_option option,
        const char *value, struct laz_err *err)
{
    switch (option) {
    case LAZ_OPTION_JSON:
        arguments->json = true;
        return 0;
    case LAZ_OPTION_HELP:
        arguments->help = true;
        return 0;
    case LAZ_OPTION_RUNNING:
        arguments->running = true;
        return 0;
    case LAZ_OPTION_NO_LOGS:
        arguments->no_logs = true;
        return 0;
    case LAZ_OPTION_LIST:
        arguments->list = true;
        return 0;
    case LAZ_OPTION_CONNECT:
        arguments->connect = true;
        return 0;
    case LAZ_OPTION_ALL:
        arguments->all = true;
        return 0;
    case LAZ_OPTION_MINUTES:
        arguments->minutes = value;
        return 0;
    case LAZ_OPTION_KEY:
        arguments->key = value;
        return 0;
    case LAZ_OPTION_DIGEST_KEY:
        arguments->digest_key = value;
        return 0;
    case LAZ_OPTION_ANCHOR:
        if (arguments->n_anchors == LAZ_CLI_ANCHORS_MAX) {
            return laz_err_set(err, LAZ_E_USAGE, 0, "--anchor: at most %d", LAZ_CLI_ANCHORS_MAX);
        }
        arguments->anchors[arguments->n_anchors++] = value;
        return 0;
    case LAZ_OPTION_TASK_DEFINITION:
        arguments->task_definition = value;
        return 0;
    case LAZ_OPTION_CONTAINER:
        arguments->container = value;
        return 0;
    case LAZ_OPTION_TARGET_GROUP:
        if (arguments->n_groups == LAZ_CLI_GROUPS_MAX) {
            return laz_err_set(
                    err, LAZ_E_USAGE, 0, "--target-group: at most %d", LAZ_CLI_GROUPS_MAX);
        }
        arguments->groups[arguments->n_groups++] = value;
        return 0;
    case LAZ_OPTION_OUTPUT:
        arguments->output = value;
        return 0;
    case LAZ_OPTION_ROOT:
        arguments->root = strcmp(value, "/") == 0 ? "" : value;
        return 0;
    case LAZ_OPTION_ARCH:
        for (int arch = 0; arch < LAZ_ARCH_COUNT; arch++) {
            if (strcmp(value, laz_arch_name((enum laz_arch)arch)) == 0) {
                arguments->arch = (enum laz_arch)arch;
                return 0;
            }
        }
        return laz_err_set(err, LAZ_E_USAGE, 0,
                "--arch: unknown architecture \"%.64s\"; known are x86-64 and aarch64", value);
    case LAZ_OPTION_CONFIG:
    case LAZ_OPTION_TARGETS:
    case LAZ_OPTION_DNS:
    case LAZ_OPTION_CA:
    case LAZ_OPTION_SERVER_NAME:
    case LAZ_OPTION_HEALTH:
    case LAZ_OPTION_TASKS:
    case LAZ_OPTION_TARGET_HEALTH:
    case LAZ_OPTION_RULES:
    case LAZ_OPTION_EB_HEALTH:
    case LAZ_OPTION_VOLUMES:
    case LAZ_OPTION_PROTECTION:
    case LAZ_OPTION_BASELINE:
    case LAZ_OPTION_TIMEOUT:
    case LAZ_OPTION_JSON_FILE:
    case LAZ_OPTION_JUNIT:
    case LAZ_OPTION_FORMAT:
        return keep_word(arguments, option, value, err);
    case LAZ_OPTION_COUNT:
        break;
    }
    return laz_err_set(err, LAZ_E_INTERNAL, 0, "an option that nobody knows");
}

/* argv[*i] is an option; move *i to its last word. */
static int take_option(const struct laz_cli_command *command, char **argv, int *i,
        struct laz_cli_arguments *arguments, struct laz_err *err)
{
    const char *word = argv[*i];
    for (int id = 0; id < LAZ_OPTION_COUNT; id++) {
        const char *value = rest_of(word, &options[id]);
        if (value == NULL || (command->options >> id & 1) == 0) {
            continue;
        }
        if (options[id].value == NULL) {
            if (value[0] != '\0') {
                return laz_err_set(err, LAZ_E_USAGE, 0, "--%s takes no value", options[id].name);
            }
            return set_option(arguments, (enum laz_cli_option)id, "", err);
        }
        if (value[0] == '=') {
            value++;
        } else if (value[0] == '\0' && argv[*i + 1] != NULL) {
            value = argv[++*i];
        }
        if (value[0] == '\0') {
            return laz_err_set(err, LAZ_E_USAGE, 0, "--%s needs a value", options[id].name);
        }
        return set_option(arguments, (enum laz_cli_option)id, value, err);
    }
    return laz_err_set(err, LAZ_E_USAGE, 0, "%s has no option \"%.64s\"", command->name, word);
}

int laz_cli_parse(const struct laz_cli_command *command, int argc, char **argv,
        struct laz_cli_arguments *ret, struct laz_err *err)
{
    struct laz_cli_arguments arguments = {.arch = laz_arch_native(), .root = "", .operands = argv};
    bool only_operands = false;
    for (int i = 0; i < argc; i++) {
        if (!only_operands && strcmp(argv[i], "--") == 0) {
            only_operands = true;
        } else if (!only_operands && argv[i][0] == '-' && argv[i][1] != '\0') {
            if (take_option(command, argv, &i, &arguments, err) < 0) {
                return -1;
            }
        } else {
            arguments.after_dashes =
                    arguments.after_dashes || (only_operands && arguments.n_operands == 0);
            argv[arguments.n_operands++] = argv[i];
            only_operands = only_operands || (command->options & LAZ_CLI_RUNS) != 0;
        }
    }
    if (!arguments.help && arguments.n_operands < command->min_operands) {
        return laz_err_set(err, LAZ_E_USAGE, 0, "%s needs %s", command->name, command->operands);
    }
    if (arguments.n_operands > command->max_operands) {
        return laz_err_set(err, LAZ_E_USAGE, 0, "%s does not know what to do with \"%.64s\"",
                command->name, argv[command->max_operands]);
    }
    *ret = arguments;
    return 0;
}
