/* SPDX-License-Identifier: Apache-2.0
 *
 * What PID 1 makes for its helpers and holds for them over their crashes: pipes, rings, state. It
 * passes descriptors on and never looks into them. libc only.
 */
#ifndef LAZ_INIT_PID1_SHIPPING_H
#define LAZ_INIT_PID1_SHIPPING_H

#include "init/pid1/secrets.h"
#include "ipc/chan.h"
#include "policy/image.h"

/* Owned descriptors are -1 when closed. */
struct laz_shipping {
    const struct laz_image *image; /* NULL: the policy has no sinks, and all of this is idle */
    bool captures;
    int state; /* ship's memory of itself */
    int sense_state;
    int pipes[LAZ_STREAM_COUNT][2];
    int rings[LAZ_STREAM_COUNT];
    int outputs[LAZ_STREAM_COUNT]; /* the container's own */
    uint32_t pipe_bytes;           /* what the kernel granted to stdout's, or the events' */
    /* For every later ship: the environment itself is wiped. "": not set. */
    char variables[LAZ_VARIABLE_COUNT][LAZ_VARIABLE_MAX + 1];
};

/* Of zeroed memory; most of it is not touched, and takes no page, where there are no sinks. */
void laz_shipping_init(struct laz_shipping *shipping);

/* Make pipes, rings and states. Standard output and error of this process become the pipes, if they
 * are captured: the workload inherits them. `image` is borrowed. LAZ_E_SYSTEM. */
LAZ_MUST_CHECK int laz_shipping_begin(
        struct laz_shipping *shipping, const struct laz_image *image, struct laz_err *err);

/* Copy those of the fixed list. One that is too long is a line feed, which no reader of it takes.
 */
void laz_shipping_keep_variables(struct laz_shipping *shipping, char *const *environment);

/* Nobody needs them any more. */
void laz_shipping_forget_variables(struct laz_shipping *shipping);

/* The write end of the events' pipe, for the trail. */
int laz_shipping_events(const struct laz_shipping *shipping);

/* After the workload has its own descriptor table: leave its pipes to it. */
void laz_shipping_part(struct laz_shipping *shipping);

/* Everything that a new helper needs, in one go; `secrets` is NULL, or what the logs must not show,
 * in so many messages. False: it has gone, or does not read. */
LAZ_MUST_CHECK bool laz_shipping_tell_ship(const struct laz_shipping *shipping,
        const struct laz_secrets *secrets, int chan, unsigned *ret_masks);
LAZ_MUST_CHECK bool laz_shipping_tell_sense(const struct laz_shipping *shipping, int chan);
/* What it is to fetch, and how long that may take. */
LAZ_MUST_CHECK bool laz_shipping_tell_fetch(const struct laz_shipping *shipping,
        const struct laz_secrets *secrets, uint32_t wait_ms, int chan);
/* What the logs must not show, for a ship that works already: all of it, in so many messages; and
 * the newest of one item. */
LAZ_MUST_CHECK bool laz_shipping_tell_masks(
        const struct laz_secrets *secrets, int chan, unsigned *ret_masks);
LAZ_MUST_CHECK bool laz_shipping_tell_hide(int chan, uint32_t item, int masks);
/* Drain, close the trail, deliver, until then (CLOCK_BOOTTIME). */
LAZ_MUST_CHECK bool laz_shipping_tell_finish(int chan, int exit_code, uint64_t until_ns);

#endif
