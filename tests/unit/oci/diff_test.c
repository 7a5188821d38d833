/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/oci/diff: the lines, and that there are none where nothing changed.
 */
#include "oci/diff.h"

#include <string.h>

#include <criterion/criterion.h>

#define NODES 256

static struct laz_json_doc read(const char *text, struct laz_json_node *nodes)
{
    struct laz_json_doc doc;
    struct laz_err err = {0};
    const struct laz_json_room room = {.nodes = nodes, .max = NODES, .kind = LAZ_E_OCI};
    cr_assert_eq(laz_json_read(text, strlen(text), &room, &doc, &err), 0, "%s", err.message);
    return doc;
}

Test(oci_diff, shows_every_place_that_differs_and_no_other)
{
    static const struct {
        const char *before;
        const char *after;
        const char *expected;
    } rows[] = {
            {"{\"a\":1}", "{\"a\":1}", ""},
            {"{\"a\":1,\"b\":[1,2]}", "{ \"b\" : [ 1, 2 ] ,\n\"a\":1}", ""},
            {"1", "2", "~ 1 -> 2\n"},
            {"{\"a\":1}", "[1]", "~ {\"a\":1} -> [1]\n"},
            {"{\"a\":{\"b\":false}}", "{\"a\":{\"b\":true}}", "~ a.b: false -> true\n"},
            {"{\"a\":1}", "{\"a\":1,\"b\":{\"c\":2}}", "+ b: {\"c\":2}\n"},
            {"{\"a\":1,\"b\":2}", "{\"b\":2}", "- a: 1\n"},
            {"[1,2,3]", "[1,3]", "- [1]: 2\n"},
            {"[1,1]", "[1]", "- [1]: 1\n"},
            {"[1]", "[1,1]", "+ [1]: 1\n"},
            {"[]", "[1,2]", "+ [0]: 1\n+ [1]: 2\n"},
            {"[\"sh\"]", "[\"/init\",\"--\",\"sh\"]", "+ [0]: \"/init\"\n+ [1]: \"--\"\n"},
            {"[1,2]", "[2,1]", "+ [0]: 2\n- [1]: 2\n"},
            {"[{\"a\":1},{\"b\":2}]", "[{\"a\":1},{\"b\":3},4]", "~ [1].b: 2 -> 3\n+ [2]: 4\n"},
            {"[\"a\",\"b\"]", "[\"c\",\"b\"]", "~ [0]: \"a\" -> \"c\"\n"},
            {"{\"a\":[[1],[2]]}", "{\"a\":[[1],[2,3]],\"z\":0}", "+ a[1][1]: 3\n+ z: 0\n"},
            {"{\"a\":[{\"x\":1}],\"b\":1}", "{\"a\":[{\"x\":2}],\"b\":2}",
                    "~ a[0].x: 1 -> 2\n~ b: 1 -> 2\n"},
            {"18446744073709551615", "18446744073709551616",
                    "~ 18446744073709551615 -> 18446744073709551616\n"},
            {"{}", "{\"\xe2\x80\xae\":\"\xc2\x9b\"}", "+ \?\?\?: \"\?\?\"\n"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_json_node one[NODES];
        struct laz_json_node other[NODES];
        struct laz_json_doc before = read(rows[i].before, one);
        struct laz_json_doc after = read(rows[i].after, other);
        struct laz_err err = {0};
        struct laz_buf lines;
        laz_buf_init_heap(&lines, 4096);
        laz_buf_str(&lines, "");
        cr_assert_eq(laz_oci_diff(&before, &after, &lines, &err), 0, "%s", err.message);
        cr_assert_str_eq(lines.data == NULL ? "" : lines.data, rows[i].expected, "%s to %s: %s",
                rows[i].before, rows[i].after, lines.data);
        laz_buf_done(&lines);
    }
}

Test(oci_diff, says_where_it_cannot_show_all)
{
    struct laz_json_node one[NODES];
    struct laz_json_node other[NODES];
    struct laz_json_doc before = read("[]", one);
    struct laz_json_doc after = read("[1,2,3,4,5,6,7,8,9]", other);
    struct laz_err err = {0};
    struct laz_buf lines;
    laz_buf_init_heap(&lines, 16);
    cr_assert_eq(laz_oci_diff(&before, &after, &lines, &err), -1);
    cr_assert_eq(err.kind, LAZ_E_OCI);
    cr_assert_str_eq(err.message, "too many differences to be shown");
    laz_buf_done(&lines);
}
