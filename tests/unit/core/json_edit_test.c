/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/core/json_edit: the new text, byte for byte, and what is refused.
 */
#include "core/json_edit.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#define NODES 64
#define EDITS 16

static struct laz_json_node nodes[NODES];
static struct laz_json_edit list[EDITS];
static struct laz_json_doc doc;
static struct laz_json_edits edits;
static struct laz_err err;

static void begin(const char *text)
{
    const struct laz_json_room room = {.nodes = nodes, .max = NODES, .kind = LAZ_E_OCI};
    cr_assert_eq(laz_json_read(text, strlen(text), &room, &doc, &err), 0, "%s", err.message);
    laz_json_edits_init(&edits, &doc, list, EDITS, LAZ_E_OCI);
}

/* "a.b" is a member of a member, "#1" the second element, "" the outermost value. */
static const struct laz_json_node *at(const char *path)
{
    const struct laz_json_node *node = laz_json_root(&doc);
    char part[32];
    for (int n = 0; *path != '\0'; path += path[n] == '.' ? n + 1 : n) {
        cr_assert_eq(sscanf(path, "%31[^.]%n", part, &n), 1);
        if (part[0] == '#') {
            const struct laz_json_node *item = laz_json_next(&doc, node, NULL);
            for (int i = part[1] - '0'; i > 0; i--) {
                item = laz_json_next(&doc, node, item);
            }
            node = item;
            continue;
        }
        node = laz_json_member(&doc, node, part);
    }
    cr_assert_not_null(node);
    return node;
}

/* One letter for what to do, a path, and what else it needs: "s:a.b:key=1" sets, "-:a:#0" removes
 * an element, "-:a:key" a member, "+:a:1" appends, "^:a:1" prepends, "=:a:1" replaces, "{:a:key"
 * and
 * "[:a:key" enter. */
static int edit(const char *command)
{
    char path[64] = "";
    char rest[64] = "";
    char key[130] = ""; /* a path, a dot and the rest */
    const char *colon = strchr(command + 2, ':');
    (void)snprintf(path, sizeof(path), "%.*s", (int)(colon - command - 2), command + 2);
    (void)snprintf(rest, sizeof(rest), "%s", colon + 1);
    const struct laz_json_node *node = at(path);
    struct laz_json_place place = laz_json_at(node);
    switch (command[0]) {
    case '=':
        return laz_json_replace(&edits, node, rest, strlen(rest), &err);
    case '+':
        return laz_json_append(&edits, place, rest, strlen(rest), &err);
    case '^':
        return laz_json_prepend(&edits, place, rest, strlen(rest), &err);
    case '-': {
        (void)snprintf(key, sizeof(key), "%s%s%s", path, path[0] == '\0' ? "" : ".", rest);
        return laz_json_remove(&edits, node, at(key), &err);
    }
    case 's':
        *strchr(rest, '=') = '\0';
        return laz_json_set(
                &edits, place, rest, strchr(rest, '\0') + 1, strlen(strchr(rest, '\0') + 1), &err);
    default:
        return laz_json_enter(&edits, place, rest,
                command[0] == '{' ? LAZ_JSON_OBJECT : LAZ_JSON_ARRAY, &place, &err);
    }
}

static void expect(const char *name, const char *expected)
{
    struct laz_buf text;
    laz_buf_init_heap(&text, 4096);
    cr_assert_eq(laz_json_apply(&edits, &text, &err), 0, "%s: %s", name, err.message);
    cr_assert_str_eq(text.data, expected, "%s: %s", name, text.data);
    laz_buf_done(&text);
    laz_json_edits_done(&edits);
}

Test(json_edit, changes_what_is_asked_for_and_no_other_byte)
{
    static const struct {
        const char *text;
        const char *edits[6];
        const char *expected;
    } rows[] = {
            {" {\"a\" : 18446744073709551615 ,\n\"b\":1.0e5}\n", {0},
                    " {\"a\" : 18446744073709551615 ,\n\"b\":1.0e5}\n"},
            {"{\"a\" : 1 , \"b\":2}", {"=:a:3"}, "{\"a\" : 3 , \"b\":2}"},
            {"{\"a\":1,\"b\":2}", {"s::b=[]"}, "{\"a\":1,\"b\":[]}"},
            {"{\"\\u0061\":1}", {"s::a=2"}, "{\"\\u0061\":2}"},
            {"{ \"a\":1 }", {"s::b=2", "s::c=3"}, "{ \"a\":1,\"b\":2,\"c\":3 }"},
            {"{ }", {"s::b=2"}, "{\"b\":2 }"},
            {"[]", {"+::1", "+::2"}, "[1,2]"},
            {"[]", {"^::1", "^::2"}, "[1,2]"},
            {"[]", {"+::3", "^::1", "^::2", "+::4"}, "[1,2,3,4]"},
            {"[ 0 ]", {"+::3", "^::1", "^::2", "+::4"}, "[ 1,2,0,3,4 ]"},
            {"[0, 1, 2]", {"-::#0"}, "[1, 2]"},
            {"[0, 1, 2]", {"-::#1"}, "[0, 2]"},
            {"[0, 1, 2]", {"-::#2"}, "[0, 1]"},
            {"[0, 1, 2]", {"-::#2", "-::#0"}, "[1]"},
            {"[0, 1, 2]", {"-::#1", "-::#0"}, "[2]"},
            {"[0, 1, 2]", {"-::#1", "-::#1", "-::#0"}, "[2]"},
            {"[0, 1, 2]", {"-::#1", "-::#2"}, "[0]"},
            {"[ 0, 1, 2 ]", {"-::#1", "-::#2", "-::#0"}, "[  ]"},
            {"[0, 1, 2]", {"-::#1", "+::9", "-::#2", "^::8", "-::#0"}, "[8,9]"},
            {"[0, 1, 2]", {"-::#0", "-::#1", "-::#2", "^::8"}, "[8]"},
            {"[0, 1, 2]", {"-::#0", "-::#1", "-::#2", "+::9"}, "[9]"},
            {"[0, 1, 2]", {"-::#0", "^::8"}, "[8,1, 2]"},
            {"[0, 1, 2]", {"-::#2", "+::9"}, "[0, 1,9]"},
            {"[0, 1, 2]", {"-::#0", "=:#1:7"}, "[7, 2]"},
            {"[0, 1, 2]", {"=:#1:7", "-::#2"}, "[0, 7]"},
            {"{\"a\":{\"b\":1},\"c\":2}", {"-::a"}, "{\"c\":2}"},
            {"{\"a\":{\"b\":1},\"c\":2}", {"-::c", "s:a:d=3"}, "{\"a\":{\"b\":1,\"d\":3}}"},
            {"[[],[0],{}]", {"+:#0:1", "+:#1:1", "s:#2:a=1"}, "[[1],[0,1],{\"a\":1}]"},
            {"{\"a\":null}", {"{::a"}, "{\"a\":{}}"},
            {"{\"a\":null,\"b\":1}", {"[::a", "[::a", "=:b:2"}, "{\"a\":[],\"b\":2}"},
            {"{}", {"[::a", "{::b"}, "{\"a\":[],\"b\":{}}"},
            {"{}", {"s::\"\n=1"}, "{\"\\\"\\u000a\":1}"},
            {"1", {"=::2"}, "2"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin(rows[i].text);
        for (size_t j = 0; j < 6 && rows[i].edits[j] != NULL; j++) {
            cr_assert_eq(edit(rows[i].edits[j]), 0, "%zu: %s", i, err.message);
        }
        expect(rows[i].text, rows[i].expected);
    }
}

Test(json_edit, what_changes_nothing_is_no_edit)
{
    begin("{\"a\":[true],\"b\":{\"c\":1}}");
    cr_assert_eq(edit("=:a.#0:true"), 0);
    cr_assert_eq(edit("s:b:c=1"), 0);
    cr_assert_eq(edit("s::a=[true]"), 0);
    cr_assert_eq(edit("[::a"), 0);
    cr_assert_eq(edits.n, 0);
    expect("the same", "{\"a\":[true],\"b\":{\"c\":1}}");
}

Test(json_edit, new_containers_are_filled_like_old_ones)
{
    struct laz_json_place hooks;
    struct laz_json_place again;
    struct laz_json_place stage;
    struct laz_json_place other;
    begin("{\"a\":1}");
    struct laz_json_place root = laz_json_at(at(""));
    cr_assert_eq(laz_json_enter(&edits, root, "hooks", LAZ_JSON_OBJECT, &hooks, &err), 0);
    cr_assert_eq(laz_json_enter(&edits, hooks, "stage", LAZ_JSON_ARRAY, &stage, &err), 0);
    cr_assert_eq(laz_json_append(&edits, stage, "2", 1, &err), 0);
    cr_assert_eq(laz_json_enter(&edits, root, "hooks", LAZ_JSON_OBJECT, &again, &err), 0);
    cr_assert_eq(laz_json_set(&edits, again, "x", "{}", 2, &err), 0);
    cr_assert_eq(laz_json_enter(&edits, again, "other", LAZ_JSON_ARRAY, &other, &err), 0);
    cr_assert_eq(laz_json_append(&edits, stage, "3", 1, &err), 0);
    cr_assert_eq(laz_json_prepend(&edits, stage, "1", 1, &err), 0);
    cr_assert_eq(laz_json_set(&edits, again, "x", "[]", 2, &err), -1);
    cr_assert_str_eq(err.message, "cannot be changed: \"x\" is set twice");
    expect("nested", "{\"a\":1,\"hooks\":{\"stage\":[1,2,3],\"x\":{},\"other\":[]}}");
}

Test(json_edit, refuses_what_cannot_be_said)
{
    static const struct {
        const char *text;
        const char *edit;
        const char *expected;
    } rows[] = {
            {"[1]", "s::a=1", "cannot be changed: byte 0: no object"},
            {"{\"a\":1}", "s:a:b=1", "cannot be changed: byte 5: no object"},
            {"{\"a\":1}", "+:a:1", "cannot be changed: byte 5: no array"},
            {"{\"a\":{}}", "^:a:1", "cannot be changed: byte 5: no array"},
            {"{\"a\":[]}", "{::a", "a: cannot be changed: byte 5: no object"},
            {"{\"a\":1}", "[::a", "a: cannot be changed: byte 5: no array"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        err = (struct laz_err){0};
        begin(rows[i].text);
        cr_assert_eq(edit(rows[i].edit), -1, "%s", rows[i].edit);
        cr_assert_eq(err.kind, LAZ_E_OCI);
        cr_assert_str_eq(err.message, rows[i].expected, "%s: %s", rows[i].edit, err.message);
        laz_json_edits_done(&edits);
    }
}

Test(json_edit, refuses_to_remove_what_is_not_in_there)
{
    begin("{\"a\":[1,[2]],\"b\":3}");
    cr_assert_eq(laz_json_remove(&edits, at("a"), at("b"), &err), -1);
    cr_assert_str_eq(err.message,
            "cannot be changed: byte 5: the element to be removed is not in there", "%s",
            err.message);
    cr_assert_eq(laz_json_remove(&edits, at("a"), at("a.#1.#0"), &err), -1, "not a direct one");
    cr_assert_eq(laz_json_remove(&edits, at("b"), at("b"), &err), -1, "no container");
    cr_assert_eq(edits.n, 0);
    laz_json_edits_done(&edits);
}

Test(json_edit, refuses_two_edits_of_one_place)
{
    static const struct {
        const char *edits[3];
        const char *expected;
    } rows[] = {
            {{"=:a:1", "=:a:2"}, "byte 5: two edits of one place"},
            {{"=:a:1", "-::a"}, "byte 5: two edits of one place"},
            {{"-::a", "+:a:1"}, "byte 9: two edits of one place"},
            {{"=:a:1", "-:a:#0"}, "byte 6: two edits of one place"},
            {{"=:a:1", "^:a:0"}, "byte 6: two edits of one place"},
            {{"-::b", "s:b:c=1"}, "byte 16: two edits of one place"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char expected[96];
        struct laz_buf text;
        err = (struct laz_err){0};
        begin("{\"a\":[1,2],\"b\":{}}");
        laz_buf_init_heap(&text, 256);
        for (size_t j = 0; j < 2; j++) {
            cr_assert_eq(edit(rows[i].edits[j]), 0, "%s", rows[i].edits[j]);
        }
        cr_assert_eq(laz_json_apply(&edits, &text, &err), -1, "%zu", i);
        (void)snprintf(expected, sizeof(expected), "cannot be changed: %s", rows[i].expected);
        cr_assert_eq(err.kind, LAZ_E_OCI);
        cr_assert_str_eq(err.message, expected, "%zu: %s", i, err.message);
        laz_buf_done(&text);
        laz_json_edits_done(&edits);
    }
}

Test(json_edit, more_edits_or_bytes_than_there_is_room_for_are_an_error)
{
    struct laz_buf text;
    begin("[]");
    for (int i = 0; i < EDITS; i++) {
        cr_assert_eq(edit("+::1"), 0);
    }
    cr_assert_eq(edit("+::1"), -1);
    cr_assert_str_eq(err.message, "cannot be changed: more than 16 edits");
    err = (struct laz_err){0};
    laz_buf_init_heap(&text, 16);
    cr_assert_eq(laz_json_apply(&edits, &text, &err), -1);
    cr_assert_str_eq(err.message, "cannot be changed: the new text would be too large");
    laz_buf_done(&text);
    laz_json_edits_done(&edits);
}
