/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of log groups and streams, and addresses of services, as AWS has them.
 */
#include <stdio.h>
#include <string.h>

#include "core/url.h"
#include "policy/address.h"
#include "policy/report.h"
#include "policy/scalar_kinds.h"
#include "policy/ship.h"

static int check_group(const struct laz_scalar *scalar, struct laz_err *err)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "._-/#";
    if (scalar->length > LAZ_SHIP_GROUP_MAX || strspn(scalar->text, letters) != scalar->length) {
        return laz_scalar_refuse(
                err, scalar, "must be at most 512 of A-Z, a-z, 0-9, '.', '_', '-', '/', '#'");
    }
    return 0;
}

/* What stands for something else is in braces. NULL, or the brace that is not known. */
static const char *unknown_brace(const char *text)
{
    static const char *const known[] = {"{policy}", "{host}", "{task}"};
    for (const char *at = strpbrk(text, "{}"); at != NULL; at = strpbrk(at, "{}")) {
        size_t length = 0;
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
            length = strncmp(at, known[i], strlen(known[i])) == 0 ? strlen(known[i]) : length;
        }
        if (length == 0) {
            return at;
        }
        at += length;
    }
    return NULL;
}

static int check_stream(const struct laz_scalar *scalar, struct laz_err *err)
{
    for (size_t i = 0; i < scalar->length; i++) {
        char c = scalar->text[i];
        if (c <= ' ' || c > '~' || c == ':' || c == '*') {
            return laz_scalar_refuse(
                    err, scalar, "must be printable ASCII without blanks, ':' and '*'");
        }
    }
    if (scalar->length > LAZ_SHIP_GROUP_MAX) {
        return laz_scalar_refuse(err, scalar, "must be at most 512 characters long");
    }
    const char *brace = unknown_brace(scalar->text);
    if (brace != NULL) {
        struct laz_quoted quoted;
        return laz_err_set(err, LAZ_E_POLICY_INVALID, 0,
                "%s stands for nothing: only {policy}, {host} and {task} are known",
                laz_quote(&quoted, brace, strcspn(brace, "}") + (strchr(brace, '}') != NULL)));
    }
    return 0;
}

static int check_url(const struct laz_scalar *scalar, struct laz_err *err)
{
    struct laz_url url;
    if (!laz_url_split(scalar->text, &url) || !laz_host_is_valid(url.host, url.host_length) ||
            (url.path[0] != '\0' && strcmp(url.path, "/") != 0)) {
        return laz_scalar_refuse(err, scalar,
                "must be an address without a path, such as \"https://logs.internal\"");
    }
    return 0;
}

int laz_scalar_check_cloud(
        enum laz_field_type type, const struct laz_scalar *scalar, struct laz_err *err)
{
    if (type == LAZ_TYPE_LOG_GROUP) {
        return check_group(scalar, err);
    }
    return type == LAZ_TYPE_LOG_STREAM ? check_stream(scalar, err) : check_url(scalar, err);
}
