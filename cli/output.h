/* SPDX-License-Identifier: Apache-2.0
 *
 * How lazaret speaks: results on standard output, whole or not at all (but verdicts on trails, of
 * which there can be any number, in pieces); errors on standard error, by the catalogue's name and
 * with its remedy. With --json both are one object on standard output.
 */
#ifndef LAZ_CLI_OUTPUT_H
#define LAZ_CLI_OUTPUT_H

#include "core/json.h"

#define LAZ_CLI_OUTPUT_MAX                                                                         \
    ((size_t)16 * 1024 * 1024) /* bytes; an explanation of the largest policy is 1 MiB */
#define LAZ_CLI_TEXT_WIDTH 100 /* columns at which lists are wrapped */

/* Write it all to standard output and return `result`; LAZ_EXIT_FINDINGS, with the reason on
 * standard error, if that cannot be done or the buffer overflowed. */
int laz_cli_print(const struct laz_buf *buf, int result);

/* Print an error and return its exit code. */
int laz_cli_fail(const struct laz_err *err, bool json);
/* The same as members of a JSON object. */
void laz_cli_error_json(struct laz_json *json, const struct laz_err *err);

/* A remark on standard error, beside the result: "lazaret: ", the text, a line feed. */
void laz_cli_note(const struct laz_buf *text);

/* Append `text`, wrapped at spaces; continuation lines begin with `indent` spaces. `column` is
 * where the cursor stands. Ends the line. */
void laz_cli_wrap(struct laz_buf *buf, const char *text, size_t column, size_t indent);

#endif
