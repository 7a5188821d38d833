/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of things that somebody else has numbered, and words of the policy: what is not in the
 * table is refused, with a suggestion.
 */
#include <string.h>

#include "policy/policy.h"
#include "policy/report.h"
#include "policy/scalar_kinds.h"

static int refuse_unknown(struct laz_err *err, const struct laz_scalar *scalar, const char *what,
        const char *suggestion)
{
    struct laz_quoted quoted;
    struct laz_quoted mean;
    return laz_err_set(err, LAZ_E_POLICY_INVALID, 0, "unknown %s %s%s", what,
            laz_quote(&quoted, scalar->text, scalar->length),
            laz_quote_suggestion(&mean, suggestion));
}

int laz_scalar_parse_word(const struct laz_field *field, const struct laz_scalar *scalar,
        uint64_t *ret, struct laz_err *err)
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

/* Capabilities, errnos, limits, signals: a lookup that gives a number or -1. */
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
    const struct laz_socket_family *family =
            laz_socket_family_by_name(scalar->text, scalar->length);
    if (family != NULL) {
        *ret = (uint64_t)(family - laz_socket_family_at(0));
        return 0;
    }
    return refuse_unknown(err, scalar, "socket family",
            laz_suggest_name(LAZ_NAMES_SOCKET_FAMILY, scalar->text, scalar->length));
}

int laz_scalar_parse_name(enum laz_field_type type, const struct laz_scalar *scalar,
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
    case LAZ_TYPE_LIMIT:
        return parse_named(scalar, laz_rlimit_by_name(text, length), "limit", LAZ_NAMES_RLIMIT,
                ret_number, err);
    case LAZ_TYPE_SIGNAL:
        return parse_named(scalar, laz_signal_by_name(text, length), "signal", LAZ_NAMES_SIGNAL,
                ret_number, err);
    case LAZ_TYPE_FAMILY:
        return parse_family(scalar, ret_number, err);
    default:
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "a type without a reader");
    }
}
