/* SPDX-License-Identifier: Apache-2.0
 *
 * Objects of several secrets: the forms they have, what has none, and nothing of them in messages.
 */
#include "secret/members.h"

#include <string.h>

#include <criterion/criterion.h>

#define MEMORY     4096
#define COUNT(all) (sizeof(all) / sizeof((all)[0]))

static struct laz_buf borrowed(const char *text)
{
    return (struct laz_buf){.data = laz_unconst(text), .len = strlen(text)};
}

struct row {
    const char *text;
    const char *json;   /* NULL: refused */
    const char *dotenv; /* likewise */
    const char *why;    /* of the refusal, or the last of both */
};

static const struct row rows[] = {
        {"{\"a\":\"b\"}", "{\"a\":\"b\"}", "a='b'\n", ""},
        {" { \"b\" : 1.50e+06 , \"A_1\":\"\\u0061\\/\\u00e9\", \"t\":true,\"f\":false} ",
                "{\"b\":1.50e+06,\"A_1\":\"a/\xc3\xa9\",\"t\":true,\"f\":false}",
                "b='1.50e+06'\nA_1='a/\xc3\xa9'\nt='true'\nf='false'\n", ""},
        {"{\"a\":\"\"}", "{\"a\":\"\"}", "a=''\n", ""},
        {"{\"a\":\"it's\"}", "{\"a\":\"it's\"}", "a=\"it's\"\n", ""},
        {"{\"a\":\"#x y=$z`\\\\n\\\"!\"}", "{\"a\":\"#x y=$z`\\\\n\\\"!\"}", "a='#x y=$z`\\n\"!'\n",
                ""},
        {"{\"a\":\"it's $x\"}", "{\"a\":\"it's $x\"}", NULL,
                "member 1 of the value is not the same"},
        {"{\"a\":\"b\",\"c\":\"x\\\\\"}", "{\"a\":\"b\",\"c\":\"x\\\\\"}", NULL,
                "member 2 of the value is not the same"},
        {"{\"a\":\"x\\\\\\\\y\"}", "{\"a\":\"x\\\\\\\\y\"}", NULL,
                "member 1 of the value is not the same"},
        {"{\"a\":\"${x}\"}", "{\"a\":\"${x}\"}", NULL, "member 1 of the value is not the same"},
        {"{\"a\":\"x\\ny\"}", "{\"a\":\"x\\u000ay\"}", NULL,
                "member 1 of the value is not the same"},
        {"{\"a\":\"x\\u007f\"}", "{\"a\":\"x\\u007f\"}", NULL,
                "member 1 of the value is not the same"},
        {"{\"a-b\":\"x\"}", "{\"a-b\":\"x\"}", NULL, "the name of member 1 is no variable's"},
        {"{\"1a\":\"x\"}", "{\"1a\":\"x\"}", NULL, "the name of member 1 is no variable's"},
        {"{\"\":\"x\"}", "{\"\":\"x\"}", NULL, "the name of member 1 is no variable's"},
        {"{\"a b\":\"x\"}", "{\"a b\":\"x\"}", NULL, "the name of member 1 is no variable's"},
        {"{\"CANARY\":null}", NULL, NULL,
                "member 1 of the value is no text, number, true or false"},
        {"{\"a\":1,\"CANARY\":[1]}", NULL, NULL, "member 2 of the value is no text, number"},
        {"{\"a\":{\"CANARY\":1}}", NULL, NULL, "member 1 of the value is no text, number"},
        {"{\"a\":\"CANARY\\u0000\"}", NULL, NULL, "member 1 of the value holds a NUL"},
        {"{\"CANARY\\u0000\":\"a\"}", NULL, NULL, "member 1 of the value holds a NUL"},
        {"{\"a\":1,\"a\":2}", NULL, NULL, "the value: not JSON"},
        {"{\"a\":\"CANARY\"}x", NULL, NULL, "the value: not JSON"},
        {"[\"CANARY\"]", NULL, NULL, "the value is no JSON object"},
        {"{}", NULL, NULL, "the value is an object without members"},
        {"", NULL, NULL, "the value: not JSON"},
};

static void check(const struct row *row, const char *expected, int result, const char *text,
        const struct laz_err *err)
{
    if (expected != NULL) {
        cr_assert_eq(result, 0, "%s: %s", row->text, err->message);
        cr_expect_str_eq(text, expected);
    } else {
        cr_assert_eq(result, -1, "%s", row->text);
        cr_expect_eq(strncmp(err->message, row->why, strlen(row->why)), 0, "%s: %s", row->text,
                err->message);
        cr_expect_null(strstr(err->message, "CANARY"), "%s", err->message);
        cr_expect_eq(err->kind, LAZ_E_SECRET);
    }
}

Test(members, have_their_forms_or_none)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        char memory[MEMORY];
        struct laz_buf buf;
        struct laz_err err = {0};
        const struct laz_buf object = borrowed(rows[i].text);
        laz_buf_init_fixed(&buf, memory, sizeof(memory));
        int result = laz_members_json(&object, &buf, &err);
        check(&rows[i], rows[i].json, result, buf.data, &err);
        laz_buf_init_fixed(&buf, memory, sizeof(memory));
        err = (struct laz_err){0};
        result = laz_members_dotenv(&object, &buf, &err);
        check(&rows[i], rows[i].dotenv, result, buf.data, &err);
    }
}

static int note(void *context, const char *bytes, size_t length, struct laz_err *err)
{
    struct laz_buf *buf = context;
    laz_buf_put(buf, bytes, length);
    laz_buf_char(buf, '|');
    return length == 4 ? laz_err_set(err, LAZ_E_SYSTEM, 0, "four") : 0;
}

Test(members, are_visited_one_by_one)
{
    char memory[MEMORY];
    struct laz_buf buf;
    struct laz_err err = {0};
    const struct laz_buf object = borrowed("{\"a\":\"x\\ny\",\"b\":12,\"c\":\"four\",\"d\":1}");
    const struct laz_members_visit visit = {.take = note, .context = &buf};
    laz_buf_init_fixed(&buf, memory, sizeof(memory));
    cr_expect_eq(laz_members_each(&object, &visit, &err), -1);
    cr_expect_str_eq(err.message, "four");
    cr_expect_str_eq(buf.data, "x\ny|12|four|");
}
