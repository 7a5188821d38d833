/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel's own answers: what a descriptor is of, and which links are on the way.
 */
#include "shim/place.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/format.h"
#include "core/resolve.h"
#include "policy/host_mounts.h"
#include "shim/call.h"

#define NAME_SIZE     64 /* of a descriptor below /proc */
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* ---- links ---- */

/* Links of /proc lead elsewhere in the runtime than here. */
static int open_plainly(int folder, const char *path, uint64_t flags)
{
    return laz_resolve_open(folder, path, O_PATH | flags, RESOLVE_NO_MAGICLINKS);
}

bool laz_place_is_magic(const char *path)
{
    laz_cleanup_fd int fd = open_plainly(AT_FDCWD, path, 0);
    return fd < 0 && errno == ELOOP;
}

/* ---- the root ---- */

/* A link, too, is what it is. */
static int judge_name(int root, const char *name, mode_t type, struct laz_err *err)
{
    struct stat status;
    laz_cleanup_fd int fd = laz_resolve_open(root, name, O_PATH | O_NOFOLLOW, RESOLVE_IN_ROOT);
    if (fd < 0 && errno == ENOENT) {
        return 0;
    }
    if (fd < 0 || fstat(fd, &status) < 0) {
        return laz_err_set(err, LAZ_E_SYSTEM, errno, "%s of the image: %s", name, strerror(errno));
    }
    return (status.st_mode & S_IFMT) == type
            ? 0
            : laz_err_set(err, LAZ_E_REQUEST, 0,
                      "the image has something else at %s, where the host mounts its own", name);
}

static int compare(const struct stat *root, const char *path, bool *ret, bool *ret_is_near,
        struct laz_err *err)
{
    struct stat status;
    if (stat(path, &status) < 0) {
        *ret = false;
        return errno == ENOENT
                ? 0
                : laz_err_set(err, LAZ_E_SYSTEM, errno, "%s: %s", path, strerror(errno));
    }
    bool is_near = root->st_dev == status.st_dev;
    *ret = is_near && root->st_ino == status.st_ino;
    *ret_is_near = *ret_is_near || is_near;
    return 0;
}

static bool is_below(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* As the kernel has it. */
static int find_path(int root, char ret[LAZ_BUNDLE_PATH_SIZE], struct laz_err *err)
{
    char name[NAME_SIZE];
    (void)laz_format(name, sizeof(name), "/proc/self/fd/%d", root);
    ssize_t length = readlink(name, ret, LAZ_BUNDLE_PATH_SIZE - 1);
    ret[length < 0 ? 0 : length] = '\0';
    return length >= 0 ? 0 : laz_err_set(err, LAZ_E_SYSTEM, errno, "%s: %s", name, strerror(errno));
}

static const char *const own[] = {
        "/boot", "/dev", "/etc", "/proc", "/root", "/run/lazaret", "/sys", "/usr", "/var/log"};

/* From within, by another name: a part of it may be mounted elsewhere. */
static int judge_names(const char *path, bool *ret, struct laz_err *err)
{
    struct laz_sources sources;
    int result = laz_sources_read(LAZ_SOURCES_OWN, &sources, err);
    for (size_t i = 0; result == 0 && !*ret && i < LENGTH(own); i++) {
        *ret = laz_source_is_in(&sources, path, own[i]);
    }
    laz_sources_done(&sources);
    return result;
}

/* The host's own: as itself, or from within; and what others use too, as itself. */
static int judge_root(int root, const char *path, struct laz_err *err)
{
    static const char *const shared[] = {"/", "/home", "/media", "/mnt", "/opt", "/run", "/srv",
            "/tmp", "/var", "/var/lib", "/var/tmp"};
    struct stat status;
    if (fstat(root, &status) < 0) {
        return laz_err_set(err, LAZ_E_SYSTEM, errno, "root.path: fstat: %s", strerror(errno));
    }
    bool is_own = path[0] != '/' || path[1] == '\0';
    bool is_near = false; /* an image's layers are a device of their own, and have one name */
    for (size_t i = 0; !is_own && i < LENGTH(own); i++) {
        if (compare(&status, own[i], &is_own, &is_near, err) < 0) {
            return -1;
        }
        is_own = is_own || is_below(path, own[i]);
    }
    for (size_t i = 0; !is_own && i < LENGTH(shared); i++) {
        if (compare(&status, shared[i], &is_own, &is_near, err) < 0) {
            return -1;
        }
    }
    if (!is_own && is_near && judge_names(path, &is_own, err) < 0) {
        return -1;
    }
    return !is_own ? 0
                   : laz_err_set(err, LAZ_E_REQUEST, 0,
                             "root.path is a part of the host: %.200s (nothing allows it)", path);
}

/* And its path. A plain one without a link is the kernel's own; asked for another one, procfs takes
 * as long as ten system calls of other kinds. */
static int open_root(const struct laz_bundle *bundle, char ret_path[LAZ_BUNDLE_PATH_SIZE],
        bool *ret_is_kernels, struct laz_err *err)
{
    const struct laz_json_node *node = bundle->container.root_path;
    if (node == NULL || !laz_json_copy(&bundle->spec.doc, node, ret_path, LAZ_BUNDLE_PATH_SIZE)) {
        return laz_err_set(err, LAZ_E_REQUEST, 0, "a container without a root.path");
    }
    *ret_is_kernels = laz_resolve_is_plain(ret_path);
    int root =
            laz_resolve_open(bundle->folder, ret_path, O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
    if (root < 0 && errno == ELOOP) {
        *ret_is_kernels = false;
        root = open_plainly(bundle->folder, ret_path, O_DIRECTORY);
    }
    return root >= 0 ? root
                     : laz_err_set(err, LAZ_E_REQUEST, errno, "root.path %.200s: %s", ret_path,
                               strerror(errno));
}

int laz_place_judge_root(const struct laz_bundle *bundle, struct laz_err *err)
{
    bool is_kernels = false;
    char path[LAZ_BUNDLE_PATH_SIZE];
    laz_cleanup_fd int root = open_root(bundle, path, &is_kernels, err);
    if (root < 0 || (!is_kernels && find_path(root, path, err) < 0) ||
            judge_root(root, path, err) < 0 ||
            judge_name(root, LAZ_CONTAINER_FOLDER, S_IFDIR, err) < 0) {
        return -1;
    }
    return judge_name(root, LAZ_CONTAINER_POLICY, S_IFREG, err);
}

/* ---- a file of the image ---- */

int laz_place_open(const struct laz_bundle *bundle, const char *path, int *ret, struct laz_err *err)
{
    struct stat status;
    char name[NAME_SIZE];
    char root_path[LAZ_BUNDLE_PATH_SIZE];
    bool is_kernels = false;
    laz_cleanup_fd int root = open_root(bundle, root_path, &is_kernels, err);
    if (root < 0) {
        return -1;
    }
    /* O_PATH: a fifo would block, a device do whatever it does */
    laz_cleanup_fd int place = laz_resolve_open(
            root, path, O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV);
    if (place < 0 && errno == ENOENT) {
        *ret = -1;
        return 0;
    }
    if (place < 0 || fstat(place, &status) < 0) {
        return laz_err_set(err, LAZ_E_REQUEST, errno, "%s", laz_err_errno_name(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        return laz_err_set(err, LAZ_E_REQUEST, 0, "no regular file");
    }
    (void)laz_format(name, sizeof(name), "/proc/self/fd/%d", place);
    *ret = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    return *ret >= 0 ? 0 : laz_err_set(err, LAZ_E_REQUEST, errno, "%s", laz_err_errno_name(errno));
}
