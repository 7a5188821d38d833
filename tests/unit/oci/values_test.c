/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/oci/values: paths as they are compared, and what only a config.json has.
 */
#include "oci/values.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

static struct laz_err err;

Test(oci_values, a_path_is_cleaned_by_its_text)
{
    static const struct {
        const char *path;
        const char *expected;
    } rows[] = {
            {"", "/"},
            {"/", "/"},
            {"a", "/a"},
            {"//a///b//", "/a/b"},
            {"/./a/./b/.", "/a/b"},
            {"/a/b/../c", "/a/c"},
            {"/a/b/../../c", "/c"},
            {"/a/..", "/"},
            {"/..", "/"},
            {"../../a/b", "/a/b"},
            {"/../../a/../..", "/"},
            {"/ab/cd/..", "/ab"},
            {"/a/x/b", "/a/x/b"},
            {"/a/.x/b", "/a/.x/b"},
            {"/a/x./b", "/a/x./b"},
            {"/a/xy/b", "/a/xy/b"},
            {"/a/.../b", "/a/.../b"},
            {"/a/..b/c", "/a/..b/c"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_oci_spec spec;
        char text[64];
        char clean[64];
        size_t size = strlen(rows[i].path) + 2; /* a slash, and the end */
        (void)snprintf(text, sizeof(text), "{\"hostname\":\"%s\"}", rows[i].path);
        cr_assert_eq(laz_oci_spec_open(text, strlen(text), LAZ_OCI_CONFIG, &spec, &err), 0);
        const struct laz_json_node *node = laz_oci_container(&spec).hostname;
        cr_assert(laz_oci_clean_path(&spec, node, clean, size), "%s", rows[i].path);
        cr_expect_str_eq(clean, rows[i].expected, "%s: %s", rows[i].path, clean);
        cr_expect(!laz_oci_clean_path(&spec, node, clean, size - 1), "%s: no room", rows[i].path);
        cr_expect(!laz_oci_clean_path(&spec, NULL, clean, sizeof(clean)), "absent");
        laz_oci_spec_done(&spec);
    }
}

Test(oci_values, a_folder_is_above_itself_and_what_is_in_it)
{
    static const struct {
        const char *above;
        const char *below;
        bool is;
    } rows[] = {
            {"/", "/", true},
            {"/", "/a", true},
            {"/a", "/", false},
            {"/a", "/a", true},
            {"/a", "/a/b", true},
            {"/a", "/ab", false},
            {"/a/b", "/a", false},
            {"/a", "/b/a", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_expect_eq(laz_oci_is_above(rows[i].above, rows[i].below), rows[i].is, "%s, %s",
                rows[i].above, rows[i].below);
    }
}

Test(oci_values, a_process_json_has_nothing_of_a_container)
{
    struct laz_oci_spec spec;
    struct laz_oci_change change;
    cr_assert_eq(laz_oci_spec_open("{}", 2, LAZ_OCI_PROCESS, &spec, &err), 0);
    cr_assert_eq(laz_oci_change_init(&change, &spec, &err), 0);
    cr_assert_eq(laz_oci_part_root(&change, &err), -1);
    cr_assert_eq(err.kind, LAZ_E_INTERNAL);
    cr_assert_str_eq(err.message, "a process.json has no linux");
    laz_oci_change_done(&change);
    laz_oci_spec_done(&spec);
}
