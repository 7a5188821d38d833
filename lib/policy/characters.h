/* SPDX-License-Identifier: Apache-2.0
 *
 * Which characters a policy may hold: well-formed UTF-8 without control, invisible and
 * bidirectional ones. A reviewer must see what the parser sees.
 */
#ifndef LAZ_POLICY_CHARACTERS_H
#define LAZ_POLICY_CHARACTERS_H

#include <stdbool.h>
#include <stddef.h>

/* Offset of the first character that is not allowed, or length. Line ends (LF, CR LF) and tabs are
 * allowed in a whole file, not in a value. */
size_t laz_characters_find_bad(const char *text, size_t length, bool is_file);

/* What is wrong with the character at text; static. */
const char *laz_characters_explain(const char *text, size_t length);

static inline bool laz_utf8_is_continuation(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

#endif
