/* SPDX-License-Identifier: Apache-2.0
 *
 * What must not be seen of a value in logs: for `ship`, which hides it.
 */
#ifndef LAZ_SECRET_MASKS_H
#define LAZ_SECRET_MASKS_H

#include "policy/fetch.h"

#define LAZ_SECRET_MASK_MIN  6   /* bytes of what is worth hiding */
#define LAZ_SECRET_MASKS_MAX 514 /* texts of an item: the value, its form, and 512 members */

/* Into the file: u32 length and bytes of the value, of its form where that is another, and of each
 * member where it has some, of a JWK its "k"; of PEM its base64 in one line; of an identity the key
 * alone, likewise. `scratch` is empty, of a value's size, and the caller wipes it. LAZ_E_SECRET:
 * ship would not take so many. */
LAZ_MUST_CHECK int laz_secret_put_masks(int fd, const struct laz_fetch_item *item,
        const struct laz_buf *value, const struct laz_buf *rendered, struct laz_buf *scratch,
        struct laz_err *err);

/* The same of a key that is in the form of another item: it, and its "k". */
LAZ_MUST_CHECK int laz_secret_put_key_masks(
        int fd, const struct laz_buf *key, struct laz_buf *scratch, struct laz_err *err);

#endif
