/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of the policy by type.
 */
#include "policy/scalar.h"

#include "policy/report.h"
#include "policy/scalar_kinds.h"

int laz_scalar_refuse(struct laz_err *err, const struct laz_scalar *scalar, const char *why)
{
    struct laz_quoted quoted;
    return laz_err_set(err, LAZ_E_POLICY_INVALID, 0, "%s, not %s", why,
            laz_quote(&quoted, scalar->text, scalar->length));
}

static bool is_text(enum laz_field_type type)
{
    return type == LAZ_TYPE_NAME || type == LAZ_TYPE_POLICY || type == LAZ_TYPE_USER ||
            type == LAZ_TYPE_GROUP || type == LAZ_TYPE_PATH || type == LAZ_TYPE_ENV_NAME ||
            type == LAZ_TYPE_ENV_VALUE || type == LAZ_TYPE_PATTERN || type == LAZ_TYPE_LITERAL ||
            type == LAZ_TYPE_SINK_NAME || type == LAZ_TYPE_HOST || type == LAZ_TYPE_ADDRESS ||
            type == LAZ_TYPE_PROCESS || type == LAZ_TYPE_LOG_GROUP || type == LAZ_TYPE_LOG_STREAM ||
            type == LAZ_TYPE_URL || type == LAZ_TYPE_TEXT || type == LAZ_TYPE_VALUE_FROM ||
            type == LAZ_TYPE_SECRET_ID || type == LAZ_TYPE_PARAMETER || type == LAZ_TYPE_KMS_KEY ||
            type == LAZ_TYPE_BELOW || type == LAZ_TYPE_VAULT_SECRET ||
            type == LAZ_TYPE_PARAMETER_PATH || type == LAZ_TYPE_VAULT_NAME ||
            type == LAZ_TYPE_VERSION || type == LAZ_TYPE_SAN_DNS || type == LAZ_TYPE_SAN_IP ||
            type == LAZ_TYPE_SAN_URI || type == LAZ_TYPE_SOCKET || type == LAZ_TYPE_PEER ||
            type == LAZ_TYPE_PCA || type == LAZ_TYPE_PCA_TEMPLATE || type == LAZ_TYPE_CHECK_URL ||
            type == LAZ_TYPE_STATUS || type == LAZ_TYPE_COMMAND || type == LAZ_TYPE_SERVICE;
}

bool laz_scalar_is_number(enum laz_field_type type)
{
    return !is_text(type) && type != LAZ_TYPE_SYSCALL_GROUP && type != LAZ_TYPE_ARGUMENT &&
            type != LAZ_TYPE_VALUE;
}

int laz_scalar_parse(const struct laz_field *field, const struct laz_scalar *scalar,
        uint64_t *ret_number, struct laz_err *err)
{
    if (is_text(field->type)) {
        return laz_scalar_check_text(field, scalar, err);
    }
    if (scalar->length == 0) {
        return laz_err_set(err, LAZ_E_POLICY_INVALID, 0, "must not be empty");
    }
    switch ((int)field->type) {
    case LAZ_TYPE_BOOL:
    case LAZ_TYPE_INT:
    case LAZ_TYPE_DURATION:
    case LAZ_TYPE_PERCENT:
    case LAZ_TYPE_OCTAL:
    case LAZ_TYPE_VALUE:
    case LAZ_TYPE_LIMIT:
    case LAZ_TYPE_SIZE:
    case LAZ_TYPE_PORT:
    case LAZ_TYPE_VALIDITY:
        return laz_scalar_parse_number(field, scalar, ret_number, err);
    case LAZ_TYPE_WORD:
        return laz_scalar_parse_word(field, scalar, ret_number, err);
    case LAZ_TYPE_ARGUMENT:
        return 0; /* needs the system call */
    default:
        return laz_scalar_parse_name(field->type, scalar, ret_number, err);
    }
}

int laz_scalar_parse_key(const struct laz_field *field, const struct laz_scalar *scalar,
        uint64_t *ret_number, struct laz_err *err)
{
    switch ((int)field->keys) {
    case LAZ_TYPE_ENV_NAME:
        return laz_scalar_check_env_name(scalar, err);
    case LAZ_TYPE_LIMIT:
    case LAZ_TYPE_SIGNAL:
        return laz_scalar_parse_name(field->keys, scalar, ret_number, err);
    case LAZ_TYPE_NAME:
        return laz_scalar_check_text(&(const struct laz_field){.type = LAZ_TYPE_NAME}, scalar, err);
    case LAZ_TYPE_TEXT:
        return laz_scalar_check_secret(LAZ_TYPE_TEXT, scalar, err);
    default:
        return 0; /* arguments need the system call */
    }
}
