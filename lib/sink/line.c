/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking at a record's line without decoding it.
 */
#include "sink/line.h"

#define TIME_KEY  ",\"ts\":\""
#define TIME_FORM "dddd-dd-ddTdd:dd:dd.ddddddZ"
#define DATA_KEY  ",\"d\":{"

_Static_assert(sizeof(TIME_FORM) - 1 == LAZ_LINE_TIME_LENGTH, "the length of a time");

int laz_line_check(const char *text, size_t length, struct laz_err *err)
{
    if (length <= LAZ_LINE_EVENT_AT || memcmp(text, LAZ_LINE_START, LAZ_LINE_EVENT_AT) != 0) {
        return laz_err_set(err, LAZ_E_SINK, 0, "it does not begin as a record");
    }
    if (text[length - 2] != '}' || text[length - 1] != '\n') {
        return laz_err_set(err, LAZ_E_SINK, 0, "it does not end as a record");
    }
    for (size_t i = 0; i < length - 1; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < ' ' || c == 0x7f) {
            return laz_err_set(err, LAZ_E_SINK, 0, "its byte %zu is 0x%02x", i, c);
        }
    }
    return 0;
}

/* Where it is; NULL if there is none. In front of it are only strings, in which each `"` has a `\`
 * before it, so that the key cannot be in one. */
const char *laz_line_time(const char *text, size_t length)
{
    const char *at = memmem(text, length, TIME_KEY, sizeof(TIME_KEY) - 1);
    if (at == NULL) {
        return NULL;
    }
    at += sizeof(TIME_KEY) - 1;
    if ((size_t)(text + length - at) <= LAZ_LINE_TIME_LENGTH || at[LAZ_LINE_TIME_LENGTH] != '"') {
        return NULL;
    }
    for (size_t i = 0; i < LAZ_LINE_TIME_LENGTH; i++) {
        bool is_digit = at[i] >= '0' && at[i] <= '9';
        if (TIME_FORM[i] == 'd' ? !is_digit : at[i] != TIME_FORM[i]) {
            return NULL;
        }
    }
    return at;
}

const char *laz_line_data(const char *text, size_t length)
{
    const char *at = memmem(text, length, DATA_KEY, sizeof(DATA_KEY) - 1);
    return at == NULL ? NULL : at + sizeof(DATA_KEY) - 2;
}
