/* SPDX-License-Identifier: Apache-2.0
 *
 * Descriptors. libc only: linked into PID 1.
 */
#include "core/fd.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void laz_fd_close(int *fd)
{
    if (*fd >= 0) {
        int saved = errno;
        (void)close(*fd); /* Linux closes it even on EINTR */
        errno = saved;
    }
    *fd = -1;
}

int laz_fd_write_all(int fd, const void *bytes, size_t length, struct laz_err *err)
{
    const char *p = bytes;
    while (length > 0) {
        ssize_t n = write(fd, p, length);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return laz_err_set_errno(err, LAZ_E_SYSTEM, "write");
        }
        p += n;
        length -= (size_t)n;
    }
    return 0;
}

int laz_fd_read_all(int fd, void *memory, size_t size, size_t *ret_length, struct laz_err *err)
{
    char *p = memory;
    size_t length = 0;
    for (;;) {
        char extra = 0;
        size_t room = size - length;
        ssize_t n = read(fd, room > 0 ? p + length : &extra, room > 0 ? room : 1);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return laz_err_set_errno(err, LAZ_E_SYSTEM, "read");
        }
        if (n == 0) {
            *ret_length = length;
            return 0;
        }
        if (room == 0) {
            return laz_err_set(err, LAZ_E_POLICY_TOO_LARGE, 0, "more than %zu bytes", size);
        }
        length += (size_t)n;
    }
}
