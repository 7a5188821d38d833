/* SPDX-License-Identifier: Apache-2.0
 *
 * A compiled policy in which every field has a value of its own, as a block of bytes.
 */
#ifndef LAZ_POLICY_IMAGE_BLOCK_H
#define LAZ_POLICY_IMAGE_BLOCK_H

#include "policy/image.h"
#include "tests/fixture/block.h"

#define HEADER_SIZE            48 /* magic, version, length, digest */
#define IMAGE_BLOCK_DELIVERIES 23 /* bytes of all of them */

struct laz_image image_block_make(void);
void image_block_encode(const struct laz_image *image, struct block *ret);
/* Make header and body agree again after a change of the body. */
void image_block_seal(struct block *block);
/* NULL, or what is wrong. */
const char *image_block_decode(const struct block *block, struct laz_image *ret);

#endif
