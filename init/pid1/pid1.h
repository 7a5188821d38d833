/* SPDX-License-Identifier: Apache-2.0
 *
 * The driver of PID 1: system calls around the pure step function. Blocks nowhere but in ppoll,
 * allocates nothing after start-up, and ends only through LAZ_DO_EXIT.
 */
#ifndef LAZ_INIT_PID1_PID1_H
#define LAZ_INIT_PID1_PID1_H

#include <linux/audit.h>

#include "init/pid1/control.h"
#include "init/pid1/helpers.h"
#include "init/pid1/listener.h"
#include "init/pid1/options.h"
#include "init/pid1/readiness.h"
#include "init/pid1/step.h"
#include "init/pid1/trail.h"
#include "init/pid1/workload.h"

#if defined(__x86_64__)
#define LAZ_NATIVE_AUDIT_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define LAZ_NATIVE_AUDIT_ARCH AUDIT_ARCH_AARCH64
#endif

#define LAZ_START_TIMEOUT_MS  10000 /* from the first instruction to the open gate */
#define LAZ_MEMORY_EVENTS_MAX 512   /* memory.events of a cgroup has six short lines */
#define LAZ_ASKED_MAX         256   /* strays that are asked to leave and have not, at once */
#define LAZ_REAP_TURN_MAX     64    /* zombies collected between two looks at the signals */

/* What follows from secrets that change or grow old. */
struct laz_renewal {
    struct laz_readiness readiness;
    bool is_stopped;                  /* the run ends: nobody is asked any more */
    bool has_yielded;                 /* fetch was ended for the sake of others */
    uint64_t signals;                 /* LAZ_SIGNAL_BIT: still to be sent */
    uint64_t deferred;                /* of those, what was said to be late */
    uint64_t signals_due_ns;          /* when to look again whether the workload handles them */
    uint64_t until_ns;                /* what somebody else is at has to be done by then */
    uint64_t look_ns;                 /* when to look at the wall clock next */
    uint8_t held[LAZ_SIGNAL_MAX + 1]; /* in how many looks in a row all threads held it back */
};

/* Small things first, of the large ones that follow the small things first, and last what most runs
 * never touch: memory that nobody touches is never there. */
struct laz_pid1 {
    struct laz_state state;
    struct laz_image image;
    bool has_image;
    uint8_t filter_digest[LAZ_SHA256_SIZE];
    struct laz_options options;
    char **argv;
    char **environment; /* until the fork */
    struct laz_renewal renewal;
    struct laz_control control;
    bool end_told; /* the record of the end is written */
    int said_fd;   /* where errors are said: standard error as it was */
    laz_degraded degraded;
    bool is_pid1;
    pid_t parent;    /* may stop us where we are not PID 1 */
    int terminal_fd; /* the terminal on stdin; -1 = none */
    int signal_fd;   /* -1: polled */
    int children_fd; /* /proc/self/task/PID/children; -1 = not to be had */
    int oom_fd;      /* memory.events; -1 = none */
    int64_t oom_kills_before;
    pid_t setup_pid;  /* 0: no setup child */
    int setup_fd;     /* the memfd that it fills */
    bool gate_open;   /* the child is what the policy says: it may go on */
    uint64_t gate_id; /* of the notification that holds it there */
    bool gate_waits;  /* for the sinks to have the record of the start */
    bool main_reaped;
    bool main_exited; /* seen, maybe not reaped */
    int main_status;
    uint64_t started_ns;
    uint64_t stop_ns;    /* of the first request; 0: none */
    uint64_t n_signals;  /* passed on */
    uint64_t n_restarts; /* of helpers */
    uint64_t start_deadline_ns;
    struct laz_totals totals;
    struct laz_err refusal; /* why nothing started */
    bool done;
    int exit_code;
    struct laz_workload workload;
    struct laz_trail trail;
    struct laz_helpers helpers;
    struct laz_listener listener;
    unsigned n_asked;
    pid_t asked[LAZ_ASKED_MAX]; /* strays that have had their SIGTERM, where that is one by one */
};

/* Signals are blocked already. Returns the exit code. */
int laz_pid1_run(struct laz_pid1 *pid1);

/* policy_file.c: read the policy (compiled), or start lazaret-setup on it (YAML). LAZ_E_POLICY_*.
 */
LAZ_MUST_CHECK int laz_pid1_open_policy(struct laz_pid1 *pid1, struct laz_err *err);
/* The setup child has ended with this wait status: take what it left. */
LAZ_MUST_CHECK int laz_pid1_take_setup(struct laz_pid1 *pid1, int status, struct laz_err *err);

/* processes.c: everything about children. */
void laz_pid1_ask_others(struct laz_pid1 *pid1); /* SIGTERM, and SIGCONT so that it is heard */
void laz_pid1_kill_others(struct laz_pid1 *pid1);
/* At most LAZ_REAP_TURN_MAX; true if there may be more. */
bool laz_pid1_reap(struct laz_pid1 *pid1, uint64_t now_ns);
void laz_pid1_reap_main(struct laz_pid1 *pid1); /* once */
/* Remember how often the cgroup has run out of memory so far. */
void laz_pid1_note_oom_kills(struct laz_pid1 *pid1);
uint64_t laz_pid1_now_ns(void); /* CLOCK_BOOTTIME */

/* enter.c: what --enter changes; nothing without it. LAZ_E_USAGE: it is no place for that. */
LAZ_MUST_CHECK int laz_pid1_may_enter(const struct laz_pid1 *pid1, struct laz_err *err);
void laz_pid1_enter(struct laz_pid1 *pid1); /* the policy is known */

/* start.c: from the policy to the open gate. */
void laz_pid1_start(struct laz_pid1 *pid1, uint64_t now_ns); /* probe, decide, helpers */
/* The helpers are there: the secrets next, and when they are there too, the workload. */
void laz_pid1_turn_secrets(struct laz_pid1 *pid1, uint64_t now_ns);
/* Everything is there that it needs: fork. */
void laz_pid1_start_workload(struct laz_pid1 *pid1, uint64_t now_ns);
/* pid1->refusal is set: nothing will start. */
void laz_pid1_refuse(struct laz_pid1 *pid1, uint64_t now_ns);
/* The child confines itself: has it come to the gate? */
void laz_pid1_turn_start(struct laz_pid1 *pid1, uint64_t now_ns);
void laz_pid1_turn_gate(struct laz_pid1 *pid1, uint64_t now_ns); /* its notification is there */
void laz_pid1_open_gate(struct laz_pid1 *pid1, uint64_t now_ns);
bool laz_pid1_may_spin(const struct laz_pid1 *pid1, uint64_t now_ns);
void laz_pid1_check_start_time(struct laz_pid1 *pid1, uint64_t now_ns);
/* The list of our children, where kill(-1) is not for us. */
void laz_pid1_open_children(struct laz_pid1 *pid1);

/* pid1.c, for the other files: run one event through the step function and carry out its actions.
 */
void laz_pid1_event(struct laz_pid1 *pid1, const struct laz_event *event, uint64_t now_ns);
void laz_pid1_take_signals(struct laz_pid1 *pid1, uint64_t now_ns);
/* If the terminal is ours, it becomes the group's. */
void laz_pid1_hand_terminal(struct laz_pid1 *pid1, pid_t group);

/* renewal.c: what is asked for again once the workload runs, and what comes of it. */
void laz_pid1_begin_renewal(struct laz_pid1 *pid1, uint64_t now_ns); /* all is there */
void laz_pid1_turn_renewal(struct laz_pid1 *pid1, uint64_t now_ns);
uint64_t laz_pid1_renewal_due_ns(const struct laz_pid1 *pid1, uint64_t now_ns); /* 0: never */

/* renewal_ages.c: what is stale or has expired, and what that means for readiness. */
uint64_t laz_pid1_wall_s(void); /* CLOCK_REALTIME */
void laz_pid1_turn_ages(struct laz_pid1 *pid1, uint64_t now_ns);
void laz_pid1_set_unready(
        struct laz_pid1 *pid1, enum laz_unready reason, uint32_t item, bool holds);

/* renewal_signals.c: the workload is told, as soon as it takes the signals for it. */
void laz_pid1_turn_signals(struct laz_pid1 *pid1, uint64_t now_ns);

/* watching.c: what health is told, and what comes of what it says. */
void laz_pid1_tell_health(struct laz_pid1 *pid1);
void laz_pid1_turn_health(struct laz_pid1 *pid1, uint64_t now_ns);
uint64_t laz_pid1_health_due_ns(const struct laz_pid1 *pid1); /* 0: when something comes */
/* The time for the load balancer has ended with this event. */
void laz_pid1_drain_ended(struct laz_pid1 *pid1, enum laz_event_type why, uint64_t now_ns);

/* narrow.c: PID 1's own capabilities and filter, once nothing is left to start. */
void laz_pid1_narrow(struct laz_pid1 *pid1);

#endif
