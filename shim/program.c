/* SPDX-License-Identifier: Apache-2.0
 *
 * No PATH, no shell, no fork: the caller watches this very process, by its death signal, its
 * descriptors and its exit status.
 */
#include "shim/program.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/rooted.h"

/* The linker's name for the first byte of the program as it is in memory. */
extern const char laz_own_file[] __asm__("__ehdr_start") __attribute__((visibility("hidden")));

#define BEGINNING 1024 /* with the number of the build in it */

/* By its bytes, so that a copy is told too; and procfs makes much of /proc/self/exe. */
static int find_own(int fd, bool *ret, struct laz_err *err)
{
    char bytes[BEGINNING];
    ssize_t n = pread(fd, bytes, sizeof(bytes), 0);
    *ret = n == (ssize_t)sizeof(bytes) && memcmp(bytes, laz_own_file, sizeof(bytes)) == 0;
    return n >= 0 ? 0 : laz_err_set(err, LAZ_E_RUNTIME, errno, "pread: %s", strerror(errno));
}

int laz_program_check(struct laz_rooted *folders, const char *path, struct laz_err *err)
{
    laz_cleanup_fd int fd = -1;
    bool is_own = false;
    struct laz_err why = {0};
    if (laz_rooted_open_known(folders, path, &fd, &why) < 0) {
        return laz_err_set(err, why.kind == LAZ_E_HOST_UNSAFE ? why.kind : LAZ_E_RUNTIME,
                why.sys_errno, "%s", why.message);
    }
    if (find_own(fd, &is_own, err) < 0) {
        return laz_err_context(err, "%s", path);
    }
    if (is_own) {
        return laz_err_set(err, LAZ_E_RUNTIME, 0, "%s is lazaret-shim itself", path);
    }
    return 0;
}

int laz_program_find(struct laz_rooted *folders, const char **ret, struct laz_err *err)
{
    /* the last two: where `lazaret install runtime --divert-runc` keeps it */
    static const char *const places[] = {
            "/usr/bin/runc", "/usr/sbin/runc", "/usr/bin/runc.real", "/usr/sbin/runc.real"};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        *err = (struct laz_err){0}; /* of the last one */
        if (laz_program_check(folders, places[i], err) == 0) {
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
