/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests and replies over a stream. What a request holds is never in a message.
 */
#include "net/http.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include "net/stream.h"

#define READ_BYTES 4096
#define IDLE_MS    4000 /* servers close what is idle for longer: sooner, and nothing is under way */

enum state {
    IDLE,
    CONNECTING, /* with a request */
    WAITING,    /* for a reply */
};

/* Invariant: is_open says whether the stream is up, in IDLE and WAITING alone. */
struct laz_http {
    struct laz_http_owner owner;
    struct laz_stream *stream;
    struct laz_http_reply *reply;
    struct event *deadline; /* of the reply, or of an idle connection */
    struct laz_buf head;
    const void *body;
    size_t body_length;
    uint32_t answer_ms;
    enum state state;
    bool is_open;
    bool is_reused; /* the connection has had an answer before */
};

static void in_ms(struct event *event, uint32_t ms)
{
    const struct timeval wait = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
    (void)evtimer_add(event, &wait); /* fails for want of memory, which timers do not need */
}

static void forget(struct laz_http *http)
{
    if (http->head.cap > 0) {
        OPENSSL_cleanse(http->head.data, http->head.cap); /* tokens */
    }
    http->head.len = 0;
    http->head.overflow = false;
    http->body = NULL;
}

static void close_connection(struct laz_http *http)
{
    laz_stream_stop(http->stream);
    (void)event_del(http->deadline);
    http->is_open = http->is_reused = false;
}

static void fail(struct laz_http *http, const char *why)
{
    close_connection(http);
    forget(http);
    http->state = IDLE;
    http->owner.failed(http->owner.context, why);
}

static void send_request(struct laz_http *http)
{
    http->state = WAITING;
    laz_http_reply_again(http->reply);
    in_ms(http->deadline, http->answer_ms);
    if (!laz_stream_write(http->stream, http->head.data, http->head.len) ||
            (http->body_length > 0 &&
                    !laz_stream_write(http->stream, http->body, http->body_length))) {
        fail(http, "no memory for a request");
    }
}

static void on_up(void *context)
{
    struct laz_http *http = context;
    http->is_open = true;
    send_request(http);
}

static void on_ended(void *context, const char *why)
{
    struct laz_http *http = context;
    bool is_stale =
            http->state == WAITING && http->is_reused && laz_http_reply_is_empty(http->reply);
    http->is_open = http->is_reused = false;
    if (http->state == IDLE) {
        (void)event_del(http->deadline);
    } else if (is_stale) {
        http->state = CONNECTING;
        (void)event_del(http->deadline);
        laz_stream_start(http->stream);
    } else {
        fail(http, why);
    }
}

static void finish(struct laz_http *http, bool has_more)
{
    http->state = IDLE;
    forget(http);
    if (!http->reply->keeps_open || has_more) {
        close_connection(http);
    } else {
        http->is_reused = true;
        in_ms(http->deadline, IDLE_MS);
    }
    http->owner.answered(http->owner.context, http->reply);
    if (http->state == IDLE) {
        laz_http_reply_again(http->reply); /* a key or a secret waits for no other request */
    }
}

static void read_reply(struct laz_http *http, char *bytes)
{
    for (;;) {
        struct laz_err err = {0};
        size_t used = 0;
        size_t n = laz_stream_read(http->stream, bytes, READ_BYTES);
        if (n == 0) {
            return;
        }
        if (http->state != WAITING) { /* nobody asked */
            close_connection(http);
            return;
        }
        switch (laz_http_reply_take(http->reply, bytes, n, &used, &err)) {
        case LAZ_HTTP_NEEDS_MORE:
            break;
        case LAZ_HTTP_HAS_REPLY:
            /* What is there already answers no request that comes later. */
            finish(http, used < n || laz_stream_has_more(http->stream));
            return;
        case LAZ_HTTP_IS_BROKEN:
            fail(http, err.message);
            return;
        }
    }
}

static void on_can_read(void *context)
{
    char bytes[READ_BYTES];
    read_reply(context, bytes);
    OPENSSL_cleanse(bytes, sizeof(bytes)); /* keys and secrets come this way */
}

static void on_written(void *context)
{
    (void)context;
}

static void on_deadline(evutil_socket_t fd, short what, void *context)
{
    struct laz_http *http = context;
    char why[64];
    (void)fd;
    (void)what;
    if (http->state == IDLE) {
        close_connection(http);
        return;
    }
    (void)snprintf(why, sizeof(why), "no answer in %u ms", http->answer_ms);
    fail(http, why);
}

static bool put_head(struct laz_http *http, const struct laz_http_request *request)
{
    struct laz_buf *head = &http->head;
    forget(http);
    laz_buf_printf(head, "%s %s HTTP/1.1\r\n", request->method, request->path);
    for (size_t i = 0; i < request->n_headers; i++) {
        if (strpbrk(request->headers[i].value, "\r\n") != NULL) {
            return false;
        }
        laz_buf_str(head, request->headers[i].name);
        laz_buf_str(head, ": ");
        laz_buf_str(head, request->headers[i].value);
        laz_buf_str(head, "\r\n");
    }
    if (request->body != NULL || strcmp(request->method, "GET") != 0) {
        laz_buf_printf(head, "content-length: %zu\r\n", request->body_length);
    }
    laz_buf_str(head, "accept-encoding: identity\r\n\r\n");
    return !head->overflow;
}

bool laz_http_send(struct laz_http *http, const struct laz_http_request *request)
{
    if (!put_head(http, request)) {
        forget(http);
        return false;
    }
    http->body = request->body;
    http->body_length = request->body_length;
    if (http->is_open) {
        send_request(http);
    } else {
        http->state = CONNECTING;
        laz_stream_start(http->stream);
    }
    return true;
}

bool laz_http_is_untrusted(const struct laz_http *http)
{
    return laz_stream_is_untrusted(http->stream);
}

void laz_http_cancel(struct laz_http *http)
{
    close_connection(http);
    forget(http);
    http->state = IDLE;
}

int laz_http_new(struct event_base *base, const struct laz_http_plan *plan,
        const struct laz_http_owner *owner, struct laz_http **ret, struct laz_err *err)
{
    const struct laz_dial_plan dial = {.host = plan->host,
            .port = plan->port,
            .resolver = plan->resolver,
            .wait_ms = plan->connect_ms,
            .unsent_ms = plan->answer_ms};
    struct laz_http *http = calloc(1, sizeof(*http));
    if (http == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a connection");
    }
    const struct laz_stream_owner stream_owner = {.up = on_up,
            .can_read = on_can_read,
            .written = on_written,
            .ended = on_ended,
            .context = http};
    http->owner = *owner;
    http->answer_ms = plan->answer_ms;
    laz_buf_init_wiped(&http->head, LAZ_HTTP_REQUEST_MAX);
    http->reply = calloc(1, sizeof(*http->reply));
    http->deadline = evtimer_new(base, on_deadline, http);
    if (http->reply == NULL || http->deadline == NULL) {
        laz_http_free(http);
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a connection");
    }
    laz_http_reply_init(http->reply, plan->body_max);
    if (laz_stream_new(base, &dial, plan->tls, &stream_owner, &http->stream, err) != 0) {
        laz_http_free(http);
        return -1;
    }
    *ret = http;
    return 0;
}

void laz_http_free(struct laz_http *http)
{
    if (http == NULL) {
        return;
    }
    laz_stream_free(http->stream);
    if (http->deadline != NULL) {
        event_free(http->deadline);
    }
    if (http->reply != NULL) {
        laz_http_reply_done(http->reply);
        free(http->reply);
    }
    forget(http);
    laz_buf_done(&http->head);
    free(http);
}
