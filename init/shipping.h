/* SPDX-License-Identifier: Apache-2.0
 *
 * PID 1's side of the helper `ship`: the pipes and what it holds for it, starting it again after a
 * crash, and what they say to each other. Never in the data path: PID 1 makes descriptors and
 * passes them on. libc only.
 */
#ifndef LAZ_INIT_SHIPPING_H
#define LAZ_INIT_SHIPPING_H

#include <sys/types.h>

#include "ipc/chan.h"
#include "policy/image.h"

#define LAZ_SHIP_RETRY_MIN_MS 100
#define LAZ_SHIP_RETRY_MAX_MS 10000
#define LAZ_SHIP_START_TRIES  3 /* before it has ever been ready */
/* After that, what nobody records for so long is not allowed to go on. */
#define LAZ_SHIP_ABSENT_MAX_MS 60000

/* Owned descriptors are -1 when closed. */
struct laz_shipping {
    const struct laz_image *image; /* NULL: the policy has no sinks, and all of this is idle */
    pid_t launcher;
    int launcher_chan;
    pid_t pid; /* 0: does not run */
    int chan;
    bool is_starting; /* asked for, and its pid not known yet */
    bool is_ready;
    bool was_ever_ready;
    bool is_acked;
    bool is_flushed;
    bool is_lost;       /* cannot be started any more: err says why */
    unsigned failures;  /* in a row */
    uint64_t due_ns;    /* of the next start; 0 = none is due */
    uint64_t absent_ns; /* since when none has been ready; 0 = one is */
    bool captures;
    int state;
    int pipes[LAZ_STREAM_COUNT][2];
    int rings[LAZ_STREAM_COUNT];
    int outputs[LAZ_STREAM_COUNT]; /* the container's own */
    uint32_t pipe_bytes;           /* what the kernel granted to stdout's, or the events' */
    bool is_finishing;
    int exit_code;
    uint64_t finish_ns;   /* CLOCK_BOOTTIME: until then */
    uint32_t undelivered; /* sinks that have not got everything */
    struct laz_err err;   /* what it said when it ended, or what is wrong with it */
};

void laz_shipping_init(struct laz_shipping *shipping);

/* Make pipes, rings and state, fork `launch`, ask for `ship`. Standard output and error of this
 * process become the pipes, if they are captured: the workload inherits them. `image` is borrowed.
 * LAZ_E_SYSTEM. */
LAZ_MUST_CHECK int laz_shipping_begin(struct laz_shipping *shipping, const struct laz_image *image,
        char **argv, struct laz_err *err);

/* The write end of the events' pipe, for the trail. */
int laz_shipping_events(const struct laz_shipping *shipping);

/* After the workload has its own descriptor table: leave its pipes to it. */
void laz_shipping_part(struct laz_shipping *shipping);

/* When the next turn is due at the latest; 0 = when something comes. */
uint64_t laz_shipping_due_ns(const struct laz_shipping *shipping);

/* Read what has come on both channels, and start what is due. */
void laz_shipping_turn(struct laz_shipping *shipping, uint64_t now_ns);

/* A child has ended: was it ours? */
bool laz_shipping_ended(struct laz_shipping *shipping, pid_t pid, int status, uint64_t now_ns);
/* Is this child a helper, or may it be one that has just been started? */
bool laz_shipping_owns(const struct laz_shipping *shipping, pid_t pid);

/* Drain, close the trail, deliver; is_flushed follows, or the caller's patience ends. */
void laz_shipping_finish(struct laz_shipping *shipping, int exit_code, uint64_t now_ns);

#endif
