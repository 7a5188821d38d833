/* SPDX-License-Identifier: Apache-2.0
 *
 * What every fuzz target is made of: its entry, and claims that end it when they do not hold.
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* Of its very size, so that the address sanitizer sees the byte behind it. Free with free(). */
static inline void *exact_copy(const void *bytes, size_t size)
{
    void *copy = malloc(size == 0 ? 1 : size);
    require(copy != NULL);
    if (size > 0) {
        (void)memcpy(copy, bytes, size);
    }
    return copy;
}

#endif
