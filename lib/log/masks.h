/* SPDX-License-Identifier: Apache-2.0
 *
 * The texts of one item that logs must not show, as one helper hands them to another: a u32,
 * little-endian, with the length of a value, the value, and so on to the end.
 */
#ifndef LAZ_LOG_MASKS_H
#define LAZ_LOG_MASKS_H

#include "log/literals.h"
#include "policy/ship.h"

/* The value, its members, and what was delivered of it. */
#define LAZ_MASKS_BYTES_MAX (3 * ((size_t)LAZ_SHIP_MASK_MAX + 4))

/* Points into `bytes`. LAZ_E_INTERNAL, with what is wrong, unless there are at most 64, each has 6
 * to 131073 bytes, and nothing is left over. */
LAZ_MUST_CHECK int laz_masks_read(const void *bytes, size_t length,
        struct laz_bytes ret[LAZ_SHIP_MASKS_MAX], size_t *ret_n, struct laz_err *err);

#endif
