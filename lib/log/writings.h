/* SPDX-License-Identifier: Apache-2.0
 *
 * The ways in which a text is written, for literals.c alone: as it is and line by line, as JSON and
 * URLs have it, in base64 and in hexadecimal digits. The list: docs/reference/log-records.md.
 */
#ifndef LAZ_LOG_WRITINGS_H
#define LAZ_LOG_WRITINGS_H

#include "log/literals.h"

#define LAZ_WRITINGS_WHOLE_MAX 4096 /* bytes of a text; a longer one is not written in all ways */

/* Bytes that the writings of a text take at most. */
size_t laz_writings_room(size_t length);

/* Append them to the bytes, and keep them; of a text that has several lines each with at least so
 * many letters too. False: no memory. */
LAZ_MUST_CHECK bool laz_writings_put(
        struct laz_literals *literals, const struct laz_bytes *text, size_t least);

#endif
