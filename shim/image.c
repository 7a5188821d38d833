/* SPDX-License-Identifier: Apache-2.0
 *
 * By the digest of all its sources, built-in ones too, and by the version that compiled it: a file
 * of that name never has another content, so that containers may share it.
 */
#include "shim/image.h"

#include <string.h>

#include "core/fd.h"
#include "core/replace.h"
#include "core/rooted.h"
#include "filter/filter.h"
#include "policy/image.h"
#include "shim/folder.h"

#define IMAGE_MODE 0444 /* init may run as any user; the folder is root's alone */

static int make(const struct laz_policy *policy, const char *name, struct laz_err *err)
{
    const struct laz_replace how = {.mode = IMAGE_MODE};
    laz_cleanup_buf struct laz_buf image;
    laz_buf_init_heap(&image, (size_t)LAZ_IMAGE_MAX + 1); /* a NUL follows what a buffer holds */
    laz_cleanup_fd int folder = laz_folder_open(LAZ_IMAGE_FOLDER, err);
    if (folder < 0 || laz_filter_build_image(policy, laz_arch_native(), &image, err) < 0) {
        return -1;
    }
    if (image.overflow) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for the compiled policy");
    }
    return laz_replace_at(folder, name, &how, image.data, image.len, err);
}

int laz_image_make(const struct laz_policy *policy, struct laz_err *err)
{
    char path[LAZ_IMAGE_PATH_SIZE];
    struct laz_err why = {0};
    int fd = -1;
    laz_image_path(policy->source_digest, path);
    if (laz_rooted_open(path, &fd, &why) == 0) {
        laz_fd_close(&fd);
        return 0;
    }
    if (why.kind != LAZ_E_HOST_ABSENT) {
        return laz_err_set(err, why.kind, why.sys_errno, "%s", why.message);
    }
    return make(policy, strrchr(path, '/') + 1, err);
}
