/* SPDX-License-Identifier: Apache-2.0
 *
 * Words by value, out of the one list that also makes the enum: rows of X(ID, "word"). They lie one
 * behind the other: pointers to them would be relocated at every start, and cost PID 1 a page.
 */
#ifndef LAZ_CORE_WORDS_H
#define LAZ_CORE_WORDS_H

#include <stddef.h>

/* Of words that each end with NUL, number `n`; there are more than that. */
const char *laz_word(const char *words, size_t n);

#define LAZ_WORD(id, word) word "\0"

/* Defines `function`: static text; "?" for what is none of the list. */
#define LAZ_WORDS(function, type, list, count)                                                     \
    const char *function(enum type value)                                                          \
    {                                                                                              \
        static const char words[] = list(LAZ_WORD);                                                \
        return (size_t)value < (count) ? laz_word(words, (size_t)value) : "?";                     \
    }

#endif
