/* SPDX-License-Identifier: Apache-2.0
 *
 * From packed records the lines come back byte for byte, and what is no packed record is none.
 */

#include <stdlib.h>

#include <criterion/criterion.h>

#include "tests/fixture/unpack.h"

#define MIDDLE                                                                                     \
    ",\"task\":\"t\",\"ctr\":\"c\",\"obj\":\"stdout\",\"ts\":\"2026-11-21T23:59:01.123456Z\","     \
    "\"chain\":\"00112233445566778899aabbccddeeff\""

static struct laz_span span_of(const char *text)
{
    return (struct laz_span){.at = text, .length = strlen(text)};
}

static void put(struct laz_buf *out, uint64_t seq, const char *middle, const char *members)
{
    const struct laz_packed record = {
            .seq = seq, .middle = span_of(middle), .members = span_of(members)};
    laz_packed_put(out, &record);
}

static void expect_lines(const struct laz_buf *packed, int result, const char *lines)
{
    struct laz_buf out;
    laz_buf_init_heap(&out, 1U << 22);
    cr_assert_eq(unpack_all(packed->data, packed->len, &out), result);
    cr_assert_eq(out.len, strlen(lines), "%.*s", (int)out.len, out.len > 0 ? out.data : "");
    cr_assert(out.len == 0 || memcmp(out.data, lines, out.len) == 0, "%s", out.data);
    laz_buf_done(&out);
}

Test(packed, lines_come_back_between_others)
{
    struct laz_buf packed;
    laz_buf_init_heap(&packed, 1U << 16);
    put(&packed, 9, MIDDLE, "\"msg\":\"a\"");
    put(&packed, 10, "", "");
    laz_buf_str(&packed, "{\"lz\":1,\"ev\":\"x\"}\n");
    put(&packed, UINT64_C(1) << 40, "", "\"msg\":\"b\"");
    put(&packed, 0, ",\"task\":\"\"", "1");
    laz_buf_str(&packed, "without an end");
    expect_lines(&packed, 1,
            "{\"lz\":1,\"ev\":\"log\",\"seq\":9" MIDDLE ",\"d\":{\"msg\":\"a\"}}\n"
            "{\"lz\":1,\"ev\":\"log\",\"seq\":10" MIDDLE ",\"d\":{}}\n"
            "{\"lz\":1,\"ev\":\"x\"}\n"
            "{\"lz\":1,\"ev\":\"log\",\"seq\":1099511627776" MIDDLE ",\"d\":{\"msg\":\"b\"}}\n"
            "{\"lz\":1,\"ev\":\"log\",\"seq\":0,\"task\":\"\",\"d\":{1}}\n"
            "without an end");
    laz_buf_done(&packed);
}

Test(packed, what_is_cut_anywhere_is_no_record_and_what_is_in_front_of_it_is)
{
    struct laz_buf packed;
    laz_buf_init_heap(&packed, 1U << 16);
    laz_buf_str(&packed, "line\n");
    put(&packed, 1, MIDDLE, "\"msg\":\"a\"");
    for (size_t cut = 1; cut < packed.len - 5; cut++) {
        struct laz_buf out;
        char *copy = malloc(packed.len - cut); /* so that a sanitizer sees what is read beyond it */
        cr_assert_not_null(copy);
        (void)memcpy(copy, packed.data, packed.len - cut);
        laz_buf_init_heap(&out, 1U << 16);
        cr_expect_eq(unpack_all(copy, packed.len - cut, &out), 0, "cut %zu", cut);
        cr_expect_str_eq(out.data, "line\n");
        laz_buf_done(&out);
        free(copy);
    }
    laz_buf_done(&packed);
}

Test(packed, a_record_without_a_middle_before_it_is_none)
{
    struct laz_buf packed;
    laz_buf_init_heap(&packed, 1U << 16);
    put(&packed, 1, "", "\"msg\":\"a\"");
    expect_lines(&packed, 0, "");
    laz_buf_done(&packed);
}

Test(packed, middle_and_members_are_a_record_long_at_most)
{
    static char many[LAZ_TRAIL_LINE_MAX];
    static const char middle[] = MIDDLE;
    struct laz_buf packed;
    struct laz_buf out;
    laz_buf_init_heap(&packed, 4U << 20);
    laz_buf_init_heap(&out, 8U << 20);
    (void)memset(many, 'x', sizeof(many) - 1);
    put(&packed, 1, middle, "");
    put(&packed, 2, "", many + sizeof(middle) - 2);
    cr_assert_eq(unpack_all(packed.data, packed.len, &out), 1, "as long as it may be");
    packed.len = 0;
    put(&packed, 1, middle, "");
    put(&packed, 2, "", many + sizeof(middle) - 3);
    cr_assert_eq(unpack_all(packed.data, packed.len, &out), 0, "one byte longer");
    laz_buf_done(&packed);
    laz_buf_done(&out);
}

Test(packed, asked_again_it_answers_the_same)
{
    struct laz_buf packed;
    struct laz_unpacker unpacker;
    struct laz_packed_item item;
    size_t length = 0;
    laz_buf_init_heap(&packed, 1U << 16);
    laz_unpack_init(&unpacker);
    put(&packed, 1, MIDDLE, "1");
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(laz_unpack_next(&unpacker, packed.data, packed.len, &item), 1);
        const char *line = laz_unpack_line(&unpacker, &item, &length);
        cr_assert_eq(length, strlen("{\"lz\":1,\"ev\":\"log\",\"seq\":1,\"d\":{1}}\n" MIDDLE));
        cr_assert_eq(line[length - 1], '\n');
    }
    laz_unpack_begin(&unpacker);
    packed.len = 0;
    put(&packed, 1, "", "1");
    cr_assert_eq(laz_unpack_next(&unpacker, packed.data, packed.len, &item), 0, "a new text");
    laz_unpack_done(&unpacker);
    laz_buf_done(&packed);
}

Test(packed, a_middle_is_made_anew_when_a_word_of_it_changes_even_in_the_same_place)
{
    char word[] = "stdout";
    struct laz_pack_middle middle;
    struct laz_record record = {.task = "t",
            .ctr = "c",
            .obj = word,
            .when = {.tv_sec = 1795305541, .tv_nsec = 123456000},
            .chain = "00112233445566778899aabbccddeeff"};
    laz_pack_middle_init(&middle);
    cr_assert_eq(laz_pack_middle_make(&middle, &record), 0);
    cr_assert_str_eq(middle.text.data, MIDDLE);
    cr_assert_eq(laz_pack_middle_make(&middle, &record), 1);
    word[3] = 'e';
    cr_assert_eq(laz_pack_middle_make(&middle, &record), 0);
    cr_assert_not_null(strstr(middle.text.data, "\"obj\":\"stdeut\""));
    record.when.tv_nsec += 1000;
    cr_assert_eq(laz_pack_middle_make(&middle, &record), 0);
    record.when.tv_sec++;
    cr_assert_eq(laz_pack_middle_make(&middle, &record), 0);
    cr_assert_eq(laz_pack_middle_make(&middle, &record), 1);
    laz_pack_middle_done(&middle);
}

Test(packed, a_middle_that_has_no_room_leaves_none_behind)
{
    static char many[2U << 20];
    struct laz_pack_middle middle;
    struct laz_record record = {.task = many, .ctr = "", .obj = "o", .chain = ""};
    laz_pack_middle_init(&middle);
    (void)memset(many, 'x', sizeof(many) - 1);
    cr_assert_eq(laz_pack_middle_make(&middle, &record), -1);
    record.task = "t";
    cr_assert_eq(laz_pack_middle_make(&middle, &record), 0);
    laz_pack_middle_done(&middle);
}
