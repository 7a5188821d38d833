/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the program of a process comes from: was it in the image?
 */
#ifndef LAZ_SENSE_EXECUTABLE_H
#define LAZ_SENSE_EXECUTABLE_H

#include <stdbool.h>
#include <stdint.h>

/* X(ENUM, "what the record says of it") */
#define LAZ_ORIGINS(X)                                                                             \
    X(IMAGE, "image")     /* nothing speaks against it */                                          \
    X(MEMFD, "memfd")     /* it has never had a name in any folder */                              \
    X(SHM, "shm")         /* it lies in /dev/shm */                                                \
    X(DELETED, "deleted") /* its name is gone */                                                   \
    X(NEW, "new")         /* written, or changed, since the container was started */

enum laz_origin {
#define X(id, name) LAZ_ORIGIN_##id,
    LAZ_ORIGINS(X)
#undef X
    LAZ_ORIGIN_COUNT
};

/* What the link /proc/PID/exe says, and statx of what it leads to. */
struct laz_executable {
    const char *link;
    uint32_t links;  /* names that the file has */
    int64_t born_ns; /* since 1970; 0 if the file system does not know */
    int64_t changed_ns;
};

/* `since_ns` is when the container was started, as the times of files are counted. */
enum laz_origin laz_executable_judge(const struct laz_executable *executable, int64_t since_ns);

const char *laz_origin_name(enum laz_origin origin);

#endif
