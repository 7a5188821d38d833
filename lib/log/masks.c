/* SPDX-License-Identifier: Apache-2.0
 *
 * Whoever wrote them has read what came from the network: nothing of it is believed. An error never
 * says what stands there.
 */
#include "log/masks.h"

static uint32_t length_at(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

int laz_masks_read(const void *bytes, size_t length, struct laz_bytes ret[LAZ_SHIP_MASKS_MAX],
        size_t *ret_n, struct laz_err *err)
{
    const unsigned char *at = bytes;
    size_t left = length;
    for (*ret_n = 0; left > 0; ++*ret_n) {
        size_t n = left < 4 ? 0 : length_at(at);
        if (*ret_n == LAZ_SHIP_MASKS_MAX) {
            return laz_err_set(
                    err, LAZ_E_INTERNAL, 0, "more than %d values to mask", LAZ_SHIP_MASKS_MAX);
        }
        if (n < LAZ_SHIP_MASK_MIN || n > LAZ_SHIP_MASK_MAX || n > left - 4) {
            return laz_err_set(err, LAZ_E_INTERNAL, 0,
                    "value %zu to mask has %zu bytes, of %zu that are left", *ret_n, n, left);
        }
        ret[*ret_n] = (struct laz_bytes){.at = (const char *)at + 4, .length = n};
        at += 4 + n;
        left -= 4 + n;
    }
    return 0;
}
