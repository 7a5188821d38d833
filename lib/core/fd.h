/* SPDX-License-Identifier: Apache-2.0
 *
 * File descriptors: close-on-exec at birth, -1 means none, whole reads and writes. libc only.
 */
#ifndef LAZ_CORE_FD_H
#define LAZ_CORE_FD_H

#include <stddef.h>

#include "core/err.h"

/* Close *fd if it is open and set it to -1. */
void laz_fd_close(int *fd);
#define laz_cleanup_fd __attribute__((cleanup(laz_fd_close)))

/* Write all of it, retrying EINTR. Blocks as the descriptor does. */
LAZ_MUST_CHECK int laz_fd_write_all(int fd, const void *bytes, size_t length, struct laz_err *err);

/* Read to end of file, at most size bytes; more is LAZ_E_POLICY_TOO_LARGE. */
LAZ_MUST_CHECK int laz_fd_read_all(
        int fd, void *memory, size_t size, size_t *ret_length, struct laz_err *err);

#endif
