/* SPDX-License-Identifier: Apache-2.0
 *
 * The evidence of a drain.
 */
#include "health/drain.h"

#include <stdio.h>
#include <string.h>

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

/* Whose last question is older than that has gone. lb-grace is meant to cover more than one
 * interval of the balancer's, so that a slow one is not taken for gone between two questions. */
static bool is_current(const struct laz_health_config *config, uint64_t seen_ns, uint64_t now_ns)
{
    uint64_t keep_ns = config->lb_max_ms * NS_PER_MS;
    if (keep_ns < LAZ_HEALTH_BALANCER_S * NS_PER_S) {
        keep_ns = LAZ_HEALTH_BALANCER_S * NS_PER_S;
    }
    return now_ns - seen_ns <= keep_ns;
}

/* Where this one is, or may be put; NULL: all are others who count. */
static struct laz_health_balancer *place_of(struct laz_health_drain *drain,
        const struct laz_health_config *config, const uint8_t address[16], uint64_t now_ns)
{
    struct laz_health_balancer *oldest = NULL;
    for (uint32_t i = 0; i < drain->n_balancers; i++) {
        struct laz_health_balancer *one = &drain->balancers[i];
        if (memcmp(one->address, address, sizeof(one->address)) == 0) {
            return one;
        }
        if (oldest == NULL || one->seen_ns < oldest->seen_ns) {
            oldest = one;
        }
    }
    if (drain->n_balancers < LAZ_HEALTH_BALANCERS_MAX) {
        oldest = &drain->balancers[drain->n_balancers++];
    } else if (is_current(config, oldest->seen_ns, now_ns)) {
        drain->crowded_ns = now_ns;
        if (drain->has_begun) {
            return NULL;
        }
    }
    *oldest = (struct laz_health_balancer){0};
    (void)memcpy(oldest->address, address, sizeof(oldest->address));
    return oldest;
}

void laz_health_drain_see(struct laz_health_drain *drain, const struct laz_health_config *config,
        const uint8_t address[16], uint64_t now_ns, bool was_refused)
{
    struct laz_health_balancer *balancer = place_of(drain, config, address, now_ns);
    if (balancer == NULL) {
        return;
    }
    balancer->seen_ns = now_ns;
    if (drain->has_begun && was_refused && balancer->refused < UINT32_MAX) {
        balancer->refused++;
    }
}

void laz_health_drain_begin(struct laz_health_drain *drain, uint64_t now_ns)
{
    drain->has_begun = true;
    drain->began_ns = now_ns;
    drain->changed_ns = now_ns;
    drain->has_opens = false;
    for (uint32_t i = 0; i < drain->n_balancers; i++) {
        drain->balancers[i].refused = 0;
    }
}

/* How many there are who count. False: one of them has not been refused often enough, and may send
 * requests yet, though none comes just now. */
static bool are_refused(const struct laz_health_drain *drain,
        const struct laz_health_config *config, uint64_t now_ns, uint32_t *ret)
{
    uint32_t n = 0;
    if (drain->crowded_ns != 0 && is_current(config, drain->crowded_ns, now_ns)) {
        return false;
    }
    for (uint32_t i = 0; i < drain->n_balancers; i++) {
        const struct laz_health_balancer *one = &drain->balancers[i];
        if (!is_current(config, one->seen_ns, now_ns)) {
            continue;
        }
        if (one->refused < config->lb_threshold) {
            return false;
        }
        n++;
    }
    *ret = n;
    return true;
}

/* The kernel counts each of ours before we do, and perhaps one look earlier: then it was a stranger
 * at that look, and explains nobody who comes now. One that the kernel does not count yet, because
 * the server's queue is full, is a connection that arrives as long as it waits, and a stranger
 * afterwards. So ours never stand for somebody else. */
static void note_opens(
        struct laz_health_drain *drain, const struct laz_health_sample *sample, uint64_t now_ns)
{
    uint64_t came = sample->opens + sample->ours - drain->opens - drain->ours;
    uint64_t ours = sample->ours - drain->ours;
    uint64_t late = ours < drain->strangers ? ours : drain->strangers;
    if (!drain->has_opens || came > ours - late) {
        drain->changed_ns = now_ns;
    }
    drain->strangers = drain->has_opens && came > ours ? came - ours : 0;
    drain->has_opens = true;
    drain->opens = sample->opens;
    drain->ours = sample->ours;
}

bool laz_health_drain_look(struct laz_health_drain *drain, const struct laz_health_config *config,
        const struct laz_health_sample *sample, uint64_t now_ns, char ret[LAZ_HEALTH_EVIDENCE_MAX])
{
    if (!drain->has_begun || drain->is_over) {
        return false;
    }
    drain->is_blind = !sample->is_known;
    if (!sample->is_known) {
        drain->has_opens = false;
        return false;
    }
    note_opens(drain, sample, now_ns);
    drain->has_udp = sample->has_udp;
    drain->is_young = drain->watched_ns != 0 && is_current(config, drain->watched_ns + 1, now_ns);
    uint64_t quiet_ms = (now_ns - drain->changed_ns) / NS_PER_MS;
    if (sample->established != 0 || sample->has_udp || drain->is_young ||
            (now_ns - drain->began_ns) / NS_PER_MS < config->lb_least_ms) {
        return false;
    }
    uint32_t n = 0;
    if (!are_refused(drain, config, now_ns, &n)) {
        return false;
    }
    if (quiet_ms >= config->lb_quiet_ms) {
        (void)snprintf(ret, LAZ_HEALTH_EVIDENCE_MAX,
                "no connection is open, and none came for %llu ms", (unsigned long long)quiet_ms);
    } else if (n > 0) {
        (void)snprintf(ret, LAZ_HEALTH_EVIDENCE_MAX,
                "no connection is open, and %u balancer%s had %u refusals each", n,
                n == 1 ? " has" : "s have", config->lb_threshold);
    } else {
        return false;
    }
    drain->is_over = true;
    return true;
}
