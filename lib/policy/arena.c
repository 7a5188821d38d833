/* SPDX-License-Identifier: Apache-2.0
 *
 * Blocks of at least 32 KiB in a list. A load of a usual policy takes two.
 */
#include "policy/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "core/num.h"

#define BLOCK_MIN 32768
#define ARRAY_MIN 4 /* elements; a power of two */

struct laz_arena_block {
    struct laz_arena_block *older;
    max_align_t memory[];
};

void *laz_arena_take(struct laz_arena *arena, size_t n, size_t size)
{
    size_t bytes = 0;
    if (!laz_mul_size(n, size, &bytes) || !laz_add_size(bytes, alignof(max_align_t) - 1, &bytes)) {
        arena->failed = true;
        return NULL;
    }
    bytes -= bytes % alignof(max_align_t);
    if (arena->newest == NULL || bytes > arena->size - arena->used) {
        size_t block_size = bytes > BLOCK_MIN ? bytes : BLOCK_MIN;
        struct laz_arena_block *block = calloc(1, sizeof(*block) + block_size);
        if (block == NULL) {
            arena->failed = true;
            return NULL;
        }
        block->older = arena->newest;
        arena->newest = block;
        arena->used = 0;
        arena->size = block_size;
    }
    void *taken = (char *)arena->newest->memory + arena->used;
    arena->used += bytes;
    return taken;
}

char *laz_arena_copy(struct laz_arena *arena, const char *text, size_t length)
{
    char *copy = laz_arena_take(arena, length + 1, 1);
    if (copy != NULL && length > 0) {
        (void)memcpy(copy, text, length); /* the last byte is zero already */
    }
    return copy;
}

void *laz_arena_append(struct laz_arena *arena, void *array, size_t *n, size_t size)
{
    char *first = NULL;
    (void)memcpy(&first, array, sizeof(first)); /* whatever it points to, a pointer is a pointer */
    bool is_full = *n == 0 || (*n >= ARRAY_MIN && (*n & (*n - 1)) == 0);
    if (is_full) {
        char *larger = laz_arena_take(arena, *n == 0 ? (size_t)ARRAY_MIN : 2 * *n, size);
        if (larger == NULL) {
            return NULL;
        }
        if (*n > 0) {
            (void)memcpy(larger, first, *n * size);
        }
        first = larger;
        (void)memcpy(array, &first, sizeof(first));
    }
    return first + (*n)++ * size;
}

void laz_arena_done(struct laz_arena *arena)
{
    struct laz_arena_block *block = arena->newest;
    while (block != NULL) {
        struct laz_arena_block *older = block->older;
        free(block);
        block = older;
    }
    *arena = (struct laz_arena){.failed = arena->failed};
}
