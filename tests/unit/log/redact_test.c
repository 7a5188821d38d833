/* SPDX-License-Identifier: Apache-2.0
 *
 * What is found wherever it stands, and what looks like it and is not.
 */
#include "tests/fixture/redact.h"

#include <stdio.h>

#include "reading.h"

#define MARK(kind) "[REDACTED:" kind "]"

/* PAN numbers are those that issuers publish for tests; the AWS ones are of its documentation. */
static const struct {
    const char *text;
    const char *mark;
} planted[] = {
        {"123-45-6789", MARK("ssn")},
        {"899-99-9999", MARK("ssn")},
        {"001-01-0001", MARK("ssn")},
        {"4111111111111111", MARK("pan")},
        {"4111 1111 1111 1111", MARK("pan")},
        {"4111-1111-1111-1111", MARK("pan")},
        {"4222222222222", MARK("pan")},
        {"5555555555554444", MARK("pan")},
        {"2223003122003222", MARK("pan")},
        {"378282246310005", MARK("pan")},
        {"3782 822463 10005", MARK("pan")},
        {"30569309025904", MARK("pan")},
        {"6011111111111117", MARK("pan")},
        {"3530111333300000", MARK("pan")},
        {"6200000000000005", MARK("pan")},
        {"6304000000000000", MARK("pan")},
        {"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_"
         "XgL0n3I9PlFUP0THsR8U",
                MARK("jwt")},
        {"eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.", MARK("jwt")},
        {"eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..aXY.Y3Q.dGFn", MARK("jwt")},
        {"AKIAIOSFODNN7EXAMPLE", MARK("aws-key")},
        {"ASIAIOSFODNN7EXAMPLE", MARK("aws-key")},
        {"MRN-123456", MARK("mrn")},
        {"MRN-12345678", MARK("mrn")},
        {"correct horse battery", MARK("literal")},
        {"p@ss/w\"rd\\t\xC3\xA9n", MARK("literal")},
        {"\xF0\x9F\x94\x91key\xF0\x9F\x94\x91", MARK("literal")},
};
#define N_PLANTED (sizeof(planted) / sizeof(planted[0]))

static const char *const literals[] = {
        "correct horse battery", "p@ss/w\"rd\\t\xC3\xA9n", "\xF0\x9F\x94\x91key\xF0\x9F\x94\x91"};

static struct laz_redactor *everything(void)
{
    return redactor_of(ALL_PATTERNS, literals, sizeof(literals) / sizeof(literals[0]));
}

static void expect_redacted(
        const struct laz_redactor *redactor, const char *text, size_t length, const char *expected)
{
    uint32_t counts[LAZ_REDACT_COUNT] = {0};
    struct laz_buf found;
    laz_buf_init_heap(&found, 1U << 20);
    bool any = redact(redactor, text, length, &found, counts);
    cr_assert_eq(any, expected != NULL, "\"%.*s\"", (int)length, text);
    cr_assert(!any || strcmp(found.data, expected) == 0, "\"%.*s\": \"%s\"", (int)length, text,
            found.data);
    cr_assert(any || found.len == 0);
    laz_buf_done(&found);
}

Test(redact, finds_all_of_them_wherever_they_stand)
{
    static const char *const around[][2] = {{"", ""}, {" ", " "}, {"\"", "\""}, {"=", ","},
            {"(", ")"}, {"\n", "\n"}, {"\xC3\xA9", "\xC3\xA9"}};
    struct laz_redactor *redactor = everything();
    for (size_t i = 0; i < N_PLANTED; i++) {
        for (size_t k = 0; k < sizeof(around) / sizeof(around[0]); k++) {
            for (size_t shift = 0; shift < 80; shift++) {
                char text[512];
                char expected[512];
                int n = snprintf(text, sizeof(text), "%*s%s%s%s", (int)shift, "", around[k][0],
                        planted[i].text, around[k][1]);
                int m = snprintf(expected, sizeof(expected), "%*s%s%s%s", (int)shift, "",
                        around[k][0], planted[i].mark, around[k][1]);
                cr_assert(n > 0 && m > 0 && (size_t)n < sizeof(text));
                expect_redacted(redactor, text, (size_t)n, expected);
            }
        }
    }
    laz_redactor_free(redactor);
}

/* Over each pair of reads, and over each cut into parts. */
Test(redact, finds_them_split_over_reads_and_parts)
{
    struct laz_redactor *redactor = everything();
    const struct laz_lines_options options = {.max_line = LAZ_LINES_LEAST, .redactor = redactor};
    for (size_t i = 0; i < N_PLANTED; i++) {
        for (size_t shift = 0; shift < 2 * LAZ_LINES_LEAST; shift++) {
            struct laz_buf text;
            struct laz_buf expected;
            struct reading reading;
            laz_buf_init_heap(&text, 4096);
            laz_buf_init_heap(&expected, 4096);
            laz_buf_printf(&text, "%*s%s%*s\n", (int)shift, "", planted[i].text, 80, "");
            laz_buf_printf(&expected, "%*s%s%*s\n", (int)shift, "", planted[i].mark, 80, "");
            read_stream(&reading, &options, text.data, text.len, 1 + (uint32_t)(shift % 40));
            cr_assert_str_eq(reading.text.data, expected.data, "%s at %zu", planted[i].text, shift);
            reading_done(&reading);
            laz_buf_done(&text);
            laz_buf_done(&expected);
        }
    }
    laz_redactor_free(redactor);
}

Test(redact, finds_several_and_counts_them)
{
    struct laz_redactor *redactor = everything();
    struct laz_lines_options options = {.max_line = 1024, .redactor = redactor};
    expect_records(&options, "123-45-6789 123-45-6789,4111111111111111 AKIAIOSFODNN7EXAMPLE\n",
            "\"msg\":\"" MARK("ssn") " " MARK("ssn") "," MARK("pan") " " MARK(
                    "aws-key") "\",\"redacted\":{\"ssn\":2,\"pan\":1,\"aws-key\":1}\n");
    laz_redactor_free(redactor);
}

Test(redact, leaves_the_full_stop_behind_a_token)
{
    static const char text[] = "a eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln. The end";
    struct laz_redactor *redactor = everything();
    expect_redacted(redactor, text, sizeof(text) - 1, "a " MARK("jwt") ". The end");
    laz_redactor_free(redactor);
}

Test(redact, finds_an_aws_secret_behind_its_name_and_leaves_the_name)
{
#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    static const struct {
        const char *front;
        const char *back;
    } rows[] = {{"aws_secret_access_key=", ""}, {"AWS_SECRET_ACCESS_KEY: ", "\n"},
            {"{\"SecretAccessKey\" : \"", "\"}"}, {"--secret-key ", " --x"}, {"secretKey='", "'"},
            {"<SecretAccessKey>", "</SecretAccessKey>"}, {"\\\"secretAccessKey\\\":\\\"", "\\\""}};
    struct laz_redactor *redactor = everything();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[256];
        char expected[256];
        int n = snprintf(text, sizeof(text), "%s" SECRET "%s", rows[i].front, rows[i].back);
        int m = snprintf(
                expected, sizeof(expected), "%s" MARK("aws-key") "%s", rows[i].front, rows[i].back);
        cr_assert(n > 0 && m > 0);
        expect_redacted(redactor, text, (size_t)n, expected);
    }
    laz_redactor_free(redactor);
}

Test(redact, finds_a_literal_as_json_urls_and_base64_have_it)
{
    static const char *const texts[] = {
            "p@ss/w\\\"rd\\\\t\xC3\xA9n",      /* JSON */
            "p@ss\\/w\\\"rd\\\\t\xC3\xA9n",    /* with \/ */
            "p@ss/w\\\"rd\\\\t\\u00e9n",       /* in ASCII */
            "p@ss/w\\\"rd\\\\t\\u00E9n",       /* in ASCII, upper case */
            "p%40ss%2Fw%22rd%5Ct%C3%A9n",      /* a URL */
            "p%40ss%2fw%22rd%5ct%c3%a9n",      /* with lower-case digits */
            "\\ud83d\\udd11key\\ud83d\\udd11", /* beyond U+FFFF */
            "%F0%9F%94%91key%F0%9F%94%91",     /* likewise */
            "correct+horse+battery",           /* a form */
            "correct%20horse%20battery",       /* a URL */
    };
    struct laz_redactor *redactor = everything();
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        expect_redacted(redactor, texts[i], strlen(texts[i]), MARK("literal"));
    }
    /* by how many bytes stand in front of it; the digits at its ends are half its neighbours' */
    expect_redacted(redactor, "Y29ycmVjdCBob3JzZSBiYXR0ZXJ5", 28, MARK("literal"));
    expect_redacted(redactor, "eGNvcnJlY3QgaG9yc2UgYmF0dGVyeQ==", 32, "eG" MARK("literal") "Q==");
    expect_redacted(redactor, "eHhjb3JyZWN0IGhvcnNlIGJhdHRlcnk=", 32, "eHh" MARK("literal") "k=");
    laz_redactor_free(redactor);
}

Test(redact, finds_the_lines_of_a_literal_that_has_several)
{
    static const char *const lines[] = {"first half\r\nsecond half\nxyz"};
    struct laz_redactor *redactor = redactor_of(0, lines, 1);
    expect_redacted(redactor, "second half", 11, MARK("literal"));
    expect_redacted(redactor, "a first half", 12, "a " MARK("literal"));
    expect_redacted(redactor, "first half\\r\\nsecond half\\nxyz", 31, MARK("literal"));
    expect_redacted(redactor, "xyz", 3, NULL); /* too short for one */
    laz_redactor_free(redactor);
}

Test(redact, takes_the_longest_of_those_that_begin_together)
{
    static const char *const nested[] = {"abcd", "abcdefgh", "abcdef", "cdef"};
    struct laz_redactor *redactor = redactor_of(0, nested, 4);
    expect_redacted(redactor, "abcdefgh", 8, MARK("literal"));
    expect_redacted(redactor, "abcdefgx", 8, MARK("literal") "gx");
    expect_redacted(redactor, "abcdx cdef", 10, MARK("literal") "x " MARK("literal"));
    laz_redactor_free(redactor);
}

Test(redact, takes_the_longest_of_all_sorts)
{
    static const char *const short_and_long[] = {"4111", "123-45-6789 of"};
    struct laz_redactor *redactor = redactor_of(ALL_PATTERNS, short_and_long, 2);
    expect_redacted(redactor, "4111111111111111", 16, MARK("pan"));
    expect_redacted(redactor, "123-45-6789 of", 14, MARK("literal"));
    laz_redactor_free(redactor);
}

/* With so many, each place is a candidate: the buckets of the first look are full. */
Test(redact, finds_each_of_many_literals)
{
    enum {
        N = 64
    };
    static char texts[N][32];
    const char *many[N];
    uint64_t state = 99;
    for (size_t i = 0; i < N; i++) {
        size_t length = 4 + chance(&state, 20);
        for (size_t k = 0; k < length; k++) {
            texts[i][k] = (char)(33 + chance(&state, 94));
        }
        many[i] = texts[i];
    }
    struct laz_redactor *redactor = redactor_of(0, many, N);
    for (size_t i = 0; i < N; i++) {
        for (size_t shift = 0; shift < 40; shift++) {
            char text[128];
            char expected[128];
            int n = snprintf(text, sizeof(text), "%*s%s ", (int)shift, "", texts[i]);
            int m = snprintf(expected, sizeof(expected), "%*s" MARK("literal") " ", (int)shift, "");
            cr_assert(n > 0 && m > 0);
            expect_redacted(redactor, text, (size_t)n, expected);
        }
    }
    laz_redactor_free(redactor);
}

/* ---- What is not redacted, and why ---- */

Test(redact, leaves_what_only_looks_like_it)
{
    static const struct {
        const char *text;
        const char *why;
    } rows[] = {
            {"000-12-3456", "an area that was never given out"},
            {"666-12-3456", "likewise"},
            {"900-12-3456", "likewise"},
            {"123-00-4567", "no group 00"},
            {"123-45-0000", "no serial 0000"},
            {"123-45-67890", "a digit too many"},
            {"1123-45-6789", "a digit too many"},
            {"x123-45-6789", "inside a word"},
            {"123-45-6789_a", "inside a word"},
            {"123 45 6789", "blanks: any three numbers"},
            {"123456789", "any number of nine digits"},
            {"2026-11-22T08:33:00.123456789Z", "a date"},
            {"2026-11-22 08:33:00", "a date"},
            {"2026-11-22-08-33-00-123", "a date"},
            {"4111111111111112", "Luhn's check fails"},
            {"4111 1111 1111 1112", "likewise"},
            {"4111  1111 1111 1111", "two blanks"},
            {"4111_1111_1111_1111", "inside a word"},
            {"a4111111111111111", "inside a word"},
            {"4111111111111111a", "inside a word"},
            {"41111111111111111", "17 digits, which Visa does not have"},
            {"9111111111111119", "no issuer"},
            {"1234567812345670", "no issuer"},
            {"0.4111111111111111", "a fraction"},
            {"4111111111111111.5", "a fraction"},
            {"4111-1111 1111-1111", "blanks and hyphens"},
            {"4111111 111 111111", "groups that no card has"},
            {"/claims/41111111 1111 1111", "likewise"},
            {"4111 111111111111", "likewise"},
            {"3782 822463 1000 5", "likewise"},
            {"411 1111 1111 11111", "the first four digits stand together"},
            {"1795336440123", "milliseconds since 1970"},
            {"1795336440123456", "microseconds since 1970"},
            {"1795336440123456789", "nanoseconds since 1970"},
            {"+1 415 555 2671", "a telephone number"},
            {"978-0-306-40615-7", "an ISBN"},
            {"f47ac10b-58cc-4372-a567-0e02b2c3d479", "a UUID"},
            {"10.123.45.6789", "an address"},
            {"DE89 3704 0044 0532 0130 00", "an IBAN: it has its own check, and letters"},
            {"eyJhbGciOiJIUzI1NiJ9", "only the head of a token"},
            {"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0", "only two parts"},
            {"eyJ.a.b", "too short for a head"},
            {"keyJhbGciOiJIUzI1NiJ9.e30.c2ln", "inside a word"},
            {"com.eyJob.Thing.run", "too short for a head"},
            {"AKIAIOSFODNN7EXAMPL", "a character too few"},
            {"AKIAIOSFODNN7EXAMPLES", "a character too many"},
            {"AKIAIOSFODNN7example", "lower case"},
            {"XAKIAIOSFODNN7EXAMPLE", "inside a word"},
            {"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "no name says that it is a secret"},
            {"secret_key_id=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "another name"},
            {"secret_access_key=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKE", "39 characters"},
            {"secret_access_key=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEYS", "41 characters"},
            {"secret_access_key=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY=",
                    "base64 of something else"},
            {"secret access keys are 40 characters long", "prose"},
            {"da39a3ee5e6b4b0d3255bfef95601890afd80709", "SHA-1"},
            {"MRN-12345", "a digit too few"},
            {"MRN-123456789", "a digit too many"},
            {"xMRN-123456", "inside a word"},
            {"mrn-123456", "the pattern says MRN"},
            {"correct horse  battery", "two blanks"},
            {"Correct horse battery", "another case"},
            {"", "nothing"},
    };
    struct laz_redactor *redactor = everything();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t shift = 0; shift < 40; shift++) {
            char text[256];
            int n = snprintf(text, sizeof(text), "%*s%s", (int)shift, "", rows[i].text);
            cr_assert(n >= 0);
            expect_redacted(redactor, text, (size_t)n, NULL);
        }
    }
    laz_redactor_free(redactor);
}

static void put_digits(struct laz_buf *buf, uint64_t *state, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        laz_buf_char(buf, (char)('0' + chance(state, 10)));
    }
}

static void put_hex(struct laz_buf *buf, uint64_t *state, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        laz_buf_char(buf, "0123456789abcdef"[chance(state, 16)]);
    }
}

/* A line of a log that has no secret. */
static void put_harmless(struct laz_buf *buf, uint64_t *state)
{
    unsigned ms = chance(state, 1000);
    unsigned second = chance(state, 60);
    unsigned day = 1 + chance(state, 28);
    switch (chance(state, 9)) {
    case 0:
        laz_buf_printf(buf,
                "2026-11-%02uT08:%02u:%02u.%03uZ INFO web-%u GET /v1/claims/%u 200 %u ms", day,
                second, second, ms, ms % 7, chance(state, 100000000), ms);
        break;
    case 1:
        laz_buf_printf(buf,
                "2026-11-%02u 08:33:%02u,%03u [pool-%u-thread-%u] WARN  c.e.Claims - retry in "
                "%u.%03us",
                day, second, ms, ms % 3, ms % 16, second, ms);
        break;
    case 2:
        laz_buf_printf(buf,
                "10.%u.%u.%u - - [%02u/Nov/2026:08:33:%02u +0000] \"POST /a HTTP/1.1\" 201 %u",
                ms % 256, day, second, day, second, chance(state, 1000000));
        break;
    case 3:
        laz_buf_printf(
                buf, "{\"ts\":1795336440%03u,\"us\":1795336440%03u%03u,\"value\":0.", ms, ms, ms);
        put_digits(buf, state, 16);
        laz_buf_str(buf, ",\"trace\":\"");
        put_hex(buf, state, 32);
        laz_buf_str(buf, "\"}");
        break;
    case 4:
        laz_buf_str(buf, "request ");
        put_hex(buf, state, 8);
        laz_buf_str(buf, "-58cc-4372-a567-");
        put_hex(buf, state, 12);
        laz_buf_printf(buf, " took %u.%06u s at 0x", second, ms);
        put_hex(buf, state, 16);
        break;
    case 5:
        laz_buf_printf(buf,
                "\tat com.example.claims.Store.load(Store.java:%u) ~[app-1.%u.%u.jar:?]", ms, day,
                second);
        break;
    case 6:
        laz_buf_str(buf, "sha256:");
        put_hex(buf, state, 64);
        laz_buf_printf(buf, " size=%u phone +1 415 555 %04u", chance(state, 1000000000), ms);
        break;
    case 7:
        laz_buf_printf(buf, "order %u-%u-%u shipped to %05u, total $%u.%02u", day, ms, second,
                chance(state, 100000), ms, second);
        break;
    default:
        laz_buf_printf(buf, "lat=%u.%06u lon=-%u.%06u  seq %u %u %u %u", day, ms, second, ms, ms,
                day, second, ms);
        break;
    }
    laz_buf_char(buf, '\n');
}

Test(redact, finds_nothing_in_ten_megabytes_without_secrets, .timeout = 120)
{
    struct laz_redactor *redactor = everything();
    struct laz_buf text;
    struct reading reading;
    uint64_t state = 20261122;
    laz_buf_init_heap(&text, 12U << 20);
    while (text.len < (10U << 20)) {
        put_harmless(&text, &state);
    }
    const struct laz_lines_options options = {.max_line = 65536, .redactor = redactor};
    read_stream(&reading, &options, text.data, text.len, 0);
    for (size_t i = 0; i < LAZ_REDACT_COUNT; i++) {
        cr_assert_eq(reading.counts[i], 0, "%s", laz_redact_name((enum laz_redaction)i));
    }
    cr_assert_eq(reading.text.len, text.len);
    cr_assert_arr_eq(reading.text.data, text.data, text.len);
    reading_done(&reading);
    laz_buf_done(&text);
    laz_redactor_free(redactor);
}

Test(redact, only_what_is_asked_for)
{
    for (size_t i = 0; i < LAZ_REDACT_LITERAL; i++) {
        struct laz_redactor *redactor = redactor_of((uint8_t)(1U << i), NULL, 0);
        for (size_t k = 0; k < N_PLANTED; k++) {
            const char *name = laz_redact_name((enum laz_redaction)i);
            bool is_this =
                    strncmp(planted[k].mark + sizeof("[REDACTED:") - 1, name, strlen(name)) == 0;
            expect_redacted(redactor, planted[k].text, strlen(planted[k].text),
                    is_this ? planted[k].mark : NULL);
        }
        laz_redactor_free(redactor);
    }
    struct laz_redactor *none = redactor_of(0, NULL, 0);
    expect_redacted(none, "123-45-6789", 11, NULL);
    laz_redactor_free(none);
}

Test(redact, a_token_that_is_too_long_goes_as_far_as_is_looked)
{
    struct laz_redactor *redactor = everything();
    struct laz_buf text;
    uint32_t counts[LAZ_REDACT_COUNT] = {0};
    laz_buf_init_heap(&text, 1U << 16);
    laz_buf_str(&text, "eyJhbGciOiJIUzI1NiJ9.");
    for (size_t i = 0; i < LAZ_REDACT_MATCH_MAX - 100; i++) {
        laz_buf_char(&text, 'a');
    }
    laz_buf_str(&text, ".");
    for (size_t i = 0; i < 200; i++) {
        laz_buf_char(&text, 'b');
    }
    struct laz_buf found;
    laz_buf_init_heap(&found, 1U << 16);
    cr_assert(redact(redactor, text.data, text.len, &found, counts));
    cr_assert_eq(found.len, sizeof(MARK("jwt")) - 1 + text.len - LAZ_REDACT_MATCH_MAX);
    laz_buf_done(&found);
    laz_buf_done(&text);
    laz_redactor_free(redactor);
}

Test(redact, refuses_a_pattern_with_the_position)
{
    const struct laz_redactor_options options = {.patterns = ALL_PATTERNS, .mrn = "MRN-[0-9"};
    struct laz_redactor *redactor = NULL;
    struct laz_err err = {0};
    cr_assert_eq(laz_redactor_new(&options, &redactor, &err), -1);
    cr_assert_eq(err.kind, LAZ_E_POLICY_INVALID);
    cr_assert_str_eq(err.message, "position 5 of the pattern: a set without its ]");
    laz_redactor_free(NULL);
}
