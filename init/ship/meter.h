/* SPDX-License-Identifier: Apache-2.0
 *
 * What `ship` counts of itself, and who is told every so often: sinks of type emf, which get no
 * records and acknowledge nothing.
 */
#ifndef LAZ_INIT_SHIP_METER_H
#define LAZ_INIT_SHIP_METER_H

#include <event2/event.h>

#include "audit/spool.h"
#include "init/ship/vitals.h"
#include "log/lines.h"
#include "sink/sink.h"

/* Events by the first part of their names. X(ENUM, "first part", "metric") */
#define LAZ_SHIP_EVENT_KINDS(X)                                                                    \
    X(SECCOMP, "seccomp.", "RefusedCalls")                                                         \
    X(EXEC, "exec.", "ExecEvents")                                                                 \
    X(NET, "net.", "NetworkEvents")                                                                \
    X(FIM, "fim.", "FileEvents")                                                                   \
    X(CRED, "cred.", "CredentialEvents")                                                           \
    X(PROC, "proc.", "ProcessEvents")

enum laz_ship_event_kind {
#define X(id, prefix, metric) LAZ_SHIP_EVENT_##id,
    LAZ_SHIP_EVENT_KINDS(X)
#undef X
    LAZ_SHIP_EVENT_KIND_COUNT
};

/* Since this process began. A helper that is killed takes what it had not told along. */
struct laz_ship_counts {
    uint64_t records;
    uint64_t workload_bytes;
    uint64_t dropped_lines;
    uint64_t dropped_bytes;
    uint64_t redactions;
    uint64_t violations; /* refused calls, and programs beyond the budget */
    uint64_t events[LAZ_SHIP_EVENT_KIND_COUNT];
    uint64_t arrived[LAZ_SHIP_SINKS_MAX]; /* by feed */
    uint64_t rejected[LAZ_SHIP_SINKS_MAX];
};

struct laz_feed;
struct laz_ship;

/* What was in the spool, and when. */
struct laz_ship_mark {
    struct laz_spool_at at;
    uint64_t since_ns; /* 0: never */
};

struct laz_ship_meter {
    struct laz_ship *ship;
    const struct laz_ship_sink *config;
    struct laz_ship_sink as; /* the sink that carries the lines */
    struct laz_sink *sink;
    struct laz_tls_files tls;
    struct event *timer;
    struct laz_ship_counts told;
    struct laz_ship_vitals vitals;
    struct laz_ship_mark marks[LAZ_SHIP_SINKS_MAX]; /* by feed */
    uint64_t ticket;
    uint64_t arrived;
    uint64_t lost; /* lines that the sink had no room for, or that a break took */
    bool wants;
    bool is_down;
    bool is_done; /* its last lines are told */
};

/* Bytes of the spool that a sink has not had; segments in between count whole. */
uint64_t laz_ship_backlog(const struct laz_ship *ship, const struct laz_feed *feed);

void laz_ship_count_line(struct laz_ship *ship, const struct laz_line *line);
void laz_ship_count_event(struct laz_ship *ship, const char *line, size_t length);

/* Open what only root may; then, narrowed, the sink. */
LAZ_MUST_CHECK int laz_ship_meter_files(
        struct laz_ship *ship, const struct laz_ship_sink *config, struct laz_err *err);
LAZ_MUST_CHECK int laz_ship_meters_open(struct laz_ship *ship, struct laz_err *err);
/* Once more, at the end: each as soon as it takes something. True: all have it,
 * or are down. */
LAZ_MUST_CHECK bool laz_ship_meters_finish(struct laz_ship *ship);

#endif
