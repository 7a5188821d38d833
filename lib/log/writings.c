/* SPDX-License-Identifier: Apache-2.0
 *
 * Each way is written once, when the text comes. What differs in nothing from another way is given
 * back. Leaves no copy of the text outside the memory of the literals.
 */
#include "log/writings.h"

#include <string.h>

#include "core/json.h"
#include "core/pattern.h"
#include "log/base64.h"

#define LEAST_BASE64 7 /* digits: fewer are in every log by chance */
#define WAYS_MAX     20
#define HEX          "0123456789ABCDEF"
#define HEX_LOWER    "0123456789abcdef"

/* One text under way. */
struct writing {
    struct laz_literals *literals;
    const char *text; /* without the line feeds at its end */
    size_t length;
    size_t least; /* letters of a line */
    struct laz_bytes ways[WAYS_MAX];
    size_t n;
};

/* ---- JSON ---- */

static void put_unit(struct laz_buf *buf, unsigned unit, const char *digits)
{
    const char text[] = {'\\', 'u', digits[unit >> 12 & 0xF], digits[unit >> 8 & 0xF],
            digits[unit >> 4 & 0xF], digits[unit & 0xF]};
    laz_buf_put(buf, text, sizeof(text));
}

/* A character beyond ASCII as \u: two of them beyond U+FFFF. */
static size_t put_character(struct laz_buf *buf, const unsigned char *s, const char *digits)
{
    size_t length = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
    unsigned code = s[0] & (0xFFU >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        code = code << 6 | (s[i] & 0x3FU);
    }
    if (code >= 0x10000) {
        put_unit(buf, 0xD800 + ((code - 0x10000) >> 10), digits);
        code = 0xDC00 + ((code - 0x10000) & 0x3FF);
    }
    put_unit(buf, code, digits);
    return length;
}

struct json_style {
    bool slash;        /* \/ */
    const char *ascii; /* beyond ASCII as \u with these digits; NULL: as it is */
    bool html;         /* < > & as \u too */
};

static void put_json(
        struct laz_buf *buf, const char *text, size_t length, const struct json_style *style)
{
    static const char plain[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    const unsigned char *s = (const unsigned char *)text;
    for (size_t i = 0; i < length;) {
        const char *found = s[i] == 0 ? NULL : strchr(plain, s[i]);
        size_t n = 1;
        if (found != NULL) {
            laz_buf_char(buf, '\\');
            laz_buf_char(buf, letters[found - plain]);
        } else if (s[i] == '/' && style->slash) {
            laz_buf_str(buf, "\\/");
        } else if (s[i] < 0x20 || (style->html && s[i] < 0x80 && strchr("<>&", s[i]) != NULL)) {
            put_unit(buf, s[i], style->ascii != NULL ? style->ascii : HEX_LOWER);
        } else if (s[i] >= 0x80 && style->ascii != NULL &&
                laz_utf8_length(text + i, length - i) > 1) {
            n = put_character(buf, s + i, style->ascii);
        } else {
            laz_buf_char(buf, text[i]);
        }
        i += n;
    }
}

/* ---- The others ---- */

/* RFC 3986, 2.3; application/x-www-form-urlencoded where a blank is +. */
static void put_url(
        struct laz_buf *buf, const char *text, size_t length, const char *digits, bool is_form)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (laz_is_word(text[i]) || c == '-' || c == '.' || (is_form ? c == '*' : c == '~')) {
            laz_buf_char(buf, text[i]);
        } else if (is_form && c == ' ') {
            laz_buf_char(buf, '+');
        } else {
            const char escaped[] = {'%', digits[c >> 4], digits[c & 0xF]};
            laz_buf_put(buf, escaped, sizeof(escaped));
        }
    }
}

static void put_hex(struct laz_buf *buf, const char *text, size_t length, const char *digits)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        laz_buf_char(buf, digits[c >> 4]);
        laz_buf_char(buf, digits[c & 0xF]);
    }
}

/* Behind so many other bytes: 0, 1 or 2. */
static void put_base64(
        struct laz_buf *buf, const char *text, size_t length, size_t shift, bool is_url)
{
    char first[3] = {0};
    size_t n = shift == 0 ? 0 : sizeof(first) - shift;
    if (n > 0) {
        (void)memcpy(first + shift, text, n);
        laz_base64_put(buf, first, sizeof(first), is_url);
    }
    laz_base64_put(buf, text + n, length - n, is_url);
    explicit_bzero(first, sizeof(first));
}

/* ---- Keeping them ---- */

/* What stands behind `from`, but for the first and the last digits, is one more way, unless it is
 * too short or has been written so already: then it is given back. */
static bool keep(struct writing *writing, size_t from, size_t skip, size_t length)
{
    struct laz_buf *bytes = &writing->literals->bytes;
    const struct laz_bytes way = {.at = bytes->data + from + skip, .length = length};
    bool is_needed = length >= LAZ_LITERALS_LEAST && !bytes->overflow;
    for (size_t i = 0; i < writing->n && is_needed; i++) {
        is_needed = writing->ways[i].length != length ||
                memcmp(writing->ways[i].at, way.at, length) != 0;
    }
    if (!is_needed) {
        explicit_bzero(bytes->data + from, bytes->len - from);
        bytes->len = from;
        return !bytes->overflow;
    }
    writing->ways[writing->n++] = way;
    return laz_literals_keep(writing->literals, from + skip, length);
}

static bool keep_all(struct writing *writing, size_t from)
{
    return keep(writing, from, 0, writing->literals->bytes.len - from);
}

/* Each of the lines in which programs write many digits. */
static bool keep_rows(struct writing *writing, size_t from, size_t length, size_t width)
{
    bool fits = true;
    for (size_t at = 0; at < length && fits && length > width; at += width) {
        size_t n = length - at < width ? length - at : width;
        fits = n < LEAST_BASE64 || laz_literals_keep(writing->literals, from + at, n);
    }
    return fits;
}

/* The lines around a PEM text name what it is, and are in many logs. */
static bool is_boundary(const char *line, size_t length)
{
    return length > 10 && memcmp(line, "-----", 5) == 0 &&
            memcmp(line + length - 5, "-----", 5) == 0;
}

/* Brackets and blanks are in many logs too. */
static bool says_enough(const char *line, size_t length, size_t least)
{
    size_t n = 0;
    for (size_t i = 0; i < length && n < least; i++) {
        n += laz_is_word(line[i]) || (unsigned char)line[i] >= 0x80 ? 1 : 0;
    }
    return n >= least;
}

/* Most logs have nothing but lines. */
static bool keep_lines(struct writing *writing)
{
    struct laz_buf *bytes = &writing->literals->bytes;
    size_t from = bytes->len;
    laz_buf_put(bytes, writing->text, writing->length);
    if (memchr(writing->text, '\n', writing->length) == NULL) {
        return keep_all(writing, from);
    }
    bool fits = !bytes->overflow;
    for (size_t at = 0; at < writing->length && fits;) {
        const char *line = bytes->data + from + at;
        const char *feed = memchr(line, '\n', writing->length - at);
        size_t n = feed == NULL ? writing->length - at : (size_t)(feed - line);
        size_t length = n > 0 && line[n - 1] == '\r' ? n - 1 : n;
        bool is_needed = says_enough(line, length, writing->least) && !is_boundary(line, length);
        fits = !is_needed || laz_literals_keep(writing->literals, from + at, length);
        at += n + 1;
    }
    return fits;
}

static bool keep_json(struct writing *writing, const struct json_style *style)
{
    size_t from = writing->literals->bytes.len;
    put_json(&writing->literals->bytes, writing->text, writing->length, style);
    return keep_all(writing, from);
}

/* In base64 a text looks in three ways, by how many bytes are in front of it. The digits that
 * depend on its neighbours are left out. */
static bool keep_base64(struct writing *writing, size_t shift, bool is_url)
{
    struct laz_buf *bytes = &writing->literals->bytes;
    size_t from = bytes->len;
    size_t first = (8 * shift + 5) / 6;
    size_t last = 8 * (shift + writing->length) / 6; /* without the one that is not all its own */
    put_base64(bytes, writing->text, writing->length, shift, is_url);
    if (last - first < LEAST_BASE64) {
        return keep(writing, from, 0, 0);
    }
    if (!keep(writing, from, first, last - first)) {
        return false;
    }
    bool has_rows = shift == 0 && !is_url && bytes->len > from;
    return !has_rows || (keep_rows(writing, from, last, 64) && keep_rows(writing, from, last, 76));
}

static bool keep_hex(struct writing *writing, const char *digits)
{
    size_t from = writing->literals->bytes.len;
    put_hex(&writing->literals->bytes, writing->text, writing->length, digits);
    size_t length = writing->literals->bytes.len - from;
    return keep(writing, from, 0, length) &&
            (writing->literals->bytes.len == from || keep_rows(writing, from, length, 60));
}

static bool keep_short(struct writing *writing)
{
    static const struct json_style styles[] = {
            {.ascii = NULL},
            {.ascii = HEX_LOWER},
            {.ascii = HEX},
            {.slash = true},
            {.html = true},
    };
    bool fits = true;
    for (size_t i = 0; i < sizeof(styles) / sizeof(styles[0]) && fits; i++) {
        fits = keep_json(writing, &styles[i]);
    }
    for (size_t i = 0; i < 3 && fits; i++) {
        size_t from = writing->literals->bytes.len;
        put_url(&writing->literals->bytes, writing->text, writing->length, i == 1 ? HEX_LOWER : HEX,
                i == 2);
        fits = keep_all(writing, from);
    }
    for (size_t shift = 0; shift < 3 && fits; shift++) {
        fits = keep_base64(writing, shift, false) && keep_base64(writing, shift, true);
    }
    return fits && keep_hex(writing, HEX_LOWER) && keep_hex(writing, HEX);
}

/* Text, as opposed to what nobody writes as JSON. */
static bool is_text(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c < 0x20 && c != '\t' && c != '\n' && c != '\r') {
            return false;
        }
    }
    return true;
}

/* All ways of 64 long texts would fill the container's memory. */
static bool keep_long(struct writing *writing)
{
    const struct json_style style = {.ascii = NULL};
    return (!is_text(writing->text, writing->length) || keep_json(writing, &style)) &&
            keep_base64(writing, 0, false);
}

size_t laz_writings_room(size_t length)
{
    size_t ways = length > LAZ_WRITINGS_WHOLE_MAX ? 5 : 56; /* times as long, together */
    return ways * length + 256;
}

static bool ends_line(char c)
{
    return c == '\n' || c == '\r';
}

bool laz_writings_put(struct laz_literals *literals, const struct laz_bytes *text, size_t least)
{
    struct writing writing = {
            .literals = literals, .text = text->at, .length = text->length, .least = least};
    while (writing.length > 0 && ends_line(writing.text[writing.length - 1])) {
        writing.length--;
    }
    if (writing.length < LAZ_LITERALS_LEAST) {
        return true;
    }
    return keep_lines(&writing) &&
            (writing.length > LAZ_WRITINGS_WHOLE_MAX ? keep_long(&writing) : keep_short(&writing));
}
