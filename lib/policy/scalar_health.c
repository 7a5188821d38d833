/* SPDX-License-Identifier: Apache-2.0
 *
 * What a workload is asked: URLs, statuses, words of a command, names of services.
 */
#include <string.h>

#include "core/num.h"
#include "core/url.h"
#include "policy/address.h"
#include "policy/scalar_kinds.h"
#include "policy/watching.h"

#define WORD_MAX     1024 /* bytes of one word of a command */
#define STATUS_FIRST 100
#define STATUS_LAST  599

static bool take_status(const char *text, size_t length, uint16_t *ret)
{
    uint64_t number = 0;
    if (!laz_parse_u64(text, length, STATUS_LAST, &number) || number < STATUS_FIRST) {
        return false;
    }
    *ret = (uint16_t)number;
    return true;
}

bool laz_status_split(const char *text, uint16_t *ret_min, uint16_t *ret_max)
{
    size_t first = strcspn(text, "-");
    const char *last = text[first] == '\0' ? text : text + first + 1;
    return take_status(text, first, ret_min) && take_status(last, strlen(last), ret_max) &&
            *ret_min <= *ret_max;
}

static int check_url(const struct laz_scalar *scalar, struct laz_err *err)
{
    struct laz_url url;
    if (!laz_url_split(scalar->text, &url) || !laz_host_is_valid(url.host, url.host_length)) {
        return laz_scalar_refuse(
                err, scalar, "must be a URL, such as \"http://127.0.0.1:8080/health\"");
    }
    if (strlen(url.path) > LAZ_HEALTH_PATH_MAX) {
        return laz_err_set(err, LAZ_E_POLICY_INVALID, 0,
                "the path of the URL must be at most %d bytes", LAZ_HEALTH_PATH_MAX);
    }
    return 0;
}

static int check_word(const struct laz_scalar *scalar, struct laz_err *err)
{
    if (scalar->length > WORD_MAX) {
        return laz_err_set(err, LAZ_E_POLICY_INVALID, 0, "must be at most %d bytes", WORD_MAX);
    }
    return 0;
}

static int check_service(const struct laz_scalar *scalar, struct laz_err *err)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "._/-";
    if (scalar->length > LAZ_HEALTH_SERVICE_MAX ||
            strspn(scalar->text, letters) != scalar->length) {
        return laz_scalar_refuse(
                err, scalar, "must be at most 128 of A-Z, a-z, 0-9, '.', '_', '/' and '-'");
    }
    return 0;
}

int laz_scalar_check_health(
        enum laz_field_type type, const struct laz_scalar *scalar, struct laz_err *err)
{
    uint16_t min = 0;
    uint16_t max = 0;
    switch ((int)type) {
    case LAZ_TYPE_CHECK_URL:
        return check_url(scalar, err);
    case LAZ_TYPE_COMMAND:
        return check_word(scalar, err);
    case LAZ_TYPE_SERVICE:
        return check_service(scalar, err);
    default:
        return laz_status_split(scalar->text, &min, &max)
                ? 0
                : laz_scalar_refuse(err, scalar,
                          "must be a status of HTTP from 100 to 599, such as 200, or the first and "
                          "the last "
                          "of a range, such as 200-299");
    }
}
