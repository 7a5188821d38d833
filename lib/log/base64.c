/* SPDX-License-Identifier: Apache-2.0
 *
 * Base64 in pieces that fit the stack.
 */
#include "log/base64.h"

#include <string.h>

#define DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#define PIECE  48 /* bytes: 64 digits */

static size_t encode(const unsigned char *bytes, size_t length, const char *digits, char *ret)
{
    size_t n = 0;
    for (size_t i = 0; i < length; i += 3) {
        size_t left = length - i;
        uint32_t three = (uint32_t)bytes[i] << 16;
        three |= left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
        three |= left > 2 ? bytes[i + 2] : 0;
        size_t used = left > 2 ? 4 : left + 1;
        for (size_t k = 0; k < used; k++) {
            ret[n++] = digits[three >> (18 - 6 * k) & 0x3F];
        }
    }
    return n;
}

void laz_base64_put(struct laz_buf *buf, const char *bytes, size_t length, bool is_url)
{
    const unsigned char *s = (const unsigned char *)bytes;
    const char *digits = is_url ? DIGITS "-_" : DIGITS "+/";
    char piece[PIECE / 3 * 4];
    for (size_t i = 0; i < length; i += PIECE) {
        size_t n = encode(s + i, length - i < PIECE ? length - i : PIECE, digits, piece);
        laz_buf_put(buf, piece, n);
    }
    explicit_bzero(piece, sizeof(piece)); /* some of what is written so is secret */
    for (size_t i = length; i % 3 != 0 && !is_url; i++) {
        laz_buf_char(buf, '=');
    }
}
