/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a file system is mounted, by the kernel's own tables. A file system that was made for one
 * mount is on that mount alone; what is bound from elsewhere is also where it was bound from.
 */
#ifndef LAZ_HOOKS_MOUNTS_H
#define LAZ_HOOKS_MOUNTS_H

#include <sys/types.h>

#include "core/err.h"

#define LAZ_HOOK_MOUNTS_OWN  "/proc/self/mountinfo"
#define LAZ_HOOK_MOUNTS_HOST "/proc/1/mountinfo"

struct laz_hook_mounts {
    unsigned n;    /* mounts of this device, of whichever part of it */
    bool is_whole; /* none of them begins below the device's own root */
};

/* LAZ_E_DELIVERY: the table cannot be read to its end, or has a line that is none. */
LAZ_MUST_CHECK int laz_hook_find_mounts(
        const char *table, dev_t device, struct laz_hook_mounts *ret, struct laz_err *err);

#endif
