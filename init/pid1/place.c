/* SPDX-License-Identifier: Apache-2.0
 *
 * The folder of a running init, and the sockets in it. PID 1 listens by itself: whoever connects is
 * shown its number by the kernel, and no other process can have that. libc only.
 */
#include "init/pid1/place.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "confine/sys.h"
#include "core/fd.h"
#include "core/format.h"
#include "core/words.h"

#define BACKLOG   64
#define FOLDER_AS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
/* Others may go through it, to what they may connect to. */
#define FOLDER_MODE (S_IRWXU | S_IXGRP | S_IXOTH)

/* -1: it is none, or not ours. */
static int open_folder(const char *path)
{
    struct stat status;
    (void)mkdir(path, FOLDER_MODE); /* whatever is wrong shows below */
    int fd = open(path, FOLDER_AS | O_CLOEXEC);
    bool is_ours = fd >= 0 && fstat(fd, &status) == 0 && status.st_uid == geteuid() &&
            fchmod(fd, FOLDER_MODE) == 0;
    if (!is_ours) {
        laz_fd_close(&fd);
    }
    return fd;
}

/* By the folder's descriptor: what lies at its path by then is of no matter. */
static int listen_in(int folder, const char *name, int type, mode_t mode)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)laz_format(
            address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", folder, name);
    (void)unlinkat(folder, name, 0); /* of an earlier run */
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool is_bound = fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
            laz_sys_fchmodat(folder, name, mode) == 0 && listen(fd, BACKLOG) == 0;
    if (!is_bound) {
        laz_fd_close(&fd);
    }
    return fd;
}

int laz_place_listen(enum laz_control_socket which, int type, mode_t mode)
{
    char name[LAZ_CONTROL_SOCKET_MAX];
    int fd = -1;
    laz_control_socket_name(which, name);
    for (unsigned i = 0; i < LAZ_CONTROL_FOLDER_COUNT && fd < 0; i++) {
        laz_cleanup_fd int folder = open_folder(laz_control_folder(i));
        fd = folder < 0 ? -1 : listen_in(folder, name, type, mode);
    }
    return fd;
}
