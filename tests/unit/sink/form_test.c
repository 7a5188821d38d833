/* SPDX-License-Identifier: Apache-2.0
 *
 * Records in the form that OSSEC decodes: its header, its length, and what never becomes one.
 */
#include "sink/form.h"

#include <stdio.h>
#include <stdlib.h>

#include <criterion/criterion.h>

#define FRONT(obj)                                                                                 \
    "{\"lz\":1,\"ev\":\"a.b\",\"sev\":6,\"seq\":0,\"obj\":\"" obj                                  \
    "\",\"ts\":\"2026-11-21T23:59:01.123456Z\","
#define HEAD "2026-11-21T23:59:01.123456+00:00 host.example lazaret[1]: "

static struct laz_form form_of(enum laz_ship_format format)
{
    struct laz_form form;
    laz_form_init(&form, format, "host.example");
    return form;
}

/* A record of so many bytes, line feed included, and its line of format "ossec". */
static void put_sized(struct laz_buf *text, struct laz_buf *line, size_t length)
{
    struct laz_form form = form_of(LAZ_FORMAT_OSSEC);
    struct laz_err err = {0};
    laz_buf_init_heap(text, length + 1);
    laz_buf_init_heap(line, length + LAZ_FORM_MORE_MAX);
    laz_buf_str(text, FRONT("x") "\"d\":{\"m\":\"");
    while (text->len < length - 4) {
        laz_buf_char(text, 'y');
    }
    laz_buf_str(text, "\"}}\n");
    cr_assert_eq(text->len, length);
    cr_assert_eq(laz_form_line(line, &form, text->data, text->len, &err), 0, "%s", err.message);
}

Test(form, ossec_begins_with_a_time_that_it_knows_and_a_program)
{
    static const char text[] = FRONT("x") "\"d\":{\"n\":1}}\n";
    struct laz_form form = form_of(LAZ_FORMAT_OSSEC);
    struct laz_err err = {0};
    char memory[1024];
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, memory, sizeof(memory));
    cr_assert_eq(laz_form_line(&buf, &form, text, sizeof(text) - 1, &err), 0, "%s", err.message);
    cr_expect_str_eq(buf.data, HEAD FRONT("x") "\"d\":{\"n\":1}}\n");
    buf.len = 0;
    cr_assert_eq(laz_form_message(&buf, &form, 6, text, sizeof(text) - 1, &err), 0);
    cr_expect_str_eq(buf.data, "<107>" HEAD FRONT("x") "\"d\":{\"n\":1}}");
}

Test(form, native_is_the_record_itself)
{
    static const char text[] = FRONT("x") "\"d\":{\"n\":1}}\n";
    struct laz_form form = form_of(LAZ_FORMAT_NATIVE);
    struct laz_err err = {0};
    char memory[1024];
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, memory, sizeof(memory));
    cr_assert_eq(laz_form_line(&buf, &form, text, sizeof(text) - 1, &err), 0, "%s", err.message);
    cr_expect_str_eq(buf.data, text);
}

Test(form, ossec_leaves_out_the_members_of_what_it_would_cut)
{
    struct laz_buf text;
    struct laz_buf line;
    size_t longest = LAZ_FORM_OSSEC_MAX - strlen(HEAD) + 1;
    put_sized(&text, &line, longest);
    cr_expect_eq(line.len, LAZ_FORM_OSSEC_MAX + 1, "%zu", line.len);
    cr_expect_eq(memcmp(line.data + strlen(HEAD), text.data, text.len), 0);
    laz_buf_done(&text);
    laz_buf_done(&line);
    put_sized(&text, &line, longest + 1);
    char expected[1024];
    (void)snprintf(expected, sizeof(expected), HEAD FRONT("x") "\"d\":{\"cut\":%zu}}\n",
            longest + 1 - strlen(FRONT("x") "\"d\":") - 2);
    cr_expect_str_eq(line.data, expected);
    laz_buf_done(&text);
    laz_buf_done(&line);
}

Test(form, ossec_takes_records_only)
{
    static const struct {
        const char *name;
        const char *text;
        const char *why;
    } rows[] = {
            {"two lines", FRONT("x\ny") "\"d\":{}}\n", "its byte 43 is 0x0a"},
            {"another beginning", "{\"ev\":\"a\"}\n", "it does not begin as a record"},
            {"no time", "{\"lz\":1,\"ev\":\"a\",\"d\":{}}\n", "it has no time, or no \"d\""},
            {"no members", "{\"lz\":1,\"ev\":\"a\",\"ts\":\"2026-11-21T23:59:01.123456Z\"}\n",
                    "it has no time, or no \"d\""},
    };
    struct laz_form form = form_of(LAZ_FORMAT_OSSEC);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char memory[1024];
        struct laz_buf buf;
        struct laz_err err = {0};
        laz_buf_init_fixed(&buf, memory, sizeof(memory));
        cr_assert_eq(laz_form_message(&buf, &form, 0, rows[i].text, strlen(rows[i].text), &err), -1,
                "%s", rows[i].name);
        cr_expect_eq(err.kind, LAZ_E_SINK, "%s", rows[i].name);
        cr_expect_str_eq(err.message, rows[i].why, "%s: %s", rows[i].name, err.message);
        cr_expect_eq(buf.len, 0, "%s", rows[i].name);
    }
}

Test(form, ossec_refuses_what_is_too_long_without_its_members)
{
    struct laz_form form = form_of(LAZ_FORMAT_OSSEC);
    struct laz_err err = {0};
    struct laz_buf text;
    struct laz_buf buf;
    laz_buf_init_heap(&text, 16384);
    laz_buf_init_heap(&buf, 16384);
    laz_buf_str(&text, "{\"lz\":1,\"ev\":\"a\",\"obj\":\"");
    for (size_t i = 0; i < LAZ_FORM_OSSEC_MAX; i++) {
        laz_buf_char(&text, 'o');
    }
    laz_buf_str(&text, "\",\"ts\":\"2026-11-21T23:59:01.123456Z\",\"d\":{}}\n");
    cr_assert_eq(laz_form_line(&buf, &form, text.data, text.len, &err), -1);
    cr_expect_str_eq(err.message, "it is too long for OSSEC, even without its \"d\"");
    cr_expect_eq(buf.len, 0);
    laz_buf_done(&text);
    laz_buf_done(&buf);
}

Test(form, knows_the_beginning_of_its_own_lines)
{
    static const struct {
        enum laz_ship_format format;
        const char *bytes;
        bool is_own;
    } rows[] = {
            {LAZ_FORMAT_NATIVE, "{\"lz\":1,", true},
            {LAZ_FORMAT_NATIVE, "{\"l", true},
            {LAZ_FORMAT_NATIVE, "2026-11-", false},
            {LAZ_FORMAT_OSSEC, "2026-11-", true},
            {LAZ_FORMAT_OSSEC, HEAD, true},
            {LAZ_FORMAT_OSSEC, "2", true},
            {LAZ_FORMAT_OSSEC, "Nov 21 2", false},
            {LAZ_FORMAT_OSSEC, "2026/11/", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_form form = form_of(rows[i].format);
        cr_expect_eq(laz_form_begins(&form, rows[i].bytes, strlen(rows[i].bytes)), rows[i].is_own,
                "%s", rows[i].bytes);
    }
}
