/* SPDX-License-Identifier: Apache-2.0
 *
 * Mapped pages for values, and allocators that wipe.
 */
#include "secret/memory.h"

#include <errno.h>
#include <event2/event.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <openssl/crypto.h>

#define KEYS     ((size_t)65536) /* bytes for the private numbers of a few keys at a time */
#define KEY_MIN  32              /* bytes of the smallest block of them */
#define KEY_MAX  ((size_t)256)   /* bytes for the numbers of a handshake, of the largest curve */
#define ALL_KEYS ((size_t)1 << 22)
#define PAGE     ((size_t)65536) /* of the largest page size that the architectures have */

static size_t pages_of(size_t size)
{
    return (size + PAGE - 1) / PAGE * PAGE;
}

int laz_secret_buf_init(struct laz_buf *ret, size_t size, struct laz_err *err)
{
    size_t length = pages_of(size);
    char *memory = mmap(NULL, length + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return laz_err_set(err, LAZ_E_MEMORY, errno, "no memory for a value");
    }
    /* Not mprotect, which the filter of the role does not have. */
    if (mmap(memory + PAGE, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                -1, 0) == MAP_FAILED) {
        (void)munmap(memory, length + 2 * PAGE);
        return laz_err_set(err, LAZ_E_MEMORY, errno, "no memory for a value");
    }
    (void)madvise(memory + PAGE, length, MADV_DONTDUMP); /* the limit on cores holds without it */
    (void)mlock(memory + PAGE, length); /* a small limit refuses it: then swap is the host's */
    laz_buf_init_fixed(ret, memory + PAGE, size);
    return 0;
}

void laz_secret_buf_clear(struct laz_buf *buf)
{
    if (buf->cap > 0) {
        OPENSSL_cleanse(buf->data, buf->cap);
    }
    buf->len = 0;
    buf->overflow = false;
}

void laz_secret_buf_done(struct laz_buf *buf)
{
    if (buf->cap > 0) {
        laz_secret_buf_clear(buf);
        (void)munmap(buf->data - PAGE, pages_of(buf->cap) + 2 * PAGE);
    }
    *buf = (struct laz_buf){0};
}

/* Not OPENSSL_cleanse: it takes eight bytes at a time, and a record's buffer has 16 KiB. */
static void wipe_and_free(void *memory)
{
    if (memory != NULL) {
        explicit_bzero(memory, malloc_usable_size(memory));
        free(memory);
    }
}

/* Not realloc: it leaves a copy behind. */
static void *grow(void *memory, size_t size)
{
    void *larger = malloc(size);
    if (larger != NULL && memory != NULL) {
        size_t before = malloc_usable_size(memory);
        (void)memcpy(larger, memory, before < size ? before : size);
        wipe_and_free(memory);
    }
    return larger;
}

static void *grow_for_openssl(void *memory, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    if (size == 0) {
        wipe_and_free(memory);
        return NULL;
    }
    return grow(memory, size);
}

static void *take_for_openssl(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return malloc(size);
}

static void free_for_openssl(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    wipe_and_free(memory);
}

bool laz_secret_wipe_libraries(void)
{
    event_set_mem_functions(malloc, grow, wipe_and_free);
    return CRYPTO_set_mem_functions(take_for_openssl, grow_for_openssl, free_for_openssl) == 1;
}

bool laz_secret_lock_keys(size_t handshakes)
{
    size_t size = KEYS; /* OpenSSL wants a power of two */
    while (size < ALL_KEYS && size < KEYS + handshakes * KEY_MAX) {
        size *= 2;
    }
    return CRYPTO_secure_malloc_initialized() == 1 || CRYPTO_secure_malloc_init(size, KEY_MIN) != 0;
}
