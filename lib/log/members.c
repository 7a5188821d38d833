/* SPDX-License-Identifier: Apache-2.0
 *
 * A record's words as JSON. Nothing that steers a terminal or a viewer goes out as it is: control
 * characters of both sorts, and those that turn the direction of writing, are escaped.
 */
#include "log/members.h"

#include <string.h>

#include "core/json.h"
#include "log/base64.h"

#define WORST 6  /* bytes of an escape: the most that one byte becomes */
#define PIECE 96 /* bytes of text that are escaped at a time */

/* 16 bytes; a machine without vectors gets words. */
typedef unsigned char v16 __attribute__((vector_size(16)));

struct words {
    uint64_t a;
    uint64_t b;
};

/* Can 16 bytes go out as they are? */
static inline bool are_plain(const char *text)
{
    v16 bytes;
    struct words words;
    (void)memcpy(&bytes, text, sizeof(bytes));
    v16 special =
            (v16)(bytes < 0x20) | (v16)(bytes >= 0x7F) | (v16)(bytes == '"') | (v16)(bytes == '\\');
    (void)memcpy(&words, &special, sizeof(words));
    return (words.a | words.b) == 0;
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
}

static size_t skip_plain(const char *text, size_t length)
{
    size_t at = 0;
    while (length - at >= sizeof(v16) && are_plain(text + at)) {
        at += sizeof(v16);
    }
    if (length - at < sizeof(v16) && length >= sizeof(v16) &&
            are_plain(text + length - sizeof(v16))) {
        return length;
    }
    while (at < length && is_plain((unsigned char)text[at])) {
        at++;
    }
    return at;
}

/* A well-formed character of two or three bytes that is nevertheless escaped: its number, or 0. C1
 * controls, and what Unicode calls Bidi_Control or a line or paragraph separator. */
static unsigned steering(const unsigned char *s, size_t length)
{
    unsigned code = 0;
    if (length == 2) {
        code = (s[0] & 0x1FU) << 6 | (s[1] & 0x3FU);
        return code < 0xA0 || code == 0x61C ? code : 0;
    }
    if (length != 3 || s[0] != 0xE2) {
        return 0;
    }
    code = (s[0] & 0x0FU) << 12 | (s[1] & 0x3FU) << 6 | (s[2] & 0x3FU);
    bool steers = code == 0x200E || code == 0x200F || (code >= 0x2028 && code <= 0x202E) ||
            (code >= 0x2066 && code <= 0x2069);
    return steers ? code : 0;
}

static char *put_code(char *to, unsigned code)
{
    static const char digits[] = "0123456789abcdef";
    *to++ = '\\';
    *to++ = 'u';
    for (int shift = 12; shift >= 0; shift -= 4) {
        *to++ = digits[code >> shift & 0xF];
    }
    return to;
}

/* One character that is not plain, of which *ret_length bytes are read. Returns what is behind what
 * was written, at most WORST bytes for each one that is read. */
static char *put_special(char *to, const char *text, size_t left, size_t *ret_length, bool *is_utf8)
{
    unsigned char c = (unsigned char)*text;
    *ret_length = 1;
    if (c == '"' || c == '\\') {
        *to++ = '\\';
        *to++ = *text;
        return to;
    }
    if (c < 0x80) {
        return put_code(to, c);
    }
    size_t length = laz_utf8_length(text, left);
    if (length == 0) {
        *is_utf8 = false;
        return put_code(to, 0xFFFD);
    }
    *ret_length = length;
    unsigned code = steering((const unsigned char *)text, length);
    if (code != 0) {
        return put_code(to, code);
    }
    (void)memcpy(to, text, length);
    return to + length;
}

/* Was all of it UTF-8? */
static bool put_escaped(struct laz_buf *buf, const char *text, size_t length)
{
    bool is_utf8 = true;
    size_t at = skip_plain(text, length);
    laz_buf_add(buf, text, at);
    if (at == length) {
        return true;
    }
    char piece[WORST * PIECE];
    while (at < length) {
        char *to = piece;
        size_t end = length - at < PIECE ? length : at + PIECE;
        while (at < end) {
            size_t n = 1;
            if (is_plain((unsigned char)text[at])) {
                *to++ = text[at];
            } else {
                to = put_special(to, text + at, length - at, &n, &is_utf8);
            }
            at += n;
        }
        laz_buf_add(buf, piece, (size_t)(to - piece));
    }
    return is_utf8;
}

size_t laz_members_fit(const char *text, size_t length, size_t *budget)
{
    size_t left = *budget * 3;
    size_t at = 0;
    while (at < length) {
        char piece[WORST];
        bool is_utf8 = true;
        size_t n = 1;
        size_t cost = 1;
        if (!is_plain((unsigned char)text[at])) {
            cost = (size_t)(put_special(piece, text + at, length - at, &n, &is_utf8) - piece);
        }
        cost = 3 * cost + 4 * n;
        if (cost > left) {
            break;
        }
        left -= cost;
        at += n;
    }
    *budget = left / 3;
    return at;
}

static void put_redacted(const struct laz_line *line, struct laz_json *json)
{
    uint32_t all = 0;
    for (size_t i = 0; i < LAZ_REDACT_COUNT; i++) {
        all |= line->redacted[i];
    }
    if (all == 0) {
        return;
    }
    laz_json_object(json, "redacted");
    for (size_t i = 0; i < LAZ_REDACT_COUNT; i++) {
        if (line->redacted[i] > 0) {
            laz_json_u64(json, laz_redact_name((enum laz_redaction)i), line->redacted[i]);
        }
    }
    laz_json_object_end(json);
}

void laz_line_members(const struct laz_line *line, struct laz_buf *ret)
{
    struct laz_json json = {.buf = ret, .comma = true};
    laz_buf_add(ret, "\"msg\":\"", sizeof("\"msg\":\"") - 1);
    bool is_utf8 = put_escaped(ret, line->text, line->length);
    laz_buf_add(ret, "\"", 1);
    if (!line->eol) {
        laz_json_bool(&json, "eol", false);
    }
    if (line->part > 0) {
        laz_json_u64(&json, "part", line->part);
    }
    if (line->more) {
        laz_json_bool(&json, "more", true);
    }
    if (!is_utf8) {
        laz_buf_str(ret, ",\"raw\":\"");
        laz_base64_put(ret, line->text, line->length, false);
        laz_buf_char(ret, '"');
    }
    put_redacted(line, &json);
}
