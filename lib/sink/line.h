/* SPDX-License-Identifier: Apache-2.0
 *
 * What a sink may know of a record's line before it writes it down in another form: that it is one
 * line of a record, and where some members of its frozen part are. In front of "d" are only
 * strings, in which each `"` has a `\` before it, so that no key can be inside one. Pure.
 */
#ifndef LAZ_SINK_LINE_H
#define LAZ_SINK_LINE_H

#include "core/buf.h"

#define LAZ_LINE_START       "{\"lz\":1,\"ev\":\""
#define LAZ_LINE_EVENT_AT    (sizeof(LAZ_LINE_START) - 1)
#define LAZ_LINE_TIME_LENGTH 27 /* 2026-11-21T23:59:01.123456Z */

/* LAZ_E_SINK if the text is not one line, line feed included, that begins and ends as a record. */
LAZ_MUST_CHECK int laz_line_check(const char *text, size_t length, struct laz_err *err);

/* Both NULL if there is none: the first byte of `ts`, and the `{` of `d`. */
const char *laz_line_time(const char *text, size_t length);
const char *laz_line_data(const char *text, size_t length);

#endif
