/* SPDX-License-Identifier: Apache-2.0
 *
 * By the digest of all its sources, built-in ones too, and by the version that compiled it: a file
 * of that name never has another content, so that containers may share it.
 */
#include "shim/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
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
#include "shim/profile.h"

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

static int keep(const char *path, const struct laz_buf *content, struct laz_err *err)
{
    const struct laz_replace how = {.mode = IMAGE_MODE};
    laz_cleanup_fd int base = open_folder(BASE, err);
    laz_cleanup_fd int folder = base < 0 ? -1 : open_folder(LAZ_IMAGE_FOLDER, err);
    if (folder < 0) {
        return -1;
    }
    if (content->overflow) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for the compiled policy");
    }
    return laz_replace_at(folder, strrchr(path, '/') + 1, &how, content->data, content->len, err);
}

static void find_path(
        const struct laz_policy *policy, const char *suffix, char ret[LAZ_IMAGE_PATH_SIZE])
{
    char digest[2 * LAZ_SHA256_SIZE + 1];
    laz_format_hex(policy->source_digest, LAZ_SHA256_SIZE, digest);
    (void)laz_format(
            ret, LAZ_IMAGE_PATH_SIZE, LAZ_IMAGE_FOLDER "/%s-" LAZARET_VERSION "%s", digest, suffix);
}

void laz_image_path(const struct laz_policy *policy, char ret[LAZ_IMAGE_PATH_SIZE])
{
    find_path(policy, ".img", ret);
}

/* -1 in *ret without an error: it is not there yet. */
static int open_kept(const char *path, int *ret, struct laz_err *err)
{
    struct laz_err why = {0};
    if (laz_rooted_open(path, ret, &why) == 0) {
        return 0;
    }
    *ret = -1;
    return why.kind == LAZ_E_HOST_ABSENT
            ? 0
            : laz_err_set(err, why.kind, why.sys_errno, "%s", why.message);
}

int laz_image_place(
        const struct laz_policy *policy, char ret[LAZ_IMAGE_PATH_SIZE], struct laz_err *err)
{
    laz_cleanup_buf struct laz_buf image;
    laz_buf_init_heap(&image, (size_t)LAZ_IMAGE_MAX + 1); /* a NUL follows what a buffer holds */
    laz_image_path(policy, ret);
    laz_cleanup_fd int fd = -1;
    if (open_kept(ret, &fd, err) < 0) {
        return -1;
    }
    if (fd >= 0) {
        return 0;
    }
    return laz_filter_build_image(policy, laz_arch_native(), &image, err) < 0
            ? -1
            : keep(ret, &image, err);
}

static int read_profile(int fd, struct laz_buf *ret, struct laz_err *err)
{
    size_t length = 0;
    char *text = malloc(LAZ_PROFILE_SIZE_MAX);
    if (text == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, errno, "no memory for a seccomp profile");
    }
    int result = laz_fd_read_all(fd, text, LAZ_PROFILE_SIZE_MAX, &length, err);
    laz_buf_put(ret, text, result == 0 ? length : 0);
    free(text);
    return result;
}

int laz_image_take_profile(
        const struct laz_policy *policy, struct laz_buf *ret, struct laz_err *err)
{
    char path[LAZ_IMAGE_PATH_SIZE];
    laz_cleanup_fd int fd = -1;
    find_path(policy, ".seccomp.json", path);
    if (open_kept(path, &fd, err) < 0) {
        return -1;
    }
    if (fd >= 0) {
        return read_profile(fd, ret, err);
    }
    return laz_profile_make(policy, ret, err) < 0 ? -1 : keep(path, ret, err);
}
