/* SPDX-License-Identifier: Apache-2.0
 *
 * What a file is, and what is in it. Follows no link at its end, opens nothing but regular files,
 * and waits for none.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fd.h"
#include "init/sense/sense.h"

#define CONTENT_MAX (UINT64_C(64) << 20) /* bytes: a quarter of a second's work */
#define PIECE       8192
#define NS_PER_S    1000000000

static int64_t ns_of(struct timespec when)
{
    return (int64_t)when.tv_sec * NS_PER_S + when.tv_nsec;
}

static void note(const struct stat *status, struct laz_file_facts *ret)
{
    *ret = (struct laz_file_facts){.is_there = 1,
            .mode = status->st_mode,
            .uid = status->st_uid,
            .gid = status->st_gid,
            .device = status->st_dev,
            .inode = status->st_ino,
            .size = (uint64_t)status->st_size,
            .modified_ns = ns_of(status->st_mtim),
            .changed_ns = ns_of(status->st_ctim),
            .content = LAZ_CONTENT_NONE};
}

bool laz_sense_stat(const char *path, struct laz_file_facts *ret)
{
    struct stat status;
    *ret = (struct laz_file_facts){.content = LAZ_CONTENT_NONE};
    if (lstat(path, &status) < 0) {
        return errno == ENOENT || errno == ENOTDIR;
    }
    note(&status, ret);
    return true;
}

/* -1: it could not be read to its end. */
static int hash(int fd, uint8_t ret[LAZ_SHA256_SIZE])
{
    uint8_t piece[PIECE];
    struct laz_sha256 sha;
    ssize_t n = 1;
    laz_sha256_init(&sha);
    for (uint64_t total = 0; n > 0 && total <= CONTENT_MAX; total += (uint64_t)n) {
        n = read(fd, piece, sizeof(piece));
        if (n < 0) {
            return -1;
        }
        laz_sha256_add(&sha, piece, (size_t)n);
    }
    laz_sha256_end(&sha, ret);
    return 0;
}

/* A link's content is where it leads. */
static void hash_link(const char *path, struct laz_file_facts *facts)
{
    char target[LAZ_SENSE_PATH_MAX];
    ssize_t n = readlink(path, target, sizeof(target));
    if (n >= 0) {
        laz_sha256_of(target, (size_t)n, facts->hash);
        facts->content = LAZ_CONTENT_HASHED;
    }
}

bool laz_sense_read_content(const char *path, struct laz_file_facts *facts)
{
    if (S_ISLNK(facts->mode)) {
        hash_link(path, facts);
    }
    if (!facts->is_there || !S_ISREG(facts->mode)) {
        return true;
    }
    if (facts->size > CONTENT_MAX) {
        facts->content = LAZ_CONTENT_TOO_LARGE;
        return true;
    }
    laz_cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        facts->content = LAZ_CONTENT_UNREADABLE;
        return errno != ENOENT;
    }
    struct stat before;
    struct stat after;
    struct laz_file_facts now;
    if (fstat(fd, &before) < 0 || !S_ISREG(before.st_mode) || hash(fd, facts->hash) < 0 ||
            fstat(fd, &after) < 0) {
        facts->content = LAZ_CONTENT_UNREADABLE;
        return true;
    }
    facts->content = LAZ_CONTENT_HASHED;
    note(&after, &now);
    return !laz_file_looks_changed(facts, &now);
}
