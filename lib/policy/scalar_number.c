/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers, in whatever unit. What YAML 1.1 and 1.2 read differently (010, 1:30, no, 1_000) is an
 * error here unless the type makes it plain.
 */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>

#include "core/num.h"
#include "policy/policy.h"
#include "policy/report.h"
#include "policy/scalar_kinds.h"

static int parse_bool(const struct laz_scalar *scalar, uint64_t *ret, struct laz_err *err)
{
    bool is_true = strcmp(scalar->text, "true") == 0;
    if (!is_true && strcmp(scalar->text, "false") != 0) {
        return laz_scalar_refuse(err, scalar, "must be true or false");
    }
    if (!scalar->is_plain) {
        return laz_err_set(
                err, LAZ_E_POLICY_INVALID, 0, "true and false are written without quotes");
    }
    *ret = is_true ? 1 : 0;
    return 0;
}

static int parse_int(const struct laz_field *field, const struct laz_scalar *scalar, uint64_t *ret,
        struct laz_err *err)
{
    bool is_negative = field->min < 0 && scalar->text[0] == '-';
    uint64_t number = 0;
    if (!laz_parse_u64(
                scalar->text + is_negative, scalar->length - is_negative, INT64_MAX, &number)) {
        return laz_scalar_refuse(err, scalar, "must be a decimal number");
    }
    if (!scalar->is_plain) {
        return laz_err_set(err, LAZ_E_POLICY_INVALID, 0, "numbers are written without quotes");
    }
    int64_t value = is_negative ? -(int64_t)number : (int64_t)number;
    if (value < field->min || (value > 0 && number > field->max)) {
        struct laz_quoted quoted;
        if (field->min == (int64_t)field->max) {
            return laz_err_set(err, LAZ_E_POLICY_INVALID, 0, "must be %" PRId64 ", not %s",
                    field->min, laz_quote(&quoted, scalar->text, scalar->length));
        }
        return laz_err_set(err, LAZ_E_POLICY_INVALID, 0,
                "must be from %" PRId64 " to %" PRIu64 ", not %s", field->min, field->max,
                laz_quote(&quoted, scalar->text, scalar->length));
    }
    *ret = (uint64_t)value;
    return 0;
}

static bool is_within(const struct laz_field *field, uint64_t number)
{
    return number >= (uint64_t)field->min && number <= field->max;
}

/* Of a number alone most people mean seconds; where those would be too many, the others do. */
static int refuse_duration(const struct laz_field *field, const struct laz_scalar *scalar,
        size_t digits, struct laz_err *err)
{
    static const char why[] = "must be a duration with its unit, such as 10s or 50ms";
    struct laz_quoted quoted;
    const char *unit = scalar->text + digits + strspn(scalar->text + digits, " ");
    bool is_second = strcmp(unit, "s") == 0 || strcmp(unit, "sec") == 0;
    uint64_t number = 0;
    bool is_number = laz_parse_u64(scalar->text, digits, UINT32_MAX, &number) &&
            (*unit == '\0' || is_second);
    bool may_be_ms = !is_second && is_within(field, number);
    if (!is_number || (!may_be_ms && !is_within(field, number * 1000))) {
        return laz_scalar_refuse(err, scalar, why);
    }
    return laz_err_set(err, LAZ_E_POLICY_INVALID, 0, "%s, not %s (did you mean \"%.*s%s\"?)", why,
            laz_quote(&quoted, scalar->text, scalar->length), (int)digits, scalar->text,
            is_within(field, number * 1000) ? "s" : "ms");
}

/* "10s", "50ms", "5m" and "24h" to milliseconds. */
static int parse_duration(const struct laz_field *field, const struct laz_scalar *scalar,
        uint64_t *ret, struct laz_err *err)
{
    size_t digits = strspn(scalar->text, "0123456789");
    const char *unit = scalar->text + digits;
    uint64_t factor = strcmp(unit, "ms") == 0 ? 1
            : strcmp(unit, "s") == 0          ? 1000
            : strcmp(unit, "m") == 0          ? 60000
            : strcmp(unit, "h") == 0          ? 3600000
                                              : 0;
    uint64_t number = 0;
    if (factor == 0 || !laz_parse_u64(scalar->text, digits, UINT32_MAX, &number)) {
        return refuse_duration(field, scalar, digits, err);
    }
    number *= factor;
    if (number < (uint64_t)field->min || number > field->max) {
        struct laz_quoted quoted;
        return laz_err_set(err, LAZ_E_POLICY_INVALID, 0,
                "must be from %" PRId64 "ms to %" PRIu64 "ms, not %s", field->min, field->max,
                laz_quote(&quoted, scalar->text, scalar->length));
    }
    *ret = number;
    return 0;
}

static int parse_percent(const struct laz_field *field, const struct laz_scalar *scalar,
        uint64_t *ret, struct laz_err *err)
{
    size_t digits = strspn(scalar->text, "0123456789");
    uint64_t number = 0;
    if (strcmp(scalar->text + digits, "%") != 0 ||
            !laz_parse_u64(scalar->text, digits, field->max, &number) ||
            number < (uint64_t)field->min) {
        char text[64];
        struct laz_buf range;
        laz_buf_init_fixed(&range, text, sizeof(text));
        laz_buf_printf(&range, "must be from %" PRId64 "%% to %" PRIu64 "%%, with its sign",
                field->min, field->max);
        return laz_scalar_refuse(err, scalar, text);
    }
    *ret = number;
    return 0;
}

/* "30m", "24h" and "7d" to seconds. */
static int parse_validity(const struct laz_field *field, const struct laz_scalar *scalar,
        uint64_t *ret, struct laz_err *err)
{
    size_t digits = strspn(scalar->text, "0123456789");
    const char *unit = scalar->text + digits;
    uint64_t factor = strcmp(unit, "m") == 0 ? 60
            : strcmp(unit, "h") == 0         ? 3600
            : strcmp(unit, "d") == 0         ? 86400
                                             : 0;
    uint64_t number = 0;
    if (factor == 0 || !laz_parse_u64(scalar->text, digits, UINT32_MAX, &number) ||
            number * factor < (uint64_t)field->min || number * factor > field->max) {
        return laz_scalar_refuse(
                err, scalar, "must be 5m to 398d, in minutes, hours or days, such as 24h or 7d");
    }
    *ret = number * factor;
    return 0;
}

static int parse_octal(const struct laz_field *field, const struct laz_scalar *scalar,
        uint64_t *ret, struct laz_err *err)
{
    uint64_t number = 0;
    bool is_octal = !scalar->is_plain && scalar->length >= 2 && scalar->length <= 6 &&
            scalar->text[0] == '0' && strspn(scalar->text, "01234567") == scalar->length;
    for (size_t i = 0; is_octal && i < scalar->length; i++) {
        number = number * 8 + (uint64_t)(scalar->text[i] - '0');
    }
    if (!is_octal || number > field->max) {
        return laz_err_set(err, LAZ_E_POLICY_INVALID, 0,
                "must be octal, with a leading 0 and in quotes, such as \"0077\"");
    }
    *ret = number;
    return 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool laz_scalar_integer(const char *text, size_t length, uint64_t *ret)
{
    if (length <= 2 || text[0] != '0' || text[1] != 'x') {
        return laz_parse_u64(text, length, UINT64_MAX, ret);
    }
    uint64_t number = 0;
    for (size_t i = 2; i < length; i++) {
        int digit = hex_digit(text[i]);
        if (digit < 0 || number >> 60 != 0) {
            return false;
        }
        number = number << 4 | (uint64_t)digit;
    }
    *ret = number;
    return true;
}

/* Numbers of conditions are checked here, names of constants where the call and its argument are
 * known. */
static int check_value(const struct laz_scalar *scalar, struct laz_err *err)
{
    uint64_t number = 0;
    if (isalpha((unsigned char)scalar->text[0]) ||
            (scalar->is_plain && laz_scalar_integer(scalar->text, scalar->length, &number))) {
        return 0;
    }
    return laz_scalar_refuse(err, scalar,
            "must be a decimal or 0x number without sign and quotes, or the name of a constant");
}

static bool limit_is_size(uint64_t resource)
{
    switch (resource) {
    case RLIMIT_FSIZE:
    case RLIMIT_DATA:
    case RLIMIT_STACK:
    case RLIMIT_CORE:
    case RLIMIT_RSS:
    case RLIMIT_MEMLOCK:
    case RLIMIT_AS:
    case RLIMIT_MSGQUEUE:
        return true;
    default:
        return false;
    }
}

/* A plain number, or one with a unit where there may be one. */
static bool is_quantity(const struct laz_scalar *scalar, bool has_unit, uint64_t *ret)
{
    size_t digits = strspn(scalar->text, "0123456789");
    const char *unit = scalar->text + digits;
    unsigned shift = strcmp(unit, "KiB") == 0 ? 10
            : strcmp(unit, "MiB") == 0        ? 20
            : strcmp(unit, "GiB") == 0        ? 30
                                              : 0;
    bool is_number = *unit == '\0' && scalar->is_plain;
    uint64_t number = 0;
    if ((!is_number && (!has_unit || shift == 0)) ||
            !laz_parse_u64(scalar->text, digits, (uint64_t)INT64_MAX >> shift, &number)) {
        return false;
    }
    *ret = number << shift;
    return true;
}

static const char must_be_size[] =
        "must be a number of bytes, or one with the unit KiB, MiB or GiB";

static int parse_limit(const struct laz_scalar *scalar, uint64_t *ret, struct laz_err *err)
{
    bool is_size = limit_is_size(scalar->key_number);
    if (!is_quantity(scalar, is_size, ret)) {
        return laz_scalar_refuse(err, scalar,
                is_size ? must_be_size : "must be a decimal number without quotes and unit");
    }
    return 0;
}

static int parse_size(const struct laz_field *field, const struct laz_scalar *scalar, uint64_t *ret,
        struct laz_err *err)
{
    uint64_t number = 0;
    if (!is_quantity(scalar, true, &number)) {
        return laz_scalar_refuse(err, scalar, must_be_size);
    }
    if (number < (uint64_t)field->min || number > field->max) {
        char text[LAZ_QUOTED_MAX];
        struct laz_buf range;
        laz_buf_init_fixed(&range, text, sizeof(text));
        laz_buf_str(&range, "must be from ");
        laz_size_format((uint64_t)field->min, &range);
        laz_buf_str(&range, " to ");
        laz_size_format(field->max, &range);
        return laz_scalar_refuse(err, scalar, text);
    }
    *ret = number;
    return 0;
}

void laz_size_format(uint64_t bytes, struct laz_buf *ret)
{
    static const char *const units[] = {"", "KiB", "MiB", "GiB"};
    size_t unit = 0;
    while (unit + 1 < sizeof(units) / sizeof(units[0]) && bytes > 0 && bytes % 1024 == 0) {
        bytes /= 1024;
        unit++;
    }
    laz_buf_printf(ret, "%" PRIu64 "%s", bytes, units[unit]);
}

/* "8443/tcp" */
static int parse_port(const struct laz_scalar *scalar, uint64_t *ret, struct laz_err *err)
{
    size_t digits = strspn(scalar->text, "0123456789");
    const char *protocol = scalar->text + digits;
    bool is_udp = strcmp(protocol, "/udp") == 0;
    uint64_t number = 0;
    if ((!is_udp && strcmp(protocol, "/tcp") != 0) || scalar->text[0] == '0' ||
            !laz_parse_u64(scalar->text, digits, UINT16_MAX, &number)) {
        return laz_scalar_refuse(err, scalar,
                "must be a port from 1 to 65535 and its protocol, such as 8443/tcp or 53/udp");
    }
    *ret = number | (uint64_t)(is_udp ? LAZ_SENSE_UDP : LAZ_SENSE_TCP) << 16;
    return 0;
}

int laz_scalar_parse_number(const struct laz_field *field, const struct laz_scalar *scalar,
        uint64_t *ret_number, struct laz_err *err)
{
    switch ((int)field->type) {
    case LAZ_TYPE_BOOL:
        return parse_bool(scalar, ret_number, err);
    case LAZ_TYPE_INT:
        return parse_int(field, scalar, ret_number, err);
    case LAZ_TYPE_DURATION:
        return parse_duration(field, scalar, ret_number, err);
    case LAZ_TYPE_PERCENT:
        return parse_percent(field, scalar, ret_number, err);
    case LAZ_TYPE_VALIDITY:
        return parse_validity(field, scalar, ret_number, err);
    case LAZ_TYPE_OCTAL:
        return parse_octal(field, scalar, ret_number, err);
    case LAZ_TYPE_VALUE:
        return check_value(scalar, err);
    case LAZ_TYPE_LIMIT:
        return parse_limit(scalar, ret_number, err);
    case LAZ_TYPE_SIZE:
        return parse_size(field, scalar, ret_number, err);
    case LAZ_TYPE_PORT:
        return parse_port(scalar, ret_number, err);
    default:
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "a type without a reader");
    }
}
