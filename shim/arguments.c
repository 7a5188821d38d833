/* SPDX-License-Identifier: Apache-2.0
 *
 * runc parses with Go's flag package, crun with getopt: -bundle is an option of the one and
 * `-b undle` to the other; behind the container's name the one still finds options, the other does
 * not. Only what both take in the same way is understood here.
 */
#include "shim/arguments.h"

#include <stddef.h>
#include <string.h>

#define GLOBAL  (1U << 6)
#define CREATE  LAZ_VERB_CREATE
#define RUN     LAZ_VERB_RUN
#define RESTORE LAZ_VERB_RESTORE
#define EXEC    LAZ_VERB_EXEC
#define UPDATE  LAZ_VERB_UPDATE
#define DUMP    LAZ_VERB_CHECKPOINT

struct option {
    char name[20]; /* no pointer: it would be relocated at each start */
    char letter;
    bool has_value;
    unsigned verbs;
};

static const struct option options[LAZ_OPTION_COUNT] = {
#define LAZ_OPTION(id, name, letter, has_value, verbs)                                             \
    [LAZ_OPTION_##id] = {name, letter, has_value, verbs},
#include "shim/options.def"
#undef LAZ_OPTION
};

struct words {
    int argc;
    char *const *argv;
    int at;
    struct laz_arguments *ret;
};

static enum laz_verb verb_of(const char *word)
{
    static const struct {
        const char *name;
        enum laz_verb verb;
    } verbs[] = {
            {"create", LAZ_VERB_CREATE},
            {"run", LAZ_VERB_RUN},
            {"restore", LAZ_VERB_RESTORE},
            {"exec", LAZ_VERB_EXEC},
            {"update", LAZ_VERB_UPDATE},
            {"checkpoint", LAZ_VERB_CHECKPOINT},
    };
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(word, verbs[i].name) == 0) {
            return verbs[i].verb;
        }
    }
    return LAZ_VERB_OTHER;
}

static bool is_named(const struct option *option, const char *word, size_t length)
{
    if (word[1] != '-') {
        return length == 2 && option->letter == word[1];
    }
    return strlen(option->name) == length - 2 && strncmp(option->name, word + 2, length - 2) == 0;
}

/* The option that a word names; LAZ_OPTION_COUNT: none of these verbs. */
static size_t find_option(const char *word, size_t length, unsigned verbs)
{
    size_t i = 0;
    while (i < LAZ_OPTION_COUNT &&
            !((options[i].verbs & verbs) != 0 && is_named(&options[i], word, length))) {
        i++;
    }
    return i;
}

/* One option, and its value; false: not understood. */
static bool take_option(struct words *words, unsigned verbs)
{
    const char *word = words->argv[words->at];
    size_t length = strcspn(word, "=");
    const char *value = word[length] == '=' ? word + length + 1 : NULL;
    size_t option = find_option(word, length, verbs);
    if (option == LAZ_OPTION_COUNT ||
            (value != NULL && (word[1] != '-' || !options[option].has_value))) {
        return false;
    }
    if (options[option].has_value && value == NULL) {
        if (words->at + 1 == words->argc) {
            return false;
        }
        value = words->argv[++words->at];
    }
    words->ret->values[option] = value == NULL ? "" : value;
    words->ret->at[option] = words->at;
    words->at++;
    return true;
}

/* Options, up to a word that is none. */
static void take_options(struct words *words, unsigned verbs)
{
    while (words->at < words->argc && words->argv[words->at][0] == '-' &&
            words->argv[words->at][1] != '\0') {
        if (strcmp(words->argv[words->at], "--") == 0) {
            words->at++;
            return;
        }
        if (!take_option(words, verbs)) {
            words->ret->unclear = words->argv[words->at];
            return;
        }
    }
}

static bool is_verb_among(const struct words *words)
{
    for (int i = words->at; i < words->argc; i++) {
        if (verb_of(words->argv[i]) != LAZ_VERB_OTHER) {
            return true;
        }
    }
    return false;
}

static void take_name(struct words *words)
{
    struct laz_arguments *ret = words->ret;
    if (words->at < words->argc) {
        ret->id_at = words->at;
        ret->id = words->argv[words->at++];
    }
    for (int i = words->at; ret->verb != LAZ_VERB_EXEC && i < words->argc; i++) {
        ret->unclear = ret->unclear == NULL ? words->argv[i] : ret->unclear;
    }
}

bool laz_arguments_act(const struct laz_arguments *arguments)
{
    return arguments->may_act && !arguments->asks_only;
}

void laz_arguments_parse(int argc, char *const *argv, struct laz_arguments *ret)
{
    struct words words = {.argc = argc, .argv = argv, .at = 1, .ret = ret};
    *ret = (struct laz_arguments){0};
    take_options(&words, GLOBAL);
    ret->asks_only =
            ret->values[LAZ_OPTION_HELP] != NULL || ret->values[LAZ_OPTION_VERSION] != NULL;
    if (ret->unclear != NULL) {
        ret->may_act = is_verb_among(&words);
        return;
    }
    if (words.at >= argc) {
        return;
    }
    ret->verb_name = argv[words.at++];
    ret->verb = verb_of(ret->verb_name);
    ret->may_act = ret->verb != LAZ_VERB_OTHER;
    if (!ret->may_act) {
        return;
    }
    take_options(&words, ret->verb);
    ret->asks_only = ret->asks_only || ret->values[LAZ_OPTION_HELP] != NULL;
    if (ret->unclear == NULL) {
        take_name(&words);
    }
}
