/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers from text and arithmetic that cannot wrap. libc only.
 */
#ifndef LAZ_CORE_NUM_H
#define LAZ_CORE_NUM_H

#include <stddef.h>

#include "core/err.h"

/* How many decimal digits the text begins with. */
size_t laz_count_digits(const char *text);

/* Decimal digits only: no sign, no blanks, no leading zero, no empty text. false leaves *ret alone.
 */
LAZ_MUST_CHECK bool laz_parse_u64(const char *text, size_t length, uint64_t max, uint64_t *ret);

/* Exactly 2 * size hexadecimal digits of either case into size bytes. */
LAZ_MUST_CHECK bool laz_parse_hex(const char *text, size_t length, uint8_t *ret, size_t size);

/* size bytes as 2 * size lower-case digits and a NUL. */
void laz_format_hex(const uint8_t *bytes, size_t size, char *ret);

LAZ_MUST_CHECK bool laz_add_size(size_t a, size_t b, size_t *ret);
LAZ_MUST_CHECK bool laz_mul_size(size_t a, size_t b, size_t *ret);

#endif
