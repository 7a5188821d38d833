/* SPDX-License-Identifier: Apache-2.0
 *
 * memfd_create(2), F_ADD_SEALS.
 */
#include "secret/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "core/fd.h"

#ifndef MFD_NOEXEC_SEAL /* 6.3 */
#define MFD_NOEXEC_SEAL 0x0008U
#endif

int laz_sealed_new(int *ret_fd, struct laz_err *err)
{
    const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd = memfd_create("lazaret-secret", flags | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL) { /* an older kernel */
        fd = memfd_create("lazaret-secret", flags);
    }
    if (fd < 0) {
        return laz_err_set(err, LAZ_E_SYSTEM, errno, "memfd_create: %s", strerror(errno));
    }
    *ret_fd = fd;
    return 0;
}

int laz_sealed_close(int fd, struct laz_err *err)
{
    const int seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
    if (fcntl(fd, F_ADD_SEALS, seals) != 0) {
        return laz_err_set(err, LAZ_E_SYSTEM, errno, "F_ADD_SEALS: %s", strerror(errno));
    }
    return 0;
}

int laz_sealed_make(const void *bytes, size_t length, int *ret_fd, struct laz_err *err)
{
    laz_cleanup_fd int fd = -1;
    if (laz_sealed_new(&fd, err) != 0 || laz_fd_write_all(fd, bytes, length, err) != 0 ||
            laz_sealed_close(fd, err) != 0) {
        return -1;
    }
    *ret_fd = fd;
    fd = -1;
    return 0;
}
