/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of secrets as AWS writes them: ARNs with what ECS puts behind them, names of secrets, of
 * parameters and of keys. As text; looks nothing up.
 */
#ifndef LAZ_POLICY_VALUE_FROM_H
#define LAZ_POLICY_VALUE_FROM_H

#include <stdbool.h>
#include <stddef.h>

#include "policy/fetch.h"

/* A part of the text that was read; borrowed from it. */
struct laz_slice {
    const char *text; /* not terminated */
    size_t length;
};

struct laz_value_from {
    enum laz_secret_source source; /* SECRETS_MANAGER or PARAMETER */
    struct laz_slice from;         /* the ARN or name, without what is behind it */
    struct laz_slice region;       /* of the ARN; empty if it is a name */
    struct laz_slice json_key;
    struct laz_slice stage;
    struct laz_slice version;
};

/* "arn:aws:secretsmanager:R:A:secret:NAME[:JSON-KEY:STAGE:VERSION]", "arn:aws:ssm:R:A:parameter/P"
 * or "/P". NULL, or why it is none of these: static, a sentence without the text. */
const char *laz_value_from_split(const char *text, size_t length, struct laz_value_from *ret);

/* The same for the name or ARN of one secret or parameter, with nothing behind it. */
const char *laz_secret_id_split(const char *text, size_t length, struct laz_value_from *ret);
const char *laz_parameter_split(const char *text, size_t length, struct laz_value_from *ret);

/* "/prod/api" or "/prod/api/": what parameters are below of. */
bool laz_parameter_path_is_good(const char *text, size_t length);

/* "arn:aws:kms:R:A:key/ID": a key, not an alias, which can come to mean another one. */
bool laz_kms_key_is_arn(const char *text, size_t length);

/* Is it the ARN of a CA of AWS Private CA? And its region. */
bool laz_pca_split(const char *text, size_t length, struct laz_slice *ret_region);
/* "EndEntityServerAuthCertificate/V1", or an ARN that ends with it. */
bool laz_pca_template_is_name(const char *text, size_t length);

#endif
