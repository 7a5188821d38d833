/* SPDX-License-Identifier: Apache-2.0
 *
 * The heap of lazaret-setup, and of lazaret-shim and lazaret-prepare: it takes, and gives back no
 * more than the small block that was taken last. These programs live for a millisecond and end
 * after one answer; musl's own allocator would spend a fifth of that on mapping and unmapping
 * again. Fresh pages are zero, which calloc rests on. RLIMIT_AS bounds it. Not for instrumented
 * builds, which bring an allocator of their own, nor for any program that lives longer.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/num.h"

#define CHUNK_SIZE (1U << 20)
#define ALIGNMENT  16U
#define SMALL      4096U /* wiped where it is given back: a page that nobody touched stays untouched */

/* In front of each block, for realloc. */
struct block {
    size_t size; /* of what follows, a multiple of ALIGNMENT */
    size_t unused;
};

_Static_assert(sizeof(struct block) % ALIGNMENT == 0, "blocks stay aligned");

static struct {
    char *at;
    char *end;
} chunk;

static int reserve(size_t size)
{
    size_t length = size > CHUNK_SIZE ? size : CHUNK_SIZE; /* both are multiples of ALIGNMENT */
    void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        errno = ENOMEM;
        return -1;
    }
    chunk.at = memory;
    chunk.end = (char *)memory + length;
    return 0;
}

void *malloc(size_t size)
{
    if (size > PTRDIFF_MAX - sizeof(struct block) - ALIGNMENT) {
        errno = ENOMEM;
        return NULL;
    }
    size_t rounded = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    size_t needed = sizeof(struct block) + rounded;
    if ((size_t)(chunk.end - chunk.at) < needed && reserve(needed) < 0) {
        return NULL;
    }
    struct block *block = (struct block *)(void *)chunk.at;
    block->size = rounded;
    chunk.at += needed;
    return block + 1;
}

static bool is_last(const struct block *block)
{
    return (const char *)(block + 1) + block->size == chunk.at;
}

/* As the work of a loop goes on, block by block. */
void free(void *ptr)
{
    if (ptr == NULL) {
        return;
    }
    struct block *block = (struct block *)ptr - 1;
    if (block->size <= SMALL && is_last(block)) {
        chunk.at = (char *)block;
        (void)memset(block, 0, sizeof(*block) + block->size);
    }
}

void *calloc(size_t nmemb, size_t size)
{
    size_t total = 0;
    if (!laz_mul_size(nmemb, size, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    return malloc(total);
}

void *realloc(void *ptr, size_t size)
{
    if (ptr == NULL) {
        return malloc(size);
    }
    struct block *old = (struct block *)ptr - 1;
    if (size <= old->size) {
        return ptr;
    }
    size_t more = size - old->size; /* of which the old size is a multiple of ALIGNMENT */
    if (is_last(old) && more <= (size_t)(chunk.end - chunk.at)) {
        more = (more + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; /* chunks are multiples of it too */
        chunk.at += more;
        old->size += more;
        return ptr;
    }
    void *grown = malloc(size);
    if (grown != NULL) {
        (void)memcpy(grown, ptr, old->size);
    }
    return grown;
}
