/* SPDX-License-Identifier: Apache-2.0
 *
 * Delivery. The mount is judged as it is held: a tmpfs, the root of a mount, not the image's, in
 * another mount namespace than the host's, empty, and mounted nowhere else: the hook sees what the
 * runtime saw when it mounted, and so whatever could have been bound there.
 */
#include "hooks/deliver.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/format.h"
#include "core/resolve.h"
#include "core/roots.h"
#include "hooks/mounts.h"

#define VALUE_MAX (2LL * LAZ_FETCH_VALUE_MAX) /* bytes: as init takes them from a source */
#define OWN_MODE  0711 /* of the folder: to be passed through, not to be looked at */
#define NAME_LETTERS                                                                               \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-" /* of a file there */

static int fail(struct laz_err *err, enum laz_err_kind kind, const char *what)
{
    return laz_err_set(err, kind, errno, "%.300s: %s", what, laz_err_errno_name(errno));
}

static int give(int *fd, int *ret)
{
    *ret = *fd;
    *fd = -1;
    return 0;
}

/* ---- which ones ---- */

/* What it is called in the folder; NULL: it is not of the hook's. */
static const char *find_name(const struct laz_fetch_item *item)
{
    size_t length = sizeof(LAZ_HOOK_SECRETS_FOLDER) - 1;
    bool is_there = item->source == LAZ_SECRET_FILE &&
            strncmp(item->from, LAZ_HOOK_SECRETS_FOLDER, length) == 0 && item->from[length] == '/';
    return is_there ? item->from + length + 1 : NULL;
}

static int check_name(const struct laz_fetch_item *item, const char *name, struct laz_err *err)
{
    size_t length = strlen(name);
    if (length == 0 || length > LAZ_FETCH_PATH_MAX || name[0] == '.' ||
            strspn(name, NAME_LETTERS) != length) {
        return laz_err_set(err, LAZ_E_SECRET, 0, "%s: \"%.64s\" is no name of a file in %s",
                item->name, name, LAZ_HOOK_SECRETS_FOLDER);
    }
    return 0;
}

/* ---- where to ---- */

static bool is_empty(int folder)
{
    struct dirent *entry = NULL;
    bool is = true;
    DIR *list = fdopendir(folder); /* and closes it */
    if (list == NULL) {
        (void)close(folder);
        return false;
    }
    for (errno = 0; is && (entry = readdir(list)) != NULL; errno = 0) {
        is = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    }
    is = is && errno == 0; /* what cannot be read may hold anything */
    (void)closedir(list);
    return is;
}

/* Of the host there is the process that everything descends from, and its mounts are not these. */
static int check_namespace(struct laz_err *err)
{
    static const char its[] = "/proc/1/ns/mnt";
    struct stat host;
    struct stat ours;
    struct statfs system;
    if (statfs("/proc", &system) < 0 || system.f_type != PROC_SUPER_MAGIC) {
        return laz_err_set(err, LAZ_E_HOST_UNSEEN, 0, "no /proc is mounted here");
    }
    if (stat(its, &host) < 0) {
        return fail(err, LAZ_E_HOST_UNSEEN, its);
    }
    if (stat("/proc/self/ns/mnt", &ours) < 0) {
        return fail(err, LAZ_E_HOST_UNSEEN, "/proc/self/ns/mnt");
    }
    return host.st_dev != ours.st_dev || host.st_ino != ours.st_ino
            ? 0
            : laz_err_set(err, LAZ_E_DELIVERY, 0,
                      "this is the host's mount namespace, not a container's");
}

/* Made for this one mount. A tmpfs of the host is also where it was bound from, or below its own
 * root; one that process 1 sees has gone there, or come from there. */
static int judge_tmpfs(dev_t device, struct laz_err *err)
{
    struct laz_hook_mounts ours;
    struct laz_hook_mounts host;
    if (laz_hook_find_mounts(LAZ_HOOK_MOUNTS_OWN, device, &ours, err) < 0 ||
            laz_hook_find_mounts(LAZ_HOOK_MOUNTS_HOST, device, &host, err) < 0) {
        return -1;
    }
    return ours.n == 1 && ours.is_whole && host.n == 0
            ? 0
            : laz_err_set(err, LAZ_E_DELIVERY, 0,
                      "%s is no fresh tmpfs: it is also mounted elsewhere, or a part of one",
                      LAZ_HOOK_SECRETS_FOLDER);
}

static int judge_mount(const struct laz_hook_bundle *bundle, int target, struct laz_err *err)
{
    static const char where[] = LAZ_HOOK_SECRETS_FOLDER;
    struct statfs system;
    struct stat status;
    struct stat above;
    laz_cleanup_fd int up = openat(target, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int list = openat(target, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (list < 0 || !is_empty(list)) {
        return laz_err_set(err, LAZ_E_DELIVERY, 0, "%s is not empty", where);
    }
    if (up < 0 || fstat(up, &above) < 0 || fstatfs(target, &system) < 0 ||
            fstat(target, &status) < 0) {
        return fail(err, LAZ_E_DELIVERY, where);
    }
    if (system.f_type != TMPFS_MAGIC) {
        return laz_err_set(err, LAZ_E_DELIVERY, 0, "%s is on no tmpfs", where);
    }
    if (status.st_dev == bundle->root_status.st_dev || status.st_dev == above.st_dev) {
        return laz_err_set(err, LAZ_E_DELIVERY, 0, "%s is no mount of its own", where);
    }
    return judge_tmpfs(status.st_dev, err);
}

static int open_target(const struct laz_hook_bundle *bundle, int *ret, struct laz_err *err)
{
    laz_cleanup_fd int target = -1;
    if (!laz_hook_bundle_declares(bundle, LAZ_HOOK_SECRETS_FOLDER)) {
        return laz_err_set(err, LAZ_E_DELIVERY, 0,
                "config.json mounts no tmpfs at %s, or more than that", LAZ_HOOK_SECRETS_FOLDER);
    }
    if (check_namespace(err) < 0 ||
            laz_hook_bundle_enter(bundle, LAZ_HOOK_SECRETS_FOLDER, &target, err) < 0 ||
            judge_mount(bundle, target, err) < 0) {
        return -1;
    }
    return give(&target, ret);
}

/* ---- the bytes ---- */

/* Root's and nobody else's, also to be read; -1 in *ret without an error: it is not there. */
static int open_value(const char *policy, const char *name, int *ret, struct laz_err *err)
{
    char path[sizeof(LAZ_HOOK_SECRETS_SOURCE) + LAZ_FETCH_PATH_MAX + LAZ_OCI_WORD_SIZE];
    struct stat status;
    (void)laz_format(path, sizeof(path), "%s/%s", LAZ_HOOK_SECRETS_SOURCE, policy);
    laz_cleanup_fd int folder = laz_resolve_open(
            AT_FDCWD, path, O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
    (void)laz_format(path, sizeof(path), "%s/%s/%s", LAZ_HOOK_SECRETS_SOURCE, policy, name);
    laz_cleanup_fd int fd = folder < 0
            ? -1
            : laz_resolve_open(folder, name, O_RDONLY | O_NONBLOCK | O_NOCTTY,
                      RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    if (fd < 0) {
        return errno == ENOENT ? 0 : fail(err, LAZ_E_SECRET, path);
    }
    if (laz_roots_folder(folder, path, err) < 0 || laz_roots_file(fd, path, err) < 0) {
        return -1;
    }
    if (fstat(fd, &status) < 0 || (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return laz_err_set(err, LAZ_E_HOST_UNSAFE, 0,
                "%s may be read by others than root, mode %04o", path, status.st_mode & 07777U);
    }
    if (status.st_size <= 0 || status.st_size > VALUE_MAX) {
        return laz_err_set(err, LAZ_E_SECRET, 0, "%s has %lld bytes, and may have 1 to %lld", path,
                (long long)status.st_size, VALUE_MAX);
    }
    return give(&fd, ret);
}

/* One byte more than it had is asked for: it has grown, then, and is half of something else. */
static int copy(int from, int into, struct laz_err *err)
{
    struct stat status;
    off_t done = 0;
    if (fstat(from, &status) < 0) {
        return fail(err, LAZ_E_SECRET, "fstat");
    }
    while (done <= status.st_size) {
        ssize_t n = sendfile(into, from, NULL, (size_t)(status.st_size + 1 - done));
        if (n < 0) {
            return fail(err, LAZ_E_DELIVERY, "sendfile");
        }
        if (n == 0) {
            break;
        }
        done += n;
    }
    return done == status.st_size
            ? 0
            : laz_err_set(err, LAZ_E_SECRET, 0, "it was changed while it was read");
}

/* The workload's, and to be read by the container's root, who is init, by the group: it may have
 * lost the right to read what is another's. */
static int put_file(const struct laz_policy *policy, size_t item, int target, const char *name,
        int value, struct laz_err *err)
{
    const struct laz_secret_delivery *delivery = &policy->secrets.deliveries[item];
    mode_t mode = delivery->path[0] == '\0' ? S_IRUSR : delivery->mode & S_IRWXU;
    laz_cleanup_fd int fd =
            openat(target, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR);
    if (fd < 0) {
        return fail(err, LAZ_E_DELIVERY, name);
    }
    if (copy(value, fd, err) < 0) {
        return -1;
    }
    if (fchown(fd, policy->uid, 0) < 0 || fchmod(fd, mode | S_IRGRP) < 0) {
        return fail(err, LAZ_E_DELIVERY, name);
    }
    return 0;
}

static int deliver_item(const struct laz_policy *policy, size_t i, int target,
        struct laz_hook_note *note, struct laz_err *err)
{
    const struct laz_fetch_item *item = &policy->secrets.config.items[i];
    const char *name = find_name(item);
    const char *host_name = note->call->record.policy; /* of its file, not what it calls itself */
    laz_cleanup_fd int value = -1;
    if (check_name(item, name, err) < 0 || open_value(host_name, name, &value, err) < 0) {
        return -1;
    }
    if (value < 0 && item->optional) {
        return 0;
    }
    if (value < 0) {
        return laz_err_set(err, LAZ_E_SECRET, ENOENT, "%s: the host has no %s/%s/%s", item->name,
                LAZ_HOOK_SECRETS_SOURCE, host_name, name);
    }
    if (put_file(policy, i, target, name, value, err) < 0) {
        return laz_err_context(err, "%s", item->name);
    }
    note->delivered[note->n_delivered++] = item->name;
    return 0;
}

/* By the current directory: a path would be walked once more. This mount and no other: no file
 * system is changed as a whole. Read back, because it may not be half done. */
static int close_mount(int target, struct laz_err *err)
{
    static const char where[] = LAZ_HOOK_SECRETS_FOLDER;
    static const unsigned long wanted = ST_RDONLY | ST_NOSUID | ST_NODEV | ST_NOEXEC;
    struct statvfs system;
    if (fchdir(target) < 0 || chmod(".", OWN_MODE) < 0 ||
            mount(NULL, ".", NULL,
                    MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
                    NULL) < 0 ||
            chdir("/") < 0 || fstatvfs(target, &system) < 0) {
        return fail(err, LAZ_E_DELIVERY, where);
    }
    if ((system.f_flag & wanted) != wanted) {
        return laz_err_set(err, LAZ_E_DELIVERY, 0,
                "%s is not read-only, nosuid, nodev and noexec, though it was made so", where);
    }
    return 0;
}

int laz_hook_deliver(
        const struct laz_policy *policy, struct laz_hook_note *note, struct laz_err *err)
{
    const struct laz_fetch_config *config = &policy->secrets.config;
    laz_cleanup_fd int target = -1;
    for (size_t i = 0; i < config->n_items; i++) {
        if (find_name(&config->items[i]) == NULL) {
            continue;
        }
        if ((target < 0 && open_target(note->bundle, &target, err) < 0) ||
                deliver_item(policy, i, target, note, err) < 0) {
            return -1;
        }
    }
    return target < 0 ? 0 : close_mount(target, err);
}
