/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of secrets as AWS has them, and paths below the folder of secrets.
 */
#include <string.h>

#include "policy/image.h"
#include "policy/report.h"
#include "policy/scalar_kinds.h"
#include "policy/value_from.h"

#define TEXT_MAX 256 /* bytes of a key of JSON, a label or a value of an encryption context */

static int refuse(struct laz_err *err, const struct laz_scalar *scalar, const char *why)
{
    struct laz_quoted quoted;
    return laz_err_set(err, LAZ_E_POLICY_INVALID, 0, "%s, not %s", why,
            laz_quote(&quoted, scalar->text, scalar->length));
}

/* What is no ARN may be the secret itself: it is not repeated. */
static int check_value_from(const struct laz_scalar *scalar, struct laz_err *err)
{
    struct laz_value_from ignored;
    const char *why = laz_value_from_split(scalar->text, scalar->length, &ignored);
    if (why == NULL) {
        return 0;
    }
    if (strncmp(scalar->text, "arn:", 4) != 0) {
        return laz_err_set(err, LAZ_E_POLICY_INVALID, 0,
                "%s; by a mapping it is {variable: NAME}, {file: PATH}, {parameter: NAME} or "
                "another",
                why);
    }
    return refuse(err, scalar, why);
}

static int check_below(const struct laz_scalar *scalar, struct laz_err *err)
{
    if (scalar->text[0] == '/') {
        return refuse(err, scalar, "must be a path below \"secrets.dir\", without / in front");
    }
    if (scalar->length > LAZ_IMAGE_BELOW_MAX) {
        return laz_err_set(err, LAZ_E_POLICY_INVALID, 0, "must be at most %d bytes long, not %zu",
                LAZ_IMAGE_BELOW_MAX, scalar->length);
    }
    for (const char *part = scalar->text;; part++) {
        size_t length = strcspn(part, "/");
        if (length == 0 || (length == 1 && part[0] == '.')) {
            return refuse(err, scalar,
                    "must be a path in its plainest form, without // and ., and no / at its end");
        }
        if (length >= 2 && part[0] == '.' && part[1] == '.') {
            return refuse(err, scalar,
                    "no part of it may begin with \"..\", which leads out of the folder or is "
                    "init's own");
        }
        part += length;
        if (*part == '\0') {
            return 0;
        }
    }
}

/* "/v1/" is ours; of what follows each part is a name, and one of them is KV's own "data". */
static int check_vault_secret(const struct laz_scalar *scalar, struct laz_err *err)
{
    const char *data = strstr(scalar->text, "/data/");
    if (!laz_fetch_is_path(scalar->text) || strncmp(scalar->text, "v1/", 3) == 0 || data == NULL) {
        return refuse(err, scalar,
                "must be the path of a secret of KV version 2 below /v1/, such as "
                "\"kv/data/prod/db\", of letters, digits, '.', '_', '-' and '/'");
    }
    return 0;
}

static int check_vault_name(const struct laz_scalar *scalar, struct laz_err *err)
{
    return laz_fetch_is_path(scalar->text)
            ? 0
            : refuse(err, scalar,
                      "must be at most 256 letters, digits, '.', '_', '-' and '/', without / at "
                      "its ends");
}

static int check_name(
        enum laz_field_type type, const struct laz_scalar *scalar, struct laz_err *err)
{
    struct laz_value_from ignored;
    const char *why = type == LAZ_TYPE_SECRET_ID
            ? laz_secret_id_split(scalar->text, scalar->length, &ignored)
            : laz_parameter_split(scalar->text, scalar->length, &ignored);
    return why == NULL ? 0 : refuse(err, scalar, why);
}

int laz_scalar_check_secret(
        enum laz_field_type type, const struct laz_scalar *scalar, struct laz_err *err)
{
    struct laz_slice ignored;
    switch ((int)type) {
    case LAZ_TYPE_VALUE_FROM:
        return check_value_from(scalar, err);
    case LAZ_TYPE_SECRET_ID:
    case LAZ_TYPE_PARAMETER:
        return check_name(type, scalar, err);
    case LAZ_TYPE_KMS_KEY:
        return laz_kms_key_is_arn(scalar->text, scalar->length)
                ? 0
                : refuse(err, scalar, "must be the ARN of a key, \"arn:aws:kms:R:A:key/ID\"");
    case LAZ_TYPE_PARAMETER_PATH:
        return laz_parameter_path_is_good(scalar->text, scalar->length)
                ? 0
                : refuse(err, scalar,
                          "must be a path of parameters that begins with /, such as \"/prod/api\", "
                          "of letters, digits, '.', '_', '-' and '/'");
    case LAZ_TYPE_PCA:
        return laz_pca_split(scalar->text, scalar->length, &ignored)
                ? 0
                : refuse(err, scalar,
                          "must be the ARN of a CA, "
                          "\"arn:aws:acm-pca:R:A:certificate-authority/ID\"");
    case LAZ_TYPE_PCA_TEMPLATE:
        return laz_pca_template_is_name(scalar->text, scalar->length)
                ? 0
                : refuse(err, scalar,
                          "must be the name or the ARN of a template, such as "
                          "\"EndEntityServerAuthCertificate/V1\"");
    case LAZ_TYPE_VAULT_SECRET:
        return check_vault_secret(scalar, err);
    case LAZ_TYPE_VAULT_NAME:
        return check_vault_name(scalar, err);
    case LAZ_TYPE_BELOW:
        return check_below(scalar, err);
    default:
        if (scalar->length == 0 || scalar->length > TEXT_MAX) {
            return laz_err_set(err, LAZ_E_POLICY_INVALID, 0, "must be 1 to %d bytes long, not %zu",
                    TEXT_MAX, scalar->length);
        }
        return 0;
    }
}
