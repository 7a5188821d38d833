/* SPDX-License-Identifier: Apache-2.0
 *
 * What was delivered to the workload is masked, in whatever way the workload writes it, however it
 * comes; what only begins or ends like it is not.
 */
#include <stdio.h>
#include <time.h>

#include "log/masks.h"
#include "reading.h"
#include "tests/fixture/canary.h"

#define MARK "[REDACTED:secret]"
/* A sanitizer's own memory is in no core either. */
#if defined(__SANITIZE_ADDRESS__)
#define IS_SHADOWED true
#else
#define IS_SHADOWED false
#endif
#define VALUE(text)                                                                                \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

static const struct laz_bytes values[] = {
        VALUE("hunter2-is-not-one"),
        VALUE("abc+1/"),
        VALUE("p@ss/w\"rd\\t\xC3\xA9n <&>"),
        VALUE("\x00\x01\xFE\xFFkey\n\x80\x7F{}\x10 binary"),
        VALUE("0123456789012345678901234567890123456789012345678901234567890123456789"
              "0123456789012345678901234567890123456789012345678901234567890123456789"),
};
#define N_VALUES (sizeof(values) / sizeof(values[0]))

static struct laz_redactor *hiding(const struct laz_bytes *secrets, size_t n)
{
    struct laz_redactor *redactor = redactor_of(ALL_PATTERNS, NULL, 0);
    struct laz_err err = {0};
    cr_assert_eq(laz_redactor_hide(redactor, secrets, n, &err), 0, "%s", err.message);
    return redactor;
}

static struct laz_redactor *hiding_text(const char *text)
{
    const struct laz_bytes secret = {.at = text, .length = strlen(text)};
    return hiding(&secret, 1);
}

static void expect_text(
        const struct laz_redactor *redactor, const char *bytes, size_t length, const char *expected)
{
    const struct laz_lines_options options = {.max_line = 65536, .redactor = redactor};
    struct reading reading;
    read_stream(&reading, &options, bytes, length, 0);
    cr_assert_str_eq(reading.text.data, expected, "\"%.*s\"", (int)length, bytes);
    reading_done(&reading);
}

static void fill(struct laz_buf *buf, size_t length, uint64_t seed)
{
    for (size_t i = 0; i < length; i++) {
        laz_buf_char(buf,
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[chance(
                        &seed, 64)]);
    }
}

/* Each value in each way, at all places of a vector's block, in lines that come in pieces and are
 * cut into parts. */
Test(secrets, masks_all_ways_split_over_reads_and_parts)
{
    struct laz_redactor *redactor = hiding(values, N_VALUES);
    const struct laz_lines_options options = {.max_line = LAZ_LINES_LEAST, .redactor = redactor};
    for (size_t i = 0; i < N_VALUES; i++) {
        for (int way = 0; way < CANARY_WAYS; way++) {
            for (size_t shift = 0; shift < 100; shift++) {
                struct laz_buf text;
                struct reading reading;
                laz_buf_init_heap(&text, 65536);
                laz_buf_printf(&text, "%*s<", (int)shift, "");
                canary_write(
                        &text, (enum canary_way)way, values[i].at, values[i].length, shift % 3);
                laz_buf_printf(&text, ">%*s\n", 80, "");
                bool is_raw = way == CANARY_RAW && memchr(values[i].at, '\n', values[i].length);
                cr_assert(is_raw ||
                        canary_find(text.data, text.len, values[i].at, values[i].length) != NULL);
                read_stream(&reading, &options, text.data, text.len, (uint32_t)(shift % 40));
                const char *found = canary_find(
                        reading.text.data, reading.text.len, values[i].at, values[i].length);
                cr_assert_null(found, "value %zu, way %d, at %zu: %s: %s", i, way, shift, found,
                        reading.text.data);
                cr_assert_gt(reading.counts[LAZ_REDACT_SECRET], 0, "value %zu, way %d", i, way);
                reading_done(&reading);
                laz_buf_done(&text);
            }
        }
    }
    laz_redactor_free(redactor);
}

Test(secrets, are_counted_by_their_kind_beside_the_policys)
{
    static const char *const literals[] = {"hunter", "of the policy"};
    static const char both[] = "hunter2-is-not-one hunter 123-45-6789 of the policy\n";
    struct laz_redactor *redactor = redactor_of(ALL_PATTERNS, literals, 2);
    struct laz_lines_options options = {.max_line = 1024, .redactor = redactor};
    struct laz_err err = {0};
    cr_assert_eq(laz_redactor_hide(redactor, values, N_VALUES, &err), 0);
    expect_records(&options, both,
            "\"msg\":\"" MARK " [REDACTED:literal] [REDACTED:ssn] [REDACTED:literal]\","
            "\"redacted\":{\"ssn\":1,\"literal\":2,\"secret\":1}\n");
    cr_assert_eq(laz_redactor_hide(redactor, NULL, 0, &err), 0); /* and then no more */
    expect_records(&options, both,
            "\"msg\":\"[REDACTED:literal]2-is-not-one [REDACTED:literal] [REDACTED:ssn] "
            "[REDACTED:literal]\",\"redacted\":{\"ssn\":1,\"literal\":3}\n");
    laz_redactor_free(redactor);
}

Test(secrets, of_less_than_six_bytes_are_not_masked)
{
    static const struct laz_bytes some[] = {VALUE("abcde"), VALUE("fghijk"), VALUE("lmnop\n")};
    struct laz_redactor *redactor = hiding(some, 3);
    expect_text(redactor, "abcde fghijk fghij lmnop\n", 25, "abcde " MARK " fghij " MARK "\n");
    laz_redactor_free(redactor);
}

/* What is at the end of a file is not at the end of what a program prints. */
Test(secrets, are_found_without_the_line_feed_at_their_end)
{
    static const struct laz_bytes some[] = {VALUE("hunter22\r\n")};
    struct laz_redactor *redactor = hiding(some, 1);
    expect_text(redactor, "hunter22!", 9, MARK "!");
    expect_text(redactor, "68756e7465723232;", 17, MARK ";");
    expect_text(redactor, "68756e74657232320d0a", 20, MARK "0d0a");
    laz_redactor_free(redactor);
}

#define PEM                                                                                        \
    "-----BEGIN PRIVATE KEY-----\n"                                                                \
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgevZzL1gdAFr88hb2\n"                           \
    "OF/2NxApJCzGCEDdfSp6VQO30hyhRANCAAQRWz+jn65BtOMvdyHKcvjBeBSDZH2r\n"                           \
    "1RTwjmYSi9R/zpBnuQ4EiMnCqfMPWiZqB4QdbAd0E7oH50VpuZ1P087G\n"                                   \
    "-----END PRIVATE KEY-----\n"

Test(secrets, are_masked_line_by_line_where_they_have_several)
{
    struct laz_redactor *redactor = hiding_text(PEM);
    struct laz_lines_options options = {.max_line = 1024, .redactor = redactor};
    expect_text(redactor, PEM, sizeof(PEM) - 1,
            "-----BEGIN PRIVATE KEY-----\n" MARK "\n" MARK "\n" MARK
            "\n-----END PRIVATE KEY-----\n");
    options.multiline_start = "^-----BEGIN"; /* joined to one record, they are found as well */
    expect_records(&options, PEM,
            "\"msg\":\"-----BEGIN PRIVATE KEY-----\\u000a" MARK "\\u000a" MARK "\\u000a" MARK
            "\\u000a-----END PRIVATE KEY-----\",\"redacted\":{\"secret\":3}\n");
    laz_redactor_free(redactor);
}

Test(secrets, do_not_make_logs_illegible_by_lines_that_say_nothing)
{
    struct laz_redactor *redactor = hiding_text(
            "{\n    \"items\": [\n        {\n        },\n    ],\n  \"password\": \"hunter2\"\n}\n");
    expect_text(redactor, "        },\n", 11, "        },\n");
    expect_text(redactor, "  \"items\": [\n", 13, "  \"items\": [\n"); /* with other blanks */
    expect_text(redactor, "  \"password\": \"hunter2\"\n", 24, MARK "\n");
    laz_redactor_free(redactor);
}

/* base64 and openssl write rows of 76 and of 64 digits, xxd -p of 60. */
Test(secrets, are_masked_in_rows_of_digits)
{
    struct laz_buf value;
    laz_buf_init_heap(&value, 65536);
    fill(&value, 700, 7);
    struct laz_redactor *redactor = hiding_text(value.data);
    static const struct {
        enum canary_way way;
        size_t width;
    } rows[] = {{CANARY_BASE64, 64}, {CANARY_BASE64, 76}, {CANARY_HEX, 60}, {CANARY_HEX_UPPER, 60}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_buf digits;
        struct laz_buf text;
        struct reading reading;
        const struct laz_lines_options options = {.max_line = 1024, .redactor = redactor};
        laz_buf_init_heap(&digits, 65536);
        laz_buf_init_heap(&text, 65536);
        canary_write(&digits, rows[i].way, value.data, value.len, 0);
        for (size_t at = 0; at < digits.len; at += rows[i].width) {
            size_t left = digits.len - at;
            laz_buf_put(&text, digits.data + at, left < rows[i].width ? left : rows[i].width);
            laz_buf_char(&text, '\n');
        }
        read_stream(&reading, &options, text.data, text.len, 0);
        for (size_t at = 0; at + 8 <= digits.len - rows[i].width; at += 8) {
            cr_assert_null(memmem(reading.text.data, reading.text.len, digits.data + at, 8),
                    "rows of %zu at %zu: %s", rows[i].width, at, reading.text.data);
        }
        reading_done(&reading);
        laz_buf_done(&digits);
        laz_buf_done(&text);
    }
    laz_redactor_free(redactor);
    laz_buf_done(&value);
}

/* No piece of 48 bytes of a long value is left, as it is, escaped and in base64, in lines that are
 * whole and that are cut. */
Test(secrets, that_are_long_are_masked_in_pieces)
{
    static const size_t lengths[] = {2047, 4095, 4096, 4097, 6143, 65536, 131073};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct laz_buf value;
        laz_buf_init_heap(&value, 1U << 20);
        fill(&value, lengths[i] - 9, 99 + i);
        laz_buf_str(&value, "\"quoted\"!");
        struct laz_redactor *redactor = hiding_text(value.data);
        for (size_t max_line = 1024; max_line <= 131072; max_line *= 2) {
            const struct laz_lines_options options = {.max_line = max_line, .redactor = redactor};
            struct laz_buf text;
            struct reading reading;
            laz_buf_init_heap(&text, 1U << 20);
            laz_buf_str(&text, "value: ");
            canary_write(
                    &text, max_line % 3 == 1 ? CANARY_RAW : CANARY_JSON, value.data, value.len, 0);
            laz_buf_str(&text, " and\n");
            canary_base64(&text, value.data, value.len, 0, "+/");
            read_stream(&reading, &options, text.data, text.len, 0);
            for (size_t at = 0; at + 48 < text.len; at += 24) {
                cr_assert_null(memmem(reading.text.data, reading.text.len, text.data + at, 48),
                        "%zu bytes in lines of %zu, at %zu", lengths[i], max_line, at);
            }
            reading_done(&reading);
            laz_buf_done(&text);
        }
        laz_redactor_free(redactor);
        laz_buf_done(&value);
    }
}

/* The beginning of a line is there, and has been looked at, when the secret is learned. */
Test(secrets, are_masked_in_a_line_that_was_there_before_they_were_known)
{
    struct laz_redactor *redactor = redactor_of(0, NULL, 0);
    const struct laz_lines_options options = {.max_line = 1024, .redactor = redactor};
    struct laz_lines *lines = NULL;
    struct laz_line line;
    struct laz_err err = {0};
    char text[] = "hunter2-is-not-one hunter2-is-not-one\nhunter2-is-not-one\n";
    cr_assert_eq(laz_lines_new(&options, &lines, &err), 0);
    cr_assert_eq(laz_lines_next(lines, text, 30, LAZ_LINES_OPEN, &line), 0);
    cr_assert_eq(laz_redactor_hide(redactor, values, N_VALUES, &err), 0);
    laz_lines_look_again(lines);
    cr_assert_eq(laz_lines_next(lines, text, sizeof(text) - 1, LAZ_LINES_OPEN, &line), 38);
    cr_assert_eq(line.length, sizeof(MARK " " MARK) - 1);
    cr_assert_arr_eq(line.text, MARK " " MARK, line.length);
    cr_assert_eq(laz_lines_next(lines, text + 38, 19, LAZ_LINES_OPEN, &line), 19);
    cr_assert_arr_eq(line.text, MARK, line.length);
    laz_lines_free(lines);
    laz_redactor_free(redactor);
}

/* ---- What is no line ---- */

static void expect_secrets(
        const struct laz_redactor *redactor, const char *text, const char *expected)
{
    struct laz_buf found;
    laz_buf_init_heap(&found, 4096);
    bool any = laz_redact_secrets(redactor, text, strlen(text), &found);
    cr_assert_eq(any, expected != NULL, "%s", text);
    cr_assert(!any || strcmp(found.data, expected) == 0, "%s: %s", text, found.data);
    laz_buf_done(&found);
}

Test(secrets, are_masked_in_names_and_paths_also_where_those_are_cut)
{
    char path[256];
    struct laz_redactor *redactor = hiding(values, N_VALUES);
    expect_secrets(redactor, "/tmp/hunter2-is-not-one/abc+1/x", "/tmp/" MARK "/" MARK "x");
    expect_secrets(redactor, "123-45-6789", NULL);     /* of events nothing else is taken out */
    expect_secrets(redactor, "hunter2-is-not-", MARK); /* comm has 15 bytes */
    expect_secrets(redactor, "a b c hunter2-i", "a b c " MARK);
    expect_secrets(redactor, "hunter2-is-not", NULL); /* this one is whole */
    (void)snprintf(path, sizeof(path), "/%0118dhunter2-", 0);
    cr_assert_eq(strlen(path), 127);
    (void)snprintf(path + 120, sizeof(path) - 120, "%s", "hunter2");
    char expected[256];
    (void)snprintf(expected, sizeof(expected), "%.120s" MARK, path);
    (void)snprintf(path + 120, sizeof(path) - 120, "%s", "hunter2-");
    expect_secrets(redactor, path, expected);
    laz_redactor_free(redactor);
    redactor = redactor_of(0, NULL, 0);
    expect_secrets(redactor, "hunter2-is-not-one", NULL);
    laz_redactor_free(redactor);
}

/* ---- Cost ---- */

static double seconds(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* In KiB: what a field of /proc/self/smaps has for the mappings that are in no core, of all of them
 * together. */
static long undumped(const char *field)
{
    char line[512];
    long value = 0;
    long sum = 0;
    FILE *file = fopen("/proc/self/smaps", "r");
    cr_assert_not_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, field, strlen(field)) == 0) {
            value = strtol(line + strlen(field), NULL, 10);
        } else if (strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " dd") != NULL &&
                strstr(line, " io") == NULL) {
            sum += value;
        }
    }
    (void)fclose(file);
    return sum;
}

Test(secrets, twenty_ordinary_ones_take_little_memory_and_are_in_no_core)
{
    static char texts[20][64];
    struct laz_bytes some[20];
    uint64_t state = 5;
    long before = undumped("Rss:");
    for (size_t i = 0; i < 20; i++) {
        for (size_t k = 0; k < 40; k++) {
            texts[i][k] = (char)(33 + chance(&state, 94));
        }
        some[i] = (struct laz_bytes){.at = texts[i], .length = 40};
    }
    struct laz_redactor *redactor = hiding(some, 20);
    long taken = undumped("Rss:") - before;
    cr_assert(taken > 0 && (IS_SHADOWED || taken <= 64), "%ld KiB", taken);
    laz_redactor_free(redactor);
    cr_assert(IS_SHADOWED || undumped("Rss:") == before);
}

/* The worst that may come: many, long, and alike; text that begins as they do, all the time. */
Test(secrets, cost_a_bounded_time_however_many_and_however_alike, .timeout = 120)
{
    enum {
        N = 64,
        LENGTH = 65536
    };
    static const size_t periods[] = {0, 7, 64};
    struct laz_bytes many[N];
    char *texts = malloc((size_t)N * LENGTH);
    cr_assert_not_null(texts);
    for (size_t p = 0; p < sizeof(periods) / sizeof(periods[0]); p++) {
        uint64_t state = 3;
        for (size_t i = 0; i < (size_t)N * LENGTH; i++) {
            texts[i] = periods[p] == 0
                    ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[chance(
                              &state, 64)]
                    : (char)('a' + (i % LENGTH) / (periods[p] * 64 + i / LENGTH) % 2);
            texts[i] = i % (61 + i / LENGTH) == 60 ? '\n' : texts[i];
        }
        for (size_t i = 0; i < N; i++) {
            many[i] = (struct laz_bytes){.at = texts + i * LENGTH, .length = LENGTH};
        }
        long before = undumped("Rss:");
        double began = seconds();
        struct laz_redactor *redactor = hiding(many, N);
        double made = seconds() - began;
        long taken = undumped("Rss:") - before;
        cr_assert(IS_SHADOWED || taken <= 5 * N * LENGTH / 1024, "%ld KiB", taken);
        /* what is nearly one of them, everywhere */
        struct laz_buf text;
        laz_buf_init_heap(&text, 2U << 20);
        for (size_t at = 0; text.len < (1U << 20); at = (at + 97) % ((size_t)N * LENGTH - 64)) {
            laz_buf_put(&text, texts + at, 55);
            laz_buf_str(&text, at % 3 == 0 ? "#" : "\n");
        }
        const struct laz_lines_options options = {.max_line = 65536, .redactor = redactor};
        struct reading reading;
        began = seconds();
        read_stream(&reading, &options, text.data, text.len, 0);
        double read = seconds() - began;
        cr_assert_leq(reading.work, 256 * (uint64_t)text.len, "%.1f looks a byte",
                (double)reading.work / (double)text.len);
        fprintf(stderr, "period %zu: made in %.3f s, %ld KiB; %.0f ns and %.1f looks a byte\n",
                periods[p], made, taken, read * 1e9 / (double)text.len,
                (double)reading.work / (double)text.len);
        reading_done(&reading);
        laz_buf_done(&text);
        laz_redactor_free(redactor);
    }
    free(texts);
}

/* ---- How they come ---- */

Test(masks, are_read_to_the_last_byte_or_not_at_all)
{
    static const struct {
        const char *bytes;
        size_t length;
        const char *why; /* NULL: fine */
    } rows[] = {
            {"", 0, NULL},
            {"\x06\0\0\0secret", 10, NULL},
            {"\x06\0\0\0secret\x07\0\0\0sec\0ret", 21, NULL},
            {"\x06\0\0", 3, "value 0 to mask has 0 bytes, of 3 that are left"},
            {"\x06\0\0\0secre", 9, "value 0 to mask has 6 bytes, of 9 that are left"},
            {"\x05\0\0\0secre", 9, "value 0 to mask has 5 bytes, of 9 that are left"},
            {"\x06\0\0\0secret\0", 11, "value 1 to mask has 0 bytes, of 1 that are left"},
            {"\x06\0\0\0secret\0\0\0\0", 14, "value 1 to mask has 0 bytes, of 4 that are left"},
            {"\x06\0\0\x01secret", 10, "value 0 to mask has 16777222 bytes, of 10 that are left"},
            {"\xff\xff\xff\xffsecret", 10,
                    "value 0 to mask has 4294967295 bytes, of 10 that are left"},
            {"\x02\0\x02\0secret", 10, "value 0 to mask has 131074 bytes, of 10 that are left"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_bytes found[LAZ_SHIP_MASKS_MAX];
        struct laz_err err = {0};
        size_t n = 0;
        int result = laz_masks_read(rows[i].bytes, rows[i].length, found, &n, &err);
        cr_expect_eq(result, rows[i].why == NULL ? 0 : -1, "row %zu", i);
        cr_expect_eq(err.kind, rows[i].why == NULL ? LAZ_E_NONE : LAZ_E_INTERNAL, "row %zu", i);
        cr_expect_str_eq(err.message, rows[i].why == NULL ? "" : rows[i].why);
        cr_expect(result < 0 || n == (rows[i].length + 9) / 10 - (i == 2));
    }
}

Test(masks, are_no_more_than_of_an_item)
{
    char bytes[(LAZ_SHIP_MASKS_MAX + 1) * 10];
    struct laz_bytes found[LAZ_SHIP_MASKS_MAX];
    struct laz_err err = {0};
    size_t n = 0;
    for (size_t i = 0; i <= LAZ_SHIP_MASKS_MAX; i++) {
        (void)memcpy(bytes + 10 * i, "\x06\0\0\0secret", 10);
    }
    cr_assert_eq(laz_masks_read(bytes, sizeof(bytes) - 10, found, &n, &err), 0);
    cr_assert_eq(n, LAZ_SHIP_MASKS_MAX);
    cr_assert_eq(laz_masks_read(bytes, sizeof(bytes), found, &n, &err), -1);
    cr_assert_str_eq(err.message, "more than 514 values to mask");
}
