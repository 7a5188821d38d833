/* SPDX-License-Identifier: Apache-2.0
 *
 * Which runtime a file still names that cannot be used.
 */
#include "shim/configuration.h"

#include <string.h>

#include <criterion/criterion.h>

static const struct {
    const char *text;
    const char *expected; /* NULL: none */
} texts[] = {
        {"runtime: /usr/bin/runc\n", "/usr/bin/runc"},
        {"runtime: /usr/bin/runc", "/usr/bin/runc"},
        {"version: 1\n\nruntime:   /a/B-c_d.e+1  # why\nother: [\n", "/a/B-c_d.e+1"},
        {"x: y\n  runtime: /no\n# runtime: /no\nruntime: /yes\n", "/yes"},
        {"", NULL},
        {"runtime:\n", NULL},
        {"runtime: \n", NULL},
        {"runtime:/usr/bin/runc\n", NULL},
        {"runtime: runc\n", NULL},
        {"runtime: ./runc\n", NULL},
        {"runtime: \"/usr/bin/runc\"\n", NULL},
        {"runtime: '/usr/bin/runc'\n", NULL},
        {"runtime: /usr/bin/runc x\n", NULL},
        {"runtime: /usr/bin/runc#x\n", NULL},
        {"runtime: /usr/bin/runc\r\n", NULL},
        {"runtime: /usr/bin/\xc3\xa9\n", NULL},
        {"runtime: /one\nruntime: /two\n", NULL},
        {"runtime: /one\nruntime: two\n", NULL},
        {"runtime: |\n  /one\n", NULL},
        {"runtime-by-name:\n  runtime: /one\n", NULL},
};

Test(configuration, one_plain_line_names_the_runtime)
{
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char path[LAZ_PROGRAM_MAX] = "before";
        bool is_found = laz_configuration_salvage(texts[i].text, strlen(texts[i].text), path);
        cr_expect_eq(is_found, texts[i].expected != NULL, "%s", texts[i].text);
        if (is_found) {
            cr_expect_str_eq(path, texts[i].expected, "%s: saw %s", texts[i].text, path);
        }
    }
}

Test(configuration, a_path_that_does_not_fit_is_none)
{
    char text[LAZ_PROGRAM_MAX + 16];
    char path[LAZ_PROGRAM_MAX];
    for (size_t length = LAZ_PROGRAM_MAX - 1; length <= LAZ_PROGRAM_MAX; length++) {
        (void)memcpy(text, "runtime: /", 10);
        (void)memset(text + 10, 'x', length - 1);
        cr_expect_eq(laz_configuration_salvage(text, 9 + length, path), length < LAZ_PROGRAM_MAX,
                "%zu bytes", length);
    }
}

Test(configuration, nothing_behind_the_end_of_the_text_counts)
{
    char path[LAZ_PROGRAM_MAX];
    static const char text[] = "runtime: /one\nruntime: /two\n";
    cr_expect(laz_configuration_salvage(text, 14, path));
    cr_expect_str_eq(path, "/one");
    cr_expect(laz_configuration_salvage(text, 12, path));
    cr_expect_str_eq(path, "/on");
}
