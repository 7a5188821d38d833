/* SPDX-License-Identifier: Apache-2.0
 *
 * The atomic write: temporary file, owner and mode, rename; with fsync where it is asked for. And
 * the careful read that goes before it.
 */
#include "core/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/fd.h"

#define NAME_SIZE 256                /* the kernel's own, with a NUL */
#define PART_SIZE ((size_t)64 << 10) /* read at once, where there is more than was expected */
#define TRIES     16                 /* left-overs of killed runs with our pid */

static int fail(struct laz_err *err, const char *what)
{
    return laz_err_set(err, LAZ_E_SYSTEM, errno, "%s: %s", what, strerror(errno));
}

/* Never an existing file, so never somebody's link either. */
static int create_temporary(int folder, const char *name, struct laz_buf *ret_name)
{
    for (unsigned i = 0; i < TRIES; i++) {
        ret_name->len = 0;
        laz_buf_printf(ret_name, ".%.200s.%d-%u", name, (int)getpid(), i);
        int fd = openat(
                folder, ret_name->data, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd >= 0 || errno != EEXIST) {
            return fd;
        }
    }
    errno = EEXIST;
    return -1;
}

static int fill(int fd, const struct laz_replace *how, const void *bytes, size_t length,
        struct laz_err *err)
{
    if (laz_fd_write_all(fd, bytes, length, err) < 0) {
        return -1;
    }
    if (how->has_owner && fchown(fd, how->uid, how->gid) < 0) {
        return fail(err, "fchown");
    }
    if (fchmod(fd, how->mode) < 0) { /* whatever the umask is; behind fchown, which clears bits */
        return fail(err, "fchmod");
    }
    return how->sync && fsync(fd) < 0 ? fail(err, "fsync") : 0;
}

int laz_replace_at(int folder, const char *name, const struct laz_replace *how, const void *bytes,
        size_t length, struct laz_err *err)
{
    char memory[NAME_SIZE];
    struct laz_buf temporary;
    laz_buf_init_fixed(&temporary, memory, sizeof(memory));
    laz_cleanup_fd int fd = create_temporary(folder, name, &temporary);
    if (fd < 0) {
        return fail(err, "cannot create a file beside it");
    }
    int result = fill(fd, how, bytes, length, err);
    if (result == 0 && renameat(folder, temporary.data, folder, name) < 0) {
        result = fail(err, "rename");
    }
    if (result < 0) {
        (void)unlinkat(folder, temporary.data, 0); /* the first error is the one to tell */
        return -1;
    }
    return how->sync && fsync(folder) < 0 ? fail(err, "fsync of the directory") : 0;
}

static int refuse(struct laz_err *err, int sys_errno, const char *why)
{
    return laz_err_set(err, LAZ_E_SYSTEM, sys_errno, "%s", why);
}

/* Into the memory where it stays. Whether there is more than was expected, one byte says. */
int laz_read_rest(int fd, size_t expected, struct laz_buf *ret, struct laz_err *err)
{
    size_t left = expected;
    for (;;) {
        char more = 0;
        char *room = left == 0 ? &more : laz_buf_room(ret, left);
        ssize_t n = room == NULL ? 0 : read(fd, room, left == 0 ? 1 : left);
        if (n < 0 && errno != EINTR) {
            return fail(err, "read");
        }
        if (n > 0 && left == 0) {
            laz_buf_put(ret, &more, 1);
            left = ret->max - ret->len < PART_SIZE ? ret->max - ret->len - 1 : PART_SIZE;
        } else if (n > 0) {
            ret->len += (size_t)n;
            ret->data[ret->len] = '\0';
            left -= (size_t)n;
        }
        if (ret->overflow) {
            return refuse(err, EFBIG, "too large");
        }
        if (n == 0) {
            return 0;
        }
    }
}

int laz_read_at(int folder, const char *name, struct laz_buf *ret, struct stat *ret_stat,
        struct laz_err *err)
{
    /* Not a fifo's end that waits for the other one. */
    laz_cleanup_fd int fd =
            openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat is;
    if (fd < 0) {
        return errno == ELOOP ? refuse(err, ELOOP, "a link") : fail(err, "open");
    }
    if (fstat(fd, &is) < 0) {
        return fail(err, "fstat");
    }
    if (!S_ISREG(is.st_mode)) {
        return refuse(err, EINVAL, "not a regular file");
    }
    if (laz_read_rest(fd, (size_t)is.st_size, ret, err) < 0) {
        return -1;
    }
    *ret_stat = is;
    return 0;
}
