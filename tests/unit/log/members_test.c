/* SPDX-License-Identifier: Apache-2.0
 *
 * A record's words as JSON: what is escaped, what stands beside it, and in which order.
 */
#include "log/members.h"

#include <stdio.h>

#include "reading.h"

static void expect_members(const struct laz_line *line, const char *expected)
{
    struct laz_buf found;
    laz_buf_init_heap(&found, 1U << 20);
    laz_line_members(line, &found);
    cr_assert_str_eq(found.data, expected);
    laz_buf_done(&found);
}

static void expect_text(const char *text, size_t length, const char *expected)
{
    const struct laz_line line = {.text = text, .length = length, .eol = true};
    expect_members(&line, expected);
}

Test(members, stand_in_their_order_and_only_where_they_apply)
{
    struct laz_line line = {.text = "a\xFF", .length = 1, .eol = true};
    expect_members(&line, "\"msg\":\"a\"");
    line.eol = false;
    expect_members(&line, "\"msg\":\"a\",\"eol\":false");
    line.part = 1;
    line.more = true;
    line.length = 2;
    line.redacted[LAZ_REDACT_SSN] = 2;
    line.redacted[LAZ_REDACT_LITERAL] = 1;
    expect_members(&line,
            "\"msg\":\"a\\ufffd\",\"eol\":false,\"part\":1,\"more\":true,\"raw\":\"Yf8=\","
            "\"redacted\":{\"ssn\":2,\"literal\":1}");
}

Test(members, escape_all_that_steers)
{
    expect_text("\0\x1b[2J\t\r\x7f", 8, "\"msg\":\"\\u0000\\u001b[2J\\u0009\\u000d\\u007f\"");
    expect_text("\"\\", 2, "\"msg\":\"\\\"\\\\\"");
    expect_text("\xC2\x80\xC2\x9B\xC2\x9F", 6, "\"msg\":\"\\u0080\\u009b\\u009f\"");
    expect_text("\xE2\x80\xAA\xE2\x80\xAE", 6, "\"msg\":\"\\u202a\\u202e\"");
    expect_text("\xE2\x81\xA6\xE2\x81\xA9", 6, "\"msg\":\"\\u2066\\u2069\"");
    expect_text("\xE2\x80\xA8\xE2\x80\xA9", 6, "\"msg\":\"\\u2028\\u2029\"");
    expect_text("\xE2\x80\x8E\xE2\x80\x8F\xD8\x9C", 8, "\"msg\":\"\\u200e\\u200f\\u061c\"");
}

Test(members, leave_all_other_characters)
{
    static const char text[] =
            "~ \xC2\xA0 \xD8\x9B \xE2\x80\x8D \xE2\x80\xAF \xE2\x81\xA5 \xE2\x81\xAA "
            "\xEF\xBF\xBD \xF0\x9F\x98\x80 \xF4\x8F\xBF\xBF";
    char expected[sizeof(text) + 16];
    int n = snprintf(expected, sizeof(expected), "\"msg\":\"%s\"", text);
    cr_assert_gt(n, 0);
    expect_text(text, sizeof(text) - 1, expected);
}

Test(members, of_what_is_no_utf8_are_there_in_base64_too)
{
    static const struct {
        const char *text;
        const char *msg;
        const char *raw;
    } rows[] = {
            {"\xFF", "\\ufffd", "/w=="},
            {"\xC3", "\\ufffd", "ww=="},
            {"\xC0\x80", "\\ufffd\\ufffd", "wIA="},            /* overlong */
            {"\xED\xA0\x80", "\\ufffd\\ufffd\\ufffd", "7aCA"}, /* a surrogate */
            {"a\xE2\x82x", "a\\ufffd\\ufffdx", "YeKCeA=="},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char expected[128];
        int n = snprintf(expected, sizeof(expected), "\"msg\":\"%s\",\"raw\":\"%s\"", rows[i].msg,
                rows[i].raw);
        cr_assert_gt(n, 0);
        expect_text(rows[i].text, strlen(rows[i].text), expected);
    }
}

/* Each byte at each place of what is looked at together. */
Test(members, escape_a_byte_wherever_it_stands)
{
    for (unsigned byte = 0; byte < 0x80; byte++) {
        char escaped[8] = {(char)byte};
        if (byte == '"' || byte == '\\') {
            escaped[0] = '\\';
            escaped[1] = (char)byte;
        } else if (byte < 0x20 || byte == 0x7F) {
            cr_assert_eq(snprintf(escaped, sizeof(escaped), "\\u%04x", byte), 6);
        }
        for (size_t length = 1; length < 70; length += byte == '\n' ? 1 : 7) {
            for (size_t at = 0; at < length; at++) {
                char text[70];
                char expected[128];
                (void)memset(text, 'x', sizeof(text));
                text[at] = (char)byte;
                int n = snprintf(expected, sizeof(expected), "\"msg\":\"%.*s%s%.*s\"", (int)at,
                        text, escaped, (int)(length - at - 1), text + at + 1);
                cr_assert_gt(n, 0);
                expect_text(text, length, expected);
            }
        }
    }
}

Test(members, are_as_long_as_was_reckoned)
{
    uint64_t state = 5;
    for (size_t round = 0; round < 2000; round++) {
        unsigned char text[200];
        size_t length = 1 + chance(&state, sizeof(text));
        for (size_t i = 0; i < length; i++) {
            text[i] = (unsigned char)(chance(&state, 3) == 0 ? chance(&state, 256) : 'x');
        }
        const struct laz_line line = {.text = (const char *)text, .length = length, .eol = true};
        struct laz_buf found;
        size_t start = 10000;
        size_t budget = start;
        laz_buf_init_heap(&found, 1U << 16);
        laz_line_members(&line, &found);
        cr_assert_eq(laz_members_fit((const char *)text, length, &budget), length);
        cr_assert_leq(found.len, start - budget + LAZ_MEMBERS_OTHER);
        budget = chance(&state, 800);
        start = budget;
        size_t fits = laz_members_fit((const char *)text, length, &budget);
        cr_assert(fits <= length && budget <= start);
        laz_buf_done(&found);
    }
}
