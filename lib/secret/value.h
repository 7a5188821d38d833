/* SPDX-License-Identifier: Apache-2.0
 *
 * From what a source has to what the workload gets: a member of it, its bytes, its length, its
 * form. Pure; works in buffers that the caller wipes, and says nothing of a value but its length.
 */
#ifndef LAZ_SECRET_VALUE_H
#define LAZ_SECRET_VALUE_H

#include "secret/service.h"

#define LAZ_SECRET_SOURCE_MAX (2 * LAZ_FETCH_VALUE_MAX) /* bytes of what a source has */

/* Before KMS: json-key, decode. Append to `ret`. LAZ_E_SECRET and *ret_fault. */
LAZ_MUST_CHECK int laz_secret_unpack(const struct laz_fetch_item *item, const struct laz_buf *from,
        struct laz_buf *ret, enum laz_secret_fault *ret_fault, struct laz_err *err);
/* After it: between min_bytes and max_bytes? */
LAZ_MUST_CHECK int laz_secret_check(const struct laz_fetch_item *item, const struct laz_buf *value,
        enum laz_secret_fault *ret_fault, struct laz_err *err);
/* Form and line feed; `before` is the key of before, where there is one, or NULL. LAZ_E_SECRET and
 * *ret_fault for a value that cannot have the form. */
LAZ_MUST_CHECK int laz_secret_render(const struct laz_fetch_item *item, const struct laz_buf *value,
        const struct laz_buf *before, struct laz_buf *ret, enum laz_secret_fault *ret_fault,
        struct laz_err *err);

#endif
