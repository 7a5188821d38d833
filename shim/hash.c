/* SPDX-License-Identifier: Apache-2.0
 *
 * Block by block: an image may have a large file where a small one is looked for.
 */
#include "shim/hash.h"

#include <unistd.h>

#include "core/num.h"

#define FILE_MAX ((size_t)8 << 20)
#define BLOCK    4096

bool laz_hash_file(int fd, char ret[LAZ_HASH_SIZE])
{
    struct laz_sha256 hash;
    uint8_t block[BLOCK];
    uint8_t digest[LAZ_SHA256_SIZE];
    size_t total = 0;
    ssize_t n = 0;
    laz_sha256_init(&hash);
    while ((n = read(fd, block, sizeof(block))) > 0 && (total += (size_t)n) <= FILE_MAX) {
        laz_sha256_add(&hash, block, (size_t)n);
    }
    if (n != 0) {
        return false;
    }
    laz_sha256_end(&hash, digest);
    laz_format_hex(digest, sizeof(digest), ret);
    return true;
}
