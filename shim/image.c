/* SPDX-License-Identifier: Apache-2.0
 *
 * By the digest of all its sources, built-in ones too, and by the version that compiled it: a file
 * of that name never has another content, so that containers may share it.
 */
#include "shim/image.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/format.h"
#include "core/num.h"
#include "core/replace.h"
#include "core/rooted.h"
#include "filter/filter.h"
#include "policy/image.h"

#define BASE        "/run/lazaret"
#define IMAGE_MODE  0444 /* init may run as any user; the folder is root's alone */
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

static int make(const struct laz_policy *policy, const char *name, struct laz_err *err)
{
    const struct laz_replace how = {.mode = IMAGE_MODE};
    laz_cleanup_buf struct laz_buf image;
    laz_buf_init_heap(&image, (size_t)LAZ_IMAGE_MAX + 1); /* a NUL follows what a buffer holds */
    laz_cleanup_fd int base = open_folder(BASE, err);
    laz_cleanup_fd int folder = base < 0 ? -1 : open_folder(LAZ_IMAGE_FOLDER, err);
    if (folder < 0 || laz_filter_build_image(policy, laz_arch_native(), &image, err) < 0) {
        return -1;
    }
    if (image.overflow) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for the compiled policy");
    }
    return laz_replace_at(folder, name, &how, image.data, image.len, err);
}

void laz_image_path(const struct laz_policy *policy, char ret[LAZ_IMAGE_PATH_SIZE])
{
    char digest[2 * LAZ_SHA256_SIZE + 1];
    laz_format_hex(policy->source_digest, LAZ_SHA256_SIZE, digest);
    (void)laz_format(
            ret, LAZ_IMAGE_PATH_SIZE, LAZ_IMAGE_FOLDER "/%s-" LAZARET_VERSION ".img", digest);
}

int laz_image_place(
        const struct laz_policy *policy, char ret[LAZ_IMAGE_PATH_SIZE], struct laz_err *err)
{
    struct laz_err why = {0};
    int fd = -1;
    laz_image_path(policy, ret);
    if (laz_rooted_open(ret, &fd, &why) == 0) {
        laz_fd_close(&fd);
        return 0;
    }
    if (why.kind != LAZ_E_HOST_ABSENT) {
        return laz_err_set(err, why.kind, why.sys_errno, "%s", why.message);
    }
    return make(policy, strrchr(ret, '/') + 1, err);
}
