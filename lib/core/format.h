/* SPDX-License-Identifier: Apache-2.0
 *
 * printf for PID 1: what its messages need, and no more. libc's own is a sixth of the program, most
 * of it for floating point. Never allocates, never fails; libc only.
 *
 * Conversions: %s %c %d %u %x %o %%, with the flags 0, # and -, width and precision (also *), and
 * the sizes z, l and ll. Anything else is copied as it stands.
 */
#ifndef LAZ_CORE_FORMAT_H
#define LAZ_CORE_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

#include "core/err.h"

/* As snprintf(3): the text is cut to size - 1 bytes and ended; returns how long it would have been.
 */
int laz_format(char *ret, size_t size, const char *format, ...) LAZ_PRINTF(3, 4);
int laz_format_v(char *ret, size_t size, const char *format, va_list args) LAZ_PRINTF(3, 0);

/* What others have said, where people read: no byte of it may do more than show. */
void laz_format_printable(char *text);

#endif
