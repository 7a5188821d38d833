/* SPDX-License-Identifier: Apache-2.0
 *
 * Two table look-ups for each half of a byte, and an AND over the bytes looked at, is all that a
 * vector unit has to do for eight things at once.
 */
#include "log/scan.h"

#include <string.h>

static const size_t offsets[LAZ_SCAN_OFFSETS] = {0, 2, 3, 9, LAZ_SCAN_REACH};

void laz_scan_form_any(struct laz_scan_form *form)
{
    (void)memset(form->allows, true, sizeof(form->allows));
}

void laz_scan_form_or(
        struct laz_scan_form *form, size_t offset, unsigned char low, unsigned char high)
{
    for (size_t i = 0; i < LAZ_SCAN_OFFSETS; i++) {
        for (unsigned byte = low; byte <= high && offsets[i] == offset; byte++) {
            form->allows[i][byte] = true;
        }
    }
}

void laz_scan_form_range(
        struct laz_scan_form *form, size_t offset, unsigned char low, unsigned char high)
{
    for (size_t i = 0; i < LAZ_SCAN_OFFSETS; i++) {
        if (offsets[i] == offset) {
            (void)memset(form->allows[i], false, sizeof(form->allows[i]));
        }
    }
    laz_scan_form_or(form, offset, low, high);
}

/* ---- Running it: the first block with a place in it, or n_blocks ---- */

static size_t run_plain(
        const struct laz_scan *scan, const char *text, size_t n_blocks, uint32_t *ret_places)
{
    for (size_t block = 0; block < n_blocks; block++) {
        const unsigned char *at = (const unsigned char *)text + block * LAZ_SCAN_BLOCK;
        uint32_t places = 0;
        for (size_t i = 0; i < LAZ_SCAN_BLOCK; i++) {
            uint8_t buckets = scan->whole[0][at[i]] & scan->whole[2][at[i + offsets[2]]];
            for (size_t k = 0; k < LAZ_SCAN_OFFSETS && buckets != 0; k++) {
                buckets &= scan->whole[k][at[i + offsets[k]]];
            }
            places |= buckets != 0 ? UINT32_C(1) << i : 0;
        }
        if (places != 0) {
            *ret_places = places;
            return block;
        }
    }
    return n_blocks;
}

#if defined(__x86_64__)

typedef char v32 __attribute__((vector_size(32)));
typedef unsigned short v16 __attribute__((vector_size(32)));

__attribute__((target("avx2"))) static inline v32 load(const void *from)
{
    v32 result;
    (void)memcpy(&result, from, sizeof(result));
    return result;
}

/* A table look-up is within each half of the vector, so the table is in both. */
__attribute__((target("avx2"))) static inline v32 load_twice(const uint8_t table[16])
{
    v32 result;
    (void)memcpy(&result, table, 16);
    (void)memcpy((char *)&result + 16, table, 16);
    return result;
}

__attribute__((target("avx2"))) static size_t run_vectors(
        const struct laz_scan *scan, const char *text, size_t n_blocks, uint32_t *ret_places)
{
    v32 low[LAZ_SCAN_OFFSETS];
    v32 high[LAZ_SCAN_OFFSETS];
    const v32 half = (v32){0} + 0x0F;
    for (size_t k = 0; k < LAZ_SCAN_OFFSETS; k++) {
        low[k] = load_twice(scan->low[k]);
        high[k] = load_twice(scan->high[k]);
    }
    for (size_t block = 0; block < n_blocks; block++) {
        const char *at = text + block * LAZ_SCAN_BLOCK;
        v32 buckets = (v32){0} - 1;
        for (size_t k = 0; k < LAZ_SCAN_OFFSETS; k++) {
            v32 bytes = load(at + offsets[k]);
            buckets &= __builtin_ia32_pshufb256(low[k], bytes & half) &
                    __builtin_ia32_pshufb256(high[k], (v32)((v16)bytes >> 4) & half);
        }
        uint32_t places = ~(uint32_t)__builtin_ia32_pmovmskb256((v32)(buckets == 0));
        if (places != 0) {
            *ret_places = places;
            return block;
        }
    }
    return n_blocks;
}

static bool has_vectors(void)
{
    return __builtin_cpu_supports("avx2") != 0;
}

#else

static bool has_vectors(void)
{
    return false;
}

#define run_vectors run_plain

#endif

void laz_scan_init(struct laz_scan *scan, bool plain)
{
    scan->run = !plain && has_vectors() ? run_vectors : run_plain;
}

void laz_scan_add(struct laz_scan *scan, unsigned bucket, const struct laz_scan_form *form)
{
    uint8_t bit = (uint8_t)(1U << bucket);
    for (size_t k = 0; k < LAZ_SCAN_OFFSETS; k++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            if (form->allows[k][byte]) {
                scan->low[k][byte % 16] |= bit;
                scan->high[k][byte / 16] |= bit;
                scan->whole[k][byte] |= bit;
            }
        }
    }
}

size_t laz_scan_next(const struct laz_scan *scan, const char *text, size_t length, size_t from)
{
    uint32_t places = 0;
    if (length - from >= LAZ_SCAN_BLOCK + LAZ_SCAN_REACH) {
        size_t n_blocks = (length - from - LAZ_SCAN_REACH) / LAZ_SCAN_BLOCK;
        size_t block = scan->run(scan, text + from, n_blocks, &places);
        from += block * LAZ_SCAN_BLOCK;
        if (block < n_blocks) {
            return from + (size_t)__builtin_ctz(places);
        }
    }
    /* What is left is less than a block and the reach; behind it nothing may be read. */
    char rest[2 * LAZ_SCAN_BLOCK + LAZ_SCAN_REACH + 1] = {0};
    (void)memcpy(rest, text + from, length - from);
    size_t block = scan->run(scan, rest, 2, &places);
    size_t at = block < 2 ? from + block * LAZ_SCAN_BLOCK + (size_t)__builtin_ctz(places) : length;
    return at < length ? at : length;
}

uint8_t laz_scan_buckets(const struct laz_scan *scan, const char *text, size_t length, size_t at)
{
    uint8_t buckets = 0xFF;
    for (size_t k = 0; k < LAZ_SCAN_OFFSETS; k++) {
        unsigned char byte = at + offsets[k] < length ? (unsigned char)text[at + offsets[k]] : 0;
        buckets &= scan->whole[k][byte];
    }
    return buckets;
}
