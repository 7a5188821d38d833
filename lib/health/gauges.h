/* SPDX-License-Identifier: Apache-2.0
 *
 * How the sinks, the spool and the task are, as `ship` says it: JSON that init passes on unread.
 * Pure.
 */
#ifndef LAZ_HEALTH_GAUGES_H
#define LAZ_HEALTH_GAUGES_H

#include "ipc/msg.h"
#include "policy/health.h"

struct laz_health_sink {
    char name[LAZ_HEALTH_NAME_MAX + 1];
    bool is_required;
    bool is_up;
    uint64_t behind_bytes;
    uint64_t dropped;
    bool has_ack;
    uint64_t ack_age_s;
};

struct laz_health_gauges {
    bool is_known;
    bool has_spool;
    uint64_t spool_used; /* bytes */
    uint64_t spool_limit;
    bool spool_is_full;
    uint32_t n_sinks;
    struct laz_health_sink sinks[LAZ_HEALTH_SINKS_MAX];
    size_t ecs_length;        /* 0: nothing is known of a task */
    char ecs[LAZ_GAUGES_MAX]; /* an object, as it came */
};

/* LAZ_E_INTERNAL with what is wrong; *ret is as it was then. */
LAZ_MUST_CHECK int laz_health_gauges_read(
        const char *text, size_t length, struct laz_health_gauges *ret, struct laz_err *err);

/* A member of what is known of the task that is a string; "" where there is none. */
void laz_health_gauges_task(
        const struct laz_health_gauges *gauges, const char *key, char *ret, size_t size);

#endif
