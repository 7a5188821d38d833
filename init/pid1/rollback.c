/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a renewal is taken back. libc only.
 */
#include "init/pid1/rollback.h"

bool laz_rollback_begin(
        struct laz_rollback *rollback, uint32_t items, enum laz_checks checks, uint64_t until_ns)
{
    bool was_well = checks == LAZ_CHECKS_PASS && items != 0;
    *rollback = (struct laz_rollback){0};
    if (was_well) {
        *rollback = (struct laz_rollback){LAZ_ROLLBACK_WATCHING, items, until_ns};
    }
    return was_well;
}

bool laz_rollback_turn(struct laz_rollback *rollback, enum laz_checks checks, uint64_t now_ns)
{
    if (rollback->phase != LAZ_ROLLBACK_WATCHING) {
        return false;
    }
    if (now_ns >= rollback->until_ns) {
        laz_rollback_end(rollback);
        return true;
    }
    if (checks == LAZ_CHECKS_FAIL) {
        rollback->phase = LAZ_ROLLBACK_WANTED;
    }
    return false;
}

uint64_t laz_rollback_due_ns(const struct laz_rollback *rollback)
{
    return rollback->phase == LAZ_ROLLBACK_WATCHING ? rollback->until_ns : 0;
}

void laz_rollback_end(struct laz_rollback *rollback)
{
    *rollback = (struct laz_rollback){0};
}
