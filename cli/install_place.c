/* SPDX-License-Identifier: Apache-2.0
 *
 * Folders of root's, walked part by part as they are held: what somebody else could lead elsewhere
 * is never gone into.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "cli/install.h"
#include "core/fd.h"

#define PART_SIZE 256 /* NAME_MAX, and the NUL */
#define PATH_SIZE 512

struct walk {
    const char *path;
    size_t seen; /* how many bytes of it have been walked */
    int at;
    bool make;
    unsigned n_missing;
};

static int give(int *fd, int *ret)
{
    *ret = *fd;
    *fd = -1;
    return 0;
}

static int fail(const struct walk *walk, struct laz_err *err)
{
    int why = errno;
    if (why == ELOOP || why == ENOTDIR) {
        return laz_err_set(err, LAZ_E_HOST_UNSAFE, why, "%.*s is a link, or no folder",
                (int)walk->seen, walk->path);
    }
    return laz_err_set(
            err, LAZ_E_SYSTEM, why, "%.*s: %s", (int)walk->seen, walk->path, strerror(why));
}

static int judge(const struct walk *walk, int fd, struct laz_err *err)
{
    struct stat status;
    int length = walk->seen == 0 ? 1 : (int)walk->seen;
    if (fstat(fd, &status) < 0) {
        return fail(walk, err);
    }
    if (status.st_uid != 0) {
        return laz_err_set(err, LAZ_E_HOST_UNSAFE, 0, "%.*s belongs to user %u, not to root",
                length, walk->path, status.st_uid);
    }
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return laz_err_set(err, LAZ_E_HOST_UNSAFE, 0,
                "%.*s may be written by others than root, mode %04o", length, walk->path,
                status.st_mode & 07777U);
    }
    return 0;
}

/* Into the next part, made where that is wanted. 1: it is not there. */
static int enter(struct walk *walk, const char *part, struct laz_err *err)
{
    laz_cleanup_fd int fd = openat(walk->at, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        walk->n_missing++;
        if (!walk->make) {
            return 1;
        }
        if (mkdirat(walk->at, part, 0755) < 0) {
            return fail(walk, err);
        }
        fd = openat(walk->at, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    if (fd < 0) {
        return fail(walk, err);
    }
    if (judge(walk, fd, err) < 0) {
        return -1;
    }
    laz_fd_close(&walk->at);
    return give(&fd, &walk->at);
}

/* All parts but the last one. */
static int walk_on(struct walk *walk, struct laz_err *err)
{
    for (;;) {
        char part[PART_SIZE];
        const char *from = walk->path + walk->seen + 1;
        const char *slash = strchr(from, '/');
        if (slash == NULL) {
            return 0;
        }
        size_t length = (size_t)(slash - from);
        if (length == 0 || length >= sizeof(part)) {
            return laz_err_set(err, LAZ_E_INTERNAL, 0, "%s is not a plain path", walk->path);
        }
        (void)memcpy(part, from, length);
        part[length] = '\0';
        walk->seen += 1 + length;
        int entered = enter(walk, part, err);
        if (entered < 0) {
            return -1;
        }
        if (entered == 1) { /* what is below it is not there either */
            for (const char *at = slash; (at = strchr(at + 1, '/')) != NULL;) {
                walk->n_missing++;
            }
            laz_fd_close(&walk->at);
            return 0;
        }
    }
}

int laz_install_folder(
        const char *path, bool make, int *ret, unsigned *ret_missing, struct laz_err *err)
{
    struct walk walk = {.path = path, .make = make};
    walk.at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (walk.at < 0) {
        return fail(&walk, err);
    }
    if (judge(&walk, walk.at, err) < 0 || walk_on(&walk, err) < 0) {
        laz_fd_close(&walk.at);
        return -1;
    }
    *ret = walk.at;
    *ret_missing = walk.n_missing;
    return 0;
}

int laz_install_lock(int *ret, struct laz_err *err)
{
    laz_cleanup_fd int held = -1;
    unsigned unused = 0;
    if (laz_install_folder(LAZ_INSTALL_STATE "/", true, &held, &unused, err) < 0) {
        return -1;
    }
    laz_cleanup_fd int fd = openat(held, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_EX) < 0) {
        return laz_err_set(err, LAZ_E_SYSTEM, errno, LAZ_INSTALL_STATE ": %s", strerror(errno));
    }
    return give(&fd, ret);
}

void laz_install_remove_folders(const char *path, uint64_t n)
{
    char memory[PATH_SIZE];
    struct laz_buf copy;
    laz_buf_init_fixed(&copy, memory, sizeof(memory));
    laz_buf_str(&copy, path);
    for (uint64_t i = 0; i < n && !copy.overflow; i++) {
        char *slash = strrchr(memory, '/');
        if (slash == NULL || slash == memory) {
            return;
        }
        *slash = '\0';
        (void)rmdir(memory); /* it stays where somebody has put something into it */
    }
}

/* ".NAME.PID-N", as lib/core/replace.c makes it. NULL: of any name. */
static bool is_left_over(const char *entry, const char *name)
{
    const char *dot = strrchr(entry, '.');
    if (entry[0] != '.' || dot == entry || dot == NULL) {
        return false;
    }
    size_t length = (size_t)(dot - entry) - 1;
    if (name != NULL && (length != strlen(name) || strncmp(entry + 1, name, length) != 0)) {
        return false;
    }
    size_t digits = strspn(dot + 1, "0123456789");
    const char *rest = dot + 1 + digits;
    return digits > 0 && rest[0] == '-' && rest[1] != '\0' &&
            rest[1 + strspn(rest + 1, "0123456789")] == '\0';
}

void laz_install_sweep(int folder, const char *name)
{
    struct dirent **entries = NULL;
    int n = scandirat(folder, ".", &entries, NULL, NULL);
    for (int i = 0; i < n; i++) {
        if (is_left_over(entries[i]->d_name, name)) {
            (void)unlinkat(folder, entries[i]->d_name, 0);
        }
        free(entries[i]);
    }
    free(entries);
}

void laz_install_sweep_beside(const char *path)
{
    struct laz_err ignored = {0};
    unsigned unused = 0;
    laz_cleanup_fd int folder = -1;
    if (laz_install_folder(path, false, &folder, &unused, &ignored) == 0 && folder >= 0) {
        laz_install_sweep(folder, strrchr(path, '/') + 1);
    }
}

void laz_install_tidy(void)
{
    struct laz_err ignored = {0};
    laz_cleanup_fd int state = -1;
    if (laz_install_lock(&state, &ignored) == 0) {
        laz_install_sweep(state, NULL);
        laz_install_remove_folders(LAZ_INSTALL_STATE "/", 2);
    }
}
