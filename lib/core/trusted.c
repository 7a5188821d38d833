/* SPDX-License-Identifier: Apache-2.0
 *
 * A path, walked from the root with one descriptor for each part. Links are followed by hand, so
 * that what they lead to is looked at in the same way; the kernel's own following would hide it.
 * openat2(2) refuses links or takes them all: neither is what is wanted, for Kubernetes and the
 * CAs of a system are reached by links of root's.
 */
#include "core/trusted.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/fd.h"

#define LINKS_MAX 40 /* as the kernel's */
#define TRIES     4  /* of a walk under which somebody renames */
#define WHY_MAX   96
#define LINK_SIZE 64             /* of a descriptor below /proc */
#define PATH_SIZE 4096           /* the kernel's own ceiling, with the NUL */
#define NAME_SIZE (NAME_MAX + 2) /* one byte more than a name may have, and the NUL */

struct walk {
    const struct laz_party *party; /* NULL: nobody is kept apart */
    bool wants_folder;
    bool makes;           /* what is missing; and the last is for whoever asks to judge */
    int at;               /* the folder that has been come to */
    bool is_shared;       /* it is sticky: everybody makes files there, and keeps their own */
    unsigned n_links;     /* that were followed */
    char seen[PATH_SIZE]; /* its path; "" for the root */
    char rest[PATH_SIZE]; /* what is still to be walked */
};

/* ---- whose hand ---- */

static bool has_group(const struct laz_party *party, uint32_t gid)
{
    bool has = gid == party->gid;
    for (uint32_t i = 0; !has && i < party->n_groups; i++) {
        has = party->groups[i] == gid;
    }
    return has;
}

/* Its rights for the group are then a bound for anybody whom the list names. Only a filesystem that
 * says so has none: 0, or the errno that keeps us from knowing; -1: there is one. */
static int find_access_list(int fd)
{
    static const char name[] = "system.posix_acl_access";
    char path[LINK_SIZE];
    ssize_t length = fgetxattr(fd, name, NULL, 0);
    if (length < 0 && errno == EBADF) { /* opened by O_PATH */
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        length = getxattr(path, name, NULL, 0);
    }
    if (length >= 0) {
        return -1;
    }
    return errno == ENODATA || errno == EOPNOTSUPP ? 0 : errno;
}

static bool is_read_only(int fd)
{
    struct statvfs system;
    return fstatvfs(fd, &system) == 0 && (system.f_flag & ST_RDONLY) != 0;
}

/* "" if it may not be written by the party. */
static void find_writer(
        const struct laz_party *party, int fd, const struct stat *status, char ret[WHY_MAX])
{
    unsigned mode = status->st_mode & 07777U;
    int list = 0;
    ret[0] = '\0';
    if ((mode & S_IWOTH) != 0) {
        (void)snprintf(ret, WHY_MAX, "may be written by everybody, mode %04o", mode);
    } else if ((mode & S_IWGRP) != 0 && has_group(party, status->st_gid)) {
        (void)snprintf(ret, WHY_MAX, "may be written by the workload's group %u, mode %04o",
                status->st_gid, mode);
    } else if ((mode & S_IWGRP) != 0) {
        list = find_access_list(fd);
    }
    if (list < 0) {
        (void)snprintf(ret, WHY_MAX, "has an access control list, by which others may write");
    } else if (list > 0) {
        (void)snprintf(ret, WHY_MAX, "may have an access control list: %s", strerror(list));
    }
}

static bool keeps_apart(const struct laz_party *party)
{
    return party->uid != 0 && party->uid != geteuid();
}

int laz_trusted_check(int fd, const struct laz_party *party, struct laz_err *err)
{
    struct stat status;
    char why[WHY_MAX] = "";
    if (!keeps_apart(party)) {
        return 0;
    }
    if (fstat(fd, &status) < 0) {
        return laz_err_set(err, LAZ_E_SYSTEM, errno, "%s", strerror(errno));
    }
    if (status.st_uid == party->uid) {
        (void)snprintf(why, sizeof(why), "belongs to the workload, user %u", status.st_uid);
    } else {
        find_writer(party, fd, &status, why);
    }
    return why[0] == '\0' ? 0 : laz_err_set(err, LAZ_E_SECRET, 0, "%s", why);
}

/* Where nothing is mounted for writing nobody here has a hand in it, whosesoever it is. In a sticky
 * folder everybody keeps what is theirs: another's folder can neither be moved there nor away, but
 * a file or a link could have been brought there by its old name. */
static int judge(const struct walk *walk, const char *name, int fd, const struct stat *status,
        bool *ret_is_shared, struct laz_err *err)
{
    char why[WHY_MAX] = "";
    bool is_folder = S_ISDIR(status->st_mode);
    *ret_is_shared = false;
    if (walk->party == NULL) {
        return 0;
    }
    if (status->st_uid == walk->party->uid) {
        (void)snprintf(why, sizeof(why), "belongs to the workload, user %u", status->st_uid);
    } else if (!is_folder && walk->is_shared) {
        (void)snprintf(why, sizeof(why), "is in a folder where everybody may make files");
    } else if (!S_ISLNK(status->st_mode)) { /* whose mode says nothing */
        find_writer(walk->party, fd, status, why);
    }
    if (why[0] == '\0' || is_read_only(fd)) {
        return 0;
    }
    if (is_folder && (status->st_mode & S_ISVTX) != 0 && status->st_uid != walk->party->uid) {
        *ret_is_shared = true;
        return 0;
    }
    return laz_err_set(err, LAZ_E_SECRET, 0, "%.160s/%.100s %s", walk->seen, name, why);
}

/* ---- the walk ---- */

static int fail(struct laz_err *err, int sys_errno)
{
    return laz_err_set(err, LAZ_E_SYSTEM, sys_errno, "%s", strerror(sys_errno));
}

static int enter(struct walk *walk, const char *name, int *fd, bool is_shared)
{
    size_t length = strlen(walk->seen);
    char *last = strrchr(walk->seen, '/');
    bool is_up = strcmp(name, "..") == 0;
    if (is_up && last != NULL) {
        *last = '\0';
    } else if (!is_up) {
        size_t more = strlen(name);
        if (length + 1 + more >= sizeof(walk->seen)) {
            errno = ENAMETOOLONG;
            return -1;
        }
        walk->seen[length] = '/';
        (void)memcpy(walk->seen + length + 1, name, more + 1);
    }
    laz_fd_close(&walk->at);
    walk->at = *fd;
    *fd = -1;
    walk->is_shared = is_shared;
    return 0;
}

static int enter_root(struct walk *walk, struct laz_err *err)
{
    struct stat status;
    bool is_shared = false;
    laz_cleanup_fd int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    walk->seen[0] = '\0';
    walk->is_shared = false;
    if (fd < 0 || fstat(fd, &status) < 0) {
        return fail(err, errno);
    }
    if (judge(walk, "", fd, &status, &is_shared, err) < 0) {
        return -1;
    }
    return enter(walk, "..", &fd, is_shared) < 0 ? fail(err, errno) : 0;
}

/* What it leads to comes before what is left. */
static int follow(struct walk *walk, int link, struct laz_err *err)
{
    char path[PATH_SIZE];
    size_t left = strlen(walk->rest) + 1;
    ssize_t length = readlinkat(link, "", path, sizeof(path) - 1);
    if (length <= 0 || (size_t)length + 1 + left > sizeof(path) || walk->n_links == LINKS_MAX) {
        return fail(err,
                length < 0                           ? errno
                        : length == 0                ? ENOENT
                        : walk->n_links == LINKS_MAX ? ELOOP
                                                     : ENAMETOOLONG);
    }
    walk->n_links++;
    path[length] = '/';
    (void)memcpy(path + length + 1, walk->rest, left);
    (void)memcpy(walk->rest, path, (size_t)length + 1 + left);
    return path[0] == '/' ? enter_root(walk, err) : 0;
}

/* The next part, taken from what is left; false: there is none. */
static bool take_part(struct walk *walk, char ret[NAME_SIZE], bool *ret_is_last)
{
    const char *at = walk->rest + strspn(walk->rest, "/");
    size_t length = strcspn(at, "/");
    const char *behind = at + length + strspn(at + length, "/");
    if (length == 0) {
        return false;
    }
    *ret_is_last = *behind == '\0';
    size_t n = length < NAME_SIZE ? length : NAME_SIZE - 1; /* which is too long, too */
    (void)memcpy(ret, at, n);
    ret[n] = '\0';
    (void)memmove(walk->rest, behind, strlen(behind) + 1);
    return true;
}

static int give(int *fd, int *ret)
{
    *ret = *fd;
    *fd = -1;
    return 0;
}

/* It is held by `fd`, and opened once more to be read: it must be the same. */
static int open_file(
        struct walk *walk, const char *name, const struct stat *was, int *ret, struct laz_err *err)
{
    struct stat status;
    if (S_ISDIR(was->st_mode)) {
        return fail(err, EISDIR);
    }
    laz_cleanup_fd int fd =
            openat(walk->at, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &status) < 0) {
        return fail(err, errno);
    }
    if (status.st_dev != was->st_dev || status.st_ino != was->st_ino) {
        return fail(err, EAGAIN); /* somebody has renamed one over it: there will be a next time */
    }
    return give(&fd, ret);
}

/* What everybody may put there by its name was put there by nobody who is trusted. */
static int open_folder(struct walk *walk, int *ret, struct laz_err *err)
{
    if (walk->is_shared) {
        return laz_err_set(err, LAZ_E_SECRET, 0,
                "%.160s is a folder where everybody may make files",
                walk->seen[0] == '\0' ? "/" : walk->seen);
    }
    return give(&walk->at, ret);
}

/* What is missing is made where it is missing: in a folder that has been judged. In one that is
 * sticky somebody may be first; what they have made is judged like all else. */
static int open_part(const struct walk *walk, const char *name, bool is_last)
{
    int fd = openat(walk->at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 || errno != ENOENT || !walk->makes) {
        return fd;
    }
    if (mkdirat(walk->at, name, is_last ? 0700 : 0755) < 0 && errno != EEXIST) {
        return -1;
    }
    return openat(walk->at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

static int hold_part(const struct walk *walk, const char *name, bool is_last,
        struct stat *ret_status, int *ret, struct laz_err *err)
{
    laz_cleanup_fd int fd = open_part(walk, name, is_last);
    if (fd < 0 || fstat(fd, ret_status) < 0) {
        return fail(err, errno);
    }
    mode_t type = ret_status->st_mode & S_IFMT;
    if (type != S_IFREG && type != S_IFDIR && type != S_IFLNK) {
        return fail(err, is_last ? EINVAL : ENOTDIR);
    }
    return give(&fd, ret);
}

static int give_made(int *fd, const struct stat *status, int *ret, struct laz_err *err)
{
    mode_t type = status->st_mode & S_IFMT;
    return type == S_IFDIR ? give(fd, ret) : fail(err, type == S_IFLNK ? ELOOP : ENOTDIR);
}

static int walk_on(struct walk *walk, int *ret, struct laz_err *err)
{
    char name[NAME_SIZE];
    bool is_last = false;
    while (take_part(walk, name, &is_last)) {
        struct stat status = {0};
        bool is_shared = false;
        laz_cleanup_fd int fd = -1;
        if (hold_part(walk, name, is_last, &status, &fd, err) < 0) {
            return -1;
        }
        if (walk->makes && is_last) {
            return give_made(&fd, &status, ret, err);
        }
        if (judge(walk, name, fd, &status, &is_shared, err) < 0) {
            return -1;
        }
        if (S_ISLNK(status.st_mode)) {
            if (follow(walk, fd, err) < 0) {
                return -1;
            }
        } else if (is_last && !walk->wants_folder) {
            return open_file(walk, name, &status, ret, err);
        } else if (!S_ISDIR(status.st_mode)) {
            return fail(err, ENOTDIR);
        } else if (strcmp(name, ".") != 0 && enter(walk, name, &fd, is_shared) < 0) {
            return fail(err, errno);
        }
    }
    /* without a folder wanted: the root, or a link to it */
    return walk->wants_folder ? open_folder(walk, ret, err) : fail(err, EISDIR);
}

static int open_any(const char *path, bool wants_folder, int *ret, struct laz_err *err)
{
    struct stat status;
    int flags = wants_folder ? O_PATH | O_DIRECTORY : O_RDONLY | O_NOCTTY | O_NONBLOCK;
    laz_cleanup_fd int fd = open(path, flags | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0) {
        return fail(err, errno);
    }
    if (!wants_folder && !S_ISREG(status.st_mode)) {
        return fail(err, S_ISDIR(status.st_mode) ? EISDIR : EINVAL);
    }
    return give(&fd, ret);
}

static int walk_once(
        struct walk *walk, const char *path, size_t length, int *ret, struct laz_err *err)
{
    (void)memcpy(walk->rest, path, length + 1);
    walk->n_links = 0;
    int result = enter_root(walk, err) < 0 ? -1 : walk_on(walk, ret, err);
    laz_fd_close(&walk->at);
    return result;
}

/* What is renamed while we walk is another file when we come to open it, or, where it was a link of
 * Kubernetes', is gone with what it led to. The next walk finds what is there now. */
static int open_walking(struct walk *walk, const char *path, int *ret, struct laz_err *err)
{
    size_t length = strlen(path);
    int result = -1;
    if (length >= sizeof(walk->rest)) {
        return fail(err, ENAMETOOLONG);
    }
    for (int i = 0; i < TRIES && result < 0; i++) {
        struct laz_err why = {0};
        result = walk_once(walk, path, length, ret, &why);
        bool may_pass = why.sys_errno == EAGAIN || why.sys_errno == ENOENT;
        if (result < 0 && (!may_pass || i == TRIES - 1)) {
            *err = why;
            return -1;
        }
    }
    return result;
}

int laz_trusted_open(const char *path, const struct laz_party *party, int *ret, struct laz_err *err)
{
    struct walk walk = {.party = party, .at = -1};
    return keeps_apart(party) ? open_walking(&walk, path, ret, err)
                              : open_any(path, false, ret, err);
}

int laz_trusted_open_folder(
        const char *path, const struct laz_party *party, int *ret, struct laz_err *err)
{
    struct walk walk = {.party = party, .wants_folder = true, .at = -1};
    return keeps_apart(party) ? open_walking(&walk, path, ret, err)
                              : open_any(path, true, ret, err);
}

int laz_trusted_make_folder(
        const char *path, const struct laz_party *party, int *ret, struct laz_err *err)
{
    struct walk walk = {.party = keeps_apart(party) ? party : NULL,
            .wants_folder = true,
            .makes = true,
            .at = -1};
    return open_walking(&walk, path, ret, err);
}
