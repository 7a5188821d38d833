/* SPDX-License-Identifier: Apache-2.0
 *
 * Made as root's, or found as root's.
 */
#include "shim/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fd.h"

#define FOLDER_MODE 0700

static int open_folder(const char *path, struct laz_err *err)
{
    struct stat status;
    if (mkdir(path, FOLDER_MODE) < 0 && errno != EEXIST) {
        return laz_err_set(err, LAZ_E_SYSTEM, errno, "%s: %s", path, strerror(errno));
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0) {
        (void)laz_err_set(err, LAZ_E_SYSTEM, errno, "%s: %s", path, strerror(errno));
        laz_fd_close(&fd);
        return -1;
    }
    if (status.st_uid != 0 || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        laz_fd_close(&fd);
        return laz_err_set(err, LAZ_E_HOST_UNSAFE, 0, "%s is not root's alone, mode %04o", path,
                status.st_mode & 07777U);
    }
    return fd;
}

int laz_folder_open(const char *path, struct laz_err *err)
{
    laz_cleanup_fd int base = open_folder(LAZ_FOLDER_BASE, err);
    return base < 0 ? -1 : open_folder(path, err);
}
