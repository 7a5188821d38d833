/* SPDX-License-Identifier: Apache-2.0
 *
 * Two table look-ups for each half of a byte, and an AND over the bytes looked at, is all that a
 * vector unit has to do for eight things at once.
 */
#include "log/scan.h"

#include <string.h>
#if defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "core/pattern.h"

/* Those that are looked at everywhere: the first ones, and so far behind that a date is no longer
 * like a number of something else. */
static const size_t quick[LAZ_SCAN_QUICK] = {0, 2, 3, 9, LAZ_SCAN_REACH};

void laz_scan_form_any(struct laz_scan_form *form)
{
    (void)memset(form->allows, true, sizeof(form->allows));
}

void laz_scan_form_or(
        struct laz_scan_form *form, size_t offset, unsigned char low, unsigned char high)
{
    for (unsigned byte = low; byte <= high && offset <= LAZ_SCAN_REACH; byte++) {
        form->allows[offset][byte] = true;
    }
}

void laz_scan_form_range(
        struct laz_scan_form *form, size_t offset, unsigned char low, unsigned char high)
{
    if (offset <= LAZ_SCAN_REACH) {
        (void)memset(form->allows[offset], false, sizeof(form->allows[offset]));
    }
    laz_scan_form_or(form, offset, low, high);
}

void laz_scan_form_front(struct laz_scan_form *form)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        form->allows[LAZ_SCAN_FRONT][byte] = !laz_is_word((char)(unsigned char)byte);
    }
}

/* ---- Running it: the first block with a place in it, or n_blocks ---- */

static size_t run_plain(
        const struct laz_scan *scan, const char *text, size_t n_blocks, uint32_t *ret_places)
{
    for (size_t block = 0; block < n_blocks; block++) {
        const unsigned char *at = (const unsigned char *)text + block * LAZ_SCAN_BLOCK;
        uint32_t places = 0;
        for (size_t i = 0; i < LAZ_SCAN_BLOCK; i++) {
            uint8_t buckets = scan->whole[0][at[i]];
            for (size_t k = 1; k < LAZ_SCAN_QUICK && buckets != 0; k++) {
                buckets &= scan->whole[quick[k]][at[i + quick[k]]];
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

#define VECTORS __attribute__((target("avx2")))

VECTORS static inline v32 load(const void *from)
{
    v32 result;
    (void)memcpy(&result, from, sizeof(result));
    return result;
}

/* The buckets of 32 places, as far as the bytes at one offset tell. */
VECTORS static inline v32 look(const struct laz_scan *scan, size_t k, const char *text)
{
    const v32 half = (v32){0} + 0x0F;
    v32 bytes = load(text + quick[k]);
    v32 low = __builtin_ia32_pshufb256(load(scan->low[k]), bytes & half);
    v32 high = __builtin_ia32_pshufb256(load(scan->high[k]), (v32)((v16)bytes >> 4) & half);
    return low & high;
}

VECTORS static size_t run_vectors(
        const struct laz_scan *scan, const char *text, size_t n_blocks, uint32_t *ret_places)
{
    _Static_assert(LAZ_SCAN_QUICK == 5, "all offsets are looked at");
    for (size_t block = 0; block < n_blocks; block++) {
        const char *at = text + block * LAZ_SCAN_BLOCK;
        v32 buckets = look(scan, 0, at) & look(scan, 1, at) & look(scan, 2, at) &
                look(scan, 3, at) & look(scan, 4, at);
        uint32_t none = (uint32_t)__builtin_ia32_pmovmskb256((v32)(buckets == 0));
        if (none != UINT32_MAX) {
            *ret_places = ~none;
            return block;
        }
    }
    return n_blocks;
}

static bool has_vectors(void)
{
    return __builtin_cpu_supports("avx2") != 0;
}

#elif defined(__aarch64__)

/* The buckets of 16 places, as far as the bytes at one offset tell. */
static inline uint8x16_t look(const struct laz_scan *scan, size_t k, const uint8_t *text)
{
    uint8x16_t bytes = vld1q_u8(text + quick[k]);
    uint8x16_t low = vqtbl1q_u8(vld1q_u8(scan->low[k]), vandq_u8(bytes, vdupq_n_u8(0x0F)));
    return vandq_u8(low, vqtbl1q_u8(vld1q_u8(scan->high[k]), vshrq_n_u8(bytes, 4)));
}

static inline uint8x16_t look_everywhere(const struct laz_scan *scan, const uint8_t *text)
{
    uint8x16_t first = vandq_u8(look(scan, 0, text), look(scan, 1, text));
    uint8x16_t last = vandq_u8(look(scan, 2, text), look(scan, 3, text));
    return vandq_u8(vandq_u8(first, last), look(scan, 4, text));
}

static size_t run_vectors(
        const struct laz_scan *scan, const char *text, size_t n_blocks, uint32_t *ret_places)
{
    _Static_assert(LAZ_SCAN_QUICK == 5, "all offsets are looked at");
    for (size_t block = 0; block < n_blocks; block++) {
        const uint8_t *at = (const uint8_t *)text + block * LAZ_SCAN_BLOCK;
        uint8x16_t front = look_everywhere(scan, at);
        uint8x16_t back = look_everywhere(scan, at + 16);
        if (vmaxvq_u8(vorrq_u8(front, back)) != 0) {
            uint8_t buckets[LAZ_SCAN_BLOCK];
            vst1q_u8(buckets, front);
            vst1q_u8(buckets + 16, back);
            *ret_places = 0;
            for (size_t i = 0; i < LAZ_SCAN_BLOCK; i++) {
                *ret_places |= buckets[i] != 0 ? UINT32_C(1) << i : 0;
            }
            return block;
        }
    }
    return n_blocks;
}

static bool has_vectors(void)
{
    return true;
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
    for (unsigned byte = 0; byte < 256; byte++) {
        for (size_t i = 0; i < LAZ_SCAN_OFFSETS; i++) {
            scan->whole[i][byte] |= form->allows[i][byte] ? bit : 0;
        }
        for (size_t k = 0; k < LAZ_SCAN_QUICK; k++) {
            uint8_t allowed = form->allows[quick[k]][byte] ? bit : 0;
            scan->low[k][byte % 16] |= allowed;
            scan->low[k][16 + byte % 16] |= allowed;
            scan->high[k][byte / 16] |= allowed;
            scan->high[k][16 + byte / 16] |= allowed;
        }
    }
}

/* Many of these are added: they set bits of their own bytes, and of all others only where they have
 * none. */
void laz_scan_add_bytes(
        struct laz_scan *scan, unsigned bucket, const unsigned char *bytes, size_t length)
{
    uint8_t bit = (uint8_t)(1U << bucket);
    for (size_t i = 0; i < LAZ_SCAN_OFFSETS; i++) {
        bool is_any = i >= length || i > LAZ_SCAN_REACH;
        unsigned char last = is_any ? 255 : bytes[i];
        for (unsigned byte = is_any ? 0 : last; byte <= last; byte++) {
            scan->whole[i][byte] |= bit;
        }
    }
    for (size_t k = 0; k < LAZ_SCAN_QUICK; k++) {
        bool is_any = quick[k] >= length;
        unsigned char last = is_any ? 255 : bytes[quick[k]];
        for (unsigned byte = is_any ? 0 : last; byte <= last; byte++) {
            for (unsigned half = 0; half < 32; half += 16) {
                scan->low[k][half + byte % 16] |= bit;
                scan->high[k][half + byte / 16] |= bit;
            }
        }
    }
}

/* Behind the text are zeros; in front of it is anything. */
uint8_t laz_scan_buckets(const struct laz_scan *scan, const char *text, size_t length, size_t at)
{
    const unsigned char *s = (const unsigned char *)text;
    uint8_t buckets = at > 0 ? scan->whole[LAZ_SCAN_FRONT][s[at - 1]] : 0xFF;
    for (size_t i = 0; i <= LAZ_SCAN_REACH && buckets != 0; i++) {
        buckets &= scan->whole[i][at + i < length ? s[at + i] : 0];
    }
    return buckets;
}

/* The first of the places of one block that the whole bytes do not rule out, or `length`. */
static size_t first_of(
        const struct laz_scan *scan, const char *text, size_t length, size_t block, uint32_t places)
{
    for (; places != 0; places &= places - 1) {
        size_t at = block + (size_t)__builtin_ctz(places);
        if (at >= length || laz_scan_buckets(scan, text, length, at) != 0) {
            return at < length ? at : length;
        }
    }
    return length;
}

size_t laz_scan_next(const struct laz_scan *scan, const char *text, size_t length, size_t from)
{
    while (length - from >= LAZ_SCAN_BLOCK + LAZ_SCAN_REACH) {
        uint32_t places = 0;
        size_t n_blocks = (length - from - LAZ_SCAN_REACH) / LAZ_SCAN_BLOCK;
        from += scan->run(scan, text + from, n_blocks, &places) * LAZ_SCAN_BLOCK;
        size_t found = first_of(scan, text, length, from, places);
        if (found < length) {
            return found;
        }
        from += places != 0 ? LAZ_SCAN_BLOCK : 0;
    }
    /* What is left is less than a block and the reach; behind it nothing may be read. */
    char rest[2 * LAZ_SCAN_BLOCK + LAZ_SCAN_REACH] = {0};
    (void)memcpy(rest, text + from, length - from);
    for (size_t i = 0; i < 2; i++) {
        uint32_t places = 0;
        (void)scan->run(scan, rest + i * LAZ_SCAN_BLOCK, 1, &places);
        size_t found = first_of(scan, text, length, from + i * LAZ_SCAN_BLOCK, places);
        if (found < length) {
            return found;
        }
    }
    return length;
}
