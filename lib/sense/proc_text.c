/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers and fields as the kernel prints them.
 */
#include "sense/proc_text.h"

#include <string.h>

bool laz_proc_text_number(
        struct laz_proc_text *text, const char *digits, uint64_t max, uint64_t *ret)
{
    uint64_t value = 0;
    size_t base = strlen(digits);
    const char *start = text->at;
    for (; text->at < text->end; text->at++) {
        size_t digit = 0;
        while (digit < base && digits[digit] != *text->at) {
            digit++;
        }
        if (digit == base) {
            break;
        }
        if (value > (max - digit) / base) {
            return false;
        }
        value = value * base + digit;
    }
    *ret = value;
    return text->at > start;
}

bool laz_proc_text_char(struct laz_proc_text *text, char c)
{
    if (text->at == text->end || *text->at != c) {
        return false;
    }
    text->at++;
    return true;
}

void laz_proc_text_skip_blanks(struct laz_proc_text *text)
{
    while (text->at < text->end && (*text->at == ' ' || *text->at == '\t')) {
        text->at++;
    }
}

bool laz_proc_text_skip_field(struct laz_proc_text *text)
{
    laz_proc_text_skip_blanks(text);
    const char *start = text->at;
    while (text->at < text->end && *text->at != ' ') {
        text->at++;
    }
    return text->at > start;
}
