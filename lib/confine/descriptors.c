/* SPDX-License-Identifier: Apache-2.0
 *
 * What was inherited beyond 0 to 2. No allocation. Linked into PID 1.
 */
#include "confine/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "confine/listed.h"
#include "confine/sys.h"

#define FIRST       3
#define NUMBERS_MAX 1048576 /* without /proc: no more numbers are tried */
#define FOLDER      "/proc/self/fd"

/* The kernel lists by number, so that closing on the way leaves nobody out. */
static int shut(int fd, int folder, void *context)
{
    const int *keep = context;
    return fd < FIRST || fd == *keep || fd == folder ? 0 : close(fd);
}

/* The table is shared with init, which opens and closes files of its own meanwhile. */
static int mark(int fd, int folder, void *context)
{
    (void)folder;
    (void)context;
    return fd >= FIRST && fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 && errno != EBADF ? -1 : 0;
}

bool laz_descriptors_close(int keep)
{
    unsigned kept = keep < FIRST ? FIRST - 1U : (unsigned)keep;
    bool below = kept <= FIRST || laz_sys_close_range(FIRST, kept - 1, 0) == 0;
    if (below && laz_sys_close_range(kept + 1, ~0U, 0) == 0) {
        return true;
    }
    if (laz_listed_each(FOLDER, shut, &keep) < 0) {
        struct rlimit limit = {.rlim_cur = 1024};
        (void)getrlimit(RLIMIT_NOFILE, &limit); /* a guess is better than none */
        int end = limit.rlim_cur < NUMBERS_MAX ? (int)limit.rlim_cur : NUMBERS_MAX;
        for (int fd = FIRST; fd < end; fd++) {
            if (fd != keep) {
                (void)close(fd);
            }
        }
    }
    return false;
}

/* An outer filter may answer that something was done. What it answers is 0, and a flag is not. */
static bool is_marked(int fd)
{
    return fcntl(fd, F_GETFD) == FD_CLOEXEC;
}

int laz_descriptors_mark_in_child(void)
{
    int proof = fcntl(STDIN_FILENO, F_DUPFD, FIRST); /* NOLINT(android-cloexec-fcntl) */
    if (proof < FIRST) {
        errno = proof < 0 ? errno : EPROTO;
        return -1;
    }
    bool is_done = laz_sys_close_range(FIRST, ~0U, LAZ_CLOSE_RANGE_CLOEXEC) == 0;
    if (!is_done || !is_marked(proof)) {
        is_done = laz_listed_each(FOLDER, mark, NULL) == 0;
    }
    if (is_done && !is_marked(proof)) {
        errno = EPROTO;
        is_done = false;
    }
    int cause = errno;
    (void)close(proof); /* the table is shared: it would stay in init */
    errno = cause;
    return is_done ? 0 : -1;
}
