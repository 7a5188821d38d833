/* SPDX-License-Identifier: Apache-2.0
 *
 * From bytes to a tree, and careful steps in it.
 */
#include "gate/input.h"

#include <ctype.h>
#include <stdlib.h>

#include "core/format.h"
#include "core/num.h"

#define SECOND_MS 1000
#define TIME_MAX  40 /* "2026-11-22T00:28:33.123456+00:00" has 32 */

void laz_gate_input_parse(struct laz_gate_input *input)
{
    if (input->text == NULL) {
        return; /* `why` says it already */
    }
    laz_sha256_of(input->text, input->length, input->sha256);
    /* Each value has a byte of its own, and but for the last a separator. */
    size_t most = input->length / 2 + 1;
    const struct laz_json_room room = {.nodes = calloc(most, sizeof(*input->nodes)),
            .max = (uint32_t)(most < LAZ_GATE_NODES_MAX ? most : LAZ_GATE_NODES_MAX),
            .kind = LAZ_E_USAGE};
    struct laz_err err = {0};
    input->nodes = room.nodes;
    if (room.nodes == NULL) {
        (void)laz_err_set(&err, LAZ_E_MEMORY, 0, "no memory for it");
    } else if (laz_json_read(input->text, input->length, &room, &input->doc, &err) == 0) {
        enum laz_json_type type = laz_json_root(&input->doc)->type;
        input->is_good = type == LAZ_JSON_OBJECT || type == LAZ_JSON_ARRAY;
    }
    if (!input->is_good) {
        (void)laz_format(input->why, sizeof(input->why), "%s",
                err.message[0] == '\0' ? "neither an object nor an array" : err.message);
    }
}

void laz_gate_input_done(struct laz_gate_input *input)
{
    free(input->text);
    free(input->nodes);
    input->text = NULL;
    input->nodes = NULL;
    input->is_good = false;
}

struct laz_gate_json laz_gate_json_root(const struct laz_gate_input *input)
{
    return (struct laz_gate_json){&input->doc, input->is_good ? laz_json_root(&input->doc) : NULL};
}

struct laz_gate_json laz_gate_json_member(struct laz_gate_json object, const char *key)
{
    return (struct laz_gate_json){object.doc, laz_json_member(object.doc, object.node, key)};
}

bool laz_gate_json_is(struct laz_gate_json value, enum laz_json_type type)
{
    return value.node != NULL && value.node->type == type;
}

struct laz_gate_json laz_gate_json_element(
        struct laz_gate_json array, struct laz_gate_json previous)
{
    const struct laz_json_node *next = laz_gate_json_is(array, LAZ_JSON_ARRAY)
            ? laz_json_next(array.doc, array.node, previous.node)
            : NULL;
    return (struct laz_gate_json){array.doc, next};
}

size_t laz_gate_json_count(struct laz_gate_json array)
{
    size_t n = 0;
    struct laz_gate_json item = laz_gate_json_element(array, (struct laz_gate_json){0});
    for (; item.node != NULL; item = laz_gate_json_element(array, item)) {
        n++;
    }
    return n;
}

bool laz_gate_json_text(struct laz_gate_json value, char *ret, size_t size)
{
    if (value.node == NULL || !laz_json_copy(value.doc, value.node, ret, size)) {
        ret[0] = '\0';
        return false;
    }
    laz_format_printable(ret);
    return true;
}

int64_t laz_gate_json_number(struct laz_gate_json value)
{
    uint64_t number = 0;
    if (value.node == NULL || !laz_json_number(value.doc, value.node, INT64_MAX, &number)) {
        return -1;
    }
    return (int64_t)number;
}

int laz_gate_json_flag(struct laz_gate_json value)
{
    if (laz_gate_json_is(value, LAZ_JSON_TRUE)) {
        return 1;
    }
    return laz_gate_json_is(value, LAZ_JSON_FALSE) ? 0 : -1;
}

/* ---- Time ---- */

/* Exactly `length` digits at *at. */
static bool take_digits(const char **at, size_t length, int64_t *ret)
{
    int64_t number = 0;
    for (size_t i = 0; i < length; i++) {
        if (!isdigit((unsigned char)(*at)[i])) {
            return false;
        }
        number = 10 * number + ((*at)[i] - '0');
    }
    *at += length;
    *ret = number;
    return true;
}

static bool take(const char **at, char c)
{
    bool is_there = **at == c;
    *at += is_there ? 1 : 0;
    return is_there;
}

/* Days since 1970 of a date of the Gregorian calendar. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    static const int64_t before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    bool leaps = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    int64_t past = year - 1;
    return 365 * (year - 1970) + (past / 4 - past / 100 + past / 400) - 477 + before[month - 1] +
            (month > 2 && leaps ? 1 : 0) + day - 1;
}

/* ".123", to milliseconds; nothing is 0. */
static bool take_fraction(const char **at, int64_t *ret)
{
    int64_t scale = 100;
    *ret = 0;
    if (!take(at, '.')) {
        return true;
    }
    const char *first = *at;
    for (; isdigit((unsigned char)**at); (*at)++, scale /= 10) {
        *ret += (**at - '0') * scale;
    }
    return *at != first;
}

/* "Z" or "+02:00", to minutes that are to be subtracted. */
static bool take_zone(const char **at, int64_t *ret)
{
    int64_t hours = 0;
    int64_t minutes = 0;
    *ret = 0;
    if (take(at, 'Z')) {
        return true;
    }
    int sign = **at == '-' ? -1 : 1;
    if (!take(at, '+') && !take(at, '-')) {
        return false;
    }
    if (!take_digits(at, 2, &hours) || !take(at, ':') || !take_digits(at, 2, &minutes) ||
            hours > 23 || minutes > 59) {
        return false;
    }
    *ret = sign * (60 * hours + minutes);
    return true;
}

static int64_t parse_date(const char *at)
{
    int64_t part[6] = {0}; /* year, month, day, hour, minute, second */
    static const char behind[] = "--T::";
    for (size_t i = 0; i < 6; i++) {
        if (!take_digits(&at, i == 0 ? 4 : 2, &part[i]) || (i < 5 && !take(&at, behind[i]))) {
            return -1;
        }
    }
    int64_t ms = 0;
    int64_t zone = 0;
    if (!take_fraction(&at, &ms) || !take_zone(&at, &zone) || *at != '\0' || part[0] < 1971 ||
            part[1] < 1 || part[1] > 12 || part[2] < 1 || part[2] > 31 || part[3] > 23 ||
            part[4] > 59 || part[5] > 60) {
        return -1;
    }
    int64_t minutes = (days_of(part[0], part[1], part[2]) * 24 + part[3]) * 60 + part[4] - zone;
    return (minutes * 60 + part[5]) * SECOND_MS + ms;
}

int64_t laz_gate_time(const char *text, size_t length)
{
    char copy[TIME_MAX + 1];
    if (length > TIME_MAX) {
        return -1;
    }
    (void)memcpy(copy, text, length);
    copy[length] = '\0';
    return parse_date(copy);
}

int64_t laz_gate_json_time(struct laz_gate_json value)
{
    char text[TIME_MAX + 1];
    if (laz_gate_json_text(value, text, sizeof(text))) {
        return laz_gate_time(text, strlen(text));
    }
    if (!laz_gate_json_is(value, LAZ_JSON_NUMBER)) {
        return -1;
    }
    /* 1479148410.2: the first version of the command line */
    const char *lexeme = value.doc->text + value.node->start;
    size_t length = value.node->end - value.node->start;
    const char *point = memchr(lexeme, '.', length);
    uint64_t seconds = 0;
    if (!laz_parse_u64(lexeme, point == NULL ? length : (size_t)(point - lexeme),
                INT64_MAX / SECOND_MS, &seconds) ||
            memchr(lexeme, 'e', length) != NULL || memchr(lexeme, 'E', length) != NULL) {
        return -1;
    }
    return (int64_t)seconds * SECOND_MS;
}
