/* SPDX-License-Identifier: Apache-2.0
 *
 * A formatter of a hundred lines. libc only: linked into PID 1.
 */
#include "core/format.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#define DIGITS_MAX 24 /* of 64 bits in octal, and what # puts in front */

struct output {
    char *at;
    size_t size;
    size_t length; /* of all that was to be written */
};

/* One conversion: %[0][#][-][width|*][.precision|.*][z|l|ll]letter */
struct conversion {
    bool left;
    bool zero;
    bool alternate;
    int width;
    int precision; /* -1: none */
    bool is_long;
};

/* One width for l, ll and z. */
static_assert(sizeof(long) == sizeof(long long) && sizeof(long) == sizeof(size_t), "not LP64");

static void put(struct output *output, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++, output->length++) {
        if (output->length + 1 < output->size) {
            output->at[output->length] = text[i];
        }
    }
}

static void pad(struct output *output, char with, int width, size_t length)
{
    for (size_t i = length; width > 0 && i < (size_t)width; i++) {
        put(output, &with, 1);
    }
}

static int number(const char **at, va_list *args)
{
    int value = 0;
    if (**at == '*') {
        (*at)++;
        return va_arg(*args, int);
    }
    for (; **at >= '0' && **at <= '9' && value < 10000; (*at)++) {
        value = 10 * value + (**at - '0');
    }
    return value;
}

static void put_digits(struct output *output, const struct conversion *how, uint64_t value,
        unsigned base, bool negative)
{
    char text[DIGITS_MAX];
    size_t n = sizeof(text);
    bool is_zero = value == 0;
    do {
        text[--n] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    const char *front = negative ? "-" : how->alternate && base == 16 && !is_zero ? "0x" : "";
    size_t length = sizeof(text) - n + strlen(front);
    pad(output, ' ', how->zero || how->left ? 0 : how->width, length);
    put(output, front, strlen(front));
    pad(output, '0', how->zero && !how->left ? how->width : 0, length);
    put(output, text + n, sizeof(text) - n);
    pad(output, ' ', how->left ? how->width : 0, length);
}

static void put_string(struct output *output, const struct conversion *how, const char *text)
{
    size_t length = how->precision < 0 ? strlen(text) : strnlen(text, (size_t)how->precision);
    pad(output, ' ', how->left ? 0 : how->width, length);
    put(output, text, length);
    pad(output, ' ', how->left ? how->width : 0, length);
}

static const char *read_conversion(const char *at, struct conversion *ret, va_list *args)
{
    *ret = (struct conversion){.precision = -1};
    for (; *at == '0' || *at == '#' || *at == '-'; at++) {
        ret->zero = ret->zero || *at == '0';
        ret->alternate = ret->alternate || *at == '#';
        ret->left = ret->left || *at == '-';
    }
    ret->width = number(&at, args);
    if (*at == '.') {
        at++;
        ret->precision = number(&at, args);
    }
    for (; *at == 'l' || *at == 'z'; at++) {
        ret->is_long = true;
    }
    return at;
}

static uint64_t take_unsigned(const struct conversion *how, va_list *args)
{
    return how->is_long ? va_arg(*args, unsigned long) : va_arg(*args, unsigned);
}

static int64_t take_signed(const struct conversion *how, va_list *args)
{
    return how->is_long ? va_arg(*args, long) : va_arg(*args, int);
}

static unsigned base_of(char letter)
{
    return letter == 'u' ? 10 : letter == 'x' ? 16 : 8;
}

static void convert(
        struct output *output, const struct conversion *how, const char *letter, va_list *args)
{
    int64_t value = 0;
    char c = 0;
    switch (*letter) {
    case 's':
        put_string(output, how, va_arg(*args, const char *));
        break;
    case 'd':
        value = take_signed(how, args);
        put_digits(output, how, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10, value < 0);
        break;
    case 'u':
    case 'x':
    case 'o':
        put_digits(output, how, take_unsigned(how, args), base_of(*letter), false);
        break;
    case 'c':
        c = (char)va_arg(*args, int);
        put(output, &c, 1);
        break;
    default: /* %% too */
        put(output, letter, *letter == '\0' ? 0 : 1);
        break;
    }
}

int laz_format_v(char *ret, size_t size, const char *format, va_list args)
{
    struct output output = {.at = ret, .size = size};
    va_list rest;
    va_copy(rest, args);
    for (const char *at = format; *at != '\0'; at++) {
        if (*at != '%') {
            put(&output, at, 1);
            continue;
        }
        struct conversion how;
        at = read_conversion(at + 1, &how, &rest);
        convert(&output, &how, at, &rest);
        if (*at == '\0') {
            break;
        }
    }
    va_end(rest);
    if (size > 0) {
        ret[output.length < size ? output.length : size - 1] = '\0';
    }
    return (int)output.length;
}

int laz_format(char *ret, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = laz_format_v(ret, size, format, args);
    va_end(args);
    return length;
}

void laz_format_printable(char *text)
{
    for (char *c = text; *c != '\0'; c++) {
        if (*c < ' ' || *c > '~') {
            *c = '?';
        }
    }
}
