/* SPDX-License-Identifier: Apache-2.0
 *
 * One check of the policy at work: when it is due, how long it may take, and how many results in a
 * row it takes to change one's mind. Pure: who asks and who keeps the time is the caller.
 */
#ifndef LAZ_HEALTH_WATCH_H
#define LAZ_HEALTH_WATCH_H

#include "policy/health.h"

#define LAZ_HEALTH_WHY_MAX 160 /* bytes of why a check failed */

/* Invariant: began_ns is not 0 exactly while it is being asked; times are of one clock. */
struct laz_health_watch {
    const struct laz_health_check *check; /* borrowed */
    uint32_t rise;                        /* results in a row, before it counts as up */
    uint32_t fall;
    bool is_up;
    bool has_ended; /* once at least */
    bool last_ok;
    uint32_t in_a_row; /* results like the last one */
    uint64_t next_ns;
    uint64_t began_ns;
    uint32_t last_ms;
    uint64_t n_ended;
    uint64_t n_failures;
    char why[LAZ_HEALTH_WHY_MAX + 1]; /* of the last failure */
};

/* Live is up until it has failed; the others are down until they have passed. */
void laz_health_watch_init(struct laz_health_watch *watch, const struct laz_health_check *check,
        const struct laz_health_config *config);
/* May it be asked now? One that has to pass only once is never asked again. */
bool laz_health_watch_is_due(const struct laz_health_watch *watch, uint64_t now_ns);
/* When something has to be done about it at the latest; UINT64_MAX: never. */
uint64_t laz_health_watch_next(const struct laz_health_watch *watch);
void laz_health_watch_begin(struct laz_health_watch *watch, uint64_t now_ns);
bool laz_health_watch_is_overdue(const struct laz_health_watch *watch, uint64_t now_ns);
/* `why` is copied, without what cannot be printed; NULL: it passed. */
void laz_health_watch_end(struct laz_health_watch *watch, uint64_t now_ns, const char *why);

#endif
