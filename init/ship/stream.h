/* SPDX-License-Identifier: Apache-2.0
 *
 * A stream of the workload, or of init or sense: from its pipe, through its ring.
 */
#ifndef LAZ_INIT_SHIP_STREAM_H
#define LAZ_INIT_SHIP_STREAM_H

#include "init/ship/state.h"
#include "log/lines.h"
#include "sink/sink.h"

struct laz_ship;

/* Offsets count the stream's bytes from its beginning. Invariant: recorded <= framed <= taken,
 * passed <= taken, and taken - min(recorded, passed) fits the ring. */
struct laz_ship_stream {
    struct laz_ship *ship;
    enum laz_stream id;
    int pipe; /* -1: there is no such stream, or it has ended */
    int ring;
    const char *map; /* the ring twice, one behind the other: every window is in one piece */
    uint64_t taken;
    uint64_t framed;
    uint64_t recorded;
    struct laz_lines_place place; /* of the lines, at `recorded` */
    uint64_t passed;              /* = taken where nothing is passed through */
    uint64_t passing;             /* what has been offered */
    uint64_t passed_ns;           /* when it last moved */
    struct laz_sink *output;
    uint64_t out_ticket;
    bool out_full;
    struct laz_lines *lines;
    struct event *readable;
    struct event *nap;
    uint64_t last_ns; /* when something came */
    bool has_ended;
    enum laz_lines_until until; /* for what is not whole, in the turn under way */
};

LAZ_MUST_CHECK int laz_ship_stream_open(
        struct laz_ship *ship, enum laz_stream id, int output, struct laz_err *err);
/* Listen to it from now on. */
LAZ_MUST_CHECK int laz_ship_stream_begin(struct laz_ship_stream *stream, struct laz_err *err);
/* Everything that is there and fits. Returns how many bytes came. */
size_t laz_ship_stream_take(struct laz_ship_stream *stream);
/* Is there nothing more in its pipe? For when nobody writes any more. */
bool laz_ship_stream_is_dry(struct laz_ship_stream *stream);
/* At the end: what nobody reads is passed over, and counted; `is_late`: so is what is read slowly.
 */
void laz_ship_stream_settle(struct laz_ship_stream *stream, bool is_late);
/* What is taken and not framed yet. */
const char *laz_ship_stream_window(const struct laz_ship_stream *stream, size_t *ret_length);
/* `framed` went back to `recorded`: a line begins there. */
LAZ_MUST_CHECK int laz_ship_stream_rewound(struct laz_ship_stream *stream, struct laz_err *err);
/* Up to here it is in the spool, or lost and counted. */
void laz_ship_stream_recorded(struct laz_ship_stream *stream);

#endif
