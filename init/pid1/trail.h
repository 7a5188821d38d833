/* SPDX-License-Identifier: Apache-2.0
 *
 * Event records of PID 1: into the pipe of the helper that ships them or, where the policy has no
 * sinks, into the stream that --events names. Never blocks: a stream that cannot take a whole
 * record costs that record, and the next one that fits is preceded by a gap record with the count.
 * What a full disk has taken of one is a line of its own.
 */
#ifndef LAZ_INIT_PID1_TRAIL_H
#define LAZ_INIT_PID1_TRAIL_H

#include <sys/resource.h>

#include "core/record.h"
#include "init/pid1/workload.h"

struct laz_helper_end;
struct laz_message;
struct laz_secrets;
struct laz_watch;

struct laz_trail {
    int fd; /* owned; -1 = no stream */
    uint64_t seq;
    uint64_t lost; /* since the last record that was written */
    uint64_t lost_ever;
    const char *ctr;  /* the policy's name; borrowed */
    bool has_entered; /* by --enter */
    pid_t main_pid;   /* for it `exe` is known */
    const char *main_exe;
    struct laz_json json; /* the record that is being written; there is never a second */
    struct laz_buf line;
    bool torn;                       /* the stream ends with a part of a line */
    char memory[1 + LAZ_RECORD_MAX]; /* a newline, if that has to be ended, and the record */
};

/* What happened to a signal. */
struct laz_signal_note {
    const char *ev;
    const char *act;
    int severity;
    int number;
    pid_t sender;
    uint32_t sender_uid;
};

/* A call that was refused. */
struct laz_refused {
    pid_t pid;
    uint32_t audit_arch;
    bool native; /* audit_arch is this machine's own */
    uint32_t nr;
    uint64_t args[6];
    uint64_t ip;
    int errno_value; /* 0: let through (observe) */
    uint64_t count;  /* 1, or how many since the last record about this number */
};

/* How the workload ended. */
struct laz_exit_note {
    int status; /* as wait(2) */
    struct rusage usage;
    bool forced;
    bool as_asked; /* it has no handler for the stop signal and died of it: an ordinary stop */
    uint64_t ran_ms;
    int64_t oom_kills; /* -1: not known */
};

/* Of the whole run. */
struct laz_totals {
    uint64_t denied;
    uint64_t held;
    uint64_t reaped;
};

/* Open the stream that --events names: a descriptor number (a close-on-exec duplicate is taken), a
 * path (appended to, created 0600, links refused), or NULL for stderr. LAZ_E_USAGE if it cannot be
 * used. *ret_shared: the workload will hold the same stream. */
LAZ_MUST_CHECK int laz_trail_open(
        const char *where, struct laz_trail *ret, bool *ret_shared, struct laz_err *err);

/* A pipe, opened anew, for a description of its own on which a write never waits. Close-on-exec;
 * -1: it is no pipe, nobody reads it, or /proc or its owner do not let us. */
int laz_trail_own_pipe(int fd);

/* Each writes one record. */
void laz_trail_start(struct laz_trail *trail, const struct laz_image *image,
        const struct laz_workload *workload, laz_degraded degraded,
        const uint8_t filter_digest[LAZ_SHA256_SIZE], uint8_t fips);
void laz_trail_refusal(struct laz_trail *trail, const struct laz_err *err, int exit_code);
void laz_trail_signal(struct laz_trail *trail, const struct laz_signal_note *note);
void laz_trail_denied(struct laz_trail *trail, const struct laz_refused *refused);
void laz_trail_exec_budget(struct laz_trail *trail, const struct laz_refused *refused,
        uint64_t attempts, int32_t budget);
void laz_trail_exit(struct laz_trail *trail, const struct laz_exit_note *note);

/* One of our own processes has ended. */
void laz_trail_helper(struct laz_trail *trail, const struct laz_helper_end *end);

/* One for each item: what came of it, and never the value. */
void laz_trail_fetched(struct laz_trail *trail, const struct laz_secrets *secrets);
/* One for each place that it has gone to. */
void laz_trail_delivered(struct laz_trail *trail, const struct laz_secrets *secrets);

/* What came of asking for an item again: `failed`, for this reason, or `unchanged`, after it had
 * failed. */
void laz_trail_refetched(
        struct laz_trail *trail, const struct laz_secrets *secrets, uint32_t item, const char *why);
/* It is another one, or, if `is_back`, the one before that again; or, with a reason, it still is
 * what it was. */
void laz_trail_rotated(struct laz_trail *trail, const struct laz_secrets *secrets, uint32_t item,
        bool is_back, const char *why);
/* A generation of before is still there. */
void laz_trail_not_retired(struct laz_trail *trail, const struct laz_secrets *secrets);
/* It has become too old, or is not valid any more. */
void laz_trail_aged(struct laz_trail *trail, const struct laz_secrets *secrets, uint32_t item,
        bool is_expired, uint64_t seconds);
void laz_trail_ready(struct laz_trail *trail, bool is_ready, const char *reason, const char *item);
/* Of what has changed, the workload was told by this signal; or why not. */
void laz_trail_told_of_change(
        struct laz_trail *trail, int signal_number, uint32_t generation, const char *act);
/* What the role `tunnel` has to say; nothing of it is believed to be more than words. */
void laz_trail_tunnel(struct laz_trail *trail, const struct laz_message *said);

/* An identity is another one, or, with a reason, is not. */
void laz_trail_identity(struct laz_trail *trail, const char *identity, const char *why);
/* What the role `health` says of the whole. */
void laz_trail_health(struct laz_trail *trail, const struct laz_watch *watch);
/* What ended the time that is the load balancer's, and how long that was. */
void laz_trail_drain_end(struct laz_trail *trail, const char *evidence, uint64_t ms);

void laz_trail_stop(
        struct laz_trail *trail, int exit_code, const char *cause, const struct laz_totals *totals);

#endif
