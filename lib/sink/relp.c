/* SPDX-License-Identifier: Apache-2.0
 *
 * The sink "relp": a window of records to a RELP server, each of which it answers for, in order. A
 * break of any kind closes the connection, and what had no answer is sent again over the next one:
 * at least once, and at most a window of repetitions. What the server refuses is sent four times.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "net/stream.h"
#include "sink/form.h"
#include "sink/kind.h"
#include "sink/relp_codec.h"

#define REFUSALS_MAX  4          /* of one record: the first time, and three more */
#define UNWRITTEN_MAX (1U << 20) /* bytes; a longer record goes alone */
#define READ_BYTES    4096
#define LEAVE_MS      200
#define NO_MEMORY_MS  100
#define OFFERS        "relp_version=0\nrelp_software=lazaret," LAZARET_VERSION "\ncommands=syslog"

enum slot_state {
    SLOT_EMPTY, /* not sent, or to be sent again */
    SLOT_OUT,
    SLOT_ARRIVED,  /* behind one that has not */
    SLOT_REJECTED, /* the same */
    SLOT_UNFIT,    /* nobody has been told yet */
};

/* A record that is not settled, by its ticket. */
struct slot {
    enum slot_state state;
    unsigned refusals;
    size_t length;
};

struct sent {
    uint32_t txnr;
    uint64_t ticket;
};

/* Invariant: settled <= offered <= settled + window; of what is out, sent[out_first ...] in the
 * order in which it is answered. */
struct relp_sink {
    struct laz_sink sink;
    struct laz_tls *tls;
    struct laz_stream *stream;
    struct laz_relp_decoder decoder;
    struct laz_form form;
    struct laz_buf frame; /* the one that is being made */
    struct event *deadline;
    struct event *retry;
    struct event *turn; /* what `offer` must not do itself */
    struct slot *slots; /* of the tickets behind `settled`, at ticket % window */
    struct sent *sent;  /* a ring of `window` */
    uint32_t window;
    uint32_t out_first;
    uint32_t n_out;
    uint32_t txnr;
    int64_t answered_ms; /* when something was sent or answered last */
    uint64_t settled;    /* everything up to it has arrived or was rejected */
    uint64_t offered;    /* everything up to it has been taken */
    bool is_open;        /* the server has made its offers */
    bool refused;        /* something is to be sent again; nothing new until then */
    bool is_ending;      /* nothing more is coming */
    bool went_well;      /* of this connection: an answer to a record */
};

static struct slot *slot_of(const struct relp_sink *relp, uint64_t ticket)
{
    return &relp->slots[ticket % relp->window];
}

static void go_down(struct relp_sink *relp, const char *why)
{
    char text[LAZ_ERR_MESSAGE_MAX];
    const struct slot *first = slot_of(relp, relp->settled + 1);
    if (relp->is_open && !relp->went_well && first->state == SLOT_OUT) {
        (void)snprintf(text, sizeof(text), "%s port %u: %s, while a record of %zu bytes was out",
                relp->sink.config->host, relp->sink.config->port, why, first->length);
    } else {
        (void)snprintf(text, sizeof(text), "%s port %u: %s", relp->sink.config->host,
                relp->sink.config->port, why);
    }
    laz_stream_stop(relp->stream);
    (void)event_del(relp->deadline);
    (void)event_del(relp->retry);
    for (uint32_t i = 0; i < relp->window; i++) {
        if (relp->slots[i].state == SLOT_OUT) {
            relp->slots[i].state = SLOT_EMPTY;
        }
    }
    relp->n_out = 0;
    relp->offered = relp->settled;
    relp->is_open = relp->refused = false;
    laz_sink_say_down(&relp->sink, text);
}

static void on_ended(void *context, const char *why)
{
    go_down(context, why);
}

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Something is out from now on, or still is. The timer is left to find that out when it ends,
 * because this happens with every answer. */
static void expect_answer(struct relp_sink *relp)
{
    relp->answered_ms = now_ms();
    laz_sink_event_in(relp->deadline, relp->sink.pace.answer_ms);
}

static void on_deadline(evutil_socket_t fd, short what, void *context)
{
    struct relp_sink *relp = context;
    char why[64];
    int64_t left = relp->answered_ms + relp->sink.pace.answer_ms - now_ms();
    (void)fd;
    (void)what;
    if (relp->is_open && relp->n_out == 0) {
        return;
    }
    if (left > 0) {
        laz_sink_event_in(relp->deadline, (uint32_t)left);
        return;
    }
    (void)snprintf(why, sizeof(why), "no answer in %u ms", relp->sink.pace.answer_ms);
    go_down(relp, why);
}

static void try_again(struct laz_sink *sink)
{
    struct relp_sink *relp = (struct relp_sink *)sink;
    laz_stream_start(relp->stream);
}

/* Room for a head, and then come the data. */
static void begin_frame(struct relp_sink *relp)
{
    static const char room[LAZ_RELP_HEAD_MAX];
    relp->frame.len = 0;
    relp->frame.overflow = false;
    laz_buf_put(&relp->frame, room, sizeof(room));
}

/* All of it or nothing. false: no memory. */
static bool send_frame(struct relp_sink *relp, const char *command)
{
    char memory[LAZ_RELP_HEAD_MAX + 1];
    struct laz_buf head;
    uint32_t txnr = laz_relp_txnr_after(relp->txnr);
    laz_buf_init_fixed(&head, memory, sizeof(memory));
    laz_relp_put_head(&head, txnr, command, relp->frame.len - LAZ_RELP_HEAD_MAX);
    laz_buf_char(&relp->frame, '\n');
    if (relp->frame.overflow) {
        return false;
    }
    char *begin = relp->frame.data + LAZ_RELP_HEAD_MAX - head.len;
    (void)memcpy(begin, head.data, head.len);
    if (!laz_stream_write(
                relp->stream, begin, (size_t)(relp->frame.data + relp->frame.len - begin))) {
        return false;
    }
    relp->txnr = txnr;
    return true;
}

static void on_up(void *context)
{
    struct relp_sink *relp = context;
    laz_relp_decoder_init(&relp->decoder);
    relp->txnr = 0;
    relp->went_well = false;
    begin_frame(relp);
    laz_buf_str(&relp->frame, OFFERS);
    if (!send_frame(relp, "open")) {
        go_down(relp, "no memory");
        return;
    }
    expect_answer(relp);
}

/* What has been settled in a row since. */
static void settle(struct relp_sink *relp)
{
    uint64_t arrived = 0;
    for (;;) {
        struct slot *slot = slot_of(relp, relp->settled + 1);
        if (relp->settled == relp->offered || slot->state == SLOT_EMPTY ||
                slot->state == SLOT_OUT) {
            break;
        }
        relp->settled++;
        if (slot->state == SLOT_UNFIT) {
            laz_sink_say_rejected(&relp->sink, relp->settled, "it is not a record in one line");
        } else if (slot->state == SLOT_ARRIVED) {
            arrived = relp->settled;
        }
        *slot = (struct slot){.state = SLOT_EMPTY};
    }
    laz_sink_say_arrived(&relp->sink, arrived);
}

static void refuse(struct relp_sink *relp, uint64_t ticket, const struct laz_relp_answer *answer)
{
    char why[LAZ_RELP_TEXT_MAX + 64];
    struct slot *slot = slot_of(relp, ticket);
    if (++slot->refusals < REFUSALS_MAX) {
        slot->state = SLOT_EMPTY;
        relp->refused = true;
        return;
    }
    slot->state = SLOT_REJECTED;
    (void)snprintf(why, sizeof(why), "the receiver refuses it: %u %s", answer->code, answer->text);
    laz_sink_say_rejected(&relp->sink, ticket, why);
}

/* The answer to the first record that is out. */
static int take_record_answer(
        struct relp_sink *relp, const struct laz_relp_answer *answer, struct laz_err *err)
{
    const struct sent *sent = &relp->sent[relp->out_first];
    if (relp->n_out == 0 || sent->txnr != relp->decoder.txnr) {
        return laz_err_set(err, LAZ_E_SINK, 0, "not RELP: an answer to %u, where %u was due",
                relp->decoder.txnr, relp->n_out == 0 ? 0 : sent->txnr);
    }
    relp->out_first = (relp->out_first + 1) % relp->window;
    relp->n_out--;
    relp->went_well = true;
    if (answer->code == 200) {
        slot_of(relp, sent->ticket)->state = SLOT_ARRIVED;
    } else {
        refuse(relp, sent->ticket, answer);
    }
    return 0;
}

static int take_offers(
        struct relp_sink *relp, const struct laz_relp_answer *answer, struct laz_err *err)
{
    if (relp->decoder.txnr != relp->txnr) {
        return laz_err_set(err, LAZ_E_SINK, 0, "not RELP: an answer to %u, where %u was due",
                relp->decoder.txnr, relp->txnr);
    }
    if (answer->code != 200) {
        return laz_err_set(err, LAZ_E_SINK, 0, "the receiver refuses the session: %u %s",
                answer->code, answer->text);
    }
    if (!laz_relp_offers_syslog(relp->decoder.data, relp->decoder.length)) {
        return laz_err_set(
                err, LAZ_E_SINK, 0, "the receiver does not offer to take syslog messages");
    }
    relp->is_open = true;
    relp->sink.said_down = false;
    laz_sink_say_up(&relp->sink, relp->settled);
    return 0;
}

static int take_frame(struct relp_sink *relp, struct laz_err *err)
{
    struct laz_relp_answer answer;
    if (relp->decoder.txnr == 0 && strcmp(relp->decoder.command, "serverclose") == 0) {
        return laz_err_set(err, LAZ_E_SINK, 0, "the receiver closes the session");
    }
    if (strcmp(relp->decoder.command, "rsp") != 0) {
        return laz_err_set(
                err, LAZ_E_SINK, 0, "not RELP: a \"%s\" from a receiver", relp->decoder.command);
    }
    if (laz_relp_read_answer(relp->decoder.data, relp->decoder.length, &answer, err) != 0) {
        return -1;
    }
    return relp->is_open ? take_record_answer(relp, &answer, err) : take_offers(relp, &answer, err);
}

static int take_bytes(struct relp_sink *relp, const char *bytes, size_t length, struct laz_err *err)
{
    for (size_t used = 0; length > 0; bytes += used, length -= used) {
        switch (laz_relp_decode(&relp->decoder, bytes, length, &used, err)) {
        case LAZ_RELP_NEEDS_MORE:
            break;
        case LAZ_RELP_HAS_FRAME:
            if (take_frame(relp, err) != 0) {
                return -1;
            }
            break;
        case LAZ_RELP_IS_BROKEN:
            return -1;
        }
    }
    return 0;
}

/* Not for each answer, but for a quarter of the window at once: one TLS record, one system call. */
static void want_more(struct relp_sink *relp)
{
    uint64_t room = relp->settled + relp->window - relp->offered;
    if (relp->sink.hungry && relp->is_open && !relp->refused && room > 0 &&
            (room >= relp->window / 4 || relp->n_out == 0) &&
            laz_stream_unwritten(relp->stream) < UNWRITTEN_MAX) {
        laz_sink_say_wants(&relp->sink, relp->offered);
    }
}

/* Once nothing is out any more, what was refused is sent again after a while. */
static void look_after_refused(struct relp_sink *relp)
{
    if (relp->refused && relp->n_out == 0) {
        unsigned refusals = slot_of(relp, relp->settled + 1)->refusals;
        laz_sink_event_in(relp->retry, relp->sink.pace.retry_min_ms << (refusals & 3));
    }
}

static void on_retry(evutil_socket_t fd, short what, void *context)
{
    struct relp_sink *relp = context;
    (void)fd;
    (void)what;
    relp->refused = false;
    relp->offered = relp->settled;
    laz_sink_say_wants(&relp->sink, relp->settled);
}

static void on_can_read(void *context)
{
    struct relp_sink *relp = context;
    struct laz_err err = {0};
    char bytes[READ_BYTES];
    uint64_t settled = relp->settled;
    uint32_t n_out = relp->n_out;
    for (;;) {
        size_t n = laz_stream_read(relp->stream, bytes, sizeof(bytes));
        if (n == 0) {
            break;
        }
        if (take_bytes(relp, bytes, n, &err) != 0) {
            settle(relp);
            go_down(relp, err.message);
            return;
        }
    }
    settle(relp);
    if (relp->settled != settled || relp->n_out != n_out) {
        expect_answer(relp);
    }
    look_after_refused(relp);
    want_more(relp);
}

static void on_turn(evutil_socket_t fd, short what, void *context)
{
    struct relp_sink *relp = context;
    (void)fd;
    (void)what;
    settle(relp);
    want_more(relp);
}

static void on_written(void *context)
{
    want_more(context);
}

static void remember(struct relp_sink *relp, const struct laz_sink_record *record)
{
    struct slot *slot = slot_of(relp, record->ticket);
    slot->state = SLOT_OUT;
    slot->length = record->length;
    relp->sent[(relp->out_first + relp->n_out++) % relp->window] =
            (struct sent){.txnr = relp->txnr, .ticket = record->ticket};
    if (relp->n_out == 1) {
        expect_answer(relp);
    }
}

static enum laz_sink_answer offer(struct laz_sink *sink, const struct laz_sink_record *record)
{
    struct relp_sink *relp = (struct relp_sink *)sink;
    struct laz_err err = {0};
    if (relp->refused || record->ticket > relp->settled + relp->window ||
            laz_stream_unwritten(relp->stream) >= UNWRITTEN_MAX) {
        return LAZ_SINK_NOT_NOW;
    }
    relp->offered = record->ticket;
    if (slot_of(relp, record->ticket)->state != SLOT_EMPTY) {
        return LAZ_SINK_TAKEN; /* it arrived when one before it was refused */
    }
    begin_frame(relp);
    if (laz_form_message(&relp->frame, &relp->form, record->severity, record->text, record->length,
                &err) != 0) {
        slot_of(relp, record->ticket)->state = SLOT_UNFIT;
        laz_sink_event_in(relp->turn, 0);
        return LAZ_SINK_TAKEN;
    }
    if (!send_frame(relp, "syslog")) {
        relp->offered = record->ticket - 1;
        laz_sink_event_in(relp->turn, NO_MEMORY_MS);
        return LAZ_SINK_NOT_NOW;
    }
    remember(relp, record);
    return LAZ_SINK_TAKEN;
}

static void flush(struct laz_sink *sink)
{
    ((struct relp_sink *)sink)->is_ending = true; /* nothing is held back */
}

/* A receiver logs an error for each session that ends without a word. */
static void take_leave(struct relp_sink *relp)
{
    char memory[LAZ_RELP_HEAD_MAX];
    struct laz_buf frame;
    laz_buf_init_fixed(&frame, memory, sizeof(memory));
    laz_relp_put_head(&frame, laz_relp_txnr_after(relp->txnr), "close", 0);
    laz_buf_char(&frame, '\n');
    laz_stream_take_leave(relp->stream, frame.data, frame.len, LEAVE_MS);
}

static void free_event(struct event *event)
{
    if (event != NULL) {
        event_free(event);
    }
}

static void close_relp(struct laz_sink *sink)
{
    struct relp_sink *relp = (struct relp_sink *)sink;
    if (relp->is_open && relp->is_ending && relp->n_out == 0) {
        take_leave(relp);
    }
    laz_stream_free(relp->stream);
    laz_tls_free(relp->tls);
    free_event(relp->deadline);
    free_event(relp->retry);
    free_event(relp->turn);
    laz_buf_done(&relp->frame);
    free(relp->slots);
    free(relp->sent);
    laz_sink_done(sink);
    free(relp);
}

static const struct laz_sink_kind relp_kind = {
        .offer = offer,
        .flush = flush,
        .try = try_again,
        .close = close_relp,
};

static int make_events(struct relp_sink *relp, struct laz_err *err)
{
    if (laz_sink_event_new(&relp->sink, -1, 0, on_deadline, &relp->deadline, err) != 0 ||
            laz_sink_event_new(&relp->sink, -1, 0, on_retry, &relp->retry, err) != 0) {
        return -1;
    }
    return laz_sink_event_new(&relp->sink, -1, 0, on_turn, &relp->turn, err);
}

int laz_sink_relp_open(const struct laz_ship_sink *config, const struct laz_sink_means *means,
        const struct laz_sink_owner *owner, struct laz_sink **ret, struct laz_err *err)
{
    const struct laz_stream_owner stream_owner = {
            .up = on_up, .can_read = on_can_read, .written = on_written, .ended = on_ended};
    struct relp_sink *relp = calloc(1, sizeof(*relp));
    if (relp == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "sink %s: no memory", config->name);
    }
    relp->window = config->window > 0 ? config->window : 1;
    relp->settled = relp->offered = means->last_ticket;
    relp->slots = calloc(relp->window, sizeof(*relp->slots));
    relp->sent = calloc(relp->window, sizeof(*relp->sent));
    laz_buf_init_heap(
            &relp->frame, LAZ_SINK_RECORD_MAX + LAZ_FORM_MORE_MAX + LAZ_RELP_HEAD_MAX + 2);
    laz_form_init(&relp->form, config->format, means->host);
    if (relp->slots == NULL || relp->sent == NULL) {
        (void)laz_err_set(err, LAZ_E_MEMORY, 0, "sink %s: no memory", config->name);
        close_relp(&relp->sink);
        return -1;
    }
    if (laz_sink_init(&relp->sink, &relp_kind, config, means, owner, err) != 0 ||
            make_events(relp, err) != 0 ||
            laz_sink_stream_new(&relp->sink, &stream_owner, &relp->tls, &relp->stream, err) != 0) {
        close_relp(&relp->sink);
        return -1;
    }
    *ret = &relp->sink;
    return 0;
}
