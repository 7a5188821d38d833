/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers of a folder of /proc. No allocation: opendir is out. Linked into PID 1.
 */
#include "confine/listed.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>

#include "confine/sys.h"
#include "core/fd.h"

#define ENTRIES_BYTES 1024 /* some 40 entries at a time */

/* -1 for "." and "..". */
static int number_of(const char *name)
{
    int number = 0;
    for (; *name != '\0'; name++) {
        if (*name < '0' || *name > '9') {
            return -1;
        }
        number = 10 * number + (*name - '0'); /* the kernel's own: below its nr_open or pid_max */
    }
    return number;
}

int laz_listed_each(const char *path, laz_listed_visit *visit, void *context)
{
    laz_cleanup_fd int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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
            int number = number_of(entry->name);
            if (number >= 0 && visit(number, folder, context) < 0) {
                return -1;
            }
        }
    }
}
