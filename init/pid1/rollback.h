/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a renewal of identities is taken back. Pure: no system call, no clock, and nothing of
 * values. What health says is believed as far as it can do no harm: at the worst, a renewal is
 * taken back once, and the workload has what it had. libc only.
 */
#ifndef LAZ_INIT_PID1_ROLLBACK_H
#define LAZ_INIT_PID1_ROLLBACK_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/status.h"

enum laz_rollback_phase {
    LAZ_ROLLBACK_IDLE,
    LAZ_ROLLBACK_WATCHING, /* what was before is kept, until it is sure that nobody needs it */
    LAZ_ROLLBACK_WANTED,   /* as soon as nothing else is under way */
    LAZ_ROLLBACK_UNDER_WAY,
};

struct laz_rollback {
    enum laz_rollback_phase phase;
    uint32_t items;    /* of the identities that it is about, a bit for each; 0: it is idle */
    uint64_t until_ns; /* how long it is watched */
};

/* The workload has new values of these now, and what its checks say is about the ones before. True:
 * they are watched from now on, and no others any more: keep what was before. Where it is not sure
 * that all was well, nothing is ever taken back. Not while one is wanted or under way. */
bool laz_rollback_begin(
        struct laz_rollback *rollback, uint32_t items, enum laz_checks checks, uint64_t until_ns);
/* What the checks say now. True: what was before is not needed any more. */
bool laz_rollback_turn(struct laz_rollback *rollback, enum laz_checks checks, uint64_t now_ns);
/* When it is not needed any more; 0: something else has to come first. */
uint64_t laz_rollback_due_ns(const struct laz_rollback *rollback);
/* It is done, or cannot be. It is not tried again. */
void laz_rollback_end(struct laz_rollback *rollback);

#endif
