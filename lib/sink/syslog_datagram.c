/* SPDX-License-Identifier: Apache-2.0
 *
 * The sink "syslog" over datagrams: UDP (RFC 5426), and a local socket such as /dev/log. A record
 * has arrived when the kernel has taken it. One that is longer than a datagram may be is rejected:
 * cut, it would no longer be what was hashed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/fd.h"
#include "net/dial.h"
#include "sink/form.h"
#include "sink/kind.h"

#define UDP_MAX  8192  /* bytes of a message; what receivers take unless they are told otherwise */
#define UNIX_MAX 65536 /* the same */
#define TURN_MAX 64    /* records in one turn of the loop, for others want to live too */
#define RETRY_MS 20    /* while the kernel has no room and would not say when */

/* Invariant: fd >= 0 while it is up. */
struct datagram_sink {
    struct laz_sink sink;
    struct laz_dial *dial; /* UDP */
    int fd;
    struct laz_form form;
    struct laz_buf message; /* the one that is being made */
    struct event *turn;
    struct event *writable; /* while fd is full */
    uint64_t sent;
    uint64_t offered; /* the same, or one that is unfit */
    unsigned n_in_turn;
    int failed;     /* errno of the last send, if it was bad */
    char unfit[96]; /* why `offered` is, and nobody has been told; "" if it is not */
};

static void forget_socket(struct datagram_sink *datagram)
{
    if (datagram->writable != NULL) {
        event_free(datagram->writable);
        datagram->writable = NULL;
    }
    laz_fd_close(&datagram->fd);
}

static void go_down(struct datagram_sink *datagram, const char *why)
{
    const struct laz_ship_sink *config = datagram->sink.config;
    char text[LAZ_ERR_MESSAGE_MAX];
    forget_socket(datagram);
    (void)event_del(datagram->turn);
    datagram->offered = datagram->sent = datagram->sink.arrived;
    datagram->failed = 0;
    datagram->unfit[0] = '\0';
    if (config->transport == LAZ_TRANSPORT_UNIX) {
        (void)snprintf(text, sizeof(text), "%s: %s", config->path, why);
    } else {
        (void)snprintf(text, sizeof(text), "%s port %u: %s", config->host, config->port, why);
    }
    laz_sink_say_down(&datagram->sink, text);
}

static void on_turn(evutil_socket_t fd, short what, void *context)
{
    struct datagram_sink *datagram = context;
    (void)fd;
    (void)what;
    laz_sink_say_arrived(&datagram->sink, datagram->sent);
    if (datagram->failed != 0) {
        go_down(datagram, strerror(datagram->failed));
        return;
    }
    if (datagram->unfit[0] != '\0') {
        laz_sink_say_rejected(&datagram->sink, datagram->offered, datagram->unfit);
        datagram->unfit[0] = '\0';
    }
    datagram->n_in_turn = 0;
    if (datagram->sink.hungry) {
        laz_sink_say_wants(&datagram->sink, datagram->offered);
    }
}

static void on_connected(void *context, int fd)
{
    struct datagram_sink *datagram = context;
    datagram->fd = fd;
    datagram->n_in_turn = 0;
    datagram->writable = event_new(datagram->sink.means.base, fd, EV_WRITE, on_turn, datagram);
    if (datagram->writable == NULL) {
        go_down(datagram, "no memory");
        return;
    }
    laz_sink_say_up(&datagram->sink, datagram->offered);
}

static void on_failed(void *context, const char *why)
{
    go_down(context, why);
}

static void connect_unix(struct datagram_sink *datagram)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    (void)snprintf(at.sun_path, sizeof(at.sun_path), "%s", datagram->sink.config->path);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&at, sizeof(at)) != 0) {
        int failed = errno;
        laz_fd_close(&fd);
        go_down(datagram, strerror(failed));
        return;
    }
    on_connected(datagram, fd);
}

static void try_again(struct laz_sink *sink)
{
    struct datagram_sink *datagram = (struct datagram_sink *)sink;
    if (datagram->dial != NULL) {
        laz_dial_start(datagram->dial);
    } else {
        connect_unix(datagram);
    }
}

static enum laz_sink_answer reject_later(
        struct datagram_sink *datagram, uint64_t ticket, const char *why)
{
    (void)snprintf(datagram->unfit, sizeof(datagram->unfit), "%s", why);
    datagram->offered = ticket;
    laz_sink_event_in(datagram->turn, 0);
    return LAZ_SINK_TAKEN;
}

static enum laz_sink_answer send_message(struct datagram_sink *datagram, uint64_t ticket)
{
    ssize_t n = 0;
    do {
        n = send(datagram->fd, datagram->message.data, datagram->message.len,
                MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n >= 0) {
        datagram->sent = datagram->offered = ticket;
        laz_sink_event_in(datagram->turn, 0);
        return LAZ_SINK_TAKEN;
    }
    if (errno == EMSGSIZE) {
        return reject_later(datagram, ticket, "it is longer than a datagram may be here");
    }
    if (errno == EAGAIN && event_add(datagram->writable, NULL) == 0) {
        return LAZ_SINK_NOT_NOW;
    }
    if (errno == EAGAIN || errno == ENOBUFS) {
        laz_sink_event_in(datagram->turn, RETRY_MS);
        return LAZ_SINK_NOT_NOW;
    }
    datagram->failed = errno;
    laz_sink_event_in(datagram->turn, 0);
    return LAZ_SINK_NOT_NOW;
}

static enum laz_sink_answer offer(struct laz_sink *sink, const struct laz_sink_record *record)
{
    struct datagram_sink *datagram = (struct datagram_sink *)sink;
    size_t max = sink->config->transport == LAZ_TRANSPORT_UDP ? UDP_MAX : UNIX_MAX;
    struct laz_err err = {0};
    char why[96];
    if (datagram->unfit[0] != '\0' || datagram->failed != 0) {
        return LAZ_SINK_NOT_NOW;
    }
    if (datagram->n_in_turn++ == TURN_MAX) {
        laz_sink_event_in(datagram->turn, 0);
        return LAZ_SINK_NOT_NOW;
    }
    datagram->message.len = 0;
    datagram->message.overflow = false;
    if (laz_form_message(&datagram->message, &datagram->form, record->severity, record->text,
                record->length, &err) != 0) {
        return reject_later(datagram, record->ticket, "it is not a record in one line");
    }
    if (datagram->message.overflow) {
        laz_sink_event_in(datagram->turn, RETRY_MS);
        return LAZ_SINK_NOT_NOW;
    }
    if (datagram->message.len > max) {
        (void)snprintf(why, sizeof(why), "it is longer than a datagram may be: %zu bytes, not %zu",
                datagram->message.len, max);
        return reject_later(datagram, record->ticket, why);
    }
    return send_message(datagram, record->ticket);
}

static void flush(struct laz_sink *sink)
{
    (void)sink; /* nothing is held back */
}

static void close_datagram(struct laz_sink *sink)
{
    struct datagram_sink *datagram = (struct datagram_sink *)sink;
    forget_socket(datagram);
    laz_dial_free(datagram->dial);
    if (datagram->turn != NULL) {
        event_free(datagram->turn);
    }
    laz_buf_done(&datagram->message);
    laz_sink_done(sink);
    free(datagram);
}

static const struct laz_sink_kind datagram_kind = {
        .offer = offer,
        .flush = flush,
        .try = try_again,
        .close = close_datagram,
};

static int dial_udp(struct datagram_sink *datagram, struct laz_err *err)
{
    const struct laz_dial_plan plan = {
            .host = datagram->sink.config->host,
            .port = datagram->sink.config->port,
            .datagram = true,
            .wait_ms = datagram->sink.pace.connect_ms,
    };
    const struct laz_dial_owner owner = {
            .connected = on_connected, .failed = on_failed, .context = datagram};
    return laz_dial_new(datagram->sink.means.base, &plan, &owner, &datagram->dial, err);
}

int laz_sink_datagram_open(const struct laz_ship_sink *config, const struct laz_sink_means *means,
        const struct laz_sink_owner *owner, struct laz_sink **ret, struct laz_err *err)
{
    const size_t path_max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;
    if (config->transport == LAZ_TRANSPORT_UNIX && strlen(config->path) > path_max) {
        return laz_err_set(err, LAZ_E_SINK, 0, "sink %s: %s: a socket's path has at most %zu bytes",
                config->name, config->path, path_max);
    }
    struct datagram_sink *datagram = calloc(1, sizeof(*datagram));
    if (datagram == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "sink %s: no memory", config->name);
    }
    datagram->fd = -1;
    datagram->sent = datagram->offered = means->last_ticket;
    laz_buf_init_heap(&datagram->message, LAZ_SINK_RECORD_MAX + LAZ_FORM_MORE_MAX + 1);
    laz_form_init(&datagram->form, config->format, means->host);
    if (laz_sink_init(&datagram->sink, &datagram_kind, config, means, owner, err) != 0 ||
            laz_sink_event_new(&datagram->sink, -1, 0, on_turn, &datagram->turn, err) != 0 ||
            (config->transport == LAZ_TRANSPORT_UDP && dial_udp(datagram, err) != 0)) {
        close_datagram(&datagram->sink);
        return -1;
    }
    *ret = &datagram->sink;
    return 0;
}
