/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel's own walk along a path.
 */
#include "core/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/fd.h"

#define MAX_TRIES 100 /* next to processes that do nothing but rename, the third came through */

int laz_resolve_open(int folder, const char *path, uint64_t flags, uint64_t resolve)
{
    const struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = resolve};
    for (int tries = 1;; tries++) {
        int fd = (int)syscall(SYS_openat2, folder, path, &how, sizeof(how));
        if (fd >= 0 || errno != EAGAIN || tries >= MAX_TRIES) {
            return fd;
        }
    }
}

int laz_resolve_open_in(const char *root, const char *path, uint64_t flags)
{
    if (root[0] == '\0') {
        return open(path, (int)flags | O_CLOEXEC);
    }
    laz_cleanup_fd int folder = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return folder < 0
            ? -1
            : laz_resolve_open(folder, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

bool laz_resolve_is_plain(const char *path)
{
    const char *part = path;
    while (*part == '/') {
        size_t length = strcspn(part + 1, "/");
        if (length == 0 || (part[1] == '.' && (length == 1 || (length == 2 && part[2] == '.')))) {
            return false;
        }
        part += 1 + length;
    }
    return part > path && *part == '\0';
}
