/* SPDX-License-Identifier: Apache-2.0
 *
 * Judges a program by where it lies. The link's text is made by the kernel, but of names that
 * others chose: it says "(deleted)" behind whatever has lost its name, and so may a name; the
 * number of names decides.
 */
#include "sense/executable.h"

#include <string.h>

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

enum laz_origin laz_executable_judge(const struct laz_executable *executable, int64_t since_ns)
{
    if (executable->links == 0) {
        return begins(executable->link, "/memfd:") ? LAZ_ORIGIN_MEMFD : LAZ_ORIGIN_DELETED;
    }
    if (begins(executable->link, "/dev/shm/")) {
        return LAZ_ORIGIN_SHM;
    }
    return executable->born_ns >= since_ns || executable->changed_ns >= since_ns ? LAZ_ORIGIN_NEW
                                                                                 : LAZ_ORIGIN_IMAGE;
}

const char *laz_origin_name(enum laz_origin origin)
{
    static const char *const names[] = {
#define X(id, name) name,
            LAZ_ORIGINS(X)
#undef X
    };
    return (unsigned)origin < LAZ_ORIGIN_COUNT ? names[origin] : "?";
}
