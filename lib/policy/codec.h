/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the two files that write and read a compiled policy; nobody else needs it. libc only:
 * linked into PID 1.
 */
#ifndef LAZ_POLICY_CODEC_H
#define LAZ_POLICY_CODEC_H

#include "policy/image.h"
#include "policy/section.h"

void laz_image_put_strings(struct laz_buf *buf, struct laz_strings strings);
/* Borrowed from the section. */
struct laz_strings laz_image_take_strings(struct laz_section *in);

/* What PID 1 does with its helpers; nothing but "no" where there are none. */
void laz_image_put_helpers(struct laz_buf *buf, const struct laz_image *image);
void laz_image_take_helpers(struct laz_section *in, struct laz_image *image);

#endif
