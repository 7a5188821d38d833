/* SPDX-License-Identifier: Apache-2.0
 *
 * Known to who makes an image and to who mounts it.
 */
#include "core/format.h"
#include "core/num.h"
#include "shim/image.h"

static void find_path(
        const uint8_t digest[LAZ_SHA256_SIZE], const char *suffix, char ret[LAZ_IMAGE_PATH_SIZE])
{
    char text[2 * LAZ_SHA256_SIZE + 1];
    laz_format_hex(digest, LAZ_SHA256_SIZE, text);
    (void)laz_format(
            ret, LAZ_IMAGE_PATH_SIZE, LAZ_IMAGE_FOLDER "/%s-" LAZARET_VERSION "%s", text, suffix);
}

void laz_image_path(const uint8_t digest[LAZ_SHA256_SIZE], char ret[LAZ_IMAGE_PATH_SIZE])
{
    find_path(digest, ".img", ret);
}

void laz_image_profile_path(const uint8_t digest[LAZ_SHA256_SIZE], char ret[LAZ_IMAGE_PATH_SIZE])
{
    find_path(digest, ".seccomp.json", ret);
}
