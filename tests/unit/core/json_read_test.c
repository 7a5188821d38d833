/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/core/json_read: what is JSON, what is none and at which byte, and what is found in it.
 */
#include "core/json_read.h"

#include <stdio.h>
#include <stdlib.h>
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
            {"{\"\":1,\"\":2}", "byte 6: a key twice"},
            {"{\"b\":1,\"c\":1,\"a\":1,\"c\":1,\"b\":1,\"a\":1}", "byte 19: a key twice"},
            {"{\"a\":{\"b\":0,\"b\":0},\"a\":0}", "byte 12: a key twice"},
            {"{\"ab\":0,\"a\":0,\"abc\":0,\"\\u0061\\u0062c\":0}", "byte 22: a key twice"},
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

Test(json_read, is_as_deep_as_the_room_says_and_no_deeper)
{
    static const struct {
        unsigned depth;
        unsigned n;
        bool is_good;
    } rows[] = {{0, 32, true}, {0, 33, false}, {3, 3, true}, {3, 4, false}, {64, 64, true},
            {64, 65, false}, {99, 64, true}, {99, 65, false}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_json_node deep[80];
        const struct laz_json_room deep_room = {
                .nodes = deep, .max = 80, .kind = LAZ_E_SINK, .depth = rows[i].depth};
        char text[2 * 65 + 1];
        struct laz_json_doc doc = {0};
        struct laz_err err = {0};
        (void)memset(text, '[', rows[i].n);
        (void)memset(text + rows[i].n, ']', rows[i].n);
        int result = laz_json_read(text, 2UL * rows[i].n, &deep_room, &doc, &err);
        cr_assert_eq(result == 0, rows[i].is_good, "%u of %u", rows[i].n, rows[i].depth);
        cr_assert(rows[i].is_good || strstr(err.message, "too deep") != NULL, "%s", err.message);
    }
}

/* Also of a text that is cut off in the deepest place: it is not called too large then. */
Test(json_read, a_text_has_no_more_nodes_than_its_length_says)
{
    char text[16 * LAZ_JSON_DEPTH_DEEP];
    struct laz_json_doc doc = {0};
    struct laz_err err = {0};
    struct laz_json_room least = {
            .max = laz_json_nodes_max(sizeof(text) - 1), .depth = LAZ_JSON_DEPTH_DEEP};
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = i % 2 == 0 ? ',' : '1'; /* nothing has more of them */
    }
    text[0] = '[';
    text[sizeof(text) - 2] = ']';
    struct laz_json_node *nodes_of_it = calloc(least.max, sizeof(*nodes_of_it));
    cr_assert_not_null(nodes_of_it);
    least.nodes = nodes_of_it;
    cr_assert_eq(laz_json_read(text, sizeof(text) - 1, &least, &doc, &err), 0, "%s", err.message);
    cr_assert_eq(doc.n, sizeof(text) / 2);
    (void)memset(text, '[', LAZ_JSON_DEPTH_DEEP);
    least.max = laz_json_nodes_max(LAZ_JSON_DEPTH_DEEP);
    cr_assert_eq(laz_json_read(text, LAZ_JSON_DEPTH_DEEP, &least, &doc, &err), -1);
    cr_assert_str_eq(err.message, "not JSON: byte 64: no value");
    free(nodes_of_it);
}

Test(json_read, a_string_is_a_text_whatever_is_escaped_in_it)
{
    static const struct {
        const char *json;
        const char *text;
        bool is;
        bool begins;
    } rows[] = {
            {"\"\"", "", true, true},
            {"\"\"", "\"", false, false},
            {"\"\\u0061b\"", "ab", true, true},
            {"\"a\\u0062\"", "ab", true, true},
            {"\"a\\\\b\"", "a\\b", true, true},
            {"\"a\\b\"", "a\\b", false, false},
            {"\"\\u0000\"", "", false, true},
            {"\"a\\u0000\"", "a", false, true},
            {"\"\\u00e9x\"", "\xC3\xA9", false, true},
            {"\"\xC3\xA9\"", "\xC3\xA9", true, true},
            {"\"\xC3\xA9\"", "\xC3", false, false},
            {"\"\xC3\xA9\"", "\xC3\xA9x", false, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_json_doc doc = {0};
        struct laz_err err = {0};
        char object[64];
        const char *json = rows[i].json;
        cr_assert_eq(laz_json_read(json, strlen(json), &room, &doc, &err), 0, "%s", err.message);
        const struct laz_json_node *node = laz_json_root(&doc);
        cr_assert_eq(laz_json_is(&doc, node, rows[i].text), rows[i].is, "%s", json);
        cr_assert_eq(laz_json_begins(&doc, node, rows[i].text), rows[i].begins, "%s", json);
        (void)snprintf(object, sizeof(object), "{\"z\":[],%s:1}", json);
        cr_assert_eq(laz_json_read(object, strlen(object), &room, &doc, &err), 0);
        node = laz_json_member(&doc, laz_json_root(&doc), rows[i].text);
        cr_assert_eq(node != NULL && node->type == LAZ_JSON_NUMBER, rows[i].is, "%s", object);
    }
}

/* Compared each with each, these would take minutes. */
Test(json_read, finds_the_key_that_is_twice_among_a_hundred_thousand, .timeout = 60)
{
    enum {
        KEYS = 100000
    };
    char *text = malloc(16UL * KEYS);
    struct laz_json_node *many = calloc(2 * KEYS + 3, sizeof(*many));
    const struct laz_json_room many_room = {.nodes = many, .max = 2 * KEYS + 3};
    struct laz_json_doc doc = {0};
    struct laz_err err = {0};
    cr_assert(text != NULL && many != NULL);
    size_t length = 1;
    text[0] = '{';
    for (unsigned i = 0; i < KEYS; i++) {
        unsigned key = i * 7919 % KEYS; /* each once, in no order */
        length += (size_t)snprintf(text + length, 16, "\"k%u\":0,", key);
    }
    cr_assert_geq(laz_json_nodes_max(length), 2 * KEYS + 1);
    text[length - 1] = '}';
    cr_assert_eq(laz_json_read(text, length, &many_room, &doc, &err), 0, "%s", err.message);
    cr_assert_eq(doc.n, 2 * KEYS + 1);
    for (uint32_t i = 1; i < doc.n; i++) {
        cr_assert_eq(doc.nodes[i].next, i + 1, "the links are as they were");
    }
    (void)snprintf(text + length - 1, 16, ",\"k7\":0}");
    cr_assert_eq(laz_json_read(text, length + 7, &many_room, &doc, &err), -1);
    char expected[64];
    (void)snprintf(expected, sizeof(expected), "not JSON: byte %zu: a key twice", length);
    cr_assert_str_eq(err.message, expected, "%s", err.message);
    free(text);
    free(many);
}

Test(json_read, knows_what_is_in_a_string)
{
    static const struct {
        const char *text;
        bool is_ascii;
        bool has_nul;
    } rows[] = {
            {"\"\"", true, false},
            {"\"a\\u007f\\n\"", true, false},
            {"\"\\u0000\"", false, true},
            {"\"\\\\u0000\"", true, false},
            {"\"\\u0080\"", false, false},
            {"\"\xc5\xbf\"", false, false},
            {"\"\\u017f\"", false, false},
            {"0", false, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_json_doc doc = read(rows[i].text);
        const struct laz_json_node *node = laz_json_root(&doc);
        cr_assert_eq(laz_json_is_ascii(&doc, node), rows[i].is_ascii, "%s", rows[i].text);
        cr_assert_eq(laz_json_has_nul(&doc, node), rows[i].has_nul, "%s", rows[i].text);
    }
    struct laz_json_doc doc = read("\"a\\u0062\"");
    cr_assert(laz_json_is(&doc, laz_json_root(&doc), "ab"));
    cr_assert(!laz_json_is(&doc, laz_json_root(&doc), "a"));
    cr_assert(!laz_json_is(&doc, laz_json_root(&doc), "abc"));
    cr_assert(!laz_json_is(&doc, NULL, ""));
    cr_assert(laz_json_begins(&doc, laz_json_root(&doc), ""));
    cr_assert(laz_json_begins(&doc, laz_json_root(&doc), "a"));
    cr_assert(laz_json_begins(&doc, laz_json_root(&doc), "ab"));
    cr_assert(!laz_json_begins(&doc, laz_json_root(&doc), "abc"));
    cr_assert(!laz_json_begins(&doc, laz_json_root(&doc), "b"));
    cr_assert(!laz_json_begins(&doc, NULL, ""));
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
