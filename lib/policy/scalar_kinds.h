/* SPDX-License-Identifier: Apache-2.0
 *
 * The kinds of values, a file each; only scalar.c and its kinds need this.
 */
#ifndef LAZ_POLICY_SCALAR_KINDS_H
#define LAZ_POLICY_SCALAR_KINDS_H

#include "policy/scalar.h"

/* "must be so, not \"that\"". Always -1. */
int laz_scalar_refuse(struct laz_err *err, const struct laz_scalar *scalar, const char *why);

/* scalar_number.c */
LAZ_MUST_CHECK int laz_scalar_parse_number(const struct laz_field *field,
        const struct laz_scalar *scalar, uint64_t *ret_number, struct laz_err *err);

/* scalar_name.c: a word of the field's own, or a name out of a table. */
LAZ_MUST_CHECK int laz_scalar_parse_word(const struct laz_field *field,
        const struct laz_scalar *scalar, uint64_t *ret_number, struct laz_err *err);
LAZ_MUST_CHECK int laz_scalar_parse_name(enum laz_field_type type, const struct laz_scalar *scalar,
        uint64_t *ret_number, struct laz_err *err);

/* scalar_text.c */
LAZ_MUST_CHECK int laz_scalar_check_text(
        const struct laz_field *field, const struct laz_scalar *scalar, struct laz_err *err);
LAZ_MUST_CHECK int laz_scalar_check_env_name(const struct laz_scalar *scalar, struct laz_err *err);

/* scalar_secrets.c: what names secrets, and paths below their folder. */
LAZ_MUST_CHECK int laz_scalar_check_secret(
        enum laz_field_type type, const struct laz_scalar *scalar, struct laz_err *err);

/* scalar_san.c: names in a certificate. */
LAZ_MUST_CHECK int laz_scalar_check_san(
        enum laz_field_type type, const struct laz_scalar *scalar, struct laz_err *err);

/* scalar_cloud.c: log groups, log streams and URLs. */
LAZ_MUST_CHECK int laz_scalar_check_cloud(
        enum laz_field_type type, const struct laz_scalar *scalar, struct laz_err *err);

/* scalar_health.c: what is asked of a workload. */
LAZ_MUST_CHECK int laz_scalar_check_health(
        enum laz_field_type type, const struct laz_scalar *scalar, struct laz_err *err);

#endif
