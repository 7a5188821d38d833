/* SPDX-License-Identifier: Apache-2.0
 *
 * Put a whole file in the place of another, or leave the other as it is: never half of one. Errors
 * do not name the file: who calls knows its path.
 */
#ifndef LAZ_CORE_REPLACE_H
#define LAZ_CORE_REPLACE_H

#include <stddef.h>
#include <sys/stat.h>

#include "core/buf.h"

/* What the new file is like. */
struct laz_replace {
    mode_t mode;
    bool has_owner; /* it gets uid and gid, or nothing is replaced */
    uid_t uid;
    gid_t gid;
    bool sync; /* flush file and folder to the disk: for what must outlive the machine's power */
};

/* Write a temporary file in the same folder (O_EXCL: never somebody's link), give it what `how`
 * says, and rename it over `name`. On failure nothing is left behind, and the old file is whole.
 * LAZ_E_SYSTEM. */
LAZ_MUST_CHECK int laz_replace_at(int folder, const char *name, const struct laz_replace *how,
        const void *bytes, size_t length, struct laz_err *err);

/* What is left in a descriptor, appended to `ret`; if it is so many bytes as `expected`, by one
 * read and the one that finds its end. LAZ_E_SYSTEM, with EFBIG where there is no room for it. */
LAZ_MUST_CHECK int laz_read_rest(int fd, size_t expected, struct laz_buf *ret, struct laz_err *err);

/* A regular file in a folder, whole: no link is followed, nothing that could hang is opened. Bytes
 * are appended to `ret`, whose ceiling is the file's; what it is goes to *ret_stat. LAZ_E_SYSTEM,
 * with ELOOP for a link, EINVAL where it is no regular file, EFBIG where it is too large. */
LAZ_MUST_CHECK int laz_read_at(int folder, const char *name, struct laz_buf *ret,
        struct stat *ret_stat, struct laz_err *err);

#endif
