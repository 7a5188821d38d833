/* SPDX-License-Identifier: Apache-2.0
 *
 * What ECS takes as `valueFrom`, and what of it is a mistake.
 */
#include "policy/value_from.h"

#include <string.h>

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

#define ARN_FIELDS     10 /* arn, partition, service, region, account, type, name, and ECS's three */
#define ACCOUNT_DIGITS 12
#define REGION_MAX     32
#define SECRET_MAX     512  /* bytes of a secret's name */
#define PARAMETER_MAX  1011 /* bytes of a parameter's, with its path */
#define LABEL_MAX      100
#define REMAINDER_MAX  256 /* bytes of what ECS puts behind an ARN, each */

static const char not_an_arn[] =
        "must be the ARN of a secret or of a parameter, or a parameter's name that begins with /";
static const char not_three[] =
        "behind the name of the secret, ECS has either nothing or exactly json-key, version-stage "
        "and version-id, each of which may be empty: \":json-key::\"";

/* The fields between colons; 0 if there are more than `max`. */
static size_t split(const char *text, size_t length, struct laz_slice *ret, size_t max)
{
    size_t n = 0;
    for (;;) {
        const char *colon = length == 0 ? NULL : memchr(text, ':', length);
        size_t size = colon == NULL ? length : (size_t)(colon - text);
        if (n == max) {
            return 0;
        }
        ret[n++] = (struct laz_slice){text, size};
        if (colon == NULL) {
            return n;
        }
        text += size + 1;
        length -= size + 1;
    }
}

static bool is(struct laz_slice slice, const char *word)
{
    return slice.length == strlen(word) && memcmp(slice.text, word, slice.length) == 0;
}

static bool is_of(struct laz_slice slice, const char *letters, size_t max)
{
    for (size_t i = 0; i < slice.length; i++) {
        if (slice.text[i] == '\0' || strchr(letters, slice.text[i]) == NULL) {
            return false;
        }
    }
    return slice.length > 0 && slice.length <= max;
}

/* "arn", a partition, this service, a region and an account. */
static bool begins_arn(const struct laz_slice *fields, size_t n, const char *service)
{
    return n >= 6 && is(fields[0], "arn") && fields[1].length >= 3 &&
            memcmp(fields[1].text, "aws", 3) == 0 && is_of(fields[1], LOWER "-", REGION_MAX) &&
            is(fields[2], service) && is_of(fields[3], LOWER DIGITS "-", REGION_MAX) &&
            fields[4].length == ACCOUNT_DIGITS && is_of(fields[4], DIGITS, ACCOUNT_DIGITS);
}

static bool is_secret_name(struct laz_slice name)
{
    return is_of(name, LOWER UPPER DIGITS "/_+=.@-", SECRET_MAX);
}

static bool is_parameter_name(struct laz_slice name)
{
    return is_of(name, LOWER UPPER DIGITS "/_.-", PARAMETER_MAX);
}

/* "secret", its name, and what ECS may have behind it. */
static const char *split_secret(
        const struct laz_slice *fields, size_t n, struct laz_value_from *ret)
{
    if (n < 7 || !is(fields[5], "secret") || !is_secret_name(fields[6])) {
        return not_an_arn;
    }
    if (n != 7 && n != ARN_FIELDS) {
        return not_three;
    }
    size_t length = (size_t)(fields[6].text + fields[6].length - fields[0].text);
    *ret = (struct laz_value_from){.source = LAZ_SECRET_SECRETS_MANAGER,
            .from = {fields[0].text, length},
            .region = fields[3]};
    for (size_t i = 7; i < n; i++) {
        if (fields[i].length > REMAINDER_MAX) {
            return "what is behind the name of the secret is longer than 256 bytes";
        }
    }
    if (n == ARN_FIELDS) {
        ret->json_key = fields[7];
        ret->stage = fields[8];
        ret->version = fields[9];
    }
    return NULL;
}

/* "parameter/P", with a version or a label behind it or not. */
static bool split_parameter(const struct laz_slice *fields, size_t n, struct laz_value_from *ret)
{
    static const char type[] = "parameter/";
    struct laz_slice name = fields[5];
    if ((n != 6 && n != 7) || name.length <= strlen(type) ||
            memcmp(name.text, type, strlen(type)) != 0 || !is_parameter_name(name) ||
            (n == 7 && !is_of(fields[6], LOWER UPPER DIGITS "_.-", LABEL_MAX))) {
        return false;
    }
    const struct laz_slice *last = &fields[n - 1];
    *ret = (struct laz_value_from){.source = LAZ_SECRET_PARAMETER,
            .from = {fields[0].text, (size_t)(last->text + last->length - fields[0].text)},
            .region = fields[3]};
    return true;
}

/* A name, with a version or a label behind it or not. */
static bool is_parameter(const char *text, size_t length)
{
    struct laz_slice fields[2];
    size_t n = split(text, length, fields, 2);
    return n > 0 && is_parameter_name(fields[0]) &&
            (n == 1 || is_of(fields[1], LOWER UPPER DIGITS "_.-", LABEL_MAX));
}

const char *laz_value_from_split(const char *text, size_t length, struct laz_value_from *ret)
{
    struct laz_slice fields[ARN_FIELDS];
    size_t n = split(text, length, fields, ARN_FIELDS);
    if (length > 0 && text[0] == '/' && is_parameter(text, length)) {
        *ret = (struct laz_value_from){
                .source = LAZ_SECRET_PARAMETER, .from = {.text = text, .length = length}};
        return NULL;
    }
    if (n == 0) {
        return strncmp(text, "arn:", 4) == 0 ? not_three : not_an_arn;
    }
    if (begins_arn(fields, n, "secretsmanager")) {
        return split_secret(fields, n, ret);
    }
    if (begins_arn(fields, n, "ssm") && split_parameter(fields, n, ret)) {
        return NULL;
    }
    return not_an_arn;
}

const char *laz_secret_id_split(const char *text, size_t length, struct laz_value_from *ret)
{
    const struct laz_slice whole = {text, length};
    if (length < 4 || memcmp(text, "arn:", 4) != 0) {
        *ret = (struct laz_value_from){.source = LAZ_SECRET_SECRETS_MANAGER, .from = whole};
        return is_secret_name(whole) ? NULL
                                     : "must be the name or the ARN of a secret, without what ECS "
                                       "puts behind it";
    }
    const char *wrong = laz_value_from_split(text, length, ret);
    if (wrong != NULL || ret->source != LAZ_SECRET_SECRETS_MANAGER || ret->from.length != length) {
        return "must be the name or the ARN of a secret, without what ECS puts behind it";
    }
    return NULL;
}

const char *laz_parameter_split(const char *text, size_t length, struct laz_value_from *ret)
{
    if (is_parameter(text, length)) {
        *ret = (struct laz_value_from){
                .source = LAZ_SECRET_PARAMETER, .from = {.text = text, .length = length}};
        return NULL;
    }
    if (laz_value_from_split(text, length, ret) != NULL || ret->source != LAZ_SECRET_PARAMETER) {
        return "must be the name or the ARN of a parameter, at best with \":\" and a version or a "
               "label";
    }
    return NULL;
}

bool laz_parameter_path_is_good(const char *text, size_t length)
{
    for (size_t i = 1; i < length; i++) {
        if (text[i] == '/' && text[i - 1] == '/') {
            return false;
        }
    }
    return length > 0 && text[0] == '/' && is_parameter_name((struct laz_slice){text, length});
}

bool laz_kms_key_is_arn(const char *text, size_t length)
{
    static const char type[] = "key/";
    struct laz_slice fields[6];
    if (split(text, length, fields, 6) != 6 || !begins_arn(fields, 6, "kms") ||
            fields[5].length <= strlen(type) || memcmp(fields[5].text, type, strlen(type)) != 0) {
        return false;
    }
    const struct laz_slice id = {fields[5].text + strlen(type), fields[5].length - strlen(type)};
    return is_of(id, LOWER UPPER DIGITS "-", LABEL_MAX);
}

bool laz_pca_split(const char *text, size_t length, struct laz_slice *ret_region)
{
    static const char type[] = "certificate-authority/";
    struct laz_slice fields[ARN_FIELDS];
    size_t n = split(text, length, fields, ARN_FIELDS);
    if (n != 6 || !begins_arn(fields, n, "acm-pca") || fields[5].length <= strlen(type) ||
            memcmp(fields[5].text, type, strlen(type)) != 0) {
        return false;
    }
    const struct laz_slice id = {fields[5].text + strlen(type), fields[5].length - strlen(type)};
    *ret_region = fields[3];
    return is_of(id, LOWER DIGITS "-", REMAINDER_MAX);
}

bool laz_pca_template_is_name(const char *text, size_t length)
{
    static const char type[] = "template/";
    struct laz_slice fields[ARN_FIELDS];
    size_t n = split(text, length, fields, ARN_FIELDS);
    struct laz_slice name = {text, length};
    if (n == 6 && is(fields[0], "arn") && fields[1].length >= 3 &&
            memcmp(fields[1].text, "aws", 3) == 0 && is(fields[2], "acm-pca") &&
            fields[3].length == 0 && fields[4].length == 0 && fields[5].length > strlen(type) &&
            memcmp(fields[5].text, type, strlen(type)) == 0) {
        name = (struct laz_slice){fields[5].text + strlen(type), fields[5].length - strlen(type)};
    }
    return is_of(name, LOWER UPPER DIGITS "_/", LABEL_MAX) &&
            memchr(name.text, '/', name.length) != NULL && name.text[0] != '/';
}
