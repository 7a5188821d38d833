/* SPDX-License-Identifier: Apache-2.0
 *
 * Strict numbers. libc only: linked into PID 1.
 */
#include "core/num.h"

size_t laz_count_digits(const char *text)
{
    size_t n = 0;
    while (text[n] >= '0' && text[n] <= '9') {
        n++;
    }
    return n;
}

bool laz_parse_u64(const char *text, size_t length, uint64_t max, uint64_t *ret)
{
    if (length == 0 || (length > 1 && text[0] == '0')) {
        return false;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    if (value > max) {
        return false;
    }
    *ret = value;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

bool laz_parse_hex(const char *text, size_t length, uint8_t *ret, size_t size)
{
    if (length != size * 2) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (hex_digit(text[i]) < 0) {
            return false;
        }
    }
    for (size_t i = 0; i < size; i++) {
        ret[i] = (uint8_t)(hex_digit(text[2 * i]) * 16 + hex_digit(text[2 * i + 1]));
    }
    return true;
}

void laz_format_hex(const uint8_t *bytes, size_t size, char *ret)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        ret[2 * i] = digits[bytes[i] >> 4];
        ret[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret[2 * size] = '\0';
}

bool laz_add_size(size_t a, size_t b, size_t *ret)
{
    return !__builtin_add_overflow(a, b, ret);
}

bool laz_mul_size(size_t a, size_t b, size_t *ret)
{
    return !__builtin_mul_overflow(a, b, ret);
}
