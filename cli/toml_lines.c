/* SPDX-License-Identifier: Apache-2.0
 *
 * A cursor in one line. TOML 1.0: https://toml.io/en/v1.0.0
 */
#include "cli/toml_lines.h"

#include <stdbool.h>
#include <string.h>

static const char bare[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
static const char plain[] = /* of numbers, dates and booleans */
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+.:";

struct cursor {
    const char *at;
    const char *end;
    const char *wrong; /* static; the first */
};

static bool fail(struct cursor *in, const char *why)
{
    in->wrong = in->wrong == NULL ? why : in->wrong;
    return false;
}

static char peek(const struct cursor *in)
{
    static const char end = '\0';
    return *(in->at < in->end ? in->at : &end);
}

static void skip_blanks(struct cursor *in)
{
    while (peek(in) == ' ' || peek(in) == '\t') {
        in->at++;
    }
}

static bool take(struct cursor *in, char c)
{
    if (peek(in) != c || in->at == in->end) {
        return false;
    }
    in->at++;
    return true;
}

static size_t span(const struct cursor *in, const char *letters)
{
    size_t n = 0;
    while (in->at + n < in->end && in->at[n] != '\0' && strchr(letters, in->at[n]) != NULL) {
        n++;
    }
    return n;
}

/* In quotes of either kind. */
static bool take_string(struct cursor *in, struct laz_toml_text *ret)
{
    char quote = *in->at++;
    const char *from = in->at;
    while (in->at < in->end && *in->at != quote) {
        unsigned char c = (unsigned char)*in->at;
        if (c == '\\' && quote == '"') {
            return fail(in, "a string with an escape");
        }
        if (c < ' ' && c != '\t') {
            return fail(in, "a control character");
        }
        in->at++;
    }
    ret->at = from;
    ret->length = (size_t)(in->at - from);
    if (!take(in, quote)) {
        return fail(in, "a string that does not end in its line");
    }
    return ret->length > 0 || peek(in) != quote || fail(in, "a string of more than one line");
}

static bool take_name(struct cursor *in, struct laz_toml_text *ret)
{
    if (peek(in) == '"' || peek(in) == '\'') {
        return take_string(in, ret);
    }
    ret->at = in->at;
    ret->length = span(in, bare);
    in->at += ret->length;
    return ret->length > 0 || fail(in, "what is no key");
}

/* A string, or a word of letters and digits: what it means is not asked. */
static bool take_scalar(struct cursor *in)
{
    struct laz_toml_text unused;
    if (peek(in) == '"' || peek(in) == '\'') {
        return take_string(in, &unused);
    }
    size_t length = span(in, plain);
    in->at += length;
    return length > 0 || fail(in, peek(in) == '{' ? "an inline table" : "a value that is not read");
}

static bool take_array(struct cursor *in)
{
    in->at++;
    for (;;) {
        skip_blanks(in);
        if (take(in, ']')) {
            return true;
        }
        if (in->at == in->end || peek(in) == '#') {
            return fail(in, "an array of more than one line");
        }
        if (!take_scalar(in)) {
            return false;
        }
        skip_blanks(in);
        if (!take(in, ',') && peek(in) != ']') {
            return fail(in,
                    in->at == in->end ? "an array of more than one line"
                                      : "an array that is not read");
        }
    }
}

static bool take_end(struct cursor *in)
{
    skip_blanks(in);
    return in->at == in->end || peek(in) == '#' || fail(in, "something behind its end");
}

static bool take_table(struct cursor *in, struct laz_toml_line *line)
{
    line->kind = LAZ_TOML_TABLE;
    line->n_parts = 0;
    in->at++;
    if (peek(in) == '[') {
        return fail(in, "an array of tables");
    }
    do {
        if (line->n_parts == LAZ_TOML_PARTS_MAX) {
            return fail(in, "a table in too many others");
        }
        skip_blanks(in);
        if (!take_name(in, &line->parts[line->n_parts])) {
            return false;
        }
        line->n_parts++;
        skip_blanks(in);
    } while (take(in, '.'));
    return (take(in, ']') || fail(in, "what is no table")) && take_end(in);
}

static bool take_key(struct cursor *in, struct laz_toml_line *line)
{
    line->kind = LAZ_TOML_KEY;
    if (!take_name(in, &line->key)) {
        return false;
    }
    skip_blanks(in);
    if (peek(in) == '.') {
        return fail(in, "a key with a dot");
    }
    if (!take(in, '=')) {
        return fail(in, "a key without a value");
    }
    skip_blanks(in);
    line->value.at = in->at;
    if (!(peek(in) == '[' ? take_array(in) : take_scalar(in))) {
        return false;
    }
    line->value.length = (size_t)(in->at - line->value.at);
    return take_end(in);
}

int laz_toml_next(const char *text, size_t length, enum laz_err_kind kind,
        struct laz_toml_line *line, struct laz_err *err)
{
    if (line->end >= length) {
        return 0;
    }
    const char *from = text + line->end;
    const char *newline = memchr(from, '\n', length - line->end);
    const char *end = newline == NULL ? text + length : newline;
    line->end = (size_t)(end - text) + (newline == NULL ? 0 : 1);
    line->number++;
    end -= end > from && end[-1] == '\r' ? 1 : 0;
    struct cursor in = {.at = from, .end = end};
    skip_blanks(&in);
    bool is_good = true;
    if (in.at == in.end || peek(&in) == '#') {
        line->kind = LAZ_TOML_NOTHING;
    } else {
        is_good = peek(&in) == '[' ? take_table(&in, line) : take_key(&in, line);
    }
    return is_good ? 1
                   : laz_err_set(err, kind, 0, "line %u: %s, which is not read here", line->number,
                             in.wrong);
}

bool laz_toml_is(struct laz_toml_text text, const char *word)
{
    return text.length == strlen(word) && memcmp(text.at, word, text.length) == 0;
}

bool laz_toml_is_below(const struct laz_toml_line *line, const char *const *parts)
{
    size_t i = 0;
    for (; parts[i] != NULL; i++) {
        if (i == line->n_parts || !laz_toml_is(line->parts[i], parts[i])) {
            return false;
        }
    }
    return true;
}

bool laz_toml_is_in(const struct laz_toml_line *line, const char *const *parts)
{
    size_t n = 0;
    while (parts[n] != NULL) {
        n++;
    }
    return n == line->n_parts && laz_toml_is_below(line, parts);
}

bool laz_toml_has(struct laz_toml_text value, const char *word)
{
    struct cursor in = {.at = value.at, .end = value.at + value.length};
    while (in.at < in.end) {
        struct laz_toml_text string;
        if (*in.at != '"' && *in.at != '\'') {
            in.at++;
        } else if (take_string(&in, &string) && laz_toml_is(string, word)) {
            return true;
        }
    }
    return false;
}
