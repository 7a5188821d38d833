/* SPDX-License-Identifier: Apache-2.0
 *
 * base64, base64url and hex by arithmetic alone, so that no cache line tells what was decoded.
 */
#include "secret/coding.h"

#define INVALID 256U

/* 1 if first <= x <= last, else 0; all below 256. */
static uint32_t is_between(uint32_t x, uint32_t first, uint32_t last)
{
    return ((x + 256 - first) >> 8) & ((last + 256 - x) >> 8) & 1U;
}

/* ---- to text ---- */

static char digit_64(uint32_t value, bool is_url)
{
    return (char)(is_between(value, 0, 25) * ('A' + value) +
            is_between(value, 26, 51) * ('a' + value - 26) +
            is_between(value, 52, 61) * ('0' + value - 52) +
            is_between(value, 62, 62) * (is_url ? '-' : '+') +
            is_between(value, 63, 63) * (is_url ? '_' : '/'));
}

static void encode_64(const uint8_t *bytes, size_t length, bool is_url, struct laz_buf *ret)
{
    for (size_t at = 0; at < length; at += 3) {
        size_t n = length - at < 3 ? length - at : 3;
        uint32_t bits = (uint32_t)bytes[at] << 16;
        bits |= n > 1 ? (uint32_t)bytes[at + 1] << 8 : 0;
        bits |= n > 2 ? bytes[at + 2] : 0;
        for (size_t i = 0; i <= n; i++) {
            laz_buf_char(ret, digit_64(bits >> (18 - 6 * i) & 63U, is_url));
        }
        for (size_t i = n; i < 3 && !is_url; i++) {
            laz_buf_char(ret, '=');
        }
    }
}

static char digit_16(uint32_t value)
{
    return (char)('0' + value + is_between(value, 10, 15) * ('a' - '0' - 10));
}

void laz_secret_encode(
        enum laz_secret_form form, const void *bytes, size_t length, struct laz_buf *ret)
{
    const uint8_t *at = bytes;
    switch (form) {
    case LAZ_SECRET_FORM_BASE64:
    case LAZ_SECRET_FORM_BASE64URL:
        encode_64(at, length, form == LAZ_SECRET_FORM_BASE64URL, ret);
        break;
    case LAZ_SECRET_FORM_HEX:
        for (size_t i = 0; i < length; i++) {
            laz_buf_char(ret, digit_16(at[i] >> 4U));
            laz_buf_char(ret, digit_16(at[i] & 15U));
        }
        break;
    case LAZ_SECRET_FORM_RAW:
    case LAZ_SECRET_FORM_JSON: /* no codings of bytes */
    case LAZ_SECRET_FORM_DOTENV:
    case LAZ_SECRET_FORM_JWK:
    case LAZ_SECRET_FORM_JWKS:
    case LAZ_SECRET_FORM_PEM:
    case LAZ_SECRET_FORM_COUNT:
        laz_buf_put(ret, bytes, length);
        break;
    }
}

/* ---- from text ---- */

static uint32_t value_64(uint32_t c, bool is_url)
{
    uint32_t upper = is_between(c, 'A', 'Z');
    uint32_t lower = is_between(c, 'a', 'z');
    uint32_t number = is_between(c, '0', '9');
    uint32_t first = is_between(c, is_url ? '-' : '+', is_url ? '-' : '+');
    uint32_t second = is_between(c, is_url ? '_' : '/', is_url ? '_' : '/');
    return upper * (c - 'A') + lower * (c - 'a' + 26) + number * (c - '0' + 52) + first * 62 +
            second * 63 + (1 - (upper | lower | number | first | second)) * INVALID;
}

static uint32_t value_16(uint32_t c)
{
    uint32_t upper = is_between(c, 'A', 'F');
    uint32_t lower = is_between(c, 'a', 'f');
    uint32_t number = is_between(c, '0', '9');
    return upper * (c - 'A' + 10) + lower * (c - 'a' + 10) + number * (c - '0') +
            (1 - (upper | lower | number)) * INVALID;
}

/* Texts of 4 digits are 3 bytes, of 2 one, of 3 two; `at` is for the message. */
static int decode_group(const char *text, size_t n, size_t at, bool is_url, struct laz_buf *ret,
        struct laz_err *err)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t value = value_64((unsigned char)text[at + i], is_url);
        if (value == INVALID) {
            return laz_err_set(err, LAZ_E_SECRET, 0, "character %zu is none of %s", at + i + 1,
                    is_url ? "base64url" : "base64");
        }
        bits |= value << (18 - 6 * i);
    }
    uint32_t left_over = n == 4 ? 0 : n == 3 ? 0xFFU : 0xFFFFU;
    if ((bits & left_over) != 0) {
        return laz_err_set(err, LAZ_E_SECRET, 0, "its last character has bits left over");
    }
    for (size_t i = 0; i + 1 < n; i++) {
        laz_buf_char(ret, (char)(bits >> (16 - 8 * i) & 0xFFU));
    }
    return 0;
}

/* Without its padding; what is no multiple of four has none. */
static size_t unpadded(const char *text, size_t length)
{
    size_t n = length;
    while (length % 4 == 0 && n > 0 && length - n < 2 && text[n - 1] == '=') {
        n--;
    }
    return n;
}

static int decode_64(
        const char *text, size_t length, bool is_url, struct laz_buf *ret, struct laz_err *err)
{
    size_t n = is_url ? length : unpadded(text, length);
    int result = 0;
    if (is_url ? n % 4 == 1 : length % 4 != 0) {
        return laz_err_set(err, LAZ_E_SECRET, 0, "its %zu characters are no %s", length,
                is_url ? "base64url" : "base64");
    }
    for (size_t at = 0; at < n && result == 0; at += 4) {
        result = decode_group(text, n - at < 4 ? n - at : 4, at, is_url, ret, err);
    }
    return result;
}

static int decode_16(const char *text, size_t length, struct laz_buf *ret, struct laz_err *err)
{
    if (length % 2 != 0) {
        return laz_err_set(err, LAZ_E_SECRET, 0, "its %zu characters are no hex", length);
    }
    for (size_t at = 0; at < length; at += 2) {
        uint32_t high = value_16((unsigned char)text[at]);
        uint32_t low = value_16((unsigned char)text[at + 1]);
        if (high == INVALID || low == INVALID) {
            return laz_err_set(err, LAZ_E_SECRET, 0, "character %zu is none of hex",
                    at + (high == INVALID ? 1 : 2));
        }
        laz_buf_char(ret, (char)(high << 4U | low));
    }
    return 0;
}

int laz_secret_decode(enum laz_secret_form form, const char *text, size_t length,
        struct laz_buf *ret, struct laz_err *err)
{
    size_t before = ret->len;
    int result = 0;
    switch (form) {
    case LAZ_SECRET_FORM_BASE64:
    case LAZ_SECRET_FORM_BASE64URL:
        result = decode_64(text, length, form == LAZ_SECRET_FORM_BASE64URL, ret, err);
        break;
    case LAZ_SECRET_FORM_HEX:
        result = decode_16(text, length, ret, err);
        break;
    case LAZ_SECRET_FORM_RAW:
    case LAZ_SECRET_FORM_JSON: /* no codings of bytes */
    case LAZ_SECRET_FORM_DOTENV:
    case LAZ_SECRET_FORM_JWK:
    case LAZ_SECRET_FORM_JWKS:
    case LAZ_SECRET_FORM_PEM:
    case LAZ_SECRET_FORM_COUNT:
        laz_buf_put(ret, text, length);
        break;
    }
    ret->len = result == 0 ? ret->len : before;
    return result;
}
