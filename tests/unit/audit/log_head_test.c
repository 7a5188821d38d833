/* SPDX-License-Identifier: Apache-2.0
 *
 * A head that was made once and changed is the head that is made anew, byte for byte.
 */
#include "audit/log_head.h"

#include <criterion/criterion.h>

static const struct laz_record usual = {.ev = "log",
        .seq = 1,
        .task = "task",
        .ctr = "\"seq\":5",
        .pid = 7,
        .exe = "",
        .obj = "stdout",
        .act = "",
        .when = {.tv_sec = 1800000000, .tv_nsec = 5000},
        .chain = "00"};

static void expect_same(struct laz_log_head *head, const struct laz_record *record)
{
    struct laz_json json;
    struct laz_buf anew;
    laz_buf_init_heap(&anew, 1U << 16);
    laz_record_begin(&json, &anew, record);
    cr_assert(laz_log_head_make(head, record));
    cr_assert_eq(head->text.len, anew.len);
    cr_assert_arr_eq(head->text.data, anew.data, anew.len, "%s", anew.data);
    laz_buf_done(&anew);
}

Test(log_head, follows_the_number_over_every_change_of_its_length)
{
    struct laz_log_head head;
    struct laz_record record = usual;
    laz_log_head_init(&head);
    for (record.seq = 0; record.seq < 12000; record.seq++) {
        expect_same(&head, &record);
    }
    for (uint64_t seq = 1; seq < UINT64_MAX / 10; seq *= 10) {
        record.seq = seq - 1;
        expect_same(&head, &record);
        record.seq = seq;
        expect_same(&head, &record);
    }
    record.seq = UINT64_MAX;
    expect_same(&head, &record);
    record.seq = 3; /* a resumed chain may stand anywhere */
    expect_same(&head, &record);
    laz_log_head_done(&head);
}

Test(log_head, sees_every_member_change_even_in_the_same_place)
{
    struct laz_log_head head;
    char word[] = "stdout";
    struct laz_record record = usual;
    laz_log_head_init(&head);
    record.obj = word;
    expect_same(&head, &record);
    word[3] = 'e';
    expect_same(&head, &record);
    word[3] = '\0';
    expect_same(&head, &record);
    record.ev = "logs";
    expect_same(&head, &record);
    record.exe = "/bin/\"a\"";
    expect_same(&head, &record);
    record.act = "x";
    expect_same(&head, &record);
    record.pid = -1;
    expect_same(&head, &record);
    record.severity = 3;
    expect_same(&head, &record);
    record.when.tv_nsec = 6000;
    expect_same(&head, &record);
    record.when.tv_sec++;
    expect_same(&head, &record);
    laz_log_head_done(&head);
}

Test(log_head, a_record_that_has_no_room_leaves_none_behind)
{
    struct laz_log_head head;
    static char memory[2U << 20];
    struct laz_record record = usual;
    laz_log_head_init(&head);
    (void)memset(memory, 'x', sizeof(memory) - 1);
    record.exe = memory;
    cr_assert(!laz_log_head_make(&head, &record));
    expect_same(&head, &usual);
    laz_log_head_done(&head);
}
