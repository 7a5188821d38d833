/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections as bufferevents.
 */
#include "net/stream.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "core/buf.h"

#define WHY_MAX     200   /* OpenSSL's longest reason, and what is in front of it */
#define CORK_MAX    16384 /* bytes: a TLS record */
#define DRAIN_BYTES 1024

/* Invariant: is_up only while there is a bufferevent. */
struct laz_stream {
    struct event_base *base;
    struct laz_stream_owner owner;
    const struct laz_tls *tls;
    struct laz_dial *dial;
    struct bufferevent *connection;
    struct event *deadline; /* of the handshake */
    struct laz_buf corked;  /* what was written in this turn: one TLS record for many of ours */
    struct event *uncork;
    uint32_t wait_ms;
    bool is_up;
    bool is_untrusted;
};

/* Tokens and keys go this way, too. */
static void forget_corked(struct laz_stream *stream)
{
    if (stream->corked.len > 0) {
        explicit_bzero(stream->corked.data, stream->corked.len);
        stream->corked.len = 0;
    }
}

void laz_stream_stop(struct laz_stream *stream)
{
    laz_dial_cancel(stream->dial);
    (void)event_del(stream->deadline);
    (void)event_del(stream->uncork);
    forget_corked(stream);
    if (stream->is_up && stream->tls != NULL) {
        /* Or the peer takes the end of the connection for an attack. */
        (void)SSL_shutdown(bufferevent_openssl_get_ssl(stream->connection));
        ERR_clear_error();
    }
    if (stream->connection != NULL) {
        bufferevent_free(stream->connection);
        stream->connection = NULL;
    }
    stream->is_up = false;
}

static void end(struct laz_stream *stream, const char *why)
{
    laz_stream_stop(stream);
    stream->owner.ended(stream->owner.context, why);
}

/* A peer that sends small answers waits, by Nagle's rule, for ours to each; a kernel that has
 * nothing to send along with its own waits 40 ms. */
static void acknowledge_now(const struct laz_stream *stream)
{
    int yes = 1;
    if (stream->connection != NULL && laz_stream_unwritten(stream) == 0) {
        laz_ignore(setsockopt(bufferevent_getfd(stream->connection), IPPROTO_TCP, TCP_QUICKACK,
                &yes, sizeof(yes)));
    }
}

static void on_read(struct bufferevent *connection, void *context)
{
    const struct laz_stream *stream = context;
    (void)connection;
    stream->owner.can_read(stream->owner.context);
    acknowledge_now(stream);
}

static void on_written(struct bufferevent *connection, void *context)
{
    const struct laz_stream *stream = context;
    (void)connection;
    /* It comes some time after the buffer was empty, when it may not be any more. */
    if (stream->is_up && laz_stream_unwritten(stream) == 0) {
        stream->owner.written(stream->owner.context);
    }
}

/* false: no memory. */
static bool uncork(struct laz_stream *stream)
{
    if (stream->corked.len > 0 &&
            bufferevent_write(stream->connection, stream->corked.data, stream->corked.len) != 0) {
        return false;
    }
    forget_corked(stream);
    return true;
}

static void on_uncork(evutil_socket_t fd, short what, void *context)
{
    struct laz_stream *stream = context;
    (void)fd;
    (void)what;
    if (!uncork(stream)) {
        end(stream, "no memory");
    }
}

static void describe(const struct laz_stream *stream, short what, char *ret, size_t size)
{
    int sys_errno = EVUTIL_SOCKET_ERROR();
    SSL *session = stream->tls == NULL ? NULL : bufferevent_openssl_get_ssl(stream->connection);
    const char *where = stream->is_up ? "" : "during the handshake: ";
    char why[WHY_MAX] = "";
    if (session != NULL) {
        laz_tls_why(session, bufferevent_get_openssl_error(stream->connection), why, sizeof(why));
    }
    if (why[0] == '\0' && (what & BEV_EVENT_ERROR) != 0 && sys_errno != 0) {
        (void)snprintf(why, sizeof(why), "%s", strerror(sys_errno));
    }
    (void)snprintf(
            ret, size, "%s%s", where, why[0] == '\0' ? "the peer closed the connection" : why);
}

static void on_event(struct bufferevent *connection, short what, void *context)
{
    struct laz_stream *stream = context;
    SSL *session = stream->tls == NULL ? NULL : bufferevent_openssl_get_ssl(connection);
    char why[2 * WHY_MAX];
    if ((what & BEV_EVENT_CONNECTED) == 0) {
        describe(stream, what, why, sizeof(why));
        stream->is_untrusted = !stream->is_up && session != NULL && laz_tls_is_untrusted(session);
        stream->is_up = false; /* nothing can be said any more */
        end(stream, why);
        return;
    }
    if (!laz_tls_is_verified(session)) {
        describe(stream, what, why, sizeof(why));
        stream->is_untrusted = true;
        end(stream, why);
        return;
    }
    (void)event_del(stream->deadline);
    stream->is_up = true;
    stream->owner.up(stream->owner.context);
}

static struct bufferevent *wrap(const struct laz_stream *stream, int fd)
{
    if (stream->tls == NULL) {
        return bufferevent_socket_new(stream->base, fd, BEV_OPT_CLOSE_ON_FREE);
    }
    SSL *session = laz_tls_session(stream->tls);
    if (session == NULL) {
        return NULL;
    }
    struct bufferevent *wrapped = bufferevent_openssl_socket_new(
            stream->base, fd, session, BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE);
    if (wrapped == NULL) {
        SSL_free(session);
    }
    return wrapped;
}

static void on_connected(void *context, int fd)
{
    struct laz_stream *stream = context;
    const struct timeval wait = {.tv_sec = stream->wait_ms / 1000,
            .tv_usec = (suseconds_t)(stream->wait_ms % 1000) * 1000};
    stream->connection = wrap(stream, fd);
    if (stream->connection == NULL) {
        (void)close(fd);
        end(stream, "no memory for a connection");
        return;
    }
    bufferevent_setcb(stream->connection, on_read, on_written, on_event, stream);
    (void)bufferevent_enable(stream->connection, EV_READ | EV_WRITE);
    if (stream->tls != NULL) {
        (void)evtimer_add(stream->deadline, &wait);
        return;
    }
    stream->is_up = true;
    stream->owner.up(stream->owner.context);
}

static void on_failed(void *context, const char *why)
{
    end(context, why);
}

static void on_deadline(evutil_socket_t fd, short what, void *context)
{
    struct laz_stream *stream = context;
    char why[64];
    (void)fd;
    (void)what;
    (void)snprintf(why, sizeof(why), "during the handshake: no answer in %u ms", stream->wait_ms);
    end(stream, why);
}

int laz_stream_new(struct event_base *base, const struct laz_dial_plan *plan,
        const struct laz_tls *tls, const struct laz_stream_owner *owner, struct laz_stream **ret,
        struct laz_err *err)
{
    struct laz_stream *stream = calloc(1, sizeof(*stream));
    if (stream == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a connection");
    }
    const struct laz_dial_owner dial_owner = {
            .connected = on_connected, .failed = on_failed, .context = stream};
    stream->base = base;
    stream->tls = tls;
    stream->owner = *owner;
    stream->wait_ms = plan->wait_ms;
    if (laz_dial_new(base, plan, &dial_owner, &stream->dial, err) != 0) {
        free(stream);
        return -1;
    }
    laz_buf_init_wiped(&stream->corked, CORK_MAX + 1);
    stream->deadline = evtimer_new(base, on_deadline, stream);
    stream->uncork = evtimer_new(base, on_uncork, stream);
    if (stream->deadline == NULL || stream->uncork == NULL) {
        laz_stream_free(stream);
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a connection");
    }
    *ret = stream;
    return 0;
}

static void free_event(struct event *event)
{
    if (event != NULL) {
        event_free(event);
    }
}

void laz_stream_free(struct laz_stream *stream)
{
    if (stream == NULL) {
        return;
    }
    if (stream->deadline != NULL && stream->uncork != NULL) {
        laz_stream_stop(stream);
    }
    laz_dial_free(stream->dial);
    free_event(stream->deadline);
    free_event(stream->uncork);
    laz_buf_done(&stream->corked);
    free(stream);
}

bool laz_stream_is_untrusted(const struct laz_stream *stream)
{
    return stream->is_untrusted;
}

void laz_stream_start(struct laz_stream *stream)
{
    stream->is_untrusted = false;
    laz_dial_start(stream->dial);
}

bool laz_stream_write(struct laz_stream *stream, const void *bytes, size_t length)
{
    static const struct timeval now = {0};
    if (stream->corked.len + length > CORK_MAX && !uncork(stream)) {
        return false;
    }
    if (length > CORK_MAX) {
        return bufferevent_write(stream->connection, bytes, length) == 0;
    }
    laz_buf_put(&stream->corked, bytes, length);
    if (stream->corked.overflow) {
        stream->corked.overflow = false;
        return false;
    }
    if (!event_pending(stream->uncork, EV_TIMEOUT, NULL)) {
        (void)evtimer_add(stream->uncork, &now);
    }
    return true;
}

size_t laz_stream_unwritten(const struct laz_stream *stream)
{
    return evbuffer_get_length(bufferevent_get_output(stream->connection)) + stream->corked.len;
}

size_t laz_stream_read(struct laz_stream *stream, void *memory, size_t size)
{
    return stream->connection == NULL ? 0 : bufferevent_read(stream->connection, memory, size);
}

bool laz_stream_has_more(const struct laz_stream *stream)
{
    int waiting = 0;
    if (stream->connection == NULL) {
        return false;
    }
    return evbuffer_get_length(bufferevent_get_input(stream->connection)) > 0 ||
            (stream->tls != NULL &&
                    SSL_pending(bufferevent_openssl_get_ssl(stream->connection)) > 0) ||
            (ioctl(bufferevent_getfd(stream->connection), FIONREAD, &waiting) == 0 && waiting > 0);
}

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Whatever comes, until the peer has closed or the time is over. */
static void drain(int fd, SSL *session, uint32_t wait_ms)
{
    char bytes[DRAIN_BYTES];
    int64_t end = now_ms() + wait_ms;
    for (int64_t left = wait_ms; left > 0; left = end - now_ms()) {
        struct pollfd it = {.fd = fd, .events = POLLIN};
        if (poll(&it, 1, (int)left) != 1) {
            break;
        }
        ssize_t n = session == NULL ? recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)
                                    : SSL_read(session, bytes, sizeof(bytes));
        bool has_more = session == NULL ? n < 0 && errno == EAGAIN
                                        : SSL_get_error(session, (int)n) == SSL_ERROR_WANT_READ;
        if (n <= 0 && !has_more) {
            break;
        }
    }
}

void laz_stream_take_leave(
        struct laz_stream *stream, const void *bytes, size_t length, uint32_t wait_ms)
{
    SSL *session = stream->tls == NULL ? NULL : bufferevent_openssl_get_ssl(stream->connection);
    int fd = bufferevent_getfd(stream->connection);
    (void)bufferevent_disable(stream->connection, EV_READ | EV_WRITE);
    ERR_clear_error();
    if (length > 0) {
        laz_ignore(session == NULL ? (int)send(fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL)
                                   : SSL_write(session, bytes, (int)length));
    } else {
        laz_ignore(session == NULL ? 0 : SSL_shutdown(session));
        (void)shutdown(fd, SHUT_WR);
    }
    /* To close with something unread (session tickets, say) is a reset, for which the peer's kernel
     * throws away what nobody has read yet. */
    drain(fd, session, wait_ms);
    ERR_clear_error();
}
