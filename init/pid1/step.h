/* SPDX-License-Identifier: Apache-2.0
 *
 * What PID 1 does about an event, as a pure function: no system call, no clock, no memory but its
 * arguments. The driver (pid1.c) turns the world into events and actions into system calls, so that
 * every state and event can be enumerated by a test.
 */
#ifndef LAZ_INIT_PID1_STEP_H
#define LAZ_INIT_PID1_STEP_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/status.h"
#include "policy/image.h"

#define LAZ_HELD_MAX      64 /* signals held until the workload has passed the gate */
#define LAZ_STOPS_TO_KILL 3  /* so many stop signals within the grace mean "now" */
#define LAZ_ACTIONS_MAX   72 /* all held signals and what goes with them */
#define LAZ_KILL_WAIT_MS                                                                           \
    2000 /* after SIGKILL: a process in uninterruptible sleep does not hold us for ever */
#define LAZ_STRAY_WAIT_MS 1000
#define LAZ_WIPE_WAIT_MS  1000 /* for what is in memory */

/* A signal as it came in, kept whole so that it can be passed on whole. */
struct laz_signal {
    int number;
    int code;        /* si_code */
    int32_t pid;     /* si_pid */
    uint32_t uid;    /* si_uid */
    int64_t value;   /* si_value */
    bool is_trusted; /* may stop us: see pid1.c */
};

enum laz_event_type {
    LAZ_EVENT_SIGNAL,
    LAZ_EVENT_FORKED,        /* SETUP → STARTING */
    LAZ_EVENT_STARTED,       /* the child was let through the gate, into its execve */
    LAZ_EVENT_START_FAILED,  /* code: the exit code of the refusal */
    LAZ_EVENT_MAIN_EXITED,   /* status: as wait(2) */
    LAZ_EVENT_EMPTY,         /* no child is left */
    LAZ_EVENT_TIMEOUT,       /* state.deadline_ns has passed */
    LAZ_EVENT_KILL_AFTER,    /* too many refused calls */
    LAZ_EVENT_FLUSHED,       /* the trail is closed and delivered, the secrets are removed */
    LAZ_EVENT_AUDIT_LOST,    /* the trail cannot be kept any more */
    LAZ_EVENT_SENSE_LOST,    /* nobody watches any more, and the policy wants somebody to */
    LAZ_EVENT_SECRET_STALE,  /* a secret is too old, and the policy wants no such run */
    LAZ_EVENT_DRAINED,       /* nobody comes any more */
    LAZ_EVENT_START_OVERDUE, /* the workload did not start up in time */
    LAZ_EVENT_COUNT
};

struct laz_event {
    enum laz_event_type type;
    struct laz_signal signal;
    int code;
    int status;
};

enum laz_action_type {
    LAZ_DO_DELIVER,     /* signal, to the group if `group`, only if handled if `guard` */
    LAZ_DO_ABORT_START, /* kill lazaret-setup or the waiting child */
    LAZ_DO_KILL_MAIN,   /* SIGKILL to the workload and its group */
    LAZ_DO_TERM_OTHERS, /* SIGTERM and SIGCONT to every other process that is ours */
    LAZ_DO_KILL_OTHERS,
    LAZ_DO_REAP_MAIN,
    LAZ_DO_RELEASE, /* answer every held notification: a held thread cannot handle a stop signal */
    LAZ_DO_NOTE,    /* an event record: `note` about `signal` */
    LAZ_DO_FLUSH,   /* say how it ended, have the trail closed and the secrets removed; code */
    LAZ_DO_EXIT,    /* code */
};

enum laz_note {
    LAZ_NOTE_STOP_REQUESTED,
    LAZ_NOTE_STOP_REFUSED, /* a stop signal from somebody who may not stop us */
    LAZ_NOTE_DROPPED,      /* mapped to nothing, or the workload is gone */
    LAZ_NOTE_HELD_OVERFLOW,
    LAZ_NOTE_FORCED, /* SIGKILL after the grace, or at the third request */
};

struct laz_do {
    enum laz_action_type type;
    struct laz_signal signal; /* number is the mapped one */
    bool group;
    bool guard;
    enum laz_note note;
    int code;
};

struct laz_actions {
    unsigned n;
    struct laz_do items[LAZ_ACTIONS_MAX];
};

/* Invariants: phase only grows, but for LB_GRACE and STOPPING being skipped; exit_code is final
 * once phase is DRAINING; n_held is 0 from RUNNING on. */
struct laz_state {
    enum laz_phase phase;
    bool ships; /* a helper keeps the trail: set by the driver once, and nothing ends without it */
    bool wipes; /* secrets lie in files, which are removed at the end: likewise */
    uint64_t deadline_ns; /* CLOCK_BOOTTIME; 0 = none */
    bool stop_requested;
    bool forced;
    unsigned n_stops;
    struct laz_signal stop; /* the first stop request */
    unsigned n_held;
    struct laz_signal held[LAZ_HELD_MAX];
    int exit_code;
    int forced_code; /* if not 0, wins over the workload's */
};

/* One transition. `image` may be NULL only in SETUP (no policy yet: TERM and INT stop, nothing is
 * mapped). */
void laz_step(struct laz_state *state, const struct laz_image *image, const struct laz_event *event,
        uint64_t now_ns, struct laz_actions *ret);

/* The exit code of a wait status: the code itself, or 128 + signal. */
int laz_step_code_of_status(int status);

#endif
