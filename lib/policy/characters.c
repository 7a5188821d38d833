/* SPDX-License-Identifier: Apache-2.0
 *
 * UTF-8 as in Unicode 15, table 3-7, and the characters that make a text look like another one.
 */
#include "policy/characters.h"

#include <stdint.h>

/* Decodes the character at s: its length, or 0 if it is not well-formed. */
static size_t decode(const unsigned char *s, size_t left, uint32_t *ret)
{
    if (s[0] < 0x80) {
        *ret = s[0];
        return 1;
    }
    size_t length = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
    if (s[0] < 0xC2 || s[0] > 0xF4 || length > left) {
        return 0;
    }
    uint32_t code = s[0] & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((s[i] & 0xC0) != 0x80) {
            return 0;
        }
        code = code << 6 | (s[i] & 0x3Fu);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (code < least[length] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
        return 0;
    }
    *ret = code;
    return length;
}

static bool is_in(uint32_t code, uint32_t first, uint32_t last)
{
    return code >= first && code <= last;
}

static bool is_bidirectional(uint32_t code)
{
    return code == 0x061C || is_in(code, 0x200E, 0x200F) || is_in(code, 0x202A, 0x202E) ||
            is_in(code, 0x2066, 0x2069);
}

/* Zero width, tags, fillers, selectors, byte order marks, and line ends that only YAML knows. */
static bool is_invisible(uint32_t code)
{
    return code == 0x00AD || code == 0x034F || code == 0x115F || code == 0x1160 ||
            is_in(code, 0x180B, 0x180F) || is_in(code, 0x200B, 0x200D) ||
            is_in(code, 0x2028, 0x2029) || is_in(code, 0x2060, 0x2065) || code == 0x3164 ||
            is_in(code, 0xFE00, 0xFE0F) || code == 0xFEFF || code == 0xFFA0 ||
            is_in(code, 0xFFF0, 0xFFFB) || (code & 0xFFFE) == 0xFFFE ||
            is_in(code, 0xE0000, 0xE0FFF);
}

static bool is_control(uint32_t code)
{
    return code < 0x20 || is_in(code, 0x7F, 0x9F);
}

static bool is_allowed(uint32_t code)
{
    return !is_control(code) && !is_bidirectional(code) && !is_invisible(code);
}

size_t laz_characters_find_bad(const char *text, size_t length, bool is_file)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t i = 0;
    while (i < length) {
        if (s[i] >= 0x20 && s[i] < 0x7F) {
            i++;
            continue;
        }
        bool ends_line = s[i] == '\n' || (s[i] == '\r' && i + 1 < length && s[i + 1] == '\n');
        if (is_file && (ends_line || s[i] == '\t')) {
            i++;
            continue;
        }
        uint32_t code = 0;
        size_t n = decode(s + i, length - i, &code);
        if (n == 0 || !is_allowed(code)) {
            return i;
        }
        i += n;
    }
    return length;
}

const char *laz_characters_explain(const char *text, size_t length)
{
    uint32_t code = 0;
    if (length == 0 || decode((const unsigned char *)text, length, &code) == 0) {
        return "not UTF-8";
    }
    if (code == 0) {
        return "a NUL character";
    }
    if (is_control(code)) {
        return "a control character";
    }
    return is_bidirectional(code) ? "a bidirectional control character" : "an invisible character";
}
