/* SPDX-License-Identifier: Apache-2.0
 *
 * Does anybody still come? What ends the balancer's grace before its time, and the words for it.
 * Evidence alone does: what cannot be read shows nothing. Pure.
 */
#ifndef LAZ_HEALTH_DRAIN_H
#define LAZ_HEALTH_DRAIN_H

#include "policy/health.h"

#define LAZ_HEALTH_BALANCERS_MAX 64
#define LAZ_HEALTH_BALANCER_S                                                                      \
    60 /* one that has not asked for so long, and for lb-grace, has gone */
#define LAZ_HEALTH_EVIDENCE_MAX 160

/* What the network namespace shows at one time. */
struct laz_health_sample {
    bool is_known;
    uint64_t established; /* clients of the workload */
    bool has_udp;         /* a UDP port is open to others: who comes there nobody counts */
    uint64_t opens;       /* connections ever accepted, without our own */
    uint64_t ours;        /* our own: they are among those that the kernel counts */
};

/* Somebody who asks for readiness as a load balancer does. */
struct laz_health_balancer {
    uint8_t address[16];
    uint64_t seen_ns;
    uint32_t refused; /* since the drain began */
};

struct laz_health_drain {
    bool has_begun;
    bool is_over;
    uint64_t began_ns;
    uint64_t changed_ns; /* when a new connection was last seen */
    bool has_opens;
    uint64_t opens;
    uint64_t ours;
    uint64_t strangers;  /* who came between the last two looks, and was none of ours by then */
    bool is_blind;       /* /proc/net cannot be read */
    uint64_t watched_ns; /* since when one sees who asks; 0: since the start */
    bool is_young;       /* that is not long enough to have seen each balancer */
    bool has_udp;
    uint64_t crowded_ns; /* when one who counts had no place any more; 0: never */
    uint32_t n_balancers;
    struct laz_health_balancer balancers[LAZ_HEALTH_BALANCERS_MAX];
};

/* A balancer has asked, and was refused or not. Of too many, the one that asked longest ago is
 * forgotten, but while the grace runs nobody who still counts is. */
void laz_health_drain_see(struct laz_health_drain *drain, const struct laz_health_config *config,
        const uint8_t address[16], uint64_t now_ns, bool was_refused);
void laz_health_drain_begin(struct laz_health_drain *drain, uint64_t now_ns);
/* One look. True, once: nobody comes any more, and *ret says how one knows. */
LAZ_MUST_CHECK bool laz_health_drain_look(struct laz_health_drain *drain,
        const struct laz_health_config *config, const struct laz_health_sample *sample,
        uint64_t now_ns, char ret[LAZ_HEALTH_EVIDENCE_MAX]);

#endif
