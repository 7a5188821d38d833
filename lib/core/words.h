/* SPDX-License-Identifier: Apache-2.0
 *
 * Words by value, out of the one list that also makes the enum: rows of X(ID, "word").
 */
#ifndef LAZ_CORE_WORDS_H
#define LAZ_CORE_WORDS_H

#include <stddef.h>

#define LAZ_WORD(id, word) word,

/* Defines `function`: static text; "?" for what is none of the list. */
#define LAZ_WORDS(function, type, list, count)                                                     \
    const char *function(enum type value)                                                          \
    {                                                                                              \
        static const char *const words[] = {list(LAZ_WORD)};                                       \
        return (size_t)value < (count) ? words[value] : "?";                                       \
    }

#endif
