/* SPDX-License-Identifier: Apache-2.0
 *
 * The sink "syslog" over streams: TLS (RFC 5425) and TCP (RFC 6587). Nothing in it acknowledges
 * anything: a record has arrived when the kernel has taken it, and what was under way when a
 * connection breaks is lost without a trace. Datagrams are in syslog_datagram.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/stream.h"
#include "sink/form.h"
#include "sink/kind.h"

#define UNWRITTEN_MAX (256U << 10) /* bytes; a longer record goes alone */
#define COUNT_MAX     16           /* bytes in front of a message: its length and a blank */
#define READ_BYTES    1024
#define LEAVE_MS      200
#define NO_MEMORY_MS  100

/* Invariant: arrived <= sent <= offered. */
struct syslog_sink {
    struct laz_sink sink;
    struct laz_tls *tls;
    struct laz_stream *stream;
    struct laz_form form;
    struct laz_buf frame; /* the one that is being made */
    struct event *turn;
    uint64_t sent;    /* the last ticket that was given to the stream */
    uint64_t offered; /* the same, or one that is unfit */
    bool is_ending;   /* nothing more is coming */
    bool is_unfit;    /* `offered` is, and nobody has been told */
};

static void on_ended(void *context, const char *why)
{
    struct syslog_sink *syslog = context;
    char text[LAZ_ERR_MESSAGE_MAX];
    (void)snprintf(text, sizeof(text), "%s port %u: %s", syslog->sink.config->host,
            syslog->sink.config->port, why);
    (void)event_del(syslog->turn);
    syslog->offered = syslog->sent = syslog->sink.arrived;
    syslog->is_unfit = false;
    laz_sink_say_down(&syslog->sink, text);
}

static void on_up(void *context)
{
    struct syslog_sink *syslog = context;
    syslog->sink.said_down = false;
    laz_sink_say_up(&syslog->sink, syslog->offered);
}

/* Nobody has anything to say to us. */
static void on_can_read(void *context)
{
    const struct syslog_sink *syslog = context;
    char bytes[READ_BYTES];
    while (laz_stream_read(syslog->stream, bytes, sizeof(bytes)) > 0) {
    }
}

static void want_more(struct syslog_sink *syslog)
{
    if (syslog->sink.hungry && !syslog->is_unfit &&
            laz_stream_unwritten(syslog->stream) < UNWRITTEN_MAX) {
        laz_sink_say_wants(&syslog->sink, syslog->offered);
    }
}

static void on_written(void *context)
{
    struct syslog_sink *syslog = context;
    laz_sink_say_arrived(&syslog->sink, syslog->sent);
    want_more(syslog);
}

static void on_turn(evutil_socket_t fd, short what, void *context)
{
    struct syslog_sink *syslog = context;
    (void)fd;
    (void)what;
    if (syslog->is_unfit) {
        syslog->is_unfit = false;
        laz_sink_say_rejected(&syslog->sink, syslog->offered, "it is not a record in one line");
    }
    want_more(syslog);
}

static void try_again(struct laz_sink *sink)
{
    struct syslog_sink *syslog = (struct syslog_sink *)sink;
    laz_stream_start(syslog->stream);
}

/* The message in the frame, behind room for its length. false: no memory. */
static bool send_frame(struct syslog_sink *syslog)
{
    char memory[COUNT_MAX + 1];
    struct laz_buf count;
    laz_buf_init_fixed(&count, memory, sizeof(memory));
    if (syslog->sink.config->transport == LAZ_TRANSPORT_TCP_LF) {
        laz_buf_char(&syslog->frame, '\n');
    } else {
        laz_buf_printf(&count, "%zu ", syslog->frame.len - COUNT_MAX);
    }
    if (syslog->frame.overflow) {
        return false;
    }
    char *begin = syslog->frame.data + COUNT_MAX - count.len;
    (void)memcpy(begin, count.data, count.len);
    return laz_stream_write(
            syslog->stream, begin, (size_t)(syslog->frame.data + syslog->frame.len - begin));
}

static enum laz_sink_answer offer(struct laz_sink *sink, const struct laz_sink_record *record)
{
    static const char room[COUNT_MAX];
    struct syslog_sink *syslog = (struct syslog_sink *)sink;
    struct laz_err err = {0};
    if (syslog->is_unfit || laz_stream_unwritten(syslog->stream) >= UNWRITTEN_MAX) {
        return LAZ_SINK_NOT_NOW;
    }
    syslog->frame.len = 0;
    syslog->frame.overflow = false;
    laz_buf_put(&syslog->frame, room, sizeof(room));
    if (laz_form_message(&syslog->frame, &syslog->form, record->severity, record->text,
                record->length, &err) != 0) {
        syslog->offered = record->ticket;
        syslog->is_unfit = true;
        laz_sink_event_in(syslog->turn, 0);
        return LAZ_SINK_TAKEN;
    }
    if (!send_frame(syslog)) {
        laz_sink_event_in(syslog->turn, NO_MEMORY_MS);
        return LAZ_SINK_NOT_NOW;
    }
    syslog->offered = syslog->sent = record->ticket;
    return LAZ_SINK_TAKEN;
}

static void flush(struct laz_sink *sink)
{
    ((struct syslog_sink *)sink)->is_ending = true; /* nothing is held back */
}

static void close_syslog(struct laz_sink *sink)
{
    struct syslog_sink *syslog = (struct syslog_sink *)sink;
    if (sink->up && syslog->is_ending) {
        laz_stream_take_leave(syslog->stream, "", 0, LEAVE_MS);
    }
    laz_stream_free(syslog->stream);
    laz_tls_free(syslog->tls);
    if (syslog->turn != NULL) {
        event_free(syslog->turn);
    }
    laz_buf_done(&syslog->frame);
    laz_sink_done(sink);
    free(syslog);
}

static const struct laz_sink_kind syslog_kind = {
        .offer = offer,
        .flush = flush,
        .try = try_again,
        .close = close_syslog,
};

static int open_stream(const struct laz_ship_sink *config, const struct laz_sink_means *means,
        const struct laz_sink_owner *owner, struct laz_sink **ret, struct laz_err *err)
{
    const struct laz_stream_owner stream_owner = {
            .up = on_up, .can_read = on_can_read, .written = on_written, .ended = on_ended};
    struct syslog_sink *syslog = calloc(1, sizeof(*syslog));
    if (syslog == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "sink %s: no memory", config->name);
    }
    syslog->sent = syslog->offered = means->last_ticket;
    laz_buf_init_heap(&syslog->frame, LAZ_SINK_RECORD_MAX + LAZ_FORM_MORE_MAX + COUNT_MAX + 2);
    laz_form_init(&syslog->form, config->format, means->host);
    if (laz_sink_init(&syslog->sink, &syslog_kind, config, means, owner, err) != 0 ||
            laz_sink_event_new(&syslog->sink, -1, 0, on_turn, &syslog->turn, err) != 0 ||
            laz_sink_stream_new(&syslog->sink, &stream_owner, &syslog->tls, &syslog->stream, err) !=
                    0) {
        close_syslog(&syslog->sink);
        return -1;
    }
    *ret = &syslog->sink;
    return 0;
}

int laz_sink_syslog_open(const struct laz_ship_sink *config, const struct laz_sink_means *means,
        const struct laz_sink_owner *owner, struct laz_sink **ret, struct laz_err *err)
{
    switch (config->transport) {
    case LAZ_TRANSPORT_TLS:
    case LAZ_TRANSPORT_TCP:
    case LAZ_TRANSPORT_TCP_LF:
        return open_stream(config, means, owner, ret, err);
    case LAZ_TRANSPORT_UDP:
    case LAZ_TRANSPORT_UNIX:
        return laz_sink_datagram_open(config, means, owner, ret, err);
    case LAZ_TRANSPORT_COUNT:
        break;
    }
    return laz_err_set(
            err, LAZ_E_SINK, 0, "sink %s: transport %d", config->name, (int)config->transport);
}
