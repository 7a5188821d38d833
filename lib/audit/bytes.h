/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers as big-endian bytes, in both directions. The caller vouches for the room.
 */
#ifndef LAZ_AUDIT_BYTES_H
#define LAZ_AUDIT_BYTES_H

#include <stddef.h>
#include <stdint.h>

/* The lowest `size` bytes of the value, 1 to 8. Returns what follows them. */
static inline uint8_t *laz_put_be(uint8_t *ret, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        ret[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
    }
    return ret + size;
}

static inline uint64_t laz_get_be(const uint8_t *bytes, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) {
        value = value << 8 | bytes[i];
    }
    return value;
}

#endif
