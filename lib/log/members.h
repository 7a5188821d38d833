/* SPDX-License-Identifier: Apache-2.0
 *
 * How much of a record a text takes, for lines.c alone.
 */
#ifndef LAZ_LOG_MEMBERS_H
#define LAZ_LOG_MEMBERS_H

#include "log/lines.h"

/* Bytes of all members beside what a text costs: names, numbers, the last digits of base64. */
#define LAZ_MEMBERS_OTHER 512

/* How many bytes of a text, whole characters, fit in *budget, from which they are taken off: in
 * `msg` with their escapes, and in base64 as well, be it needed or not. */
size_t laz_members_fit(const char *text, size_t length, size_t *budget);

#endif
