/* SPDX-License-Identifier: Apache-2.0
 *
 * Values become files: one folder for each generation, which readers see all at once or not at all.
 * Runs in `launch`, which still may give files away. Copies in the kernel and never maps or reads a
 * value; follows no link. libc only.
 */
#ifndef LAZ_INIT_PID1_DELIVER_H
#define LAZ_INIT_PID1_DELIVER_H

#include <sys/types.h>

#include "core/err.h"

/* What lies in the folder of the policy: "..g1" and so on, the link "..data" to the one that
 * counts, and for each name in that a link through "..data". */
struct laz_deliver {
    int folder;     /* owned; -1: nothing has been begun */
    int generation; /* the one that is being made; owned; -1: none */
    uint32_t number;
};

struct laz_deliver_as {
    mode_t mode;
    uid_t uid;
    gid_t gid;
    const char *path; /* below the generation; "": the memfd itself is given away */
};

void laz_deliver_init(struct laz_deliver *deliver);

/* All of them: LAZ_E_DELIVERY with errno, and as the message the step that failed. */

/* Takes `folder`. The first generation finds nothing that an earlier run has left. */
LAZ_MUST_CHECK int laz_deliver_begin(
        struct laz_deliver *deliver, int folder, uint32_t number, struct laz_err *err);
/* What did not become a whole file is not there. */
LAZ_MUST_CHECK int laz_deliver_put(const struct laz_deliver *deliver, int value,
        const struct laz_deliver_as *as, struct laz_err *err);
LAZ_MUST_CHECK int laz_deliver_swap(
        struct laz_deliver *deliver, uint32_t number, struct laz_err *err);
/* Empty and remove one that nobody sees by its link any more, or not yet. */
LAZ_MUST_CHECK int laz_deliver_retire(
        struct laz_deliver *deliver, uint32_t number, struct laz_err *err);
/* Empty and remove every generation, and the links to it; as much of it as can be. */
LAZ_MUST_CHECK int laz_deliver_wipe(int folder, struct laz_err *err);

#endif
