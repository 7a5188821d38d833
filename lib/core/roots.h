/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a place is root's alone. A path says little: it was looked at part by part, and somebody
 * has renamed one since. So the place is opened first, and then walked upwards, from what is held.
 */
#ifndef LAZ_CORE_ROOTS_H
#define LAZ_CORE_ROOTS_H

#include "core/err.h"

/* Are this folder, and all above it, root's and writable by nobody else? Sticky ones above it may
 * be: there everybody keeps what is theirs. `name` is for the message alone. LAZ_E_HOST_UNSAFE, or
 * LAZ_E_SYSTEM where it cannot be looked at. */
LAZ_MUST_CHECK int laz_roots_folder(int folder, const char *name, struct laz_err *err);

/* A file in such a folder, held: regular, root's, writable by nobody else, and there under one name
 * alone. */
LAZ_MUST_CHECK int laz_roots_file(int file, const char *name, struct laz_err *err);

#endif
