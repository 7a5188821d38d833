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

#define LAZ_ROOTED_FOLDERS 8
#define LAZ_ROOTED_SIZE    64

/* Folders that have passed, with all above them. They still do: nobody but root could have changed
 * that. Longer ones, and more of them, are looked at each time. */
struct laz_rooted {
    unsigned n;
    char folders[LAZ_ROOTED_FOLDERS][LAZ_ROOTED_SIZE];
};

/* The same, for many files of the same folders. */
LAZ_MUST_CHECK int laz_rooted_open_known(
        struct laz_rooted *known, const char *path, int *ret, struct laz_err *err);

#endif
