/* SPDX-License-Identifier: Apache-2.0
 *
 * Regular expressions of a small language, compiled to a table: one step for each byte of the text,
 * whatever the pattern. What the table would need more than LAZ_PATTERN_STATES_MAX rows for is
 * refused when it is compiled. Language: docs/reference/log-records.md, "Patterns".
 */
#ifndef LAZ_CORE_PATTERN_H
#define LAZ_CORE_PATTERN_H

#include <stddef.h>

#include "core/err.h"

#define LAZ_PATTERN_TEXT_MAX   256  /* bytes of the pattern */
#define LAZ_PATTERN_STATES_MAX 1024 /* with 256 classes of bytes, 512 KiB of table */
#define LAZ_PATTERN_NUMBER_MAX                                                                     \
    128 /* bytes of a match of LAZ_PATTERN_NUMBER: what is looked at ahead */

enum laz_pattern_use {
    LAZ_PATTERN_LINE,   /* is it somewhere in a line? */
    LAZ_PATTERN_NUMBER, /* how far does it reach from here? Without ^ and $, never empty, in one
                           line, and its length has an end */
};

/* Immutable; opaque. */
struct laz_pattern;

/* LAZ_E_POLICY_INVALID with the position in the pattern, LAZ_E_POLICY_TOO_LARGE, LAZ_E_MEMORY. */
LAZ_MUST_CHECK int laz_pattern_new(
        const char *text, enum laz_pattern_use use, struct laz_pattern **ret, struct laz_err *err);
void laz_pattern_free(struct laz_pattern *pattern); /* NULL is fine */

/* LAZ_PATTERN_LINE. The text is a whole line, without its line feed. */
bool laz_pattern_is_in(const struct laz_pattern *pattern, const char *text, size_t length);

/* LAZ_PATTERN_NUMBER. Length of the longest match that begins with the first byte and does not end
 * inside a word; 0 if there is none. The end of the text ends a word. */
size_t laz_pattern_reach(const struct laz_pattern *pattern, const char *text, size_t length);

/* LAZ_PATTERN_NUMBER. What every match has, for who looks for the places where one may be: at least
 * so many bytes, and each of the first ones between low and high. `at` is less than the shortest.
 */
size_t laz_pattern_shortest(const struct laz_pattern *pattern);
void laz_pattern_range(const struct laz_pattern *pattern, size_t at, unsigned char *ret_low,
        unsigned char *ret_high);

/* A letter, a digit or _. */
static inline bool laz_is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

#endif
