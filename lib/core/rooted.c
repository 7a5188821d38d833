/* SPDX-License-Identifier: Apache-2.0
 *
 * A path, walked from the root with one descriptor for each part. Who may write a file by an access
 * control list shows in its mode: the list's mask stands in the place of the group's rights.
 */
#include "core/rooted.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fd.h"

#define PART_SIZE 256 /* NAME_MAX, and the NUL */
#define OTHERS    (S_IWGRP | S_IWOTH)

struct walk {
    const char *path;
    size_t seen; /* how many bytes of it have been walked */
    int at;
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

/* The next part of the path; "" where there is none. */
static int take_part(struct walk *walk, char ret[PART_SIZE], bool *ret_is_last, struct laz_err *err)
{
    const char *part = walk->path + walk->seen + 1;
    size_t length = strcspn(part, "/");
    (void)memcpy(ret, part, length < PART_SIZE ? length : 0);
    ret[length < PART_SIZE ? length : 0] = '\0';
    if (ret[0] == '\0' || strcmp(ret, ".") == 0 || strcmp(ret, "..") == 0) {
        return laz_err_set(
                err, LAZ_E_HOST_UNSAFE, 0, "%s is not a plain path from the root", walk->path);
    }
    walk->seen += 1 + length;
    *ret_is_last = part[length] == '\0';
    return 0;
}

static void enter(struct walk *walk, int *fd)
{
    laz_fd_close(&walk->at);
    walk->at = *fd;
    *fd = -1;
}

static int walk_on(struct walk *walk, int *ret, struct laz_err *err)
{
    bool is_last = false;
    while (!is_last) {
        char part[PART_SIZE];
        struct stat status;
        if (take_part(walk, part, &is_last, err) < 0) {
            return -1;
        }
        laz_cleanup_fd int fd = openat(walk->at, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &status) < 0) {
            return fail(walk, err);
        }
        if (judge(walk, &status, is_last, err) < 0) {
            return -1;
        }
        if (is_last) { /* in a folder of root's: by that name there is no other */
            int file = openat(walk->at, part, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
            *ret = file;
            return file < 0 ? fail(walk, err) : 0;
        }
        enter(walk, &fd);
    }
    return 0;
}

int laz_rooted_open(const char *path, int *ret, struct laz_err *err)
{
    struct walk walk = {.path = path, .at = -1};
    struct stat status;
    if (path[0] != '/') {
        return laz_err_set(err, LAZ_E_HOST_UNSAFE, 0, "%s is not a plain path from the root", path);
    }
    walk.at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int result = walk.at < 0 || fstat(walk.at, &status) < 0 ? fail(&walk, err)
                                                            : judge(&walk, &status, false, err);
    if (result == 0) {
        result = walk_on(&walk, ret, err);
    }
    laz_fd_close(&walk.at);
    return result;
}
