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
static int keep_word(
        struct laz_cli_arguments *arguments, const struct laz_cli_word *word, struct laz_err *err)
{
    if (arguments->n_words == LAZ_CLI_WORDS_MAX) {
        return laz_err_set(err, LAZ_E_USAGE, 0, "more than %d options", LAZ_CLI_WORDS_MAX);
    }
    arguments->words[arguments->n_words++] = *word;
    return 0;
}

/* Those without a value; NULL: another. */
static bool *switch_of(struct laz_cli_arguments *arguments, enum laz_cli_option option)
{
    const struct {
        enum laz_cli_option option;
        bool *value;
    } rows[] = {
            {LAZ_OPTION_JSON, &arguments->json},
            {LAZ_OPTION_HELP, &arguments->help},
            {LAZ_OPTION_RUNNING, &arguments->running},
            {LAZ_OPTION_NO_LOGS, &arguments->no_logs},
            {LAZ_OPTION_LIST, &arguments->list},
            {LAZ_OPTION_CONNECT, &arguments->connect},
            {LAZ_OPTION_ALL, &arguments->all},
            {LAZ_OPTION_STRICT, &arguments->strict},
            {LAZ_OPTION_DEFAULT, &arguments->as_default},
            {LAZ_OPTION_DIVERT_RUNC, &arguments->divert_runc},
            {LAZ_OPTION_APPLY, &arguments->apply},
            {LAZ_OPTION_CHECK, &arguments->check},
            {LAZ_OPTION_UNDO, &arguments->undo},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].option == option) {
            return rows[i].value;
        }
    }
    return NULL;
}

/* Those with one, of which the last counts; NULL: another. */
static const char **text_of(struct laz_cli_arguments *arguments, enum laz_cli_option option)
{
    const struct {
        enum laz_cli_option option;
        const char **value;
    } rows[] = {
            {LAZ_OPTION_MINUTES, &arguments->minutes},
            {LAZ_OPTION_ENGINE, &arguments->engine},
            {LAZ_OPTION_KEY, &arguments->key},
            {LAZ_OPTION_DIGEST_KEY, &arguments->digest_key},
            {LAZ_OPTION_TASK_DEFINITION, &arguments->task_definition},
            {LAZ_OPTION_CONTAINER, &arguments->container},
            {LAZ_OPTION_OUTPUT, &arguments->output},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].option == option) {
            return rows[i].value;
        }
    }
    return NULL;
}

static int set_arch(struct laz_cli_arguments *arguments, const char *value, struct laz_err *err)
{
    for (int arch = 0; arch < LAZ_ARCH_COUNT; arch++) {
        if (strcmp(value, laz_arch_name((enum laz_arch)arch)) == 0) {
            arguments->arch = (enum laz_arch)arch;
            return 0;
        }
    }
    return laz_err_set(err, LAZ_E_USAGE, 0,
            "--arch: unknown architecture \"%.64s\"; known are x86-64 and aarch64", value);
}

/* Up to so many of them. */
static int add_text(const char **list, size_t *n, size_t max, const struct laz_cli_word *word,
        struct laz_err *err)
{
    if (*n == max) {
        return laz_err_set(
                err, LAZ_E_USAGE, 0, "--%s: at most %zu", options[word->option].name, max);
    }
    list[(*n)++] = word->value;
    return 0;
}

static int set_option(struct laz_cli_arguments *arguments, enum laz_cli_option option,
        const char *value, struct laz_err *err)
{
    const struct laz_cli_word word = {.option = option, .value = value};
    bool *found = switch_of(arguments, option);
    const char **text = text_of(arguments, option);
    if (found != NULL) {
        *found = true;
        return 0;
    }
    if (text != NULL) {
        *text = value;
        return 0;
    }
    if (option == LAZ_OPTION_ROOT || option == LAZ_OPTION_HOST_ROOT) {
        arguments->root = strcmp(value, "/") == 0 ? "" : value;
        return 0;
    }
    if (option == LAZ_OPTION_ARCH) {
        return set_arch(arguments, value, err);
    }
    if (option == LAZ_OPTION_ANCHOR) {
        return add_text(arguments->anchors, &arguments->n_anchors, LAZ_CLI_ANCHORS_MAX, &word, err);
    }
    if (option == LAZ_OPTION_TARGET_GROUP) {
        return add_text(arguments->groups, &arguments->n_groups, LAZ_CLI_GROUPS_MAX, &word, err);
    }
    return keep_word(arguments, &word, err);
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
