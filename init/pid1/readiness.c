/* SPDX-License-Identifier: Apache-2.0
 *
 * A set of reasons; empty, the container is ready.
 */
#include "init/pid1/readiness.h"

bool laz_readiness_is_ready(const struct laz_readiness *readiness)
{
    uint32_t all = 0;
    for (unsigned i = 0; i < LAZ_UNREADY_COUNT; i++) {
        all |= readiness->items[i];
    }
    return all == 0;
}

bool laz_readiness_set(
        struct laz_readiness *readiness, enum laz_unready reason, uint32_t item, bool holds)
{
    bool was_ready = laz_readiness_is_ready(readiness);
    uint32_t bit = UINT32_C(1) << item;
    if (holds) {
        readiness->items[reason] |= bit;
    } else {
        readiness->items[reason] &= ~bit;
    }
    return laz_readiness_is_ready(readiness) != was_ready;
}

const char *laz_unready_name(enum laz_unready reason)
{
    switch (reason) {
#define X(id, name)                                                                                \
    case LAZ_UNREADY_##id:                                                                         \
        return name;
        LAZ_UNREADY_REASONS(X)
#undef X
    case LAZ_UNREADY_COUNT:
        break;
    }
    return "?";
}
