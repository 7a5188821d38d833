/* SPDX-License-Identifier: Apache-2.0
 *
 * Memfds that nobody can change any more: how a value leaves this process.
 */
#ifndef LAZ_SECRET_SEALED_H
#define LAZ_SECRET_SEALED_H

#include <stddef.h>

#include "core/err.h"

/* Close-on-exec, not executable where the kernel knows that; -1 and LAZ_E_SYSTEM. */
LAZ_MUST_CHECK int laz_sealed_new(int *ret_fd, struct laz_err *err);
/* No write, no other size, no seal more from now on. */
LAZ_MUST_CHECK int laz_sealed_close(int fd, struct laz_err *err);
/* The two, with these bytes between. */
LAZ_MUST_CHECK int laz_sealed_make(
        const void *bytes, size_t length, int *ret_fd, struct laz_err *err);

#endif
