/* SPDX-License-Identifier: Apache-2.0
 *
 * What was inherited beyond 0 to 2. No allocation: opendir is out. Linked into PID 1.
 */
#include "confine/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>

#include "confine/sys.h"
#include "core/fd.h"

#define FIRST         3
#define NUMBERS_MAX   1048576 /* without /proc: no more numbers are tried */
#define ENTRIES_BYTES 1024    /* some 40 entries at a time */

/* -1 for "." and "..". */
static int number_of(const char *name)
{
    int number = 0;
    for (; *name != '\0'; name++) {
        if (*name < '0' || *name > '9') {
            return -1;
        }
        number = 10 * number + (*name - '0'); /* the kernel's own: below its nr_open */
    }
    return number;
}

/* The table is shared with init, which opens and closes files of its own meanwhile. */
static int mark(int fd)
{
    return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 && errno != EBADF ? -1 : 0;
}

/* The kernel lists by number, so that closing on the way leaves nobody out. */
static int each_listed(int keep, int (*visit)(int fd))
{
    laz_cleanup_fd int folder = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        return -1;
    }
    for (;;) {
        _Alignas(struct laz_dirent) char entries[ENTRIES_BYTES];
        long length = syscall(SYS_getdents64, folder, entries, sizeof(entries));
        if (length <= 0) {
            return length < 0 ? -1 : 0;
        }
        const struct laz_dirent *entry = NULL;
        for (long at = 0; at < length; at += entry->length) {
            entry = (const struct laz_dirent *)(const void *)(entries + at);
            int fd = number_of(entry->name);
            if (fd >= FIRST && fd != keep && fd != folder && visit(fd) < 0) {
                return -1;
            }
        }
    }
}

bool laz_descriptors_close(int keep)
{
    unsigned kept = keep < FIRST ? FIRST - 1U : (unsigned)keep;
    bool below = kept <= FIRST || laz_sys_close_range(FIRST, kept - 1, 0) == 0;
    if (below && laz_sys_close_range(kept + 1, ~0U, 0) == 0) {
        return true;
    }
    if (each_listed(keep, close) < 0) {
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

int laz_descriptors_mark_in_child(void)
{
    if (laz_sys_close_range(FIRST, ~0U, LAZ_CLOSE_RANGE_CLOEXEC) == 0) {
        return 0;
    }
    return each_listed(-1, mark);
}
