/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes, a word a line, as a runtime's command line. What the shim says that it understands, runc
 * and crun must understand likewise: getopt is crun's parser; of Go's flag package, runc's, there
 * is a model here, from its documentation.
 */
#include "shim/arguments.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define WORDS_MAX 24

#define GLOBAL  (1U << 6)
#define CREATE  LAZ_VERB_CREATE
#define RUN     LAZ_VERB_RUN
#define RESTORE LAZ_VERB_RESTORE
#define EXEC    LAZ_VERB_EXEC
#define UPDATE  LAZ_VERB_UPDATE
#define DUMP    LAZ_VERB_CHECKPOINT

static const struct {
    const char *name;
    char letter;
    bool has_value;
    unsigned verbs;
} options[LAZ_OPTION_COUNT] = {
#define LAZ_OPTION(id, name, letter, has_value, verbs) {name, letter, has_value, verbs},
#include "shim/options.def"
#undef LAZ_OPTION
};

/* What one of them makes of the words behind a verb. */
struct reading {
    const char *values[LAZ_OPTION_COUNT];
    const char *id;
    bool is_error;
};

/* ---- As crun ---- */

static void declare(unsigned verbs, struct option *longs, char *shorts)
{
    size_t n = 0;
    *shorts++ = '+';
    *shorts++ = ':';
    for (int i = 0; i < LAZ_OPTION_COUNT; i++) {
        if ((options[i].verbs & verbs) == 0) {
            continue;
        }
        longs[n++] = (struct option){options[i].name, options[i].has_value, NULL, 1000 + i};
        if (options[i].letter != 0) {
            *shorts++ = options[i].letter;
            *shorts = ':';
            shorts += options[i].has_value;
        }
    }
    longs[n] = (struct option){0};
    *shorts = '\0';
}

static int find_letter(int letter, unsigned verbs)
{
    int i = 0;
    while (i < LAZ_OPTION_COUNT &&
            !((options[i].verbs & verbs) != 0 && options[i].letter == letter)) {
        i++;
    }
    return i;
}

static void read_as_getopt(int argc, char **argv, unsigned verbs, struct reading *ret)
{
    struct option longs[LAZ_OPTION_COUNT + 1];
    char shorts[2 * LAZ_OPTION_COUNT + 3];
    int found = 0;
    declare(verbs, longs, shorts);
    optind = 0;
    opterr = 0;
    while (!ret->is_error && (found = getopt_long(argc, argv, shorts, longs, NULL)) >= 0) {
        int option = found >= 1000 ? found - 1000 : find_letter(found, verbs);
        ret->is_error = found == '?' || found == ':' || option == LAZ_OPTION_COUNT;
        if (!ret->is_error) {
            ret->values[option] = options[option].has_value ? optarg : "";
        }
    }
    ret->id = !ret->is_error && optind < argc ? argv[optind] : NULL;
}

/* ---- As runc ---- */

/* One or two hyphens, a name or a letter, and a value behind = or in the next word. */
static bool take_as_go(int argc, char **argv, int *at, unsigned verbs, struct reading *ret)
{
    const char *name = argv[*at] + 1 + (argv[*at][1] == '-');
    size_t length = strcspn(name, "=");
    const char *value = name[length] == '=' ? name + length + 1 : NULL;
    for (int i = 0; i < LAZ_OPTION_COUNT; i++) {
        bool is_letter = length == 1 && options[i].letter == name[0];
        if ((options[i].verbs & verbs) == 0 ||
                !(is_letter ||
                        (strlen(options[i].name) == length &&
                                strncmp(options[i].name, name, length) == 0))) {
            continue;
        }
        if (options[i].has_value && value == NULL) {
            if (*at + 1 == argc) {
                return false;
            }
            value = argv[++*at];
        }
        ret->values[i] = value == NULL ? "" : value;
        ++*at;
        return true;
    }
    return false;
}

static void read_as_go(int argc, char **argv, unsigned verbs, struct reading *ret)
{
    int at = 1;
    while (at < argc && argv[at][0] == '-' && argv[at][1] != '\0' && !ret->is_error) {
        if (strcmp(argv[at], "--") == 0) {
            at++;
            break;
        }
        ret->is_error = !take_as_go(argc, argv, &at, verbs, ret);
    }
    ret->id = !ret->is_error && at < argc ? argv[at] : NULL;
}

/* ---- All three ---- */

static void check_same(
        const struct laz_arguments *ours, const struct reading *theirs, unsigned verbs)
{
    require(!theirs->is_error);
    require(ours->id == theirs->id);
    for (int i = 0; i < LAZ_OPTION_COUNT; i++) {
        require((options[i].verbs & verbs) == 0 || (options[i].verbs & GLOBAL) != 0 ||
                (ours->values[i] == NULL) == (theirs->values[i] == NULL));
        require((options[i].verbs & verbs) == 0 || theirs->values[i] == NULL ||
                strcmp(ours->values[i], theirs->values[i]) == 0);
    }
}

static void check(int argc, char **argv)
{
    struct laz_arguments ours;
    struct reading crun = {0};
    struct reading runc = {0};
    laz_arguments_parse(argc, argv, &ours);
    require(ours.id == NULL || argv[ours.id_at] == ours.id);
    require(ours.may_act || ours.verb == LAZ_VERB_OTHER);
    if (ours.unclear != NULL || ours.verb == LAZ_VERB_OTHER) {
        return;
    }
    int at = 0;
    while (argv[at] != ours.verb_name) {
        at++;
    }
    read_as_go(argc - at, argv + at, ours.verb, &runc);
    check_same(&ours, &runc, ours.verb);
    read_as_getopt(argc - at, argv + at, ours.verb, &crun);
    check_same(&ours, &crun, ours.verb);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *argv[WORDS_MAX + 2] = {(char[]){"runc"}};
    int argc = 1;
    char *text = calloc(1, size + 1);
    if (text == NULL) {
        return 0;
    }
    if (size > 0) {
        (void)memcpy(text, data, size);
    }
    for (char *word = text; word != NULL && argc <= WORDS_MAX;) {
        char *end = strchr(word, '\n');
        argv[argc++] = word;
        if (end != NULL) {
            *end++ = '\0';
        }
        word = end;
    }
    check(argc, argv);
    free(text);
    return 0;
}
