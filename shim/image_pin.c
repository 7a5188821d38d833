/* SPDX-License-Identifier: Apache-2.0
 *
 * For who shows what the shim would do, and keeps no file.
 */
#include "core/num.h"
#include "filter/filter.h"
#include "policy/image.h"
#include "shim/image.h"

int laz_image_pin(const struct laz_policy *policy, char ret[LAZ_HASH_SIZE], struct laz_err *err)
{
    uint8_t digest[LAZ_SHA256_SIZE];
    laz_cleanup_buf struct laz_buf image;
    laz_buf_init_heap(&image, LAZ_IMAGE_MAX);
    if (laz_filter_build_image(policy, laz_arch_native(), &image, err) < 0) {
        return -1;
    }
    laz_sha256_of(image.data, image.len, digest);
    laz_format_hex(digest, sizeof(digest), ret);
    return 0;
}
