/* SPDX-License-Identifier: Apache-2.0
 *
 * SHA-256 as FIPS 180-4 section 6.2 writes it. libc only: linked into PID 1.
 */
#include "core/sha256.h"

#include <string.h>

/* FIPS 180-4 section 4.2.2: the first 32 bits of the fractional parts of the cube roots of the
 * first 64 primes. */
static const uint32_t round_constant[64] = {
        0x428a2f98,
        0x71374491,
        0xb5c0fbcf,
        0xe9b5dba5,
        0x3956c25b,
        0x59f111f1,
        0x923f82a4,
        0xab1c5ed5,
        0xd807aa98,
        0x12835b01,
        0x243185be,
        0x550c7dc3,
        0x72be5d74,
        0x80deb1fe,
        0x9bdc06a7,
        0xc19bf174,
        0xe49b69c1,
        0xefbe4786,
        0x0fc19dc6,
        0x240ca1cc,
        0x2de92c6f,
        0x4a7484aa,
        0x5cb0a9dc,
        0x76f988da,
        0x983e5152,
        0xa831c66d,
        0xb00327c8,
        0xbf597fc7,
        0xc6e00bf3,
        0xd5a79147,
        0x06ca6351,
        0x14292967,
        0x27b70a85,
        0x2e1b2138,
        0x4d2c6dfc,
        0x53380d13,
        0x650a7354,
        0x766a0abb,
        0x81c2c92e,
        0x92722c85,
        0xa2bfe8a1,
        0xa81a664b,
        0xc24b8b70,
        0xc76c51a3,
        0xd192e819,
        0xd6990624,
        0xf40e3585,
        0x106aa070,
        0x19a4c116,
        0x1e376c08,
        0x2748774c,
        0x34b0bcb5,
        0x391c0cb3,
        0x4ed8aa4a,
        0x5b9cca4f,
        0x682e6ff3,
        0x748f82ee,
        0x78a5636f,
        0x84c87814,
        0x8cc70208,
        0x90befffa,
        0xa4506ceb,
        0xbef9a3f7,
        0xc67178f2,
};

static uint32_t rotate(uint32_t x, unsigned n)
{
    return (x >> n) | (x << (32 - n));
}

static uint32_t load_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void store_be32(uint8_t *p, uint32_t x)
{
    p[0] = (uint8_t)(x >> 24);
    p[1] = (uint8_t)(x >> 16);
    p[2] = (uint8_t)(x >> 8);
    p[3] = (uint8_t)x;
}

/* Round `turn` modulo 8: variable a stands at index -turn, b behind it, and so on (section 6.2.2,
 * step 3). */
static inline void round_once(uint32_t v[8], unsigned turn, uint32_t input)
{
    uint32_t a = v[(0U - turn) % 8];
    uint32_t b = v[(1U - turn) % 8];
    uint32_t c = v[(2U - turn) % 8];
    uint32_t e = v[(4U - turn) % 8];
    uint32_t f = v[(5U - turn) % 8];
    uint32_t g = v[(6U - turn) % 8];
    uint32_t big1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    uint32_t t1 = v[(7U - turn) % 8] + big1 + ((e & f) ^ (~e & g)) + input;
    uint32_t big0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    v[(3U - turn) % 8] += t1;
    v[(7U - turn) % 8] = t1 + big0 + ((a & b) ^ (a & c) ^ (b & c));
}

static void compress(uint32_t state[8], const uint8_t block[64])
{
    uint32_t w[64];
    for (size_t t = 0; t < 16; t++) {
        w[t] = load_be32(block + 4 * t);
    }
    for (size_t t = 16; t < 64; t++) {
        uint32_t s0 = rotate(w[t - 15], 7) ^ rotate(w[t - 15], 18) ^ (w[t - 15] >> 3);
        uint32_t s1 = rotate(w[t - 2], 17) ^ rotate(w[t - 2], 19) ^ (w[t - 2] >> 10);
        w[t] = w[t - 16] + s0 + w[t - 7] + s1;
    }
    uint32_t v[8];
    (void)memcpy(v, state, sizeof(v));
    /* The eight working variables turn by one place a round: turn the index instead of the values.
     * Where each is known they are in registers: a quarter less time, and more room than PID 1 has.
     */
    for (unsigned t = 0; t < 64; t += 8) {
#ifndef __OPTIMIZE_SIZE__
#pragma GCC unroll 8
#endif
        for (unsigned i = 0; i < 8; i++) {
            round_once(v, i, round_constant[t + i] + w[t + i]);
        }
    }
    for (size_t i = 0; i < 8; i++) {
        state[i] += v[i];
    }
}

void laz_sha256_init(struct laz_sha256 *hash)
{
    /* section 5.3.3 */
    static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
            0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    *hash = (struct laz_sha256){0};
    (void)memcpy(hash->state, initial, sizeof(initial));
}

void laz_sha256_add(struct laz_sha256 *hash, const void *bytes, size_t length)
{
    const uint8_t *p = bytes;
    size_t used = (size_t)(hash->total % 64);
    hash->total += length;
    while (length > 0) {
        size_t n = 64 - used < length ? 64 - used : length;
        (void)memcpy(hash->block + used, p, n);
        p += n;
        length -= n;
        used += n;
        if (used == 64) {
            compress(hash->state, hash->block);
            used = 0;
        }
    }
}

void laz_sha256_end(struct laz_sha256 *hash, uint8_t ret[LAZ_SHA256_SIZE])
{
    uint64_t bits = hash->total * 8;
    size_t used = (size_t)(hash->total % 64);
    hash->block[used++] = 0x80;
    if (used > 56) {
        (void)memset(hash->block + used, 0, 64 - used);
        compress(hash->state, hash->block);
        used = 0;
    }
    (void)memset(hash->block + used, 0, 56 - used);
    store_be32(hash->block + 56, (uint32_t)(bits >> 32));
    store_be32(hash->block + 60, (uint32_t)bits);
    compress(hash->state, hash->block);
    for (size_t i = 0; i < 8; i++) {
        store_be32(ret + 4 * i, hash->state[i]);
    }
}

void laz_sha256_of(const void *bytes, size_t length, uint8_t ret[LAZ_SHA256_SIZE])
{
    struct laz_sha256 hash;
    laz_sha256_init(&hash);
    laz_sha256_add(&hash, bytes, length);
    laz_sha256_end(&hash, ret);
}
