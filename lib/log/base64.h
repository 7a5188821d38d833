/* SPDX-License-Identifier: Apache-2.0
 *
 * Base64, RFC 4648: the writing side.
 */
#ifndef LAZ_LOG_BASE64_H
#define LAZ_LOG_BASE64_H

#include "core/buf.h"

/* Append the bytes; with - and _, and without padding, where is_url. */
void laz_base64_put(struct laz_buf *buf, const char *bytes, size_t length, bool is_url);

#endif
