/* SPDX-License-Identifier: Apache-2.0
 *
 * What an OSSEC agent says of a record, and authd's answers.
 */
#include "sink/ossec_text.h"

#include <stdio.h>
#include <stdlib.h>

#include <criterion/criterion.h>

#include "sink/ossec_enrol.h"

#define RECORD(ev, obj, d)                                                                         \
    "{\"lz\":1,\"ev\":\"" ev "\",\"sev\":6,\"seq\":9,\"task\":\"\",\"ctr\":\"web\",\"pid\":7,"     \
    "\"exe\":\"nc\",\"obj\":\"" obj "\",\"act\":\"a\",\"ts\":\"2026-11-21T23:59:01.123456Z\","     \
    "\"chain\":\"c1\",\"d\":{" d "}}"
#define HEAD  "2026-11-21T23:59:01.123456+00:00 host lazaret[1]: "
#define SUM_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define BEFORE                                                                                     \
    "\"before\":{\"kind\":\"file\",\"mode\":\"0644\",\"uid\":1,\"gid\":2,\"size\":3,\"sha256\":"   \
    "\"" SUM_A "\"}"
#define AFTER "\"after\":{\"kind\":\"file\",\"mode\":\"4755\",\"uid\":0,\"gid\":0,\"size\":9}"

struct told {
    struct laz_ossec_later later;
    struct laz_buf buf;
    char memory[8192];
};

static struct told *tell(const char *record, uint64_t now_ms, struct told *told)
{
    struct laz_form form;
    struct laz_err err = {0};
    char line[4096];
    (void)snprintf(line, sizeof(line), "%s\n", record);
    told->later.now_ms = now_ms;
    laz_form_init(&form, LAZ_FORMAT_OSSEC, "host");
    laz_buf_init_fixed(&told->buf, told->memory, sizeof(told->memory));
    cr_assert_eq(laz_ossec_text(&told->buf, &form, line, strlen(line), &told->later, &err), 0, "%s",
            err.message);
    cr_assert(!told->buf.overflow);
    laz_buf_char(&told->buf, '\0');
    return told;
}

Test(ossec_text, says_the_line_of_most_records)
{
    struct told *told = calloc(1, sizeof(*told));
    (void)tell(RECORD("exec.budget", "execve", ""), 0, told);
    cr_expect_str_eq(told->buf.data, "1:lazaret:" HEAD RECORD("exec.budget", "execve", ""));
    /* Not the events that stock rules know, but their like. */
    (void)tell(RECORD("net.listener", "x", ""), 0, told);
    cr_expect_eq(memcmp(told->buf.data, "1:", 2), 0);
    free(told);
}

Test(ossec_text, tells_of_ports_and_strangers_as_a_rootcheck_would)
{
    struct told *told = calloc(1, sizeof(*told));
    (void)tell(RECORD("net.listen", "tcp 4444 \\u001b", ""), 0, told);
    cr_expect_str_eq(told->buf.data,
            "9:rootcheck:Lazaret: ev \"net.listen\" obj \"tcp 4444 \\u001b\" act \"a\" exe "
            "\"nc\" pid 7 ctr \"web\" seq 9 chain \"c1\"");
    (void)tell(RECORD("exec.foreign", "sh", ""), 0, told);
    cr_expect_eq(memcmp(told->buf.data, "9:rootcheck:Lazaret: ev \"exec.foreign\"", 38), 0);
    free(told);
}

Test(ossec_text, tells_of_a_changed_file_twice_and_not_at_once)
{
    struct told *told = calloc(1, sizeof(*told));
    const char *text = NULL;
    (void)tell(RECORD("fim.change", "/app/x y", BEFORE "," AFTER), 1000, told);
    cr_expect_str_eq(told->buf.data, "8:syscheck:3:33188:1:2:xxx:xxx:" SUM_A " /app/x y");
    laz_ossec_later_keep(&told->later, 7);
    cr_expect_eq(laz_ossec_later_next(&told->later, 1000 + LAZ_OSSEC_LATER_MS - 1, &text), 0);
    cr_assert_neq(laz_ossec_later_next(&told->later, 1000 + LAZ_OSSEC_LATER_MS, &text), 0);
    cr_expect_str_eq(text, "8:syscheck:9:35309:0:0:xxx:xxx:xxx /app/x y");
    laz_ossec_later_drop(&told->later);
    cr_expect_eq(laz_ossec_later_next(&told->later, UINT64_MAX, &text), 0);
    (void)tell(RECORD("fim.change", "/gone", BEFORE), 0, told);
    laz_ossec_later_keep(&told->later, 8);
    told->later.is_ending = true;
    cr_assert_neq(laz_ossec_later_next(&told->later, 0, &text), 0);
    cr_expect_str_eq(text, "8:syscheck:-1 /gone");
    free(told);
}

Test(ossec_text, a_change_waits_once_and_has_arrived_when_all_of_it_is_sent)
{
    struct told *told = calloc(1, sizeof(*told));
    const char *text = NULL;
    (void)tell(RECORD("fim.change", "/a", BEFORE "," AFTER), 0, told); /* the kernel has no room */
    cr_expect_eq(told->later.n, 0);
    cr_expect_eq(laz_ossec_later_whole(&told->later, 4), 4);
    (void)tell(RECORD("fim.change", "/a", BEFORE "," AFTER), 0, told); /* offered again */
    laz_ossec_later_keep(&told->later, 5);
    (void)tell(RECORD("fim.change", "/b", BEFORE "," AFTER), 0, told);
    laz_ossec_later_keep(&told->later, 6);
    (void)tell(RECORD("net.listen", "tcp 4444", ""), 0, told);
    laz_ossec_later_keep(&told->later, 7);
    cr_expect_eq(told->later.n, 2);
    cr_expect_eq(laz_ossec_later_whole(&told->later, 7), 4);
    cr_assert_neq(laz_ossec_later_next(&told->later, UINT64_MAX, &text), 0);
    cr_expect_neq(strstr(text, " /a"), NULL, "%s", text);
    cr_expect_eq(laz_ossec_later_whole(&told->later, 7), 4, "it may not have been sent");
    laz_ossec_later_drop(&told->later);
    cr_expect_eq(laz_ossec_later_whole(&told->later, 7), 5);
    told->later.is_ending = true;
    (void)tell(RECORD("fim.change", "/c", BEFORE "," AFTER), 0, told);
    cr_expect_eq(memcmp(told->buf.data, "1:lazaret:", 10), 0, "one line: nobody waits for another");
    laz_ossec_later_forget(&told->later);
    cr_expect_eq(laz_ossec_later_next(&told->later, UINT64_MAX, &text), 0);
    free(told);
}

Test(ossec_text, says_the_line_where_a_change_cannot_be_told)
{
    static const struct {
        const char *name;
        const char *record;
    } rows[] = {
            {"a name with a line feed", RECORD("fim.change", "/a\\u000ab", BEFORE "," AFTER)},
            {"a name beyond ASCII", RECORD("fim.change", "/\\u00e9", BEFORE "," AFTER)},
            {"neither how it was nor how it is", RECORD("fim.change", "/x", "\"count\":1")},
            {"no path", RECORD("fim.change", "x", BEFORE "," AFTER)},
            {"no owner", RECORD("fim.change", "/x", "\"before\":{\"kind\":\"file\"}," AFTER)},
            {"no mode",
                    RECORD("fim.change", "/x",
                            "\"before\":{\"kind\":\"file\",\"mode\":\"9\","
                            "\"uid\":1,\"gid\":2}," AFTER)},
    };
    struct told *told = calloc(1, sizeof(*told));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void)tell(rows[i].record, 0, told);
        cr_expect_eq(memcmp(told->buf.data, "1:lazaret:", 10), 0, "%s", rows[i].name);
        cr_expect_eq(told->later.n, 0, "%s", rows[i].name);
    }
    for (size_t i = 0; i < LAZ_OSSEC_LATER_MAX; i++) {
        (void)tell(RECORD("fim.change", "/x", BEFORE "," AFTER), 0, told);
        laz_ossec_later_keep(&told->later, i + 1);
        cr_expect_eq(memcmp(told->buf.data, "8:", 2), 0);
    }
    (void)tell(RECORD("fim.change", "/x", BEFORE "," AFTER), 0, told);
    cr_expect_eq(memcmp(told->buf.data, "1:lazaret:", 10), 0, "no more can wait");
    free(told);
}

Test(ossec_enrol, reads_what_authd_answers)
{
    static const struct {
        const char *text;
        const char *line; /* NULL: */
        const char *why;
    } rows[] = {
            {"OSSEC K:'1024 task any 5a5a'", "1024 task any 5a5a", NULL},
            {"ERROR: Invalid password. Unable to add agent.", NULL,
                    "authd refuses: Invalid password. Unable to add agent."},
            {"ERROR: x\x1b[2J", NULL, "authd refuses: x"},
            {"OSSEC K:'1024 task any 5a5a", NULL, "not authd's answer: 27 bytes"},
            {"", NULL, "not authd's answer: 0 bytes"},
            {"ERROR: ", NULL, "not authd's answer: 7 bytes"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *line = NULL;
        size_t length = 0;
        struct laz_err err = {0};
        int result =
                laz_ossec_read_answer(rows[i].text, strlen(rows[i].text), &line, &length, &err);
        cr_assert_eq(result, rows[i].line == NULL ? -1 : 0, "%s", rows[i].text);
        if (rows[i].line == NULL) {
            cr_expect_eq(err.kind, LAZ_E_SINK);
            cr_expect_str_eq(err.message, rows[i].why, "%s", err.message);
        } else {
            cr_expect_eq(length, strlen(rows[i].line));
            cr_expect_eq(memcmp(line, rows[i].line, length), 0);
        }
    }
}
