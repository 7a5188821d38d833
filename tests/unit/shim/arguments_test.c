/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line of a runtime, as the shim understands it.
 */
#include "shim/arguments.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#define WORDS_MAX 16
#define TEXT_MAX  256

/* One line, split at its spaces; words live in `text`. */
struct line {
    char text[TEXT_MAX];
    char *argv[WORDS_MAX + 1];
    int argc;
};

static void split(struct line *line, const char *text)
{
    cr_assert(strlen(text) < TEXT_MAX);
    (void)memcpy(line->text, text, strlen(text) + 1);
    line->argc = 0;
    for (char *word = line->text; word != NULL; line->argc++) {
        cr_assert(line->argc < WORDS_MAX);
        line->argv[line->argc] = word;
        word = strchr(word, ' ');
        if (word != NULL) {
            *word++ = '\0';
        }
    }
    line->argv[line->argc] = NULL;
}

/* "verb id unclear", "-" for what is not there; with what it says of itself. */
static void describe(const struct laz_arguments *arguments, char ret[TEXT_MAX])
{
    int n = snprintf(ret, TEXT_MAX, "%s %s %s%s%s",
            arguments->verb_name == NULL ? "-" : arguments->verb_name,
            arguments->id == NULL ? "-" : arguments->id,
            arguments->unclear == NULL ? "-" : arguments->unclear,
            arguments->may_act ? " acts" : "", arguments->asks_only ? " asks" : "");
    cr_assert(n > 0 && n < TEXT_MAX);
}

static const struct {
    const char *text;
    const char *expected;
} lines[] = {
        {"runc", "- - -"},
        {"runc --version", "- - - asks"},
        {"runc -v create", "create - - acts asks"},
        {"runc list", "list - -"},
        {"runc kill create 9", "kill - -"},
        {"runc help create", "help - -"},
        {"runc --root /r --log=/l --log-format json start x", "start - -"},
        /* what is recorded */
        {"runc --root /r --log /l --log-format json create --bundle /b --pid-file /p x",
                "create x - acts"},
        {"runc create --bundle /b --pid-file /p --console-socket /s x", "create x - acts"},
        {"runc exec --process /p --detach --pid-file /f x", "exec x - acts"},
        {"runc exec --pid-file /f --process /p --detach --tty --console-socket /c --preserve-fds "
         "1 x",
                "exec x - acts"},
        {"runc update --resources - x", "update x - acts"},
        {"runc update --resources=/p x", "update x - acts"},
        {"crun --cgroup-manager=systemd --systemd-cgroup run -b /b -d x", "run x - acts"},
        /* a value is no option, an option behind the name of an exec is the command's */
        {"runc create --bundle -h x", "create x - acts"},
        {"runc create --bundle --help x", "create x - acts"},
        {"runc exec -p -h x", "exec x - acts"},
        {"runc exec x ls -h --cap y", "exec x - acts"},
        {"runc exec -- x ls", "exec x - acts"},
        {"runc --root exec list", "list - -"},
        {"runc create -- -h", "create -h - acts"},
        /* help */
        {"runc create -h", "create - - acts asks"},
        {"runc create --bundle /b --help", "create - - acts asks"},
        {"runc --help exec", "exec - - acts asks"},
        {"runc exec --help x", "exec x - acts asks"},
        /* what runc and crun read differently, or nobody knows */
        {"runc create -bundle /b x", "create - -bundle acts"},
        {"runc create -b=/b x", "create - -b=/b acts"},
        {"runc create --b /b x", "create - --b acts"},
        {"runc create --bundl /b x", "create - --bundl acts"},
        {"runc exec -dt x", "exec - -dt acts"},
        {"runc exec --no-new-privs=false x", "exec - --no-new-privs=false acts"},
        {"runc exec --help=false x", "exec - --help=false acts"},
        {"runc create x --bundle /b", "create x --bundle acts"},
        {"runc create x -h", "create x -h acts"},
        {"runc create --bundle", "create - --bundle acts"},
        {"runc create --process /p x", "create - --process acts"},
        {"runc exec --bundle /b x", "exec - --bundle acts"},
        {"runc --new create x", "- - --new acts"},
        {"runc --new y exec x", "- - --new acts"},
        {"runc --new y kill x", "- - --new"},
        {"runc --version=false run x", "- - --version=false acts"},
        {"runc -root /r run x", "- - -root acts"},
        {"runc - run", "- - -"},
};

Test(arguments, each_line_means_one_thing)
{
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct line line;
        struct laz_arguments arguments;
        char seen[TEXT_MAX];
        split(&line, lines[i].text);
        laz_arguments_parse(line.argc, line.argv, &arguments);
        describe(&arguments, seen);
        cr_expect_str_eq(seen, lines[i].expected, "%s: saw %s, expected %s", lines[i].text, seen,
                lines[i].expected);
    }
}

Test(arguments, values_are_the_last_ones_and_known_by_their_place)
{
    struct line line;
    struct laz_arguments arguments;
    split(&line, "runc --log /a --log=/b exec -p /c --process=/d --detach x ls");
    laz_arguments_parse(line.argc, line.argv, &arguments);
    cr_expect_str_eq(arguments.values[LAZ_OPTION_LOG], "/b");
    cr_expect_eq(arguments.at[LAZ_OPTION_LOG], 3);
    cr_expect_str_eq(arguments.values[LAZ_OPTION_PROCESS], "/d");
    cr_expect_eq(arguments.at[LAZ_OPTION_PROCESS], 7);
    cr_expect_str_eq(arguments.values[LAZ_OPTION_DETACH], "");
    cr_expect_null(arguments.values[LAZ_OPTION_TTY]);
    cr_expect_eq(arguments.id_at, 9);
    cr_expect_eq(arguments.verb, LAZ_VERB_EXEC);
}

Test(arguments, no_words_at_all_are_none)
{
    char *none[] = {NULL};
    struct laz_arguments arguments;
    laz_arguments_parse(0, none, &arguments);
    cr_expect_null(arguments.verb_name);
    cr_expect_not(arguments.may_act);
}
