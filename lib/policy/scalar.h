/* SPDX-License-Identifier: Apache-2.0
 *
 * One value of the policy: from its text to a number, by the type that the field table says. The
 * type comes from the table, never from how the text looks.
 */
#ifndef LAZ_POLICY_SCALAR_H
#define LAZ_POLICY_SCALAR_H

#include "policy/fields.h"
#include "policy/yaml.h"

/* What a value may refer to while it is read. */
struct laz_scalar {
    const char *text; /* terminated */
    size_t length;
    bool is_plain;
    uint64_t key_number; /* LIMIT: which limit */
};

/* The number that the text stands for: by type a number, milliseconds, the value of a word, the
 * index of a system call or socket family, the number of a capability, errno or signal; 0 for types
 * that are text. If it is none, -1 with err: LAZ_E_POLICY_INVALID or LAZ_E_POLICY_UNSUPPORTED and a
 * sentence without the key's path. */
LAZ_MUST_CHECK int laz_scalar_parse(const struct laz_field *field, const struct laz_scalar *scalar,
        uint64_t *ret_number, struct laz_err *err);

/* The same for a key of a dictionary. */
LAZ_MUST_CHECK int laz_scalar_parse_key(const struct laz_field *field,
        const struct laz_scalar *scalar, uint64_t *ret_number, struct laz_err *err);

/* Is the number all there is to say about values of this type? If not, their text is. */
bool laz_scalar_is_number(enum laz_field_type type);

/* A user by number alone: says all that is missing, so that one correction is enough. Always -1. */
int laz_scalar_refuse_lone_user(const char *number, struct laz_err *err);

/* A decimal or 0x number as in conditions. */
LAZ_MUST_CHECK bool laz_scalar_integer(const char *text, size_t length, uint64_t *ret);

/* "64KiB" */
void laz_size_format(uint64_t bytes, struct laz_buf *ret);

#endif
