/* SPDX-License-Identifier: Apache-2.0
 *
 * Places of root's.
 */
#include "core/roots.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define LEVELS_MAX                                                                                 \
    256 /* folders above each other: more than a path of the kernel's has in earnest */

static int fail(struct laz_err *err, const char *name)
{
    return laz_err_set(err, LAZ_E_SYSTEM, errno, "%.300s: %s", name, laz_err_errno_name(errno));
}

/* Names how far above: what is up there was never spelled. */
static int judge(const struct stat *status, const char *name, unsigned level, struct laz_err *err)
{
    const char *above = level == 0 ? "" : " is in a folder that";
    if (status->st_uid != 0) {
        return laz_err_set(err, LAZ_E_HOST_UNSAFE, 0, "%.300s%s belongs to user %u, not to root",
                name, above, status->st_uid);
    }
    if ((status->st_mode & (S_IWGRP | S_IWOTH)) != 0 &&
            (level == 0 || (status->st_mode & S_ISVTX) == 0)) {
        return laz_err_set(err, LAZ_E_HOST_UNSAFE, 0,
                "%.300s%s others than root may write, mode %04o", name, above,
                status->st_mode & 07777U);
    }
    return 0;
}

/* Of what is held. A folder that has passed stays where it is, for nobody but root can take it out
 * of the one above it once that has passed too: so each way up leads through those before it. */
int laz_roots_folder(int folder, const char *name, struct laz_err *err)
{
    char up[3 * LEVELS_MAX + 1] = ""; /* "../" for each level */
    struct stat below = {0};
    for (unsigned level = 0; level < LEVELS_MAX; level++) {
        struct stat status;
        if (level == 0 ? fstat(folder, &status) < 0 : fstatat(folder, up, &status, 0) < 0) {
            return fail(err, name);
        }
        if (level > 0 && status.st_dev == below.st_dev && status.st_ino == below.st_ino) {
            return 0; /* the root is its own parent */
        }
        if (judge(&status, name, level, err) < 0) {
            return -1;
        }
        below = status;
        (void)memcpy(up + 3 * (size_t)level, "../", 4);
    }
    return laz_err_set(
            err, LAZ_E_HOST_UNSAFE, 0, "%.300s is in more than %d folders", name, LEVELS_MAX);
}

int laz_roots_file(int file, const char *name, struct laz_err *err)
{
    struct stat status;
    if (fstat(file, &status) < 0) {
        return fail(err, name);
    }
    if (!S_ISREG(status.st_mode)) {
        return laz_err_set(err, LAZ_E_HOST_UNSAFE, 0, "%.300s is no regular file", name);
    }
    if (status.st_nlink != 1) {
        return laz_err_set(err, LAZ_E_HOST_UNSAFE, 0, "%.300s has %u names, and may have one", name,
                (unsigned)status.st_nlink);
    }
    return judge(&status, name, 0, err);
}
