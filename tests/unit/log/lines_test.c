/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines, parts and joined lines: what a stream becomes does not depend on how it came, and nothing
 * of it is lost.
 */
#include "reading.h"
#include "tests/fixture/redact.h"

#define LEAST LAZ_LINES_LEAST

static const struct laz_lines_options plain = {.max_line = 1024};
static const struct laz_lines_options joining = {.max_line = 1024, .multiline_start = "^\\S"};
static const struct laz_lines_options narrow = {.max_line = LEAST};

Test(lines, end_with_a_line_feed_and_the_last_need_not)
{
    expect_records(&plain, "", "");
    expect_records(&plain, "a\n", "\"msg\":\"a\"\n");
    expect_records(&plain, "\n\n", "\"msg\":\"\"\n\"msg\":\"\"\n");
    expect_records(&plain, "a\r\nb", "\"msg\":\"a\\u000d\"\n\"msg\":\"b\",\"eol\":false\n");
}

Test(lines, wait_for_their_end)
{
    struct laz_lines *lines = NULL;
    struct laz_err err = {0};
    struct laz_line line;
    cr_assert_eq(laz_lines_new(&plain, &lines, &err), 0);
    cr_assert_eq(laz_lines_next(lines, "ab", 2, LAZ_LINES_OPEN, &line), 0);
    cr_assert_eq(laz_lines_next(lines, "abc", 3, LAZ_LINES_WAITED, &line), 0);
    cr_assert_eq(laz_lines_next(lines, "abc\nd", 5, LAZ_LINES_OPEN, &line), 4);
    cr_assert_eq(line.length, 3);
    cr_assert(line.eol);
    cr_assert_eq(laz_lines_next(lines, "d", 1, LAZ_LINES_OPEN, &line), 0);
    cr_assert_eq(laz_lines_next(lines, "d", 1, LAZ_LINES_END, &line), 1);
    cr_assert(!line.eol);
    cr_assert_eq(laz_lines_next(lines, "", 0, LAZ_LINES_END, &line), 0);
    laz_lines_free(lines);
}

Test(lines, that_are_too_long_become_parts)
{
    char text[LEAST + 4];
    struct laz_buf expected;
    (void)memset(text, 'x', sizeof(text));
    (void)memcpy(text + LEAST, "yz\n", 4);
    laz_buf_init_heap(&expected, 1024);
    laz_buf_printf(&expected,
            "\"msg\":\"%.*s\",\"eol\":false,\"part\":1,\"more\":true\n"
            "\"msg\":\"yz\",\"part\":2\n",
            LEAST, text);
    expect_records(&narrow, text, expected.data);
    (void)memcpy(text + LEAST, "\n", 2); /* as long as it may be */
    expected.len = 0;
    laz_buf_printf(&expected, "\"msg\":\"%.*s\"\n", LEAST, text);
    expect_records(&narrow, text, expected.data);
    laz_buf_done(&expected);
}

Test(lines, are_not_cut_inside_a_character)
{
    static const char character[] = "\xF0\x9F\x98\x80";
    for (size_t shift = 0; shift < 8; shift++) {
        char text[2 * LEAST + 1] = {0};
        struct reading reading;
        (void)memset(text, 'x', 2 * LEAST);
        (void)memcpy(text + LEAST - shift, character, 4);
        read_stream(&reading, &narrow, text, 2 * LEAST, 0);
        cr_assert_null(strstr(reading.records.data, "raw"), "%zu", shift);
        cr_assert_not_null(strstr(reading.records.data, character), "%zu", shift);
        cr_assert_eq(reading.text.len, 2 * LEAST);
        reading_done(&reading);
    }
}

Test(lines, that_are_not_text_are_cut_anywhere)
{
    char text[4 * LEAST];
    struct reading reading;
    (void)memset(text, 0x80, sizeof(text));
    read_stream(&reading, &narrow, text, sizeof(text), 0);
    cr_assert_eq(reading.n_records, 4);
    cr_assert_eq(reading.text.len, sizeof(text));
    cr_assert_arr_eq(reading.text.data, text, sizeof(text));
    reading_done(&reading);
}

Test(lines, of_one_record_are_joined)
{
    expect_records(&joining, "one\n  two\n\tthree\nfour\n",
            "\"msg\":\"one\\u000a  two\\u000a\\u0009three\"\n\"msg\":\"four\"\n");
    expect_records(&joining, "  first\n  second\nthird",
            "\"msg\":\"  first\\u000a  second\"\n\"msg\":\"third\",\"eol\":false\n");
    expect_records(&joining, "one\n  two", "\"msg\":\"one\\u000a  two\",\"eol\":false\n");
    expect_records(&joining, "one\n\n\ntwo\n", "\"msg\":\"one\\u000a\\u000a\"\n\"msg\":\"two\"\n");
}

Test(lines, that_wait_for_others_go_when_nothing_comes)
{
    struct laz_lines *lines = NULL;
    struct laz_err err = {0};
    struct laz_line line;
    cr_assert_eq(laz_lines_new(&joining, &lines, &err), 0);
    cr_assert_eq(laz_lines_next(lines, "a\n b\n c", 7, LAZ_LINES_OPEN, &line), 0);
    cr_assert_eq(laz_lines_next(lines, "a\n b\n c", 7, LAZ_LINES_WAITED, &line), 5);
    cr_assert_eq(line.length, 4);
    cr_assert(line.eol && !line.more && line.part == 0);
    /* what comes later begins a record of its own */
    cr_assert_eq(laz_lines_next(lines, " c\nd\n", 5, LAZ_LINES_OPEN, &line), 3);
    cr_assert_eq(line.length, 2);
    laz_lines_free(lines);
}

Test(lines, that_are_joined_become_parts_at_their_ends)
{
    static const struct laz_lines_options options = {.max_line = LEAST, .multiline_start = "^\\S"};
    struct laz_buf text;
    laz_buf_init_heap(&text, 4096);
    laz_buf_printf(&text, "a%040d\n %040d\n %0100d\n b\nc\n", 1, 2, 3);
    struct laz_buf expected;
    laz_buf_init_heap(&expected, 4096);
    laz_buf_printf(&expected,
            "\"msg\":\"a%040d\",\"part\":1,\"more\":true\n"
            "\"msg\":\" %040d\",\"part\":2,\"more\":true\n"
            "\"msg\":\" %063d\",\"eol\":false,\"part\":3,\"more\":true\n"
            "\"msg\":\"%037d\\u000a b\",\"part\":4\n"
            "\"msg\":\"c\"\n",
            1, 2, 0, 3);
    expect_records(&options, text.data, expected.data);
    laz_buf_done(&text);
    laz_buf_done(&expected);
}

Test(lines, are_cut_in_front_of_what_is_redacted)
{
    struct laz_redactor *redactor = redactor_of(ALL_PATTERNS, NULL, 0);
    const struct laz_lines_options options = {.max_line = LEAST, .redactor = redactor};
    struct laz_buf text;
    struct laz_buf expected;
    laz_buf_init_heap(&text, 4096);
    laz_buf_init_heap(&expected, 4096);
    laz_buf_printf(&text, "%059d 123-45-6789 \n", 0);
    laz_buf_printf(&expected,
            "\"msg\":\"%059d \",\"eol\":false,\"part\":1,\"more\":true\n"
            "\"msg\":\"[REDACTED:ssn] \",\"part\":2,\"redacted\":{\"ssn\":1}\n",
            0);
    expect_records(&options, text.data, expected.data);
    laz_buf_done(&text);
    laz_buf_done(&expected);
    laz_redactor_free(redactor);
}

/* However long it is: it may not be there yet. */
Test(lines, are_judged_by_as_much_of_them_as_a_record_takes)
{
    static const struct laz_lines_options options = {.max_line = LEAST, .multiline_start = "x$"};
    struct laz_buf text;
    struct laz_buf expected;
    laz_buf_init_heap(&text, 4096);
    laz_buf_init_heap(&expected, 4096);
    laz_buf_printf(&text, "y\n%063dxb\n", 0);
    laz_buf_printf(&expected,
            "\"msg\":\"y\"\n"
            "\"msg\":\"%063dx\",\"eol\":false,\"part\":1,\"more\":true\n"
            "\"msg\":\"b\",\"part\":2\n",
            0);
    expect_records(&options, text.data, expected.data);
    laz_buf_done(&text);
    laz_buf_done(&expected);
}

/* The worst that a line can be: each byte is six in JSON, and all of it is in base64 as well. */
Test(lines, of_the_longest_fit_a_record_whatever_they_are)
{
    static const unsigned char rows[] = {0x00, 0xFF, '"', 'x'};
    const struct laz_lines_options widest = {.max_line = LAZ_LINES_MOST};
    char *text = malloc(LAZ_LINES_MOST + 1);
    cr_assert_not_null(text);
    for (size_t i = 0; i < sizeof(rows); i++) {
        struct reading reading;
        (void)memset(text, rows[i], LAZ_LINES_MOST);
        text[LAZ_LINES_MOST] = '\n';
        read_stream(&reading, &widest, text, LAZ_LINES_MOST + 1, 0);
        cr_assert_eq(reading.n_records, 1, "%02x: %zu", rows[i], reading.n_records);
        cr_assert_eq(reading.text.len, LAZ_LINES_MOST + 1);
        cr_assert_arr_eq(reading.text.data, text, LAZ_LINES_MOST + 1);
        reading_done(&reading);
    }
    free(text);
}

Test(lines, redacted_to_more_than_fits_become_parts)
{
    static const char *const literals[] = {"abcd"};
    struct laz_redactor *redactor = redactor_of(0, literals, 1);
    const struct laz_lines_options widest = {.max_line = LAZ_LINES_MOST, .redactor = redactor};
    char *text = malloc(LAZ_LINES_MOST);
    struct reading reading;
    cr_assert_not_null(text);
    for (size_t i = 0; i < LAZ_LINES_MOST; i++) {
        text[i] = "abcd"[i % 4];
    }
    read_stream(&reading, &widest, text, LAZ_LINES_MOST, 0);
    cr_assert_gt(reading.n_records, 1);
    cr_assert_eq(reading.counts[LAZ_REDACT_LITERAL], LAZ_LINES_MOST / 4);
    cr_assert_null(strstr(reading.records.data, "abcd"));
    reading_done(&reading);
    laz_redactor_free(redactor);
    free(text);
}

/* ---- Whatever comes ---- */

#define STREAM_MAX 60000

/* Pieces of what logs are made of, and of what they should not be. */
static size_t make_stream(uint64_t *state, char *ret)
{
    static const char *const pieces[] = {"\n", "\n", "\n ", "x", " ", "\r\n", "123-45-6789",
            "4111 1111 1111 1111", "4111-1111", "eyJhbGciOiJIUzI1NiJ9.e30.c2ln",
            "eyJhbGciOiJIUzI1NiJ9", ".", "MRN-1234567", "MRN-12345678", "AKIAIOSFODNN7EXAMPLE",
            "aws_secret_access_key=", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "hunter22",
            "hunt", "er22", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xFF", "\xE2\x80\xAE",
            "\"", "\\", "\t", "0", "-", "the quick brown fox "};
    size_t length = 0;
    bool dense = chance(state, 2) == 0;
    while (length + 64 < STREAM_MAX) {
        const char *piece = pieces[chance(state, sizeof(pieces) / sizeof(pieces[0]))];
        size_t n = strlen(piece);
        if (piece[0] == '\n' && !dense && chance(state, 200) != 0) {
            continue; /* lines of some thousand bytes */
        }
        (void)memcpy(ret + length, piece, n);
        length += n;
        ret[length] = '\0';
        length += chance(state, 50) == 0 ? 1 : 0; /* a NUL */
    }
    return length;
}

static const struct {
    size_t max_line;
    const char *start;
    bool redacts;
} ways[] = {{LEAST, NULL, false}, {LEAST, NULL, true}, {1000, NULL, true}, {100, "^\\S", true},
        {1000, "^\\S", false}, {5000, "x$", true}};

Test(lines, are_the_same_however_they_come, .timeout = 120)
{
    static const char *const literals[] = {"hunter22"};
    static char stream[STREAM_MAX];
    struct laz_redactor *redactor = redactor_of(ALL_PATTERNS, literals, 1);
    uint64_t state = 4711;
    for (size_t round = 0; round < 60; round++) {
        size_t way = round % (sizeof(ways) / sizeof(ways[0]));
        const struct laz_lines_options options = {.max_line = ways[way].max_line,
                .multiline_start = ways[way].start,
                .redactor = ways[way].redacts ? redactor : NULL};
        size_t length = make_stream(&state, stream);
        struct reading whole;
        struct reading pieces;
        read_stream(&whole, &options, stream, length, 0);
        static const uint32_t sizes[] = {1, 7, 100, 4096, 30000};
        for (size_t i = round % 5 == 0 ? 0 : 1; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            read_stream(&pieces, &options, stream, length, sizes[i]);
            cr_assert_eq(whole.n_records, pieces.n_records, "round %zu, size %u", round, sizes[i]);
            cr_assert_eq(whole.records.len, pieces.records.len, "round %zu", round);
            cr_assert_arr_eq(whole.records.data, pieces.records.data, whole.records.len);
            reading_done(&pieces);
        }
        if (!ways[way].redacts) {
            cr_assert_eq(whole.text.len, length);
            cr_assert_arr_eq(whole.text.data, stream, length);
        }
        reading_done(&whole);
    }
    laz_redactor_free(redactor);
}

/* What is redacted in parts is what is redacted in the whole line. */
Test(lines, are_redacted_as_if_nobody_had_cut_them)
{
    static const char *const literals[] = {"hunter22"};
    static char stream[STREAM_MAX];
    struct laz_redactor *redactor = redactor_of(ALL_PATTERNS, literals, 1);
    uint64_t state = 815;
    for (size_t round = 0; round < 60; round++) {
        const struct laz_lines_options options = {
                .max_line = LEAST + chance(&state, 300), .redactor = redactor};
        size_t length = make_stream(&state, stream);
        struct reading reading;
        struct laz_buf expected;
        uint32_t counts[LAZ_REDACT_COUNT] = {0};
        laz_buf_init_heap(&expected, 1U << 24);
        for (size_t at = 0; at < length;) {
            const char *feed = memchr(stream + at, '\n', length - at);
            size_t end = feed == NULL ? length : (size_t)(feed - stream);
            if (!redact(redactor, stream + at, end - at, &expected, counts)) {
                laz_buf_put(&expected, stream + at, end - at);
            }
            laz_buf_put(&expected, "\n", feed == NULL ? 0 : 1);
            at = end + 1;
        }
        read_stream(&reading, &options, stream, length, round % 2 == 0 ? 0 : 5000);
        cr_assert_eq(reading.text.len, expected.len, "round %zu", round);
        cr_assert_arr_eq(reading.text.data, expected.data, expected.len);
        cr_assert_arr_eq(reading.counts, counts, sizeof(counts));
        laz_buf_done(&expected);
        reading_done(&reading);
    }
    laz_redactor_free(redactor);
}

/* ---- How often a byte is looked at ---- */

static void expect_linear(
        const struct laz_lines_options *options, const char *text, size_t length, uint32_t most)
{
    struct reading reading;
    read_stream(&reading, options, text, length, most);
    cr_assert_leq(reading.work, 8 * (uint64_t)length + 65536, "%llu for %zu",
            (unsigned long long)reading.work, length);
    reading_done(&reading);
}

Test(lines, are_looked_at_once_if_they_come_byte_by_byte, .timeout = 120)
{
    size_t length = LAZ_LINES_MOST;
    struct laz_redactor *redactor = redactor_of(ALL_PATTERNS, NULL, 0);
    char *text = malloc(length);
    cr_assert_not_null(text);
    for (int joins = 0; joins < 2; joins++) {
        const struct laz_lines_options options = {.max_line = LAZ_LINES_MOST,
                .multiline_start = joins != 0 ? "^\\S" : NULL,
                .redactor = redactor};
        const struct laz_lines_options short_lines = {.max_line = LEAST,
                .multiline_start = options.multiline_start,
                .redactor = redactor};
        (void)memset(text, ' ', length);
        expect_linear(&options, text, length, 1);
        expect_linear(&short_lines, text, length, 1);
        for (size_t i = 9; i < length; i += 10) {
            text[i] = '\n'; /* which are joined, where lines are */
        }
        expect_linear(&options, text, length, 1);
        expect_linear(&short_lines, text, length, 1);
    }
    laz_redactor_free(redactor);
    free(text);
}

Test(lines, of_what_nearly_is_a_secret_cost_little_more)
{
    static const char *const hard[] = {"4", "4 ", "4111-", "4111 1111 1111 1112 ", "123-45-", "eyJ",
            "eyJhbGciOiJ.", "eyJhbGciOiJI ", "eyJhbGciOiJI.a ", "AKIA", "secret_access_key ",
            "secret", "MRN-", "MRN-123456789 ", "aaaaaaab"};
    static const char *const literals[] = {"aaaaaaaa", "aaaaaaac"};
    struct laz_redactor *redactor = redactor_of(ALL_PATTERNS, literals, 2);
    size_t length = 300000;
    char *text = malloc(length);
    cr_assert_not_null(text);
    for (size_t i = 0; i < sizeof(hard) / sizeof(hard[0]); i++) {
        for (size_t at = 0; at < length; at++) {
            text[at] = hard[i][at % strlen(hard[i])];
        }
        const struct laz_lines_options options = {.max_line = 1024, .redactor = redactor};
        struct reading reading;
        read_stream(&reading, &options, text, length, 0);
        cr_assert_leq(reading.work, 64 * (uint64_t)length, "%s: %llu", hard[i],
                (unsigned long long)reading.work);
        reading_done(&reading);
    }
    laz_redactor_free(redactor);
    free(text);
}

Test(lines, are_refused_where_their_options_make_no_sense)
{
    static const struct {
        struct laz_lines_options options;
        enum laz_err_kind kind;
    } rows[] = {
            {{.max_line = LEAST - 1}, LAZ_E_INTERNAL},
            {{.max_line = LAZ_LINES_MOST + 1}, LAZ_E_INTERNAL},
            {{.max_line = 1024, .multiline_start = "("}, LAZ_E_POLICY_INVALID},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_lines *lines = NULL;
        struct laz_err err = {0};
        cr_assert_eq(laz_lines_new(&rows[i].options, &lines, &err), -1, "%zu", i);
        cr_assert_eq(err.kind, rows[i].kind, "%zu: %s", i, err.message);
    }
    laz_lines_free(NULL);
}

/* Each record by another hand, which knows of those before only where the last one ended. */
Test(lines, handed_over_after_every_record_are_the_same)
{
    static const char words[] = "xxxxxxx123-45-6789 123-45-6789y 219-09-9999 ";
    struct laz_redactor *redactor = redactor_of(ALL_PATTERNS, NULL, 0);
    const struct laz_lines_options options = {.max_line = LEAST, .redactor = redactor};
    char text[40 * sizeof(words)];
    struct reading whole;
    struct reading pieces = {0};
    struct laz_lines_place place = {0};
    struct laz_err err = {0};
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = words[i % (sizeof(words) - 1)];
    }
    (void)memset(text + sizeof(text) / 2, '\n', 3);
    read_stream(&whole, &options, text, sizeof(text), 0);
    laz_buf_init_heap(&pieces.records, 1U << 20);
    for (size_t done = 0; done < sizeof(text);) {
        struct laz_lines *lines = NULL;
        struct laz_line line;
        cr_assert_eq(laz_lines_new(&options, &lines, &err), 0, "%s", err.message);
        laz_lines_go_on(lines, &place);
        size_t n = laz_lines_next(lines, text + done, sizeof(text) - done, LAZ_LINES_END, &line);
        cr_assert_gt(n, 0);
        done += n;
        laz_line_members(&line, &pieces.records);
        laz_buf_char(&pieces.records, '\n');
        laz_lines_place(lines, &place);
        laz_lines_free(lines);
    }
    cr_assert_eq(pieces.records.len, whole.records.len);
    cr_assert_str_eq(pieces.records.data, whole.records.data);
    laz_buf_done(&pieces.records);
    reading_done(&whole);
    laz_redactor_free(redactor);
}
