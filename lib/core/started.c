/* SPDX-License-Identifier: Apache-2.0
 *
 * proc(5): the 22nd word of a process's stat, behind a name that may be anything.
 */
#include "core/started.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/num.h"

#define STAT_SIZE 1024 /* 52 numbers and a name of 64 bytes */

bool laz_started_read(int folder, const char *path, uint64_t *ret)
{
    char text[STAT_SIZE];
    laz_cleanup_fd int fd = openat(folder, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    text[n < 0 ? 0 : n] = '\0';
    const char *at = strrchr(text, ')');
    for (int i = 2; at != NULL && i < 22; i++) {
        at = strchr(at + 1, ' ');
    }
    return at != NULL && laz_parse_u64(at + 1, strcspn(at + 1, " "), UINT64_MAX, ret);
}
