/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON writer, RFC 8259. libc only: linked into PID 1.
 */
#include "core/json.h"

#include <string.h>

void laz_json_init(struct laz_json *json, struct laz_buf *buf)
{
    *json = (struct laz_json){.buf = buf};
}

/* Unicode 15, table 3-7. */
size_t laz_utf8_length(const char *text, size_t left)
{
    const unsigned char *s = (const unsigned char *)text;
    if (s[0] < 0x80) {
        return 1;
    }
    size_t length = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
    if (s[0] < 0xC2 || s[0] > 0xF4 || length > left) {
        return 0;
    }
    unsigned char low = s[0] == 0xE0 ? 0xA0 : s[0] == 0xF0 ? 0x90 : 0x80;
    unsigned char high = s[0] == 0xED ? 0x9F : s[0] == 0xF4 ? 0x8F : 0xBF;
    if (s[1] < low || s[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if ((s[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return length;
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
}

/* What needs no escape is copied in runs. */
static void put_escaped(struct laz_buf *buf, const char *value, size_t length)
{
    const unsigned char *s = (const unsigned char *)value;
    size_t start = 0;
    for (size_t i = 0; i < length;) {
        if (is_plain(s[i])) {
            i++;
            continue;
        }
        size_t n = laz_utf8_length(value + i, length - i);
        if (n > 1) {
            i += n;
            continue;
        }
        laz_buf_put(buf, value + start, i - start);
        if (n == 0) {
            laz_buf_str(buf, "\\ufffd");
        } else if (s[i] == '"' || s[i] == '\\') {
            laz_buf_char(buf, '\\');
            laz_buf_char(buf, value[i]);
        } else {
            laz_buf_printf(buf, "\\u%04x", s[i]);
        }
        start = ++i;
    }
    laz_buf_put(buf, value + start, length - start);
}

static void before(struct laz_json *json, const char *key)
{
    if (json->comma) {
        laz_buf_char(json->buf, ',');
    }
    json->comma = true;
    if (key != NULL) {
        laz_buf_char(json->buf, '"');
        put_escaped(json->buf, key, strlen(key));
        laz_buf_str(json->buf, "\":");
    }
}

static void open_bracket(struct laz_json *json, const char *key, char bracket)
{
    before(json, key);
    laz_buf_char(json->buf, bracket);
    json->comma = false;
}

static void close_bracket(struct laz_json *json, char bracket)
{
    laz_buf_char(json->buf, bracket);
    json->comma = true;
}

void laz_json_object(struct laz_json *json, const char *key)
{
    open_bracket(json, key, '{');
}

void laz_json_object_end(struct laz_json *json)
{
    close_bracket(json, '}');
}

void laz_json_array(struct laz_json *json, const char *key)
{
    open_bracket(json, key, '[');
}

void laz_json_array_end(struct laz_json *json)
{
    close_bracket(json, ']');
}

void laz_json_bytes(struct laz_json *json, const char *key, const char *value, size_t length)
{
    before(json, key);
    laz_buf_char(json->buf, '"');
    put_escaped(json->buf, value, length);
    laz_buf_char(json->buf, '"');
}

void laz_json_string(struct laz_json *json, const char *key, const char *value)
{
    laz_json_bytes(json, key, value, strlen(value));
}

static void put_digits(struct laz_buf *buf, uint64_t value)
{
    char digits[20];
    size_t first = sizeof(digits);
    do {
        digits[--first] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    laz_buf_put(buf, digits + first, sizeof(digits) - first);
}

void laz_json_u64(struct laz_json *json, const char *key, uint64_t value)
{
    before(json, key);
    put_digits(json->buf, value);
}

void laz_json_i64(struct laz_json *json, const char *key, int64_t value)
{
    before(json, key);
    if (value < 0) {
        laz_buf_char(json->buf, '-');
    }
    put_digits(json->buf, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void laz_json_bool(struct laz_json *json, const char *key, bool value)
{
    before(json, key);
    laz_buf_str(json->buf, value ? "true" : "false");
}
