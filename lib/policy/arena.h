/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory of one load: taken piece by piece, given back all at once. Zeroed, never moved. For
 * lazaret-setup and the host programs; PID 1 has no heap.
 */
#ifndef LAZ_POLICY_ARENA_H
#define LAZ_POLICY_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct laz_arena_block;

/* Zero-initialise; end with laz_arena_done. */
struct laz_arena {
    struct laz_arena_block *newest;
    size_t used;
    size_t size;
    bool failed; /* memory ran out at least once: whoever owns the arena reports it */
};

/* `n` objects of `size` bytes, aligned for any type; NULL when memory runs out. */
void *laz_arena_take(struct laz_arena *arena, size_t n, size_t size);
/* A NUL-terminated copy; NULL when memory runs out. */
char *laz_arena_copy(struct laz_arena *arena, const char *text, size_t length);
/* Room for one more element at the end of an array: `array` is the address of the pointer to its
 * first element, which moves when *n is a power of two; *n grows by one. For arrays that only ever
 * grow through this function (they may shrink at will). NULL, and nothing changed, when memory runs
 * out. */
void *laz_arena_append(struct laz_arena *arena, void *array, size_t *n, size_t size);
void laz_arena_done(struct laz_arena *arena);

#endif
