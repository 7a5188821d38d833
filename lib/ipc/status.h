/* SPDX-License-Identifier: Apache-2.0
 *
 * How the run is, as PID 1 knows it and `health` is told. Numbers only: no name, no value. libc
 * only: linked into PID 1.
 */
#ifndef LAZ_IPC_STATUS_H
#define LAZ_IPC_STATUS_H

#include "ipc/control.h"

#define LAZ_STATUS_ITEMS_MAX 32
#define LAZ_STATUS_MAX       512 /* bytes of the message */

/* Of PID 1. */
enum laz_phase {
    LAZ_PHASE_SETUP,    /* lazaret-setup is working */
    LAZ_PHASE_STARTING, /* the workload is forked and has not passed the gate */
    LAZ_PHASE_RUNNING,
    LAZ_PHASE_LB_GRACE, /* stop requested; the load balancer looks away first */
    LAZ_PHASE_STOPPING, /* the stop signal was forwarded; the grace runs */
    LAZ_PHASE_KILLING,  /* SIGKILL was sent to the workload */
    LAZ_PHASE_DRAINING, /* the workload is gone; strays had their SIGTERM */
    LAZ_PHASE_DRAIN_KILLED,
    LAZ_PHASE_FLUSHING, /* everybody is gone but our helpers, which close and deliver the trail, and
                         * remove the secrets */
    LAZ_PHASE_DONE,
    LAZ_PHASE_COUNT
};

/* What the policy's checks of the workload say together: `health` says it in VERDICT. */
enum laz_checks {
    LAZ_CHECKS_UNKNOWN, /* there is none, or some have not said enough */
    LAZ_CHECKS_PASS,    /* each of them */
    LAZ_CHECKS_FAIL,    /* one at least, as often in a row as it takes */
    LAZ_CHECKS_COUNT
};

/* A fetched item, by its number in the policy. */
struct laz_status_item {
    enum laz_control_state state;
    uint64_t expires; /* Unix time; 0: it does not */
};

struct laz_status {
    enum laz_phase phase;
    int32_t exit_code;   /* from LAZ_PHASE_DRAINING on, and where the start was refused */
    int32_t forced_code; /* what policy ends it with; 0: nothing */
    int32_t stop_signal; /* of the first request; 0: there was none */
    uint64_t stop_ns;    /* CLOCK_BOOTTIME of it; 0: there was none */
    uint64_t started_ns; /* CLOCK_BOOTTIME: it passed the gate; 0: it has not */
    int32_t pid;         /* of the workload; 0: there is none */
    uint64_t denied;     /* refused calls */
    uint64_t held;       /* of those, slowed down */
    uint64_t reaped;     /* children, not the workload itself */
    uint64_t signals;    /* passed on */
    uint64_t restarts;   /* of helpers */
    uint64_t degraded;   /* laz_degraded */
    uint8_t mode;        /* enum laz_mode */
    bool has_started;    /* some `health` of this run has said that start-up is over */
    uint32_t n_items;
    struct laz_status_item items[LAZ_STATUS_ITEMS_MAX];
};

/* The fields of STATUS, behind laz_message_begin. */
void laz_status_put(struct laz_buf *buf, const struct laz_status *status);
/* False: they are none. */
LAZ_MUST_CHECK bool laz_status_take(const struct laz_message *message, struct laz_status *ret);

#endif
