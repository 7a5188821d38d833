/* SPDX-License-Identifier: Apache-2.0
 *
 * lazaret-setup's own heap, under other names: blocks that do not touch, zeros where calloc
 * promises them, and no block where there is no room.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <criterion/criterion.h>

/* init/setup/heap.c, as tests/CMakeLists.txt compiles it for this program. */
void *heap_malloc(size_t size);
void *heap_calloc(size_t n, size_t size);
void *heap_realloc(void *memory, size_t size);
void heap_free(void *memory);

#define BLOCKS 3000

static bool is_all(const unsigned char *bytes, size_t length, unsigned char value)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != value) {
            return false;
        }
    }
    return true;
}

/* Sizes from nothing to more than a chunk; each block keeps what was written into it. */
Test(setup_heap, blocks_are_aligned_zero_and_apart)
{
    static unsigned char *blocks[BLOCKS];
    static size_t sizes[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        sizes[i] = i % 1000 == 999 ? 3000000 : i * 7 % 2000;
        blocks[i] = heap_calloc(1, sizes[i]);
        cr_assert_not_null(blocks[i]);
        cr_assert_eq((uintptr_t)blocks[i] % 16, 0);
        cr_assert(is_all(blocks[i], sizes[i], 0), "block %zu", i);
        (void)memset(blocks[i], (int)(i % 255 + 1), sizes[i]);
        heap_free(
                i % 2 == 1 ? blocks[i - 1] : NULL); /* of what is not last nothing is given back */
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        cr_assert(is_all(blocks[i], sizes[i], (unsigned char)(i % 255 + 1)), "block %zu", i);
    }
}

Test(setup_heap, the_block_that_was_taken_last_comes_again_as_zeros)
{
    unsigned char *before = heap_malloc(10);
    unsigned char *last = heap_malloc(100);
    unsigned char *large = NULL;
    (void)memset(before, 1, 10);
    (void)memset(last, 2, 100);
    heap_free(last);
    unsigned char *again = heap_calloc(1, 50);
    cr_expect_eq(again, last);
    cr_expect(is_all(again, 50, 0) && is_all(before, 10, 1));
    large = heap_malloc(100000);
    (void)memset(large, 3, 100000);
    heap_free(large);
    again = heap_calloc(1, 100000);
    cr_expect(is_all(again, 100000, 0), "of a large one");
    cr_expect_neq(again, large);
}

Test(setup_heap, the_block_that_was_taken_last_grows_in_its_place)
{
    unsigned char *block = heap_malloc(10);
    (void)memset(block, 4, 10);
    unsigned char *grown = heap_realloc(block, 1000);
    unsigned char *next = heap_calloc(1, 64);
    cr_expect_eq(grown, block);
    (void)memset(grown + 10, 5, 990);
    cr_expect(is_all(grown, 10, 4) && is_all(next, 64, 0));
}

Test(setup_heap, a_block_that_grows_keeps_its_bytes)
{
    unsigned char *block = heap_realloc(NULL, 1);
    cr_assert_not_null(block);
    *block = 7;
    for (size_t size = 2; size < 5000000; size = size * 3 / 2 + 1) {
        unsigned char *neighbour = heap_malloc(1);
        *neighbour = 9;
        block = heap_realloc(block, size);
        cr_assert_not_null(block);
        cr_assert(is_all(block, size / 2, 7), "%zu", size);
        (void)memset(block, 7, size);
        cr_assert_eq(*neighbour, 9);
    }
    cr_assert_eq(heap_realloc(block, 3), block, "a block that shrinks stays where it is");
}

Test(setup_heap, there_is_no_block_where_there_is_no_room)
{
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 15, PTRDIFF_MAX, PTRDIFF_MAX - 48};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        errno = 0;
        cr_expect_null(heap_malloc(sizes[i]), "%zu", sizes[i]);
        cr_expect_eq(errno, ENOMEM);
    }
    errno = 0;
    cr_expect_null(heap_calloc(SIZE_MAX / 2, 3));
    cr_expect_eq(errno, ENOMEM);
    char *block = heap_malloc(8);
    cr_assert_not_null(block);
    (void)memcpy(block, "kept...", 8);
    cr_expect_null(heap_realloc(block, PTRDIFF_MAX));
    cr_expect_str_eq(block, "kept...");
}
