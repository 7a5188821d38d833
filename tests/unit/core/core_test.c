/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/core: errors, buffers, numbers, JSON, records, SHA-256, descriptors.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/fd.h"
#include "core/json.h"
#include "core/num.h"
#include "core/record.h"
#include "core/sha256.h"

Test(err, keeps_the_first_cause)
{
    struct laz_err err = {0};
    cr_assert_eq(laz_err_set(&err, LAZ_E_POLICY_SYNTAX, 0, "first"), -1);
    cr_assert_eq(laz_err_set(&err, LAZ_E_INTERNAL, EPERM, "second"), -1);
    cr_assert_eq(err.kind, LAZ_E_POLICY_SYNTAX);
    cr_assert_str_eq(err.message, "first");
}

Test(err, says_of_a_system_call_what_errno_says_and_no_more_of_a_path_than_there_is_room_for)
{
    struct laz_err err = {0};
    errno = ENOENT;
    cr_assert_eq(laz_err_set_errno(&err, LAZ_E_MEMORY, "mmap"), -1);
    errno = EPERM; /* the first cause wins */
    cr_assert_eq(laz_err_set_errno(&err, LAZ_E_SYSTEM, "fork"), -1);
    cr_assert_eq(err.kind, LAZ_E_MEMORY);
    cr_assert_eq(err.sys_errno, ENOENT);
    cr_assert_str_eq(err.message, "mmap: No such file or directory");
    char path[LAZ_ERR_MESSAGE_MAX + 1] = {0};
    (void)memset(path, 'p', sizeof(path) - 1);
    err = (struct laz_err){0};
    cr_assert_eq(laz_err_set_errno(&err, LAZ_E_SYSTEM, path), -1);
    cr_assert_str_eq(err.message + 256, ": Operation not permitted");
}

Test(err, puts_context_before_the_message_and_cuts_what_is_too_long)
{
    struct laz_err err = {0};
    laz_err_set(&err, LAZ_E_SYSTEM, ENOENT, "open: no");
    laz_err_context(&err, "sink '%s'", "relp");
    cr_assert_str_eq(err.message, "sink 'relp': open: no");
    for (int i = 0; i < 100; i++) {
        laz_err_context(&err, "again and again");
    }
    cr_assert_lt(strlen(err.message), sizeof(err.message));
    cr_assert_eq(strncmp(err.message, "again and again: again", 22), 0);
}

Test(err, every_kind_has_a_unique_name_a_cause_a_remedy_and_a_documented_code)
{
    for (int kind = LAZ_E_NONE + 1; kind < LAZ_E_COUNT; kind++) {
        const char *name = laz_err_name((enum laz_err_kind)kind);
        int code = laz_err_exit_code((enum laz_err_kind)kind);
        cr_assert_gt(strlen(laz_err_cause((enum laz_err_kind)kind)), 10, "%s", name);
        cr_assert_gt(strlen(laz_err_remedy((enum laz_err_kind)kind)), 10, "%s", name);
        bool is_inits = (code >= 101 && code <= 109) || code == 126 || code == 127;
        cr_assert(is_inits || code == 1, "%s: %d", name, code); /* 1: of the host's programs */
        for (int other = kind + 1; other < LAZ_E_COUNT; other++) {
            cr_assert_str_neq(name, laz_err_name((enum laz_err_kind)other));
        }
    }
}

Test(err, knows_errnos_by_name)
{
    cr_assert_str_eq(laz_err_errno_name(EPERM), "EPERM");
    cr_assert_str_eq(laz_err_errno_name(ENOSYS), "ENOSYS");
    cr_assert_str_eq(laz_err_errno_name(4711), "E?");
}

Test(num, takes_plain_decimals_only)
{
    static const struct {
        const char *text;
        bool good;
        uint64_t value;
    } rows[] = {
            {"0", true, 0},
            {"18446744073709551615", true, UINT64_MAX},
            {"18446744073709551616", false, 0},
            {"99999999999999999999", false, 0},
            {"010", false, 0},
            {"", false, 0},
            {"-1", false, 0},
            {"+1", false, 0},
            {" 1", false, 0},
            {"1 ", false, 0},
            {"0x10", false, 0},
            {"1e3", false, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t value = 77;
        bool good = laz_parse_u64(rows[i].text, strlen(rows[i].text), UINT64_MAX, &value);
        cr_assert_eq(good, rows[i].good, "\"%s\"", rows[i].text);
        cr_assert_eq(value, good ? rows[i].value : 77, "\"%s\"", rows[i].text);
    }
    uint64_t value = 0;
    cr_assert(!laz_parse_u64("65536", 5, 65535, &value));
}

Test(num, counts_the_digits_in_front)
{
    cr_assert_eq(laz_count_digits(""), 0);
    cr_assert_eq(laz_count_digits("s"), 0);
    cr_assert_eq(laz_count_digits("0123456789"), 10);
    cr_assert_eq(laz_count_digits("15s2"), 2);
    cr_assert_eq(laz_count_digits("/0"), 0); /* beside 0 and 9 in ASCII */
    cr_assert_eq(laz_count_digits("9:"), 1);
}

Test(num, hexadecimal_goes_both_ways)
{
    uint8_t bytes[3] = {0};
    char text[7];
    cr_assert(laz_parse_hex("00fFa1", 6, bytes, 3));
    laz_format_hex(bytes, 3, text);
    cr_assert_str_eq(text, "00ffa1");
    cr_assert(!laz_parse_hex("00ff", 4, bytes, 3));
    cr_assert(!laz_parse_hex("00fg00", 6, bytes, 3));
}

Test(num, sums_and_products_do_not_wrap)
{
    size_t value = 0;
    cr_assert(laz_add_size(1, 2, &value) && value == 3);
    cr_assert(!laz_add_size(SIZE_MAX, 1, &value));
    cr_assert(!laz_mul_size(SIZE_MAX, 2, &value));
}

Test(buf, a_fixed_one_says_that_it_overflowed_and_keeps_what_fitted)
{
    char memory[8];
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, memory, sizeof(memory));
    laz_buf_str(&buf, "1234567");
    cr_assert(!buf.overflow);
    laz_buf_char(&buf, '8');
    cr_assert(buf.overflow);
    cr_assert_str_eq(buf.data, "1234567");
    laz_buf_str(&buf, "");
    cr_assert_eq(buf.len, 7);
}

/* Up to the last byte that fits, over it, and after that. */
Test(buf, adding_in_place_is_putting)
{
    char put_memory[8];
    char add_memory[8];
    for (size_t first = 0; first <= 9; first++) {
        struct laz_buf put;
        struct laz_buf add;
        laz_buf_init_fixed(&put, put_memory, sizeof(put_memory));
        laz_buf_init_fixed(&add, add_memory, sizeof(add_memory));
        const size_t lengths[] = {first, 3, 1, 0};
        for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
            laz_buf_put(&put, "123456789", lengths[i]);
            laz_buf_add(&add, "123456789", lengths[i]);
            cr_assert_eq(add.len, put.len, "%zu, then %zu: %zu bytes", first, i, add.len);
            cr_assert_eq(add.overflow, put.overflow, "%zu, then %zu", first, i);
            cr_assert_str_eq(add.data, put.data);
        }
    }
    struct laz_buf heap;
    laz_buf_init_heap(&heap, 1000);
    for (int i = 0; i < 333; i++) {
        laz_buf_add(&heap, "abc", 3);
    }
    cr_assert(!heap.overflow);
    cr_assert_eq(strlen(heap.data), 999);
    laz_buf_add(&heap, "d", 1);
    cr_assert(heap.overflow);
    cr_assert_eq(heap.len, 999);
    laz_buf_done(&heap);
}

Test(buf, one_on_the_heap_grows_to_its_ceiling_and_not_beyond)
{
    struct laz_buf buf;
    laz_buf_init_heap(&buf, 1000);
    for (int i = 0; i < 999; i++) {
        laz_buf_char(&buf, 'x');
    }
    cr_assert(!buf.overflow);
    cr_assert_eq(strlen(buf.data), 999);
    laz_buf_char(&buf, 'x');
    cr_assert(buf.overflow);
    laz_buf_done(&buf);
    cr_assert_null(buf.data);
}

static const char *as_json_string(const char *value, size_t length, char *memory, size_t size)
{
    struct laz_buf buf;
    struct laz_json json;
    laz_buf_init_fixed(&buf, memory, size);
    laz_json_init(&json, &buf);
    laz_json_bytes(&json, NULL, value, length);
    return memory;
}

Test(json, escapes_whatever_could_break_a_line_or_a_string)
{
    static const struct {
        const char *value;
        size_t length;
        const char *expected;
    } rows[] = {
            {"plain", 5, "\"plain\""}, {"a\"b\\c", 5, "\"a\\\"b\\\\c\""},
            {"a\nb\0c\x7f", 6, "\"a\\u000ab\\u0000c\\u007f\""},
            {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
            {"\xff", 1, "\"\\ufffd\""}, {"\xc0\xaf", 2, "\"\\ufffd\\ufffd\""}, /* overlong */
            {"\xed\xa0\x80", 3, "\"\\ufffd\\ufffd\\ufffd\""},                  /* surrogate */
            {"\xf4\x90\x80\x80", 4, "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},       /* above U+10FFFF */
            {"\xe2\x82", 2, "\"\\ufffd\\ufffd\""},                             /* cut short */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char memory[128];
        cr_assert_str_eq(as_json_string(rows[i].value, rows[i].length, memory, sizeof(memory)),
                rows[i].expected, "row %zu", i);
    }
}

Test(json, puts_commas_where_they_belong)
{
    char memory[256];
    struct laz_buf buf;
    struct laz_json json;
    laz_buf_init_fixed(&buf, memory, sizeof(memory));
    laz_json_init(&json, &buf);
    laz_json_object(&json, NULL);
    laz_json_u64(&json, "a", UINT64_MAX);
    laz_json_array(&json, "b");
    laz_json_i64(&json, NULL, -1);
    laz_json_object(&json, NULL);
    laz_json_object_end(&json);
    laz_json_bool(&json, NULL, false);
    laz_json_array_end(&json);
    laz_json_string(&json, "c", "");
    laz_json_object_end(&json);
    cr_assert_str_eq(memory, "{\"a\":18446744073709551615,\"b\":[-1,{},false],\"c\":\"\"}");
}

Test(record, has_its_keys_in_the_frozen_order)
{
    char memory[LAZ_RECORD_MAX];
    struct laz_buf buf;
    struct laz_json json;
    const struct laz_record record = {.ev = "seccomp.deny",
            .severity = 4,
            .seq = 10,
            .task = "t",
            .ctr = "app",
            .pid = 42,
            .exe = "/usr/bin/python3",
            .obj = "ptrace",
            .act = "EPERM",
            .when = {.tv_sec = 1795391941, .tv_nsec = 123456789}};
    laz_buf_init_fixed(&buf, memory, sizeof(memory));
    laz_record_begin(&json, &buf, &record);
    laz_json_u64(&json, "count", 1);
    cr_assert(laz_record_end(&json));
    cr_assert_str_eq(memory,
            "{\"lz\":1,\"ev\":\"seccomp.deny\",\"sev\":4,\"seq\":10,\"task\":\"t\",\"ctr\":\"app\","
            "\"pid\":42,\"exe\":\"/usr/bin/python3\",\"obj\":\"ptrace\",\"act\":\"EPERM\","
            "\"ts\":\"2026-11-22T23:59:01.123456Z\",\"d\":{\"count\":1}}\n");
}

Test(record, knows_the_calendar)
{
    static const struct {
        int64_t seconds;
        const char *expected;
    } rows[] = {
            {0, "1970-01-01T00:00:00"},
            {951782400, "2000-02-29T00:00:00"},
            {951868800, "2000-03-01T00:00:00"},
            {4107542400, "2100-03-01T00:00:00"},
            {1709251199, "2024-02-29T23:59:59"},
            {-1, "1969-12-31T23:59:59"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char memory[LAZ_RECORD_MAX];
        struct laz_buf buf;
        struct laz_json json;
        const struct laz_record record = {.ev = "",
                .task = "",
                .ctr = "",
                .exe = "",
                .obj = "",
                .act = "",
                .when = {.tv_sec = (time_t)rows[i].seconds}};
        laz_buf_init_fixed(&buf, memory, sizeof(memory));
        laz_record_begin(&json, &buf, &record);
        cr_assert_not_null(strstr(memory, rows[i].expected), "%s in %s", rows[i].expected, memory);
    }
}

Test(record, one_that_does_not_fit_is_refused_whole)
{
    char memory[64];
    struct laz_buf buf;
    struct laz_json json;
    const struct laz_record record = {
            .ev = "x", .task = "", .ctr = "", .exe = "", .obj = "", .act = ""};
    laz_buf_init_fixed(&buf, memory, sizeof(memory));
    laz_record_begin(&json, &buf, &record);
    cr_assert(!laz_record_end(&json));
}

/* The examples of FIPS 180-4's companion document, and the lengths around a block. */
Test(sha256, agrees_with_the_published_examples)
{
    static const struct {
        const char *text;
        const char *expected;
    } rows[] = {
            {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
            {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
            {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t digest[LAZ_SHA256_SIZE];
        char text[2 * LAZ_SHA256_SIZE + 1];
        laz_sha256_of(rows[i].text, strlen(rows[i].text), digest);
        laz_format_hex(digest, sizeof(digest), text);
        cr_assert_str_eq(text, rows[i].expected);
    }
}

Test(sha256, does_not_care_how_the_input_is_cut)
{
    uint8_t input[300];
    for (size_t i = 0; i < sizeof(input); i++) {
        input[i] = (uint8_t)(i * 7);
    }
    for (size_t length = 0; length <= sizeof(input); length++) {
        uint8_t whole[LAZ_SHA256_SIZE];
        uint8_t pieces[LAZ_SHA256_SIZE];
        laz_sha256_of(input, length, whole);
        struct laz_sha256 hash;
        laz_sha256_init(&hash);
        for (size_t at = 0; at < length;) {
            size_t n = at % 67 + 1 < length - at ? at % 67 + 1 : length - at;
            laz_sha256_add(&hash, input + at, n);
            at += n;
        }
        laz_sha256_end(&hash, pieces);
        cr_assert_arr_eq(whole, pieces, LAZ_SHA256_SIZE, "length %zu", length);
    }
}

Test(fd, reads_to_the_end_and_refuses_more_than_there_is_room_for)
{
    int fd = memfd_create("t", MFD_CLOEXEC);
    struct laz_err err = {0};
    cr_assert_eq(laz_fd_write_all(fd, "12345678", 8, &err), 0);
    char memory[8];
    size_t length = 0;
    cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
    cr_assert_eq(laz_fd_read_all(fd, memory, 8, &length, &err), 0, "exactly full");
    cr_assert_eq(length, 8);
    cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
    cr_assert_eq(laz_fd_read_all(fd, memory, 7, &length, &err), -1);
    cr_assert_eq(err.kind, LAZ_E_POLICY_TOO_LARGE);
    laz_fd_close(&fd);
    cr_assert_eq(fd, -1);
}
