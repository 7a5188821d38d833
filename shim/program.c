/* SPDX-License-Identifier: Apache-2.0
 *
 * No PATH, no shell, no fork: the caller watches this very process, by its death signal, its
 * descriptors and its exit status.
 */
#include "shim/program.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/rooted.h"

int laz_program_check(const char *path, struct laz_err *err)
{
    struct stat own;
    struct stat status;
    laz_cleanup_fd int fd = -1;
    struct laz_err why = {0};
    if (laz_rooted_open(path, &fd, &why) < 0) {
        return laz_err_set(err, why.kind == LAZ_E_HOST_UNSAFE ? why.kind : LAZ_E_RUNTIME,
                why.sys_errno, "%s", why.message);
    }
    if (stat("/proc/self/exe", &own) < 0 || fstat(fd, &status) < 0) {
        return laz_err_set(err, LAZ_E_SYSTEM, errno, "%s: %s", path, strerror(errno));
    }
    if (own.st_dev == status.st_dev && own.st_ino == status.st_ino) {
        return laz_err_set(err, LAZ_E_RUNTIME, 0, "%s is lazaret-shim itself", path);
    }
    return 0;
}

int laz_program_find(const char **ret, struct laz_err *err)
{
    static const char *const places[] = {"/usr/bin/runc", "/usr/sbin/runc"};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        *err = (struct laz_err){0}; /* of the last one */
        if (laz_program_check(places[i], err) == 0) {
            *ret = places[i];
            return 0;
        }
    }
    return -1;
}

int laz_program_become(const char *path, char **argv, char **environment, struct laz_err *err)
{
    argv[0] = laz_unconst(path);
    (void)execve(path, argv, environment);
    return laz_err_set(err, LAZ_E_RUNTIME, errno, "%s: execve: %s", path, strerror(errno));
}
