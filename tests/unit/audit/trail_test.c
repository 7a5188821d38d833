/* SPDX-License-Identifier: Apache-2.0
 *
 * Taking lines apart: what is a record to the byte, and what is not.
 */
#include "audit/trail.h"

#include <stdio.h>
#include <stdlib.h>

#include <criterion/criterion.h>

#define ZEROS16 "0000000000000000"
#define ZEROS32 ZEROS16 ZEROS16
#define ZEROS64 ZEROS32 ZEROS32
#define HEAD                                                                                       \
    "{\"lz\":1,\"ev\":\"proc.exit\",\"sev\":1,\"seq\":7,\"task\":\"t\",\"ctr\":\"c\",\"pid\":-3,"  \
    "\"exe\":\"/a\",\"obj\":\"\",\"act\":\"x\",\"ts\":\"2026-11-21T23:59:01.123456Z\""
#define CHAIN ",\"chain\":\"" ZEROS32 "\""
#define LINK  ",\"prev\":\"" ZEROS16 "\""
#define HASH  ",\"h\":\"" ZEROS64 "\""
#define WHOLE HEAD CHAIN LINK HASH ",\"d\":{\"a\":1}}"

static struct laz_span span_of(const char *text)
{
    return (struct laz_span){.at = text, .length = strlen(text)};
}

Test(trail, takes_a_record_apart)
{
    struct laz_trail_line line;
    const char *text = WHOLE;
    cr_assert(laz_trail_parse(span_of(text), &line));
    cr_assert_eq(line.kind, LAZ_TRAIL_EVENT);
    cr_assert_eq(line.seq, 7);
    cr_assert_eq(line.members.length, 5);
    cr_assert_eq(memcmp(line.members.at, "\"a\":1", 5), 0);
    cr_assert_not(line.has_signature);
    /* the hash covers everything but itself */
    cr_assert_eq(line.text[0].length, strlen(HEAD CHAIN LINK));
    cr_assert_eq(line.text[1].length, strlen(",\"d\":{\"a\":1}}"));
    cr_assert_eq(line.text[2].length, 0);
}

Test(trail, finds_the_record_behind_what_a_transport_puts_in_front)
{
    const char *text = "<134>1 2026-11-21T23:59:01Z host lazaret 1 - - " WHOLE;
    struct laz_span record = laz_trail_find(text, strlen(text));
    cr_assert_eq(record.length, strlen(WHOLE));
    cr_assert_eq(laz_trail_find("nothing", 7).length, 0);
}

Test(trail, refuses_what_is_not_of_the_form)
{
    static const char *const wrong[] = {
            "",
            "{",
            "{\"lz\":1,",
            "{\"lz\":2,\"ev\":\"x\"}",
            HEAD CHAIN LINK HASH ",\"d\":{\"a\":1}",
            HEAD CHAIN LINK HASH ",\"d\":{\"a\":1}} ",
            HEAD CHAIN LINK HASH,
            HEAD CHAIN LINK ",\"d\":{}}",
            HEAD CHAIN HASH ",\"d\":{}}",
            HEAD LINK HASH ",\"d\":{}}",
            HEAD LINK CHAIN HASH ",\"d\":{}}",
            "{\"lz\":1,\"ev\":\"Proc\",\"sev\":1,\"seq\":7,\"task\":\"\",\"ctr\":\"\",\"pid\":0,"
            "\"exe\":"
            "\"\",\"obj\":\"\",\"act\":\"\",\"ts\":\"2026-11-21T23:59:01.123456Z\"" CHAIN LINK HASH
            ",\"d\":{}}",
            "{\"lz\":1,\"ev\":\"p\",\"sev\":11,\"seq\":7,\"task\":\"\",\"ctr\":\"\",\"pid\":0,"
            "\"exe\":"
            "\"\",\"obj\":\"\",\"act\":\"\",\"ts\":\"2026-11-21T23:59:01.123456Z\"" CHAIN LINK HASH
            ",\"d\":{}}",
            "{\"lz\":1,\"ev\":\"p\",\"sev\":1,\"seq\":07,\"task\":\"\",\"ctr\":\"\",\"pid\":0,"
            "\"exe\":"
            "\"\",\"obj\":\"\",\"act\":\"\",\"ts\":\"2026-11-21T23:59:01.123456Z\"" CHAIN LINK HASH
            ",\"d\":{}}",
            "{\"lz\":1,\"ev\":\"p\",\"sev\":1,\"seq\":7,\"task\":\"\",\"ctr\":\"\",\"pid\":-0,"
            "\"exe\":"
            "\"\",\"obj\":\"\",\"act\":\"\",\"ts\":\"2026-11-21T23:59:01.123456Z\"" CHAIN LINK HASH
            ",\"d\":{}}",
            "{\"lz\":1,\"ev\":\"p\",\"sev\":1,\"seq\":7,\"task\":\"\",\"ctr\":\"\",\"pid\":0,"
            "\"exe\":"
            "\"\",\"obj\":\"\",\"act\":\"\",\"ts\":\"2026-11-21 23:59:01.123456Z\"" CHAIN LINK HASH
            ",\"d\":{}}",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct laz_trail_line line;
        cr_expect_not(laz_trail_parse(span_of(wrong[i]), &line), "%zu: %s", i, wrong[i]);
    }
}

Test(trail, reads_no_byte_behind_any_cut)
{
    const char *text = WHOLE;
    for (size_t length = 0; length < strlen(text); length++) {
        /* exactly so large, so that the sanitizer sees a read behind it */
        char *cut = malloc(length == 0 ? 1 : length);
        struct laz_trail_line line;
        memcpy(cut, text, length);
        cr_expect_not(laz_trail_parse(laz_trail_find(cut, length), &line), "%zu", length);
        cr_expect_not(laz_trail_is_unchained(laz_trail_find(cut, length)), "%zu", length);
        free(cut);
    }
}

Test(trail, strings_have_one_form)
{
    static const struct {
        const char *string;
        bool fine;
    } rows[] = {{"", true}, {"a", true}, {"\\\"", true}, {"\\\\", true}, {"\\u0007", true},
            {"\xc3\xa4", true}, {"\\n", false}, {"\\/", false}, {"\\u00AF", false}, {"\\u1", false},
            {"\\", false}, {"\x01", false}, {"\x7f", false}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[512];
        struct laz_trail_line line;
        cr_assert_lt(snprintf(text, sizeof(text),
                             "{\"lz\":1,\"ev\":\"p\",\"sev\":1,\"seq\":7,\"task\":\"%s\",\"ctr\":"
                             "\"\",\"pid\":0,"
                             "\"exe\":\"\",\"obj\":\"\",\"act\":\"\",\"ts\":\"2026-11-21T23:59:01."
                             "123456Z\"" CHAIN LINK HASH ",\"d\":{}}",
                             rows[i].string),
                (int)sizeof(text));
        cr_expect_eq(laz_trail_parse(span_of(text), &line), rows[i].fine, "%s", rows[i].string);
    }
}

Test(trail, knows_records_of_no_chain)
{
    cr_assert(laz_trail_is_unchained(span_of(HEAD ",\"d\":{}}")));
    cr_assert_not(laz_trail_is_unchained(span_of(WHOLE)));
    cr_assert_not(laz_trail_is_unchained(span_of(HEAD ",\"d\":{}")));
}

Test(trail, reads_members_in_their_order_and_no_others)
{
    static const char text[] = "{\"a\":1,\"b\":\"x\",\"c\":\"00ff\"}";
    struct laz_trail_reader reader;
    const struct laz_span members = {.at = text + 1, .length = sizeof(text) - 3};
    uint64_t a = 0;
    struct laz_span b;
    uint8_t c[2];
    laz_trail_read_begin(&reader, members);
    cr_assert_not(laz_trail_read_string(&reader, "b", &b));
    cr_assert(laz_trail_read_u64(&reader, "a", &a));
    cr_assert_not(laz_trail_read_u64(&reader, "b", &a));
    cr_assert(laz_trail_read_string(&reader, "b", &b));
    cr_assert_not(laz_trail_read_done(&reader));
    cr_assert(laz_trail_read_hex(&reader, "c", c, sizeof(c)));
    cr_assert(laz_trail_read_done(&reader));
    cr_assert_eq(a, 1);
    cr_assert_eq(c[1], 0xff);
}
