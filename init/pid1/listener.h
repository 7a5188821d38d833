/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers refused system calls. Two ioctls a call; no argument is ever followed into the workload's
 * memory; the answer is the errno of the plain filter, never CONTINUE, but for the exec budget and
 * mode observe. Floods are held: a caller over its budget waits for its refusal.
 */
#ifndef LAZ_INIT_PID1_LISTENER_H
#define LAZ_INIT_PID1_LISTENER_H

#include <linux/seccomp.h>

#include "init/pid1/trail.h"

/* Held answers; beyond that, answers go out at once and are only counted. */
#define LAZ_LISTENER_HELD_MAX 256
/* Native numbers below this have a budget each, all others one together. */
#define LAZ_LISTENER_NUMBERS  512
#define LAZ_LISTENER_TURN_MAX 64 /* calls answered between two looks at the signals */

/* Milli-tokens: rates below one a second stay exact. */
struct laz_bucket {
    uint64_t milli_tokens;
    uint64_t filled_ns;
    uint64_t suppressed; /* refused calls without a record of their own since the last summary */
    bool used;
};

struct laz_held_answer {
    uint64_t id;
    uint64_t due_ns;
    int errno_value;
};

struct laz_listener {
    int fd;        /* borrowed from struct laz_workload */
    bool may_hold; /* off from the first stop signal on */
    uint64_t exec_attempts;
    uint64_t denied;
    uint64_t held_ever;
    uint64_t window_start_ns; /* for kill-after: the running minute */
    uint64_t window_denied;
    uint64_t summary_ns; /* when the next summary is due; 0 = nothing is suppressed */
    unsigned held_first;
    unsigned n_held;
    struct laz_held_answer held[LAZ_LISTENER_HELD_MAX]; /* a ring, in order of due_ns */
    struct laz_bucket all;
    struct laz_bucket numbers[LAZ_LISTENER_NUMBERS + 1];
    struct laz_refused last[LAZ_LISTENER_NUMBERS + 1]; /* for the summary */
};

void laz_listener_init(struct laz_listener *listener, int fd);

/* Take one notification. 1 taken, 0 none is waiting (or its caller is gone), -1 the filter has no
 * user any more, or the descriptor is broken. */
int laz_listener_receive(struct laz_listener *listener, struct seccomp_notif *ret);

/* Let the call run that hangs in the gate. LAZ_E_ENFORCE; a caller that has died is none. */
LAZ_MUST_CHECK int laz_listener_let_through(
        struct laz_listener *listener, uint64_t id, struct laz_err *err);

/* Answer what is waiting, at most LAZ_LISTENER_TURN_MAX calls. Returns as laz_listener_receive, for
 * the last one; *ret_too_many is set once flood.kill-after is passed. */
int laz_listener_turn(struct laz_listener *listener, const struct laz_image *image,
        struct laz_trail *trail, uint64_t now_ns, bool *ret_too_many);

/* The next time at which laz_listener_expire has something to do; 0 = never. */
uint64_t laz_listener_due_ns(const struct laz_listener *listener);

/* Answer what has been held long enough and write due summaries. */
void laz_listener_expire(struct laz_listener *listener, struct laz_trail *trail, uint64_t now_ns);

/* Answer everything that is held and hold nothing from now on. */
void laz_listener_release(struct laz_listener *listener);

/* Write the summaries that are left. */
void laz_listener_finish(struct laz_listener *listener, struct laz_trail *trail);

#endif
