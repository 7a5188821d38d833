/* SPDX-License-Identifier: Apache-2.0
 *
 * Patterns: what they match, what is refused and where, and that every byte is one step.
 */
#include "core/pattern.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

static struct laz_pattern *compile(const char *text, enum laz_pattern_use use)
{
    struct laz_pattern *pattern = NULL;
    struct laz_err err = {0};
    cr_assert_eq(laz_pattern_new(text, use, &pattern, &err), 0, "%s: %s", text, err.message);
    return pattern;
}

Test(pattern, is_in_a_line_or_not)
{
    static const struct {
        const char *pattern;
        const char *in;
        const char *not_in;
    } rows[] = {
            {"^\\S", "a", " a"},
            {"^\\S", "\xC3\xA9", "\t"},
            {"abc", "xxabcxx", "ababx"},
            {"^abc$", "abc", "abcd"},
            {"^$", "", "a"},
            {"$", "a", NULL},
            {"a|b$", "xb", "bx"},
            {"^(a|b)$", "b", "ab"},
            {"(ab|c)+d", "xabcabd", "xabcabe"},
            {"^(?:ab)?c$", "abc", "abab"},
            {"^a*b+c?$", "aabb", "aac"},
            {"^x{3}$", "xxx", "xxxx"},
            {"^x{2,4}$", "xx", "x"},
            {"^x{2,4}$", "xxxx", "xxxxx"},
            {"^x{2,}$", "xxxxxxxx", "x"},
            {"^x{0,2}$", "", "xxx"},
            {"^(xy){2}z", "xyxyz", "xyz"},
            {"^(a|){3}$", "aa", "aaaa"},
            {"^(a|^){2}b", "b", "cb"},
            {"^^a$$", "a", "ba"},
            {"a()b", "ab", "a b"},
            {"|a", "", NULL},
            {"[a-c]x", "bx", "dx"},
            {"[^a-c]x", "dx", "bx"},
            {"^[\\]a\\-]$", "]", "b"},
            {"^[a-]$", "-", "b"},
            {"^[-a]$", "-", "b"},
            {"^[\\d.]+$", "1.2", "1,2"},
            {"^[\\w-]+$", "a_1-B", "a b"},
            {"^[^\\s\\d]$", "x", "1"},
            {"^\\d\\D\\w\\W\\s$", "1a_- ", "aa_- "},
            {"^\\D$", "\xFF", "5"},
            {"^.$", "x", "\n"},
            {"^.$", "\x80", "ab"},
            {"^\\t\\n\\r$", "\t\n\r", "tnr"},
            {"\\.\\*\\[\\{\\\\", ".*[{\\", "xx"},
            {"^a}]$", "a}]", "a"},
            {"^\xC3\xA9+$", "\xC3\xA9\xC3\xA9", "\xC3\xA9\xA9"},
            {"\\d{4}-\\d\\d-\\d\\d", "at 2026-11-22", "at 26-11-22"},
            {"^(\\d{4}|\\[)", "[x", "202x"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_pattern *pattern = compile(rows[i].pattern, LAZ_PATTERN_LINE);
        cr_assert(laz_pattern_is_in(pattern, rows[i].in, strlen(rows[i].in)), "%s in \"%s\"",
                rows[i].pattern, rows[i].in);
        cr_assert(rows[i].not_in == NULL ||
                        !laz_pattern_is_in(pattern, rows[i].not_in, strlen(rows[i].not_in)),
                "%s in \"%s\"", rows[i].pattern, rows[i].not_in);
        laz_pattern_free(pattern);
    }
}

Test(pattern, reaches_as_far_as_it_can_to_the_end_of_a_word)
{
    static const struct {
        const char *pattern;
        const char *text;
        size_t reach;
    } rows[] = {
            {"MRN-[0-9]{6,8}", "MRN-1234567.", 11}, {"MRN-[0-9]{6,8}", "MRN-123456789", 0},
            {"MRN-[0-9]{6,8}", "MRN-12345", 0}, {"MRN-[0-9]{6,8}", "xMRN-1234567", 0},
            {"MRN-[0-9]{6,8}", "MRN-123456x", 0}, {"\\d{3}(-\\d{3})?", "123-456", 7},
            {"\\d{3}(-\\d{3})?", "123-45x", 3}, {"a|ab|abc", "abc", 3},
            {"[^ ]{1,4}", "a\nb", 1}, /* a line feed ends it */
            {"#{1,3}", "####", 3},    /* no word, no end of one */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_pattern *pattern = compile(rows[i].pattern, LAZ_PATTERN_NUMBER);
        cr_assert_eq(laz_pattern_reach(pattern, rows[i].text, strlen(rows[i].text)), rows[i].reach,
                "%s at \"%s\"", rows[i].pattern, rows[i].text);
        laz_pattern_free(pattern);
    }
}

struct refusal {
    const char *pattern;
    const char *message;
};

static void expect_refused(const struct refusal *row, enum laz_pattern_use use)
{
    struct laz_pattern *pattern = NULL;
    struct laz_err err = {0};
    cr_assert_eq(laz_pattern_new(row->pattern, use, &pattern, &err), -1, "%s", row->pattern);
    cr_assert_eq(err.kind, LAZ_E_POLICY_INVALID, "%s", row->pattern);
    cr_assert_str_eq(err.message, row->message, "%s: %s", row->pattern, err.message);
    cr_assert_null(pattern);
}

Test(pattern, is_refused_with_the_position)
{
    static const struct refusal rows[] = {
            {"", "the pattern is empty"},
            {"ab(c", "position 3 of the pattern: a ( without its )"},
            {"((a)", "position 1 of the pattern: a ( without its )"},
            {"ab)", "position 3 of the pattern: a ) without its ("},
            {"a[bc", "position 2 of the pattern: a set without its ]"},
            {"[]a]", "position 1 of the pattern: an empty set; ] itself is \\]"},
            {"[^]a]", "position 1 of the pattern: an empty set; ] itself is \\]"},
            {"[z-a]", "position 2 of the pattern: a range that has no beginning or runs backwards"},
            {"[a-\\d]",
                    "position 2 of the pattern: a range that has no beginning or runs backwards"},
            {"[[:digit:]]", "position 2 of the pattern: named sets are \\d, \\s and \\w here"},
            {"[\xC3\xA9]",
                    "position 2 of the pattern: a set holds printable ASCII and escapes only"},
            {"[\\q]", "position 2 of the pattern: an escape that is not known"},
            {"[\\", "position 2 of the pattern: nothing behind the backslash"},
            {"a\\", "position 2 of the pattern: nothing behind the backslash"},
            {"\\bword", "position 1 of the pattern: an escape that is not known"},
            {"x\\1", "position 2 of the pattern: an escape that is not known"},
            {"*a", "position 1 of the pattern: nothing in front of it that could be repeated"},
            {"a|+", "position 3 of the pattern: nothing in front of it that could be repeated"},
            {"a**", "position 3 of the pattern: nothing in front of it that could be repeated"},
            {"a+?", "position 3 of the pattern: nothing in front of it that could be repeated"},
            {"^*", "position 2 of the pattern: nothing in front of it that could be repeated"},
            {"(?=a)", "position 1 of the pattern: of the groups with a ? only (?: is known"},
            {"a{",
                    "position 2 of the pattern: not {m}, {m,} or {m,n} with numbers up to 255; { "
                    "itself "
                    "is \\{"},
            {"a{2,1}",
                    "position 2 of the pattern: not {m}, {m,} or {m,n} with numbers up to 255; { "
                    "itself is \\{"},
            {"a{0}",
                    "position 2 of the pattern: not {m}, {m,} or {m,n} with numbers up to 255; { "
                    "itself "
                    "is \\{"},
            {"a{256}",
                    "position 2 of the pattern: not {m}, {m,} or {m,n} with numbers up to 255; { "
                    "itself is \\{"},
            {"a{1,2",
                    "position 2 of the pattern: not {m}, {m,} or {m,n} with numbers up to 255; { "
                    "itself is \\{"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        expect_refused(&rows[i], LAZ_PATTERN_LINE);
    }
}

Test(pattern, of_a_number_has_an_end_and_no_anchors)
{
    static const struct refusal rows[] = {
            {"^a",
                    "position 1 of the pattern: it is looked for anywhere in a line: without ^ and "
                    "$"},
            {"(a$)",
                    "position 3 of the pattern: it is looked for anywhere in a line: without ^ and "
                    "$"},
            {"a\\nb", "position 3 of the pattern: there is no line feed in a line"},
            {"a*", "the pattern matches nothing at all too"},
            {"a?(|b)", "the pattern matches nothing at all too"},
            {"MRN-\\d+",
                    "the pattern matches more than 128 bytes: say how often at most, as in {1,20}"},
            {"a{129}",
                    "the pattern matches more than 128 bytes: say how often at most, as in {1,20}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        expect_refused(&rows[i], LAZ_PATTERN_NUMBER);
    }
    laz_pattern_free(compile("a{128}", LAZ_PATTERN_NUMBER));
}

static void expect_too_large(const char *text)
{
    struct laz_pattern *pattern = NULL;
    struct laz_err err = {0};
    cr_assert_eq(laz_pattern_new(text, LAZ_PATTERN_LINE, &pattern, &err), -1, "%s", text);
    cr_assert_eq(err.kind, LAZ_E_POLICY_TOO_LARGE, "%s: %s", text, err.message);
}

Test(pattern, that_is_too_large_is_refused_and_the_largest_is_not)
{
    char text[LAZ_PATTERN_TEXT_MAX + 2];
    (void)memset(text, 'x', sizeof(text));
    text[LAZ_PATTERN_TEXT_MAX + 1] = '\0';
    expect_too_large(text);
    text[LAZ_PATTERN_TEXT_MAX] = '\0';
    laz_pattern_free(compile(text, LAZ_PATTERN_LINE));
    expect_too_large("(a{100}){100}");
    expect_too_large("((a{20}){20}){20}");
    expect_too_large("x.*a.{10}");                           /* 2048 rows */
    laz_pattern_free(compile("x.*a.{7}", LAZ_PATTERN_LINE)); /* a quarter of them */
    laz_pattern_free(compile("^(a{255}|b{200})$", LAZ_PATTERN_LINE));
    expect_too_large("^(a{255}|b{255}|c{255})$");
    (void)memset(text, '(', 40);
    text[40] = '\0';
    struct laz_pattern *pattern = NULL;
    struct laz_err err = {0};
    cr_assert_eq(laz_pattern_new(text, LAZ_PATTERN_LINE, &pattern, &err), -1);
    cr_assert_str_eq(err.message, "position 33 of the pattern: groups are nested too deeply");
}

Test(pattern, tells_what_all_its_matches_begin_with)
{
    struct laz_pattern *pattern = compile("(MRN|mrn)-[0-9a-f]{2,4}", LAZ_PATTERN_NUMBER);
    static const unsigned char low[] = {'M', 'R', 'N', '-', '0', '0'};
    static const unsigned char high[] = {'m', 'r', 'n', '-', 'f', 'f'};
    cr_assert_eq(laz_pattern_shortest(pattern), sizeof(low));
    for (size_t at = 0; at < sizeof(low); at++) {
        unsigned char found[2] = {0, 0};
        laz_pattern_range(pattern, at, &found[0], &found[1]);
        cr_assert_eq(found[0], low[at], "%zu", at);
        cr_assert_eq(found[1], high[at], "%zu", at);
    }
    laz_pattern_free(pattern);
}

/* What makes a matcher that tries one way after the other take longer than the world lasts. */
Test(pattern, takes_no_longer_for_what_is_hard)
{
    static const char *const hard[] = {
            "^(a*)*b$", "^(a|aa)+$", "^(a|a?)+b$", "(x+x+)+y", "^(([a-z])+.)+[A-Z]$"};
    size_t length = 100000;
    char *text = malloc(length);
    cr_assert_not_null(text);
    (void)memset(text, 'a', length);
    for (size_t i = 0; i < sizeof(hard) / sizeof(hard[0]); i++) {
        struct laz_pattern *pattern = compile(hard[i], LAZ_PATTERN_LINE);
        cr_assert_eq(laz_pattern_is_in(pattern, text, length), i == 1, "%s", hard[i]);
        laz_pattern_free(pattern);
    }
    free(text);
}
