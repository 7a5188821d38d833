/* SPDX-License-Identifier: Apache-2.0
 *
 * Through /proc, from the container's own root: a runtime finds the program in the same way.
 */
#include "shim/look.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/format.h"
#include "core/resolve.h"
#include "core/started.h"
#include "shim/call.h"

#define HOST_INIT LAZ_HOST_PROGRAMS "/lazaret-init"
#define PATH_SIZE 32 /* of a process below /proc */

static int compare(int root, const char *path, uint64_t device, uint64_t inode, struct laz_err *err)
{
    struct stat status;
    laz_cleanup_fd int fd = laz_resolve_open(root, path, O_PATH | O_NOFOLLOW,
            RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
    return fd >= 0 && fstat(fd, &status) == 0 && status.st_dev == device && status.st_ino == inode
            ? 0
            : laz_err_set(err, LAZ_E_CONTAINER_CHANGED, 0,
                      "%s of the container is not what the host has mounted there", path);
}

/* Held by its folder, whatever its number becomes. *ret is written in any case. */
static int open_process(const struct laz_oci_record *record, int *ret, struct laz_err *err)
{
    char path[PATH_SIZE];
    uint64_t started = 0;
    (void)laz_format(path, sizeof(path), "/proc/%u", record->pid);
    *ret = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*ret < 0 || !laz_started_read(*ret, "stat", &started) || started != record->started) {
        return laz_err_set(err, LAZ_E_HOST_UNSEEN, 0,
                "the container's first process, %u, has ended, or %s is not of it", record->pid,
                path);
    }
    return 0;
}

int laz_look(const struct laz_oci_record *record, struct laz_err *err)
{
    struct stat init;
    laz_cleanup_fd int process = -1;
    if (record->pid == 0) {
        return 0;
    }
    if (open_process(record, &process, err) < 0) {
        return -1;
    }
    laz_cleanup_fd int root = openat(process, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) {
        return laz_err_set(err, LAZ_E_HOST_UNSEEN, errno, "/proc/%u/root: %s", record->pid,
                laz_err_errno_name(errno));
    }
    if (stat(HOST_INIT, &init) < 0) {
        return laz_err_set(err, LAZ_E_PROGRAM, errno, HOST_INIT ": %s", laz_err_errno_name(errno));
    }
    return compare(root, LAZ_CONTAINER_INIT, init.st_dev, init.st_ino, err) < 0
            ? -1
            : compare(root, LAZ_CONTAINER_POLICY, record->policy_device, record->policy_inode, err);
}
