/* SPDX-License-Identifier: Apache-2.0
 *
 * Why the container is not ready, in one place. Says nothing to anybody by itself. libc only.
 */
#ifndef LAZ_INIT_PID1_READINESS_H
#define LAZ_INIT_PID1_READINESS_H

#include <stdbool.h>
#include <stdint.h>

/* X(ENUM, "what records call it") */
#define LAZ_UNREADY_REASONS(X)                                                                     \
    X(STALE, "stale")     /* a secret could not be renewed for too long */                         \
    X(EXPIRED, "expired") /* one is not valid any more */

enum laz_unready {
#define X(id, name) LAZ_UNREADY_##id,
    LAZ_UNREADY_REASONS(X)
#undef X
    LAZ_UNREADY_COUNT
};

/* Of each reason, whom it is about: a bit for each item. */
struct laz_readiness {
    uint32_t items[LAZ_UNREADY_COUNT];
};

bool laz_readiness_is_ready(const struct laz_readiness *readiness);
/* True: with it the container has become ready, or has ceased to be. */
bool laz_readiness_set(
        struct laz_readiness *readiness, enum laz_unready reason, uint32_t item, bool holds);
const char *laz_unready_name(enum laz_unready reason);

#endif
