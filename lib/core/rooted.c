/* SPDX-License-Identifier: Apache-2.0
 *
 * A path, looked at from the root down, part by part. Where "/" is root's alone nobody else can
 * change what is at the next part, and so on down: the same path leads to the same thing later. Who
 * may write a file by an access control list shows in its mode: the list's mask stands in the place
 * of the group's rights.
 */
#include "core/rooted.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fd.h"

#define PATH_SIZE 1024 /* longer than any program's or file's of a host, with the NUL */
#define OTHERS    (S_IWGRP | S_IWOTH)

struct walk {
    const char *path;
    size_t seen;          /* how many bytes of it have been looked at */
    char part[PATH_SIZE]; /* these bytes */
};

static int fail(const struct walk *walk, struct laz_err *err)
{
    int why = errno;
    if (why == ENOENT || why == ENOTDIR) {
        return laz_err_set(err, LAZ_E_HOST_ABSENT, why, "%s: nothing is there", walk->path);
    }
    return laz_err_set(err, LAZ_E_SYSTEM, why, "%s: %s", walk->path, strerror(why));
}

static int judge(
        const struct walk *walk, const struct stat *status, bool is_last, struct laz_err *err)
{
    int length = walk->seen == 0 ? 1 : (int)walk->seen;
    if (S_ISLNK(status->st_mode)) {
        return laz_err_set(err, LAZ_E_HOST_UNSAFE, 0, "%.*s is a link: name what it leads to",
                length, walk->path);
    }
    if (is_last && !S_ISREG(status->st_mode)) {
        return laz_err_set(
                err, LAZ_E_HOST_UNSAFE, 0, "%.*s is not a regular file", length, walk->path);
    }
    if (status->st_uid != 0) {
        return laz_err_set(err, LAZ_E_HOST_UNSAFE, 0, "%.*s belongs to user %u, not to root",
                length, walk->path, status->st_uid);
    }
    if ((status->st_mode & OTHERS) != 0) {
        return laz_err_set(err, LAZ_E_HOST_UNSAFE, 0,
                "%.*s may be written by others than root, mode %04o", length, walk->path,
                status->st_mode & 07777U);
    }
    return 0;
}

/* The path up to its next part, which is plain. */
static int take_part(struct walk *walk, bool *ret_is_last, struct laz_err *err)
{
    const char *part = walk->path + walk->seen + 1;
    size_t length = strcspn(part, "/");
    bool is_up = length <= 2 && strncmp(part, "..", length) == 0; /* "" and "." too */
    if (is_up || walk->seen + 1 + length >= PATH_SIZE) {
        return laz_err_set(err, LAZ_E_HOST_UNSAFE, 0, "%s is %s", walk->path,
                is_up ? "not a plain path from the root" : "too long");
    }
    (void)memcpy(walk->part + walk->seen, walk->path + walk->seen, 1 + length);
    walk->seen += 1 + length;
    walk->part[walk->seen] = '\0';
    *ret_is_last = part[length] == '\0';
    return 0;
}

static int judge_part(const struct walk *walk, const char *part, bool is_last, struct laz_err *err)
{
    struct stat status;
    return lstat(part, &status) < 0 ? fail(walk, err) : judge(walk, &status, is_last, err);
}

/* Of what cannot be opened it is said what it is, rather than that. */
static int open_file(const struct walk *walk, int *ret, struct laz_err *err)
{
    struct stat status;
    /* musl's open() sets FD_CLOEXEC by a call of its own, for old kernels */
    int fd =
            openat(AT_FDCWD, walk->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    int why = errno;
    if (fd < 0) {
        int result = judge_part(walk, walk->path, true, err);
        errno = why;
        return result < 0 ? -1 : fail(walk, err);
    }
    int result = fstat(fd, &status) < 0 ? fail(walk, err) : judge(walk, &status, true, err);
    if (result < 0) {
        laz_fd_close(&fd);
        return -1;
    }
    *ret = fd;
    return 0;
}

/* How much of the path has passed already, as a part of a folder that has. */
static size_t known_length(const struct laz_rooted *known, const char *path)
{
    size_t longest = 0;
    for (unsigned i = 0; i < known->n; i++) {
        size_t common = 0;
        const char *folder = known->folders[i];
        for (size_t at = 0; folder[at] == path[at] || folder[at] == '\0'; at++) {
            common = path[at] == '/' ? at : common;
            if (folder[at] == '\0') {
                break;
            }
        }
        longest = common > longest ? common : longest;
    }
    return longest;
}

static void remember(struct laz_rooted *known, const char *path, size_t length)
{
    if (known->n < LAZ_ROOTED_FOLDERS && length < LAZ_ROOTED_SIZE) {
        (void)memcpy(known->folders[known->n], path, length);
        known->folders[known->n++][length] = '\0';
    }
}

int laz_rooted_open_known(struct laz_rooted *known, const char *path, int *ret, struct laz_err *err)
{
    bool is_last = false;
    struct walk walk;
    walk.path = path;
    walk.seen = 0;
    if (path[0] != '/') {
        return laz_err_set(err, LAZ_E_HOST_UNSAFE, 0, "%s is not a plain path from the root", path);
    }
    size_t length = known_length(known, path);
    if (known->n == 0 && judge_part(&walk, "/", false, err) < 0) {
        return -1;
    }
    while (!is_last) {
        if (take_part(&walk, &is_last, err) < 0) {
            return -1;
        }
        if (!is_last && walk.seen > length && judge_part(&walk, walk.part, false, err) < 0) {
            return -1;
        }
    }
    size_t folder = (size_t)(strrchr(path, '/') - path);
    if (length < folder) {
        remember(known, path, folder);
    }
    return open_file(&walk, ret, err);
}

int laz_rooted_open(const char *path, int *ret, struct laz_err *err)
{
    struct laz_rooted known;
    known.n = 0;
    return laz_rooted_open_known(&known, path, ret, err);
}
