/* SPDX-License-Identifier: Apache-2.0
 *
 * Words by number. libc only: linked into PID 1.
 */
#include "core/words.h"

#include <string.h>

const char *laz_word(const char *words, size_t n)
{
    while (n > 0) {
        words += strlen(words) + 1;
        n--;
    }
    return words;
}
