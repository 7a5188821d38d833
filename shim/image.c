/* SPDX-License-Identifier: Apache-2.0
 *
 * By the digest of all its sources, built-in ones too, and by the version that compiled it: a file
 * of that name never has another content, so that containers may share it.
 */
#include "shim/image.h"

#include <string.h>

#include "core/fd.h"
#include "core/num.h"
#include "core/replace.h"
#include "core/rooted.h"
#include "filter/filter.h"
#include "policy/image.h"
#include "shim/folder.h"
#include "shim/profile.h"

/* What is made of a policy, and kept. */
struct made {
    mode_t mode;
    size_t max; /* bytes */
    int (*make)(const struct laz_policy *policy, struct laz_buf *ret, struct laz_err *err);
};

static int make_image(const struct laz_policy *policy, struct laz_buf *ret, struct laz_err *err)
{
    return laz_filter_build_image(policy, laz_arch_native(), ret, err);
}

/* Init may run as any user; the folder is root's alone. */
static const struct made image = {0444, LAZ_IMAGE_MAX, make_image};
static const struct made profile = {0600, LAZ_IMAGE_PROFILE_MAX, laz_profile_make};

/* Unless it is there. */
static int keep(const struct made *made, const char *path, const struct laz_policy *policy,
        struct laz_err *err)
{
    const struct laz_replace how = {.mode = made->mode};
    struct laz_err why = {0};
    int fd = -1;
    laz_cleanup_buf struct laz_buf content;
    laz_buf_init_heap(&content, made->max + 1); /* a NUL follows what a buffer holds */
    if (laz_rooted_open(path, &fd, &why) == 0) {
        laz_fd_close(&fd);
        return 0;
    }
    if (why.kind != LAZ_E_HOST_ABSENT) {
        return laz_err_set(err, why.kind, why.sys_errno, "%s", why.message);
    }
    laz_cleanup_fd int folder = laz_folder_open(LAZ_IMAGE_FOLDER, err);
    if (folder < 0 || made->make(policy, &content, err) < 0) {
        return -1;
    }
    if (content.overflow) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for the compiled policy");
    }
    const char *name = strrchr(path, '/') + 1;
    return laz_replace_at(folder, name, &how, content.data, content.len, err) < 0
            ? laz_err_context(err, "%s", path)
            : 0;
}

/* Of the file that containers will see, whoever wrote it. */
static int take_digest(const char *path, uint8_t ret[LAZ_SHA256_SIZE], struct laz_err *err)
{
    char text[LAZ_HASH_SIZE];
    laz_cleanup_fd int fd = -1;
    if (laz_rooted_open(path, &fd, err) < 0) {
        return -1;
    }
    return laz_hash_file(fd, text) && laz_parse_hex(text, strlen(text), ret, LAZ_SHA256_SIZE)
            ? 0
            : laz_err_set(err, LAZ_E_SYSTEM, 0, "%s: cannot be read", path);
}

int laz_image_make(
        const struct laz_policy *policy, uint8_t ret_digest[LAZ_SHA256_SIZE], struct laz_err *err)
{
    char path[LAZ_IMAGE_PATH_SIZE];
    laz_image_path(policy->source_digest, path);
    if (keep(&image, path, policy, err) < 0 || take_digest(path, ret_digest, err) < 0) {
        return -1;
    }
    laz_image_profile_path(policy->source_digest, path);
    return keep(&profile, path, policy, err);
}
