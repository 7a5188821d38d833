/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel's own answers: which mount a descriptor is on, and what that mount shows.
 */
#include "shim/place.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/format.h"
#include "core/num.h"
#include "shim/call.h"

#define LINE_SIZE (2 * LAZ_BUNDLE_PATH_SIZE + 1024) /* of mountinfo: two paths, and words */
#define NAME_SIZE 64                                /* of a descriptor below /proc */

/* ---- aliases ---- */

static bool find_mount(int fd, uint64_t *ret)
{
    char name[NAME_SIZE];
    char line[NAME_SIZE];
    bool is_found = false;
    (void)laz_format(name, sizeof(name), "/proc/self/fdinfo/%d", fd);
    FILE *lines = fopen(name, "re");
    while (lines != NULL && !is_found && fgets(line, sizeof(line), lines) != NULL) {
        const char *number = line + strlen("mnt_id:");
        if (strncmp(line, "mnt_id:", strlen("mnt_id:")) == 0) {
            number += strspn(number, " \t");
            is_found = laz_parse_u64(number, strcspn(number, "\n"), UINT64_MAX, ret);
        }
    }
    if (lines != NULL) {
        (void)fclose(lines);
    }
    return is_found;
}

/* "36 35 98:0 /part /at options...": the words in their order; false: another mount. */
static bool take_line(char *line, uint64_t mount, const char **ret_root, const char **ret_at)
{
    uint64_t id = 0;
    char *rest = line;
    const char *words[5] = {NULL};
    for (size_t i = 0; i < 5; i++) {
        words[i] = strsep(&rest, " ");
        if (words[i] == NULL) {
            return false;
        }
    }
    *ret_root = words[3];
    *ret_at = words[4];
    return laz_parse_u64(words[0], strlen(words[0]), UINT64_MAX, &id) && id == mount;
}

static bool put_alias(
        const char *path, const char *root, const char *at, char ret[LAZ_BUNDLE_PATH_SIZE])
{
    size_t length = strcmp(at, "/") == 0 ? 0 : strlen(at);
    if (strcmp(root, "/") == 0 || strncmp(path, at, length) != 0) {
        return false;
    }
    return laz_format(ret, LAZ_BUNDLE_PATH_SIZE, "%s%s", root, path + length) <
            LAZ_BUNDLE_PATH_SIZE;
}

bool laz_place_alias(const char *path, char ret[LAZ_BUNDLE_PATH_SIZE])
{
    uint64_t mount = 0;
    bool is_found = false;
    bool is_alias = false;
    laz_cleanup_fd int fd = open(path, O_PATH | O_CLOEXEC);
    char *line = malloc(LINE_SIZE);
    FILE *lines = fd < 0 || line == NULL || !find_mount(fd, &mount)
            ? NULL
            : fopen("/proc/self/mountinfo", "re");
    while (lines != NULL && !is_found && fgets(line, LINE_SIZE, lines) != NULL) {
        const char *root = NULL;
        const char *at = NULL;
        is_found = take_line(line, mount, &root, &at);
        is_alias = is_found && put_alias(path, root, at, ret);
    }
    if (lines != NULL) {
        (void)fclose(lines);
    }
    free(line);
    return is_alias;
}

/* ---- links ---- */

/* Links of /proc lead elsewhere in the runtime than here. */
static int open_plainly(int folder, const char *path, uint64_t flags)
{
    const struct open_how how = {
            .flags = O_PATH | O_CLOEXEC | flags, .resolve = RESOLVE_NO_MAGICLINKS};
    return (int)syscall(SYS_openat2, folder, path, &how, sizeof(how));
}

bool laz_place_is_magic(const char *path)
{
    laz_cleanup_fd int fd = open_plainly(AT_FDCWD, path, 0);
    return fd < 0 && errno == ELOOP;
}

/* ---- the root ---- */

static int open_inside(int root, const char *name)
{
    const struct open_how how = {
            .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
            .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS,
    };
    return (int)syscall(SYS_openat2, root, name, &how, sizeof(how));
}

static int judge_name(int root, const char *name, mode_t type, struct laz_err *err)
{
    struct stat status;
    laz_cleanup_fd int fd = open_inside(root, name);
    if (fd < 0 && errno == ENOENT) {
        return 0;
    }
    if (fd < 0 || fstat(fd, &status) < 0 || (status.st_mode & S_IFMT) != type) {
        return laz_err_set(err, LAZ_E_REQUEST, 0,
                "the image has something else at %s, where the host mounts its own", name);
    }
    return 0;
}

static bool is_same(const struct stat *a, const char *path)
{
    struct stat b;
    return stat(path, &b) == 0 && a->st_dev == b.st_dev && a->st_ino == b.st_ino;
}

static bool is_below(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* The host's own: as itself, or from within; and what others use too, as itself. */
static int judge_root(int root, struct laz_err *err)
{
    static const char *const own[] = {
            "/boot", "/dev", "/etc", "/proc", "/root", "/run/lazaret", "/sys", "/usr", "/var/log"};
    static const char *const shared[] = {"/home", "/media", "/mnt", "/opt", "/run", "/srv", "/tmp",
            "/var", "/var/lib", "/var/tmp"};
    char name[NAME_SIZE];
    char path[LAZ_BUNDLE_PATH_SIZE];
    struct stat status;
    (void)laz_format(name, sizeof(name), "/proc/self/fd/%d", root);
    ssize_t length = readlink(name, path, sizeof(path) - 1); /* as the kernel has it */
    path[length < 0 ? 0 : length] = '\0';
    bool is_own =
            path[0] != '/' || path[1] == '\0' || fstat(root, &status) < 0 || is_same(&status, "/");
    for (size_t i = 0; !is_own && i < sizeof(own) / sizeof(own[0]); i++) {
        is_own = is_below(path, own[i]) || is_same(&status, own[i]);
    }
    for (size_t i = 0; !is_own && i < sizeof(shared) / sizeof(shared[0]); i++) {
        is_own = is_same(&status, shared[i]);
    }
    return !is_own ? 0
                   : laz_err_set(err, LAZ_E_REQUEST, 0,
                             "root.path is a part of the host: %.200s (nothing allows it)",
                             path[0] == '\0' ? "?" : path);
}

static int open_root(const struct laz_bundle *bundle, struct laz_err *err)
{
    char path[LAZ_BUNDLE_PATH_SIZE];
    const struct laz_json_node *node = bundle->container.root_path;
    if (node == NULL || !laz_json_copy(&bundle->spec.doc, node, path, sizeof(path))) {
        return laz_err_set(err, LAZ_E_REQUEST, 0, "a container without a root.path");
    }
    int root = open_plainly(bundle->folder, path, O_DIRECTORY);
    return root >= 0
            ? root
            : laz_err_set(err, LAZ_E_REQUEST, errno, "root.path %.200s: %s", path, strerror(errno));
}

int laz_place_judge_root(const struct laz_bundle *bundle, struct laz_err *err)
{
    laz_cleanup_fd int root = open_root(bundle, err);
    if (root < 0 || judge_root(root, err) < 0 ||
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
    static const struct open_how how = {
            .flags = O_PATH | O_CLOEXEC, /* a fifo would block, a device do whatever it does */
            .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
    };
    laz_cleanup_fd int root = open_root(bundle, err);
    if (root < 0) {
        return -1;
    }
    laz_cleanup_fd int place = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
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
