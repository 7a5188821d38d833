/* SPDX-License-Identifier: Apache-2.0
 *
 * The atomic write: temporary file, fsync, rename, fsync of the directory.
 */
#include "cli/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/fd.h"

#define PATH_LENGTH_MAX 4096 /* the kernel's own */
#define TRIES           16   /* left-overs of killed runs with our pid */

static int fail(struct laz_err *err, const char *path, const char *what)
{
    return laz_err_set(err, LAZ_E_SYSTEM, errno, "%.256s: %s: %s", path, what, strerror(errno));
}

static int open_folder(const char *path, const char *name, struct laz_err *err)
{
    laz_cleanup_buf struct laz_buf folder;
    laz_buf_init_heap(&folder, PATH_LENGTH_MAX);
    laz_buf_put(&folder, path, (size_t)(name - path));
    laz_buf_str(&folder, name == path ? "." : "");
    if (folder.overflow) {
        return laz_err_set(err, LAZ_E_SYSTEM, ENAMETOOLONG, "%.64s...: name too long", path);
    }
    int fd = open(folder.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? fail(err, path, "cannot open the directory") : fd;
}

/* Never an existing file, so never somebody's link either. */
static int create_temporary(int folder, const char *name, struct laz_buf *ret_name)
{
    for (unsigned i = 0; i < TRIES; i++) {
        ret_name->len = 0;
        laz_buf_printf(ret_name, ".%.200s.%d-%u", name, (int)getpid(), i);
        int fd = openat(folder, ret_name->data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd >= 0 || errno != EEXIST) {
            return fd;
        }
    }
    errno = EEXIST;
    return -1;
}

static int fill(int fd, const char *path, const void *bytes, size_t length, mode_t mode,
        struct laz_err *err)
{
    if (laz_fd_write_all(fd, bytes, length, err) < 0) {
        return laz_err_context(err, "%.256s", path);
    }
    if (fchmod(fd, mode) < 0) { /* whatever the umask is */
        return fail(err, path, "fchmod");
    }
    return fsync(fd) < 0 ? fail(err, path, "fsync") : 0;
}

int laz_cli_replace_file(
        const char *path, const void *bytes, size_t length, mode_t mode, struct laz_err *err)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    if (name[0] == '\0') {
        return laz_err_set(err, LAZ_E_SYSTEM, EISDIR, "%.256s: a directory, not a file", path);
    }
    laz_cleanup_fd int folder = open_folder(path, name, err);
    if (folder < 0) {
        return -1;
    }
    laz_cleanup_buf struct laz_buf temporary;
    laz_buf_init_heap(&temporary, PATH_LENGTH_MAX);
    laz_cleanup_fd int fd = create_temporary(folder, name, &temporary);
    if (fd < 0) {
        return fail(err, path, "cannot create a file beside it");
    }
    int result = fill(fd, path, bytes, length, mode, err);
    if (result == 0 && renameat(folder, temporary.data, folder, name) < 0) {
        result = fail(err, path, "rename");
    }
    if (result < 0) {
        (void)unlinkat(folder, temporary.data, 0); /* the first error is the one to tell */
        return -1;
    }
    return fsync(folder) < 0 ? fail(err, path, "fsync of the directory") : 0;
}
