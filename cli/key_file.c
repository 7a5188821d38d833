/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads a key and wipes it.
 */
#include "cli/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "core/fd.h"

int laz_key_file_read(const char *path, struct laz_key_file *ret, struct laz_err *err)
{
    size_t length = 0;
    laz_cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return laz_err_set(err, LAZ_E_SYSTEM, errno, "%.256s: %s", path, strerror(errno));
    }
    if (laz_fd_read_all(fd, ret->pem, LAZ_KEY_FILE_MAX, &length, err) < 0) {
        return laz_err_context(err, "%.256s", path);
    }
    ret->pem[length] = '\0';
    return 0;
}

void laz_key_file_wipe(struct laz_key_file *file)
{
    explicit_bzero(file, sizeof(*file));
}
