/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of the policy by type. What YAML 1.1 and 1.2 read differently (010, 1:30, no, 1_000) is an
 * error here unless the type makes it plain.
 */
#include "policy/scalar.h"

#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/resource.h>

#include "core/num.h"
#include "policy/address.h"
#include "policy/policy.h"
#include "policy/report.h"

#define NAME_MAX_LENGTH 63 /* as long as a host name's label: it ends up in such places */

static int refuse(struct laz_err *err, const struct laz_scalar *scalar, const char *why)
{
    struct laz_quoted quoted;
    return laz_err_set(err, LAZ_E_POLICY_INVALID, 0, "%s, not %s", why,
            laz_quote(&quoted, scalar->text, scalar->length));
}

static int refuse_unknown(struct laz_err *err, const struct laz_scalar *scalar, const char *what,
        const char *suggestion)
{
    struct laz_quoted quoted;
    struct laz_quoted mean;
    return laz_err_set(err, LAZ_E_POLICY_INVALID, 0, "unknown %s %s%s", what,
            laz_quote(&quoted, scalar->text, scalar->length),
            laz_quote_suggestion(&mean, suggestion));
}

/* ---- Numbers ---- */

/* Would some YAML reader take this plain text for a number, a time or a date? */
static bool looks_like_number(const struct laz_scalar *scalar)
{
    const char *text = scalar->text;
    size_t i = text[0] == '-' || text[0] == '+' ? 1 : 0;
    i += text[i] == '.' ? 1 : 0;
    if (!isdigit((unsigned char)text[i])) {
        return false;
    }
    if (text[i] == '0' && (text[i + 1] == 'x' || text[i + 1] == 'o' || text[i + 1] == 'b')) {
        return true;
    }
    return strspn(text, "0123456789_.:eE+-") == scalar->length;
}

static int parse_bool(const struct laz_scalar *scalar, uint64_t *ret, struct laz_err *err)
{
    bool is_true = strcmp(scalar->text, "true") == 0;
    if (!is_true && strcmp(scalar->text, "false") != 0) {
        return refuse(err, scalar, "must be true or false");
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
        return refuse(err, scalar, "must be a decimal number");
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

/* "10s" and "50ms" to milliseconds. */
static int parse_duration(const struct laz_field *field, const struct laz_scalar *scalar,
        uint64_t *ret, struct laz_err *err)
{
    size_t digits = strspn(scalar->text, "0123456789");
    const char *unit = scalar->text + digits;
    uint64_t factor = strcmp(unit, "s") == 0 ? 1000 : strcmp(unit, "ms") == 0 ? 1 : 0;
    uint64_t number = 0;
    if (factor == 0 || !laz_parse_u64(scalar->text, digits, UINT32_MAX, &number)) {
        return refuse(err, scalar, "must be a duration with its unit, such as 10s or 50ms");
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
    return refuse(err, scalar,
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
        return refuse(err, scalar,
                is_size ? must_be_size : "must be a decimal number without quotes and unit");
    }
    return 0;
}

static int parse_size(const struct laz_field *field, const struct laz_scalar *scalar, uint64_t *ret,
        struct laz_err *err)
{
    uint64_t number = 0;
    if (!is_quantity(scalar, true, &number)) {
        return refuse(err, scalar, must_be_size);
    }
    if (number < (uint64_t)field->min || number > field->max) {
        char text[LAZ_QUOTED_MAX];
        struct laz_buf range;
        laz_buf_init_fixed(&range, text, sizeof(text));
        laz_buf_str(&range, "must be from ");
        laz_size_format((uint64_t)field->min, &range);
        laz_buf_str(&range, " to ");
        laz_size_format(field->max, &range);
        return refuse(err, scalar, text);
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
        return refuse(err, scalar,
                "must be a port from 1 to 65535 and its protocol, such as 8443/tcp or 53/udp");
    }
    *ret = number | (uint64_t)(is_udp ? LAZ_SENSE_UDP : LAZ_SENSE_TCP) << 16;
    return 0;
}

/* ---- Text ---- */

static int check_name(const struct laz_scalar *scalar, struct laz_err *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789._-";
    if (!isalnum((unsigned char)scalar->text[0]) || scalar->length > NAME_MAX_LENGTH ||
            strspn(scalar->text, allowed) != scalar->length) {
        return refuse(err, scalar, "must be at most 63 letters, digits, dots, - and _");
    }
    return 0;
}

static int check_policy_name(const struct laz_scalar *scalar, struct laz_err *err)
{
    static const char builtin[] = "builtin/";
    const char *name = scalar->text;
    if (strncmp(name, builtin, strlen(builtin)) == 0) {
        name += strlen(builtin);
    }
    if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL ||
            scalar->length > NAME_MAX) {
        return refuse(err, scalar, "must be builtin/NAME or a file of this policy's directory");
    }
    return 0;
}

static int check_path(const struct laz_scalar *scalar, struct laz_err *err)
{
    if (scalar->text[0] != '/') {
        return refuse(err, scalar, "must be an absolute path");
    }
    if (scalar->length >= PATH_MAX) {
        return laz_err_set(err, LAZ_E_POLICY_INVALID, 0, "longer than any path can be");
    }
    const char *part = scalar->text + 1;
    while (scalar->length > 1) {
        size_t length = strcspn(part, "/");
        bool is_dots = (length == 1 && part[0] == '.') ||
                (length == 2 && part[0] == '.' && part[1] == '.');
        if (length == 0 || is_dots) {
            return refuse(err, scalar,
                    "must be a path in its plainest form, without //, . and .., and no / at its "
                    "end");
        }
        if (part[length] == '\0') {
            break;
        }
        part += length + 1;
    }
    return 0;
}

static int check_env_name(const struct laz_scalar *scalar, struct laz_err *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789_";
    if (scalar->length == 0 || isdigit((unsigned char)scalar->text[0]) ||
            strspn(scalar->text, allowed) != scalar->length) {
        return refuse(err, scalar, "must be a name of letters, digits and _");
    }
    if (strncmp(scalar->text, "LAZARET_", strlen("LAZARET_")) == 0) {
        return laz_err_set(err, LAZ_E_POLICY_INVALID, 0,
                "variables that begin with LAZARET_ are init's own: the workload never sees them");
    }
    return 0;
}

static int check_env_value(const struct laz_scalar *scalar, struct laz_err *err)
{
    if (strstr(scalar->text, "${") != NULL) {
        return laz_err_set(
                err, LAZ_E_POLICY_INVALID, 0, "\"${\" is not expanded: values are taken literally");
    }
    return 0;
}

static int check_sink_name(const struct laz_scalar *scalar, struct laz_err *err)
{
    if (scalar->length > LAZ_SHIP_NAME_MAX ||
            strspn(scalar->text, LAZ_SHIP_NAME_LETTERS) != scalar->length) {
        return refuse(err, scalar, "must be at most 32 of a-z, 0-9 and -");
    }
    return 0;
}

/* What is not a name of a host or, where there must be one, has no port. */
static int check_host(
        enum laz_field_type type, const struct laz_scalar *scalar, struct laz_err *err)
{
    struct laz_address ignored;
    if (type == LAZ_TYPE_HOST && !laz_host_is_valid(scalar->text, scalar->length)) {
        return refuse(err, scalar, "must be the name or the address of a host");
    }
    if (type == LAZ_TYPE_ADDRESS && !laz_address_split(scalar->text, scalar->length, &ignored)) {
        return refuse(err, scalar,
                "must be a host and a port, such as \"logs.internal:2514\" or \"[::1]:2514\"");
    }
    return 0;
}

static int check_length(
        const struct laz_scalar *scalar, size_t min, size_t max, struct laz_err *err)
{
    if (scalar->length < min || scalar->length > max) {
        return laz_err_set(err, LAZ_E_POLICY_INVALID, 0, "must be %zu to %zu bytes long, not %zu",
                min, max, scalar->length);
    }
    return 0;
}

/* ---- Names from tables ---- */

static int parse_word(const struct laz_field *field, const struct laz_scalar *scalar, uint64_t *ret,
        struct laz_err *err)
{
    const struct laz_word *word = laz_word_find(field->words, scalar->text, scalar->length);
    if (word == NULL) {
        struct laz_buf list;
        char text[LAZ_QUOTED_MAX];
        laz_buf_init_fixed(&list, text, sizeof(text));
        for (const struct laz_word *w = field->words; w->word != NULL; w++) {
            if (!w->is_later) {
                laz_buf_str(&list, list.len > 0 ? ", " : "");
                laz_buf_str(&list, w->word);
            }
        }
        struct laz_quoted quoted;
        struct laz_quoted mean;
        return laz_err_set(err, LAZ_E_POLICY_INVALID, 0, "must be %s%s, not %s%s",
                strchr(text, ',') != NULL ? "one of " : "", text,
                laz_quote(&quoted, scalar->text, scalar->length),
                laz_quote_suggestion(
                        &mean, laz_word_suggest(field->words, scalar->text, scalar->length)));
    }
    if (word->is_later) {
        return laz_err_set(err, LAZ_E_POLICY_UNSUPPORTED, 0,
                "\"%s\" is not supported by this version", word->word);
    }
    *ret = word->value;
    return 0;
}

static int parse_syscall(const struct laz_scalar *scalar, uint64_t *ret, struct laz_err *err)
{
    const struct laz_syscall *call = laz_syscall_by_name(scalar->text, scalar->length);
    if (call != NULL) {
        *ret = laz_syscall_index(call);
        return 0;
    }
    size_t at = scalar->text[0] == '@' ? 1 : 0;
    if (laz_group_by_name(scalar->text + at, scalar->length - at) != NULL) {
        struct laz_quoted quoted;
        return laz_err_set(err, LAZ_E_POLICY_INVALID, 0,
                "%s is a group: write it under \"syscalls.groups\", without @",
                laz_quote(&quoted, scalar->text + at, scalar->length - at));
    }
    return refuse_unknown(err, scalar, "system call",
            laz_suggest_name(LAZ_NAMES_SYSCALL, scalar->text, scalar->length));
}

static int check_group(const struct laz_scalar *scalar, struct laz_err *err)
{
    struct laz_quoted quoted;
    size_t at = scalar->text[0] == '@' ? 1 : 0;
    const char *name = scalar->text + at;
    size_t length = scalar->length - at;
    const struct laz_group *group = laz_group_by_name(name, length);
    if (group == NULL && laz_syscall_by_name(name, length) != NULL) {
        return laz_err_set(err, LAZ_E_POLICY_INVALID, 0,
                "%s is a system call: write it under \"syscalls.allow\"",
                laz_quote(&quoted, name, length));
    }
    if (group == NULL) {
        return refuse_unknown(
                err, scalar, "group", laz_suggest_name(LAZ_NAMES_GROUP, name, length));
    }
    if (at > 0) {
        return laz_err_set(err, LAZ_E_POLICY_INVALID, 0, "groups are written without @: %s",
                laz_quote(&quoted, name, length));
    }
    if (group->kind == LAZ_GROUP_NEVER) {
        return laz_err_set(err, LAZ_E_POLICY_INVALID, 0,
                "group %s is dangerous: allow single calls of it by name, under \"syscalls.allow\"",
                laz_quote(&quoted, name, length));
    }
    return 0;
}

/* Capabilities, errnos, signals: a lookup that gives a number or -1. */
static int parse_named(const struct laz_scalar *scalar, int number, const char *what,
        enum laz_names table, uint64_t *ret, struct laz_err *err)
{
    if (number < 0) {
        return refuse_unknown(
                err, scalar, what, laz_suggest_name(table, scalar->text, scalar->length));
    }
    *ret = (uint64_t)number;
    return 0;
}

static int parse_family(const struct laz_scalar *scalar, uint64_t *ret, struct laz_err *err)
{
    for (size_t i = 0; i < laz_socket_family_count(); i++) {
        if (strcmp(laz_socket_family_at(i)->name, scalar->text) == 0) {
            *ret = i;
            return 0;
        }
    }
    return refuse_unknown(err, scalar, "socket family",
            laz_suggest_name(LAZ_NAMES_SOCKET_FAMILY, scalar->text, scalar->length));
}

/* ---- By type ---- */

static bool is_text(enum laz_field_type type)
{
    return type == LAZ_TYPE_NAME || type == LAZ_TYPE_POLICY || type == LAZ_TYPE_USER ||
            type == LAZ_TYPE_GROUP || type == LAZ_TYPE_PATH || type == LAZ_TYPE_ENV_NAME ||
            type == LAZ_TYPE_ENV_VALUE || type == LAZ_TYPE_PATTERN || type == LAZ_TYPE_LITERAL ||
            type == LAZ_TYPE_SINK_NAME || type == LAZ_TYPE_HOST || type == LAZ_TYPE_ADDRESS ||
            type == LAZ_TYPE_PROCESS || type == LAZ_TYPE_LOG_GROUP || type == LAZ_TYPE_LOG_STREAM ||
            type == LAZ_TYPE_URL || type == LAZ_TYPE_TEXT || type == LAZ_TYPE_VALUE_FROM ||
            type == LAZ_TYPE_SECRET_ID || type == LAZ_TYPE_PARAMETER || type == LAZ_TYPE_KMS_KEY ||
            type == LAZ_TYPE_BELOW;
}

bool laz_scalar_is_number(enum laz_field_type type)
{
    return !is_text(type) && type != LAZ_TYPE_SYSCALL_GROUP && type != LAZ_TYPE_ARGUMENT &&
            type != LAZ_TYPE_VALUE;
}

int laz_scalar_refuse_lone_user(const char *number, struct laz_err *err)
{
    return laz_err_set(err, LAZ_E_POLICY_INVALID, 0,
            "a user's number needs its group's, and both need quotes: \"%.16s:%.16s\"", number,
            number);
}

static int check_text(
        enum laz_field_type type, const struct laz_scalar *scalar, struct laz_err *err)
{
    if (type == LAZ_TYPE_USER && scalar->is_plain && scalar->length > 0 &&
            strspn(scalar->text, "0123456789") == scalar->length) {
        return laz_scalar_refuse_lone_user(scalar->text, err);
    }
    if (scalar->is_plain && looks_like_number(scalar)) {
        struct laz_quoted quoted;
        return laz_err_set(err, LAZ_E_POLICY_INVALID, 0, "must be text: put %s in quotes",
                laz_quote(&quoted, scalar->text, scalar->length));
    }
    if (scalar->length == 0 && (scalar->is_plain || type != LAZ_TYPE_ENV_VALUE)) {
        return laz_err_set(err, LAZ_E_POLICY_INVALID, 0, "must not be empty");
    }
    switch ((int)type) {
    case LAZ_TYPE_NAME:
        return check_name(scalar, err);
    case LAZ_TYPE_POLICY:
        return check_policy_name(scalar, err);
    case LAZ_TYPE_PATH:
        return check_path(scalar, err);
    case LAZ_TYPE_ENV_NAME:
        return check_env_name(scalar, err);
    case LAZ_TYPE_ENV_VALUE:
        return check_env_value(scalar, err);
    case LAZ_TYPE_SINK_NAME:
        return check_sink_name(scalar, err);
    case LAZ_TYPE_HOST:
    case LAZ_TYPE_ADDRESS:
        return check_host(type, scalar, err);
    case LAZ_TYPE_LOG_GROUP:
    case LAZ_TYPE_LOG_STREAM:
    case LAZ_TYPE_URL:
        return laz_scalar_check_cloud(type, scalar, err);
    case LAZ_TYPE_TEXT:
    case LAZ_TYPE_VALUE_FROM:
    case LAZ_TYPE_SECRET_ID:
    case LAZ_TYPE_PARAMETER:
    case LAZ_TYPE_KMS_KEY:
    case LAZ_TYPE_BELOW:
        return laz_scalar_check_secret(type, scalar, err);
    case LAZ_TYPE_PATTERN:
        return check_length(scalar, 1, LAZ_SHIP_PATTERN_MAX, err);
    case LAZ_TYPE_PROCESS:
        return check_length(scalar, 1, LAZ_SENSE_COMM_MAX, err);
    case LAZ_TYPE_LITERAL:
        return check_length(scalar, LAZ_SHIP_LITERAL_MIN, LAZ_SHIP_LITERAL_MAX, err);
    default:
        return 0; /* users and groups are looked up when all files are known */
    }
}

static int parse_by_table(enum laz_field_type type, const struct laz_scalar *scalar,
        uint64_t *ret_number, struct laz_err *err)
{
    const char *text = scalar->text;
    size_t length = scalar->length;
    switch ((int)type) {
    case LAZ_TYPE_SYSCALL:
        return parse_syscall(scalar, ret_number, err);
    case LAZ_TYPE_SYSCALL_GROUP:
        return check_group(scalar, err);
    case LAZ_TYPE_CAPABILITY:
        return parse_named(scalar, laz_capability_by_name(text, length), "capability",
                LAZ_NAMES_CAPABILITY, ret_number, err);
    case LAZ_TYPE_ERRNO:
        return parse_named(
                scalar, laz_errno_by_name(text, length), "errno", LAZ_NAMES_ERRNO, ret_number, err);
    case LAZ_TYPE_SIGNAL:
        return parse_named(scalar, laz_signal_by_name(text, length), "signal", LAZ_NAMES_SIGNAL,
                ret_number, err);
    case LAZ_TYPE_FAMILY:
        return parse_family(scalar, ret_number, err);
    default:
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "a type without a reader");
    }
}

int laz_scalar_parse(const struct laz_field *field, const struct laz_scalar *scalar,
        uint64_t *ret_number, struct laz_err *err)
{
    if (is_text(field->type)) {
        return check_text(field->type, scalar, err);
    }
    if (scalar->length == 0) {
        return laz_err_set(err, LAZ_E_POLICY_INVALID, 0, "must not be empty");
    }
    switch ((int)field->type) {
    case LAZ_TYPE_BOOL:
        return parse_bool(scalar, ret_number, err);
    case LAZ_TYPE_INT:
        return parse_int(field, scalar, ret_number, err);
    case LAZ_TYPE_DURATION:
        return parse_duration(field, scalar, ret_number, err);
    case LAZ_TYPE_OCTAL:
        return parse_octal(field, scalar, ret_number, err);
    case LAZ_TYPE_WORD:
        return parse_word(field, scalar, ret_number, err);
    case LAZ_TYPE_VALUE:
        return check_value(scalar, err);
    case LAZ_TYPE_LIMIT:
        return parse_limit(scalar, ret_number, err);
    case LAZ_TYPE_SIZE:
        return parse_size(field, scalar, ret_number, err);
    case LAZ_TYPE_PORT:
        return parse_port(scalar, ret_number, err);
    case LAZ_TYPE_ARGUMENT:
        return 0; /* needs the system call */
    default:
        return parse_by_table(field->type, scalar, ret_number, err);
    }
}

int laz_scalar_parse_key(const struct laz_field *field, const struct laz_scalar *scalar,
        uint64_t *ret_number, struct laz_err *err)
{
    switch ((int)field->keys) {
    case LAZ_TYPE_ENV_NAME:
        return check_env_name(scalar, err);
    case LAZ_TYPE_LIMIT:
        return parse_named(scalar, laz_rlimit_by_name(scalar->text, scalar->length), "limit",
                LAZ_NAMES_RLIMIT, ret_number, err);
    case LAZ_TYPE_SIGNAL:
        return parse_by_table(LAZ_TYPE_SIGNAL, scalar, ret_number, err);
    case LAZ_TYPE_TEXT:
        return laz_scalar_check_secret(LAZ_TYPE_TEXT, scalar, err);
    default:
        return 0; /* arguments need the system call */
    }
}
