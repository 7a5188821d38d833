/* SPDX-License-Identifier: Apache-2.0
 *
 * Records as syslog messages: the header's fields, and what never becomes one.
 */
#include "sink/syslog_codec.h"

#include <stdio.h>

#include <criterion/criterion.h>

#define WHEN "2026-11-21T23:59:01.123456Z"
#define RECORD(ev, ts)                                                                             \
    "{\"lz\":1,\"ev\":\"" ev "\",\"sev\":1,\"seq\":0,\"task\":\"\",\"ctr\":\"web\",\"pid\":1,"     \
    "\"exe\":\"\",\"obj\":\"\",\"act\":\"\",\"ts\":\"" ts "\",\"d\":{}}"

struct put {
    struct laz_buf buf;
    struct laz_err err;
    int result;
    char memory[2048];
};

static void put(struct put *put, int severity, const char *text, size_t length)
{
    struct laz_syslog_origin origin;
    laz_syslog_origin_init(&origin, "host.example", 42);
    put->err = (struct laz_err){0};
    laz_buf_init_fixed(&put->buf, put->memory, sizeof(put->memory));
    put->result = laz_syslog_put(&put->buf, &origin, severity, text, length, &put->err);
}

Test(syslog_codec, makes_the_header_of_the_record)
{
    static const struct {
        const char *text;
        const char *message;
    } rows[] = {
            {RECORD("seccomp.deny", WHEN) "\n",
                    "<110>1 " WHEN
                    " host.example lazaret 42 seccomp.deny - " RECORD("seccomp.deny", WHEN)},
            {RECORD("a-b.c9", WHEN) "\n",
                    "<110>1 " WHEN " host.example lazaret 42 a-b.c9 - " RECORD("a-b.c9", WHEN)},
            {RECORD("abcdefghijklmnopqrstuvwxyz012345", WHEN) "\n",
                    "<110>1 " WHEN
                    " host.example lazaret 42 abcdefghijklmnopqrstuvwxyz012345 - " RECORD(
                            "abcdefghijklmnopqrstuvwxyz012345", WHEN)},
            /* No MSGID: 33 letters, none, one that would be another field, one that is none. */
            {RECORD("abcdefghijklmnopqrstuvwxyz0123456", WHEN) "\n",
                    "<110>1 " WHEN " host.example lazaret 42 - - " RECORD(
                            "abcdefghijklmnopqrstuvwxyz0123456", WHEN)},
            {RECORD("", WHEN) "\n",
                    "<110>1 " WHEN " host.example lazaret 42 - - " RECORD("", WHEN)},
            {RECORD("a b", WHEN) "\n",
                    "<110>1 " WHEN " host.example lazaret 42 - - " RECORD("a b", WHEN)},
            {RECORD("a\xc3\xa9", WHEN) "\n",
                    "<110>1 " WHEN " host.example lazaret 42 - - " RECORD("a\xc3\xa9", WHEN)},
            /* No time: cut, of another form. */
            {RECORD("a", "2026-11-21") "\n",
                    "<110>1 - host.example lazaret 42 a - " RECORD("a", "2026-11-21")},
            {RECORD("a", "2026-11-21T23:59:01.123456+") "\n",
                    "<110>1 - host.example lazaret 42 a - " RECORD(
                            "a", "2026-11-21T23:59:01.123456+")},
            {RECORD("a", "2026-11-21T23:59:01.123456ZZ") "\n",
                    "<110>1 - host.example lazaret 42 a - " RECORD(
                            "a", "2026-11-21T23:59:01.123456ZZ")},
            {RECORD("a", "2026-11-21 23:59:01.123456Z") "\n",
                    "<110>1 - host.example lazaret 42 a - " RECORD(
                            "a", "2026-11-21 23:59:01.123456Z")},
            {"{\"lz\":1,\"ev\":\"a\"}\n",
                    "<110>1 - host.example lazaret 42 a - {\"lz\":1,\"ev\":\"a\"}"},
            /* A key inside a string has backslashes, and is none. */
            {"{\"lz\":1,\"ev\":\"a\",\"obj\":\",\\\"ts\\\":\\\"1999-01-01T00:00:00.000000Z\\\"\","
             "\"ts\":\"" WHEN "\"}\n",
                    "<110>1 " WHEN " host.example lazaret 42 a - "
                    "{\"lz\":1,\"ev\":\"a\",\"obj\":\",\\\"ts\\\":\\\"1999-01-01T00:00:00."
                    "000000Z\\\"\",\"ts\":\"" WHEN "\"}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct put it;
        put(&it, 1, rows[i].text, strlen(rows[i].text));
        cr_assert_eq(it.result, 0, "%s: %s", rows[i].text, it.err.message);
        cr_assert_str_eq(it.buf.data, rows[i].message);
    }
}

Test(syslog_codec, refuses_what_is_no_record_in_one_line)
{
    static const struct {
        const char *text;
        const char *message;
    } rows[] = {
            {"\n", "it does not begin as a record"},
            {"words\n", "it does not begin as a record"},
            {" " RECORD("a", WHEN) "\n", "it does not begin as a record"},
            {"{\"lz\":1,\"ev\":\"", "it does not begin as a record"},
            {"{\"lz\":1,\"ev\":\"\n", "it does not end as a record"},
            {"{\"lz\":2,\"ev\":\"a\"}\n", "it does not begin as a record"},
            {RECORD("a", WHEN), "it does not end as a record"},
            {RECORD("a", WHEN) " ", "it does not end as a record"},
            {RECORD("a", WHEN) "\r\n", "it does not end as a record"},
            {RECORD("a", WHEN) "\n\n", "it does not end as a record"},
            {RECORD("a", WHEN) "\n" RECORD("a", WHEN) "\n", "its byte 132 is 0x0a"},
            {RECORD("a\t", WHEN) "\n", "its byte 15 is 0x09"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct put it;
        put(&it, 1, rows[i].text, strlen(rows[i].text));
        cr_assert_eq(it.result, -1, "%s", rows[i].text);
        cr_assert_eq(it.err.kind, LAZ_E_SINK);
        cr_assert_str_eq(it.err.message, rows[i].message, "%s: %s", rows[i].text, it.err.message);
        cr_assert_eq(it.buf.len, 0, "something was appended");
    }
}

Test(syslog_codec, lets_no_control_character_through)
{
    for (unsigned c = 0; c < 256; c++) {
        char text[] = RECORD("a", WHEN) "\n";
        struct put it;
        text[100] = (char)c;
        put(&it, 1, text, sizeof(text) - 1);
        cr_assert_eq(it.result, c < 0x20 || c == 0x7f ? -1 : 0, "0x%02x", c);
    }
}

Test(syslog_codec, maps_severities)
{
    static const unsigned priorities[] = {110, 110, 109, 109, 108, 108, 107, 107, 106, 106, 105};
    for (int severity = -1; severity < 13; severity++) {
        struct put it;
        char start[16];
        int index = severity < 0 ? 0 : severity > 10 ? 10 : severity;
        put(&it, severity, RECORD("a", WHEN) "\n", sizeof(RECORD("a", WHEN)));
        (void)snprintf(start, sizeof(start), "<%u>1 ", priorities[index]);
        cr_assert_eq(
                strncmp(it.buf.data, start, strlen(start)), 0, "%d: %s", severity, it.buf.data);
    }
}

Test(syslog_codec, takes_a_host_only_if_it_is_a_field)
{
    static char longest[LAZ_SYSLOG_HOST_MAX + 2];
    (void)memset(longest, 'a', LAZ_SYSLOG_HOST_MAX);
    const struct {
        const char *host;
        const char *taken;
    } rows[] = {
            {"web-1.example", "web-1.example"},
            {"2001:db8::1", "2001:db8::1"},
            {longest, longest},
            {"", "-"},
            {"a b", "-"},
            {"a\n", "-"},
            {"a\x7f", "-"},
            {"caf\xc3\xa9", "-"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_syslog_origin origin;
        laz_syslog_origin_init(&origin, rows[i].host, 1);
        cr_assert_str_eq(origin.host, rows[i].taken, "%s", rows[i].host);
    }
    struct laz_syslog_origin origin;
    longest[LAZ_SYSLOG_HOST_MAX] = 'a';
    laz_syslog_origin_init(&origin, longest, 1);
    cr_assert_str_eq(origin.host, "-");
}

Test(syslog_codec, keeps_to_its_ceiling)
{
    struct laz_syslog_origin origin;
    char host[LAZ_SYSLOG_HOST_MAX + 1] = {0};
    char memory[1024];
    struct laz_buf buf;
    struct laz_err err = {0};
    const char text[] = RECORD("abcdefghijklmnopqrstuvwxyz012345", WHEN) "\n";
    (void)memset(host, 'h', LAZ_SYSLOG_HOST_MAX);
    laz_syslog_origin_init(&origin, host, UINT32_MAX);
    laz_buf_init_fixed(&buf, memory, sizeof(memory));
    cr_assert_eq(laz_syslog_put(&buf, &origin, 0, text, sizeof(text) - 1, &err), 0);
    cr_assert_leq(buf.len - (sizeof(text) - 2), LAZ_SYSLOG_HEAD_MAX);
    laz_buf_init_fixed(&buf, memory, 100);
    cr_assert_eq(laz_syslog_put(&buf, &origin, 0, text, sizeof(text) - 1, &err), 0);
    cr_assert(buf.overflow);
}
