/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/core/json_read: what is JSON, what is none and at which byte, and what is found in it.
 */
#include "core/json_read.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#define NODES 64

static struct laz_json_node nodes[NODES];
static const struct laz_json_room room = {.nodes = nodes, .max = NODES, .kind = LAZ_E_SINK};

static struct laz_json_doc read(const char *text)
{
    struct laz_json_doc doc = {0};
    struct laz_err err = {0};
    cr_assert_eq(
            laz_json_read(text, strlen(text), &room, &doc, &err), 0, "%s: %s", text, err.message);
    return doc;
}

Test(json_read, reads_what_rfc_8259_has)
{
    static const struct {
        const char *text;
        uint32_t n;
    } rows[] = {
            {"{}", 1},
            {" [ ] ", 1},
            {"0", 1},
            {"-0.5e+10", 1},
            {"1E5", 1},
            {"null", 1},
            {"\"\"", 1},
            {"\t\r\n true \n", 1},
            {"[1,2,[3,{\"a\":[]}]]", 8},
            {"{\"a\":1,\"b\":{\"a\":2},\"A\":3}", 9},
            {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"", 1},
            {"\"\xc3\xa9\xf0\x9f\x98\x80\"", 1},
            {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", 32},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_assert_eq(read(rows[i].text).n, rows[i].n, "%s", rows[i].text);
    }
}

Test(json_read, names_the_byte_and_the_reason)
{
    static const struct {
        const char *text;
        const char *expected;
    } rows[] = {
            {"", "byte 0: no value"},
            {"  ", "byte 2: no value"},
            {"nul", "byte 0: no value"},
            {"\xef\xbb\xbf{}", "byte 0: no value"},
            {"{} {}", "byte 3: more behind the value"},
            {"[1,]", "byte 3: no value"},
            {"[1 2]", "byte 3: no comma"},
            {"[1", "byte 2: no comma"},
            {"[1}", "byte 2: no comma"},
            {"{\"a\":1,}", "byte 7: no key"},
            {"{a:1}", "byte 1: no key"},
            {"{\"a\" 1}", "byte 5: no colon"},
            {"{\"a\":}", "byte 5: no value"},
            {"01", "byte 2: no number"},
            {"-", "byte 1: no number"},
            {"+1", "byte 0: no value"},
            {".5", "byte 0: no value"},
            {"1.", "byte 2: no number"},
            {"1e", "byte 2: no number"},
            {"NaN", "byte 0: no value"},
            {"'a'", "byte 0: no value"},
            {"\"a", "byte 2: a string does not end"},
            {"\"a\tb\"", "byte 2: a control character in a string"},
            {"\"\\x\"", "byte 1: no escape"},
            {"\"\\u12g4\"", "byte 1: no escape"},
            {"\"\\ud800\"", "byte 1: no escape"},
            {"\"\\ud800\\u0041\"", "byte 1: no escape"},
            {"\"\\udc00\"", "byte 1: no escape"},
            {"\"\xc0\xaf\"", "byte 1: not UTF-8"},
            {"\"\xed\xa0\x80\"", "byte 1: not UTF-8"},
            {"{\"a\":1,\"b\":2,\"a\":3}", "byte 13: a key twice"},
            {"[{\"ab\":1,\"a\\u0062\":2}]", "byte 9: a key twice"},
            {"/**/1", "byte 0: no value"},
            {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
                    "byte 32: too deep"},
            {"[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,"
             "0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]",
                    "byte 128: more values than are read"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_json_doc doc = {0};
        struct laz_err err = {0};
        char expected[80];
        (void)snprintf(expected, sizeof(expected), "not JSON: %s", rows[i].expected);
        cr_assert_eq(
                laz_json_read(rows[i].text, strlen(rows[i].text), &room, &doc, &err), -1, "%zu", i);
        cr_assert_eq(err.kind, LAZ_E_SINK);
        cr_assert_str_eq(err.message, expected, "%s: %s", rows[i].text, err.message);
    }
}

Test(json_read, a_nul_is_no_blank_and_no_end)
{
    struct laz_json_doc doc = {0};
    struct laz_err err = {0};
    cr_assert_eq(laz_json_read("{}\0", 3, &room, &doc, &err), -1);
    cr_assert_str_eq(err.message, "not JSON: byte 2: more behind the value");
}

Test(json_read, finds_members_and_their_values)
{
    struct laz_json_doc doc = read("{\"a\":{\"b\":[1,\"x\\u0079\\n\",18446744073709551615]},"
                                   "\"\\u0063\":-1,\"n\":\"a\\u0000b\",\"f\":1.5}");
    const struct laz_json_node *root = laz_json_root(&doc);
    const struct laz_json_node *list = laz_json_member(&doc, laz_json_member(&doc, root, "a"), "b");
    uint64_t number = 0;
    char text[8];
    cr_assert_not_null(list);
    const struct laz_json_node *item = laz_json_next(&doc, list, NULL);
    cr_assert(laz_json_number(&doc, item, 1, &number) && number == 1);
    cr_assert(!laz_json_number(&doc, item, 0, &number));
    item = laz_json_next(&doc, list, item);
    cr_assert(laz_json_copy(&doc, item, text, sizeof(text)));
    cr_assert_str_eq(text, "xy\n");
    cr_assert(!laz_json_copy(&doc, item, text, 3), "no room for the NUL");
    cr_assert_str_eq(text, "");
    item = laz_json_next(&doc, list, item);
    cr_assert(laz_json_number(&doc, item, UINT64_MAX, &number) && number == UINT64_MAX);
    cr_assert_null(laz_json_next(&doc, list, item));
    cr_assert_null(laz_json_member(&doc, root, "b"));
    cr_assert_null(laz_json_member(&doc, root, ""));
    cr_assert_null(laz_json_member(&doc, list, "b"));
    cr_assert_null(laz_json_member(&doc, NULL, "b"));
    cr_assert(!laz_json_number(&doc, laz_json_member(&doc, root, "c"), 9, &number), "negative");
    cr_assert(!laz_json_number(&doc, laz_json_member(&doc, root, "f"), 9, &number), "a fraction");
    cr_assert(!laz_json_copy(&doc, laz_json_member(&doc, root, "n"), text, sizeof(text)), "NUL");
    cr_assert(!laz_json_copy(&doc, root, text, sizeof(text)), "no string");
}
