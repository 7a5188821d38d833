/* SPDX-License-Identifier: Apache-2.0
 *
 * The atomic write by a path: the folder is opened once, and the file replaced in it.
 */
#include "cli/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "core/buf.h"
#include "core/fd.h"
#include "core/replace.h"

#define PATH_LENGTH_MAX 4096 /* the kernel's own */

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
    const struct laz_replace how = {.mode = mode, .sync = true};
    return laz_replace_at(folder, name, &how, bytes, length, err) < 0
            ? laz_err_context(err, "%.256s", path)
            : 0;
}
