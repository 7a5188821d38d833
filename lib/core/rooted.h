/* SPDX-License-Identifier: Apache-2.0
 *
 * Files that only root can have put where they are: what decides on the host, and what runs there.
 */
#ifndef LAZ_CORE_ROOTED_H
#define LAZ_CORE_ROOTED_H

#include "core/err.h"

/* A regular file, to be read. The path is absolute and plain; each part of it, "/" and the file
 * too, is root's, not a link and not writable by group or others. LAZ_E_HOST_ABSENT where nothing
 * is there, LAZ_E_HOST_UNSAFE where somebody else could have changed it, LAZ_E_SYSTEM. The message
 * names the part. */
LAZ_MUST_CHECK int laz_rooted_open(const char *path, int *ret, struct laz_err *err);

#endif
