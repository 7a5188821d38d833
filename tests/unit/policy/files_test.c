/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/data/bad and tests/data/good: each file says in its head what the loader says about it.
 *   # kind: policy-invalid                  the kind of the first error; bad files only
 *   # expect: 8:21: error: what is wrong    all diagnostics, in order; "FILE:8:21:" for those of
 * other files # relaxed: mode: observe                all relaxations, in order; good files only
 * Files called NAME.part.yaml are what others extend.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "loading.h"

#define HEAD_MAX  64 /* lines */
#define FILES_MAX 512

struct head {
    char *text; /* owned; the lines point into it */
    const char *kind;
    size_t n_expected;
    const char *expected[HEAD_MAX];
    size_t n_relaxed;
    const char *relaxed[HEAD_MAX];
};

static void note(struct head *head, const char *line)
{
    static const char kind[] = "# kind: ";
    static const char expect[] = "# expect: ";
    static const char relaxed[] = "# relaxed: ";
    if (strncmp(line, kind, strlen(kind)) == 0) {
        head->kind = line + strlen(kind);
    } else if (strncmp(line, expect, strlen(expect)) == 0) {
        cr_assert_lt(head->n_expected, HEAD_MAX);
        head->expected[head->n_expected++] = line + strlen(expect);
    } else if (strncmp(line, relaxed, strlen(relaxed)) == 0) {
        cr_assert_lt(head->n_relaxed, HEAD_MAX);
        head->relaxed[head->n_relaxed++] = line + strlen(relaxed);
    }
}

static struct head read_head(const char *path)
{
    struct head head = {.text = calloc(1, LAZ_POLICY_FILE_MAX + 1)};
    FILE *file = fopen(path, "re");
    cr_assert_not_null(file, "%s", path);
    size_t length = fread(head.text, 1, LAZ_POLICY_FILE_MAX, file);
    (void)fclose(file);
    char *line = head.text;
    while (line < head.text + length && *line == '#') {
        char *end = strchr(line, '\n');
        cr_assert_not_null(end, "%s", path);
        *end = '\0';
        note(&head, line);
        line = end + 1;
    }
    return head;
}

/* "8:21: error: message", or with the file's name where it is another one. */
static void render(const struct laz_diagnostic *item, const char *path, struct laz_buf *ret)
{
    if (strcmp(item->file, path) != 0) {
        const char *slash = strrchr(item->file, '/');
        bool is_builtin = strncmp(item->file, "builtin/", strlen("builtin/")) == 0;
        laz_buf_printf(ret, "%s:", is_builtin || slash == NULL ? item->file : slash + 1);
    }
    laz_buf_printf(ret, "%u:%u: %s: %s", item->line, item->col,
            item->is_warning ? "warning" : "error", item->message);
}

static void check_diagnostics(
        const char *path, const struct head *head, const struct laz_diagnostics *diagnostics)
{
    for (size_t i = 0; i < diagnostics->n; i++) {
        char text[LAZ_DIAGNOSTIC_MESSAGE_MAX + LAZ_DIAGNOSTIC_FILE_MAX];
        struct laz_buf buf;
        laz_buf_init_fixed(&buf, text, sizeof(text));
        render(&diagnostics->items[i], path, &buf);
        if (i >= head->n_expected) {
            cr_expect_fail("%s: not expected: %s", path, text);
            continue;
        }
        cr_expect_str_eq(text, head->expected[i], "%s:\n  said     %s\n  expected %s", path, text,
                head->expected[i]);
        /* A built-in policy's source line is there too, and the caret stands in it. */
        const struct laz_diagnostic *item = &diagnostics->items[i];
        cr_expect(
                item->caret >= 1 && item->caret <= strlen(item->source) + 1, "%s: %s", path, text);
    }
    cr_expect_eq(diagnostics->dropped, 0, "%s", path);
    for (size_t i = diagnostics->n; i < head->n_expected; i++) {
        cr_expect_fail("%s: not said: %s", path, head->expected[i]);
    }
}

static void check_bad(const char *path)
{
    struct head head = read_head(path);
    struct loaded loaded = load_path(path);
    cr_expect_eq(loaded.result, -1, "%s loads", path);
    cr_expect_gt(head.n_expected, 0, "%s expects nothing", path);
    cr_expect_str_eq(laz_err_name(loaded.err.kind), head.kind == NULL ? "" : head.kind, "%s: %s",
            path, laz_err_name(loaded.err.kind));
    check_diagnostics(path, &head, loaded.diagnostics);
    unload(&loaded);
    free(head.text);
}

static void check_good(const char *path)
{
    struct head head = read_head(path);
    struct loaded loaded = load_path(path);
    cr_expect_eq(loaded.result, 0, "%s: %s", path, loaded.err.message);
    check_diagnostics(path, &head, loaded.diagnostics);
    const struct laz_string_list *relaxations =
            loaded.policy != NULL ? &loaded.policy->relaxations : NULL;
    for (size_t i = 0; relaxations != NULL && i < relaxations->n; i++) {
        cr_expect_str_eq(relaxations->items[i], i < head.n_relaxed ? head.relaxed[i] : "nothing",
                "%s: relaxed: %s", path, relaxations->items[i]);
        cr_expect_gt(relaxations->pos[i].line, 0, "%s: %s", path, relaxations->items[i]);
    }
    cr_expect(relaxations != NULL && relaxations->n >= head.n_relaxed, "%s: %zu relaxations", path,
            relaxations == NULL ? 0 : relaxations->n);
    unload(&loaded);
    free(head.text);
}

static bool has_ending(const char *name, const char *ending)
{
    size_t length = strlen(name);
    return length > strlen(ending) && strcmp(name + length - strlen(ending), ending) == 0;
}

/* Calls check for each policy of a folder; how many there were. */
static size_t for_each(const char *folder, void check(const char *path))
{
    struct dirent **entries = NULL;
    int n = scandir(folder, &entries, NULL, alphasort);
    cr_assert_gt(n, 0, "%s", folder);
    size_t n_checked = 0;
    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        if (has_ending(name, ".yaml") && !has_ending(name, ".part.yaml")) {
            char path[FILES_MAX];
            struct laz_buf buf;
            laz_buf_init_fixed(&buf, path, sizeof(path));
            laz_buf_printf(&buf, "%s/%s", folder, name);
            check(path);
            n_checked++;
        }
        free(entries[i]);
    }
    free(entries);
    return n_checked;
}

Test(policy_files, bad_ones_are_refused_with_the_words_in_their_head)
{
    size_t n = for_each("tests/data/bad", check_bad);
    cr_assert_geq(n, 80, "only %zu files", n);
}

Test(policy_files, good_ones_load_with_the_relaxations_in_their_head)
{
    size_t n = for_each("tests/data/good", check_good);
    cr_assert_geq(n, 15, "only %zu files", n);
}
