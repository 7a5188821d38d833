/* SPDX-License-Identifier: Apache-2.0
 *
 * Spools for tests: a folder of their own, blocks whose content follows from their number, files
 * that are taken out, changed and put back, and the end of a writer that is killed.
 */
#ifndef LAZ_AUDIT_SPOOL_FIXTURE_H
#define LAZ_AUDIT_SPOOL_FIXTURE_H

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "audit/spool_store.h"
#include "core/fd.h"
#include "tests/unit/audit/spool_keys.h"

#define MIB (UINT64_C(1) << 20)

/* ---- A folder ---- */

struct folder {
    char path[64];
    int fd;
};

/* In memory where that is possible: the tests flush often. */
static inline struct folder new_folder(void)
{
    struct folder folder = {.path = "/dev/shm/lazaret-spool-XXXXXX"};
    if (mkdtemp(folder.path) == NULL) {
        memcpy(folder.path, "/tmp/lazaret-spool-XXXXXX", sizeof("/tmp/lazaret-spool-XXXXXX"));
        cr_assert_not_null(mkdtemp(folder.path));
    }
    folder.fd = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_geq(folder.fd, 0);
    return folder;
}

static inline void empty_folder(const struct folder *folder)
{
    DIR *entries = fdopendir(openat(folder->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const struct dirent *entry = NULL;
    while ((entry = readdir(entries)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
                unlinkat(folder->fd, entry->d_name, 0) < 0) {
            cr_assert_eq(unlinkat(folder->fd, entry->d_name, AT_REMOVEDIR), 0);
        }
    }
    (void)closedir(entries);
}

static inline void drop_folder(struct folder *folder)
{
    empty_folder(folder);
    laz_fd_close(&folder->fd);
    cr_assert_eq(rmdir(folder->path), 0);
}

static inline bool has_file(const struct folder *folder, const char *name)
{
    struct stat status;
    return fstatat(folder->fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

static inline size_t get_file(
        const struct folder *folder, const char *name, uint8_t *ret, size_t size)
{
    laz_cleanup_fd int fd = openat(folder->fd, name, O_RDONLY | O_CLOEXEC);
    cr_assert_geq(fd, 0, "%s", name);
    ssize_t length = read(fd, ret, size);
    cr_assert(length >= 0 && (size_t)length < size, "%s", name);
    return (size_t)length;
}

static inline void put_file(
        const struct folder *folder, const char *name, const void *bytes, size_t size)
{
    struct laz_err err = {0};
    laz_cleanup_fd int fd =
            openat(folder->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    cr_assert_geq(fd, 0, "%s", name);
    cr_assert_eq(laz_fd_write_all(fd, bytes, size, &err), 0);
}

/* ---- A spool in it ---- */

/* Of run 1, 2, ...: each has its chain and its key. */
static inline struct laz_spool_options options_of(const struct folder *folder, uint8_t run)
{
    struct laz_spool_options options = {
            .dir = folder->fd, .max_bytes = 16 * MIB, .segment_bytes = MIB};
    memset(options.chain, run, sizeof(options.chain));
    memset(options.key, 0x80 + run, sizeof(options.key));
    return options;
}

static inline struct laz_spool *open_with(
        const struct laz_spool_options *options, struct laz_spool_left *ret_left)
{
    struct laz_spool *spool = NULL;
    struct laz_err err = {0};
    cr_assert_eq(laz_spool_open(options, &spool, ret_left, &err), 0, "%s", err.message);
    return spool;
}

static inline struct laz_spool *open_run(const struct folder *folder, uint8_t run)
{
    struct laz_spool_left left;
    const struct laz_spool_options options = options_of(folder, run);
    return open_with(&options, &left);
}

/* What a killed writer leaves behind: nothing is closed in order. */
static inline void kill_writer(struct laz_spool *spool)
{
    laz_fd_close(&spool->fd);
    spool->n_segments = 0;
    spool->tail = 0;
    laz_spool_free(spool);
}

static const struct laz_spool_at everything = {.segment = UINT32_MAX};

/* ---- Blocks ---- */

#define TEXT_MAX (512 * 1024)
#define SMALL    300 /* bytes of a block's records */

/* The records of block `n`: `size` bytes that no other block has, ended by a line feed. */
static inline size_t text_of(uint32_t n, size_t size, char *ret)
{
    uint32_t state = n * 2654435761U + 12345;
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525U + 1013904223U;
        ret[i] = (char)('!' + (state >> 24) % 90);
    }
    if (size > 0) {
        ret[size - 1] = '\n';
    }
    return size;
}

static inline int try_append(
        struct laz_spool *spool, uint32_t n, size_t size, bool urgent, struct laz_err *err)
{
    static char text[TEXT_MAX];
    char meta[16];
    struct laz_place place = {.seq = 10 * (uint64_t)n + 9};
    memset(place.h, (int)n, sizeof(place.h));
    const struct laz_spool_block block = {.meta = meta,
            .meta_length = (size_t)snprintf(meta, sizeof(meta), "meta %u", n),
            .records = text,
            .length = text_of(n, size, text),
            .first_seq = 10 * (uint64_t)n,
            .n_records = 10,
            .urgent = urgent};
    return laz_spool_append(spool, &block, &place, err);
}

static inline void append(struct laz_spool *spool, uint32_t n, size_t size)
{
    struct laz_err err = {0};
    cr_assert_eq(try_append(spool, n, size, false, &err), 0, "block %u: %s", n, err.message);
}

static inline void expect_tail(const struct laz_spool *spool, uint32_t n)
{
    char meta[LAZ_SPOOL_META_MAX + 1] = {0};
    char wanted[16] = "";
    (void)laz_spool_tail(spool, (uint8_t *)meta);
    cr_assert(snprintf(wanted, sizeof(wanted), "meta %u", n) > 0);
    cr_expect_str_eq(meta, wanted);
}

/* Everything from `at` on must be blocks first, first + 1, ... of `size` bytes each. Returns how
 * many there were until the end, or until something was corrupt (then that is in *err). */
static inline uint32_t read_blocks(struct laz_spool *spool, struct laz_spool_at *at, uint32_t first,
        size_t size, struct laz_err *err)
{
    static char text[TEXT_MAX];
    struct laz_buf buf;
    uint32_t n = 0;
    laz_buf_init_heap(&buf, TEXT_MAX + 1);
    for (;;) {
        int result = laz_spool_read(spool, at, &buf, err);
        if (result <= 0) {
            cr_assert_eq(buf.len, 0);
            break;
        }
        cr_assert_eq(buf.len, text_of(first + n, size, text), "block %u has %zu bytes", first + n,
                buf.len);
        cr_assert(size == 0 || memcmp(buf.data, text, size) == 0, "block %u", first + n);
        n++;
    }
    laz_buf_done(&buf);
    return n;
}

/* From the first to the end, without any error. */
static inline void expect_blocks(struct laz_spool *spool, uint32_t first, uint32_t n, size_t size)
{
    struct laz_err err = {0};
    struct laz_spool_at at = laz_spool_first(spool);
    cr_assert_eq(read_blocks(spool, &at, first, size, &err), n, "%s", err.message);
    cr_assert_eq(err.kind, LAZ_E_NONE, "%s", err.message);
}

#endif
