/* SPDX-License-Identifier: Apache-2.0
 *
 * What the kinds of sink have in common: what they have said to their owner, and when they try
 * again. For the files of this area only.
 */
#ifndef LAZ_SINK_KIND_H
#define LAZ_SINK_KIND_H

#include "net/stream.h"
#include "sink/backoff.h"
#include "sink/sink.h"

struct laz_sink_kind {
    enum laz_sink_answer (*offer)(struct laz_sink *sink, const struct laz_sink_record *record);
    void (*flush)(struct laz_sink *sink);
    void (*try)(struct laz_sink *sink);   /* first, and again after each break */
    void (*close)(struct laz_sink *sink); /* frees all but what laz_sink_done frees */
};

/* The first member of each kind's own. Invariant: while it is not up, `again` is pending or the
 * kind is trying. */
struct laz_sink {
    const struct laz_sink_kind *kind;
    const struct laz_ship_sink *config;
    struct laz_sink_means means;
    struct laz_sink_owner owner;
    struct laz_sink_pace pace;
    struct laz_backoff backoff;
    struct event *again;
    uint64_t arrived; /* the last ticket that was said to have */
    bool up;          /* can be offered to */
    bool hungry;      /* somebody was told NOT_NOW */
    bool said_down;
    char why[LAZ_ERR_MESSAGE_MAX]; /* what was said */
};

LAZ_MUST_CHECK int laz_sink_init(struct laz_sink *sink, const struct laz_sink_kind *kind,
        const struct laz_ship_sink *config, const struct laz_sink_means *means,
        const struct laz_sink_owner *owner, struct laz_err *err);
void laz_sink_done(struct laz_sink *sink);

/* Call these from the event loop only. */
void laz_sink_say_arrived(struct laz_sink *sink, uint64_t ticket); /* nothing if it is not news */
void laz_sink_say_rejected(struct laz_sink *sink, uint64_t ticket, const char *why);
void laz_sink_say_corrected(struct laz_sink *sink, int64_t seconds);
void laz_sink_say_wants(struct laz_sink *sink, uint64_t ticket);
void laz_sink_say_up(struct laz_sink *sink, uint64_t ticket); /* up, and wants */
/* Not up any more; try again later. */
void laz_sink_say_down(struct laz_sink *sink, const char *why);

/* Its message. */
int laz_sink_event_new(struct laz_sink *sink, int fd, short what, event_callback_fn callback,
        struct event **ret, struct laz_err *err);
/* The event within ms; one that is pending stays. */
void laz_sink_event_in(struct event *event, uint32_t ms);

/* A connection as the config says; its context is the sink. */
LAZ_MUST_CHECK int laz_sink_stream_new(struct laz_sink *sink, const struct laz_stream_owner *owner,
        struct laz_tls **ret_tls, struct laz_stream **ret, struct laz_err *err);

LAZ_MUST_CHECK int laz_sink_file_open(const struct laz_ship_sink *config,
        const struct laz_sink_means *means, const struct laz_sink_owner *owner,
        struct laz_sink **ret, struct laz_err *err);
LAZ_MUST_CHECK int laz_sink_stdout_open(const struct laz_ship_sink *config,
        const struct laz_sink_means *means, const struct laz_sink_owner *owner,
        struct laz_sink **ret, struct laz_err *err);
LAZ_MUST_CHECK int laz_sink_relp_open(const struct laz_ship_sink *config,
        const struct laz_sink_means *means, const struct laz_sink_owner *owner,
        struct laz_sink **ret, struct laz_err *err);
LAZ_MUST_CHECK int laz_sink_syslog_open(const struct laz_ship_sink *config,
        const struct laz_sink_means *means, const struct laz_sink_owner *owner,
        struct laz_sink **ret, struct laz_err *err);
LAZ_MUST_CHECK int laz_sink_cloudwatch_open(const struct laz_ship_sink *config,
        const struct laz_sink_means *means, const struct laz_sink_owner *owner,
        struct laz_sink **ret, struct laz_err *err);
LAZ_MUST_CHECK int laz_sink_ossec_open(const struct laz_ship_sink *config,
        const struct laz_sink_means *means, const struct laz_sink_owner *owner,
        struct laz_sink **ret, struct laz_err *err);
/* Of `syslog`, the transports that are not streams. */
LAZ_MUST_CHECK int laz_sink_datagram_open(const struct laz_ship_sink *config,
        const struct laz_sink_means *means, const struct laz_sink_owner *owner,
        struct laz_sink **ret, struct laz_err *err);

#endif
