/* SPDX-License-Identifier: Apache-2.0
 *
 * An HTTP/1.1 client for one server: one request at a time, and the connection kept for the next.
 * Never follows a redirect, asks no proxy and sends nothing a second time, but for one case: a
 * connection that was kept, and that the server had closed before it had read any of it.
 */
#ifndef LAZ_NET_HTTP_H
#define LAZ_NET_HTTP_H

#include <event2/event.h>

#include "net/http_reply.h"
#include "net/sigv4.h"
#include "net/tls.h"

#define LAZ_HTTP_REQUEST_MAX 32768 /* bytes of a request's head */

struct laz_http_plan {
    const char *host; /* borrowed */
    uint16_t port;
    const struct laz_tls *tls;     /* NULL: plain; borrowed */
    struct laz_resolver *resolver; /* as of struct laz_dial_plan */
    uint32_t connect_ms;           /* to look up, connect and shake hands, for each address */
    uint32_t answer_ms;            /* from the request to the reply's last byte */
    size_t body_max;               /* of replies */
};

/* One of the two for each request, from the event loop; the next may be sent from within. The reply
 * is there until then, and no longer than the call. */
struct laz_http_owner {
    void (*answered)(void *context, const struct laz_http_reply *reply);
    void (*failed)(void *context, const char *why); /* static or short-lived: copy it */
    void *context;
};

/* Headers with `host` among them; the length of the body is added. */
struct laz_http_request {
    const char *method;
    const char *path;
    const struct laz_header *headers;
    size_t n_headers;
    const void *body; /* borrowed until the answer; NULL: none */
    size_t body_length;
};

struct laz_http;

LAZ_MUST_CHECK int laz_http_new(struct event_base *base, const struct laz_http_plan *plan,
        const struct laz_http_owner *owner, struct laz_http **ret, struct laz_err *err);
void laz_http_free(struct laz_http *http);

/* false: it does not fit, or no memory; nobody is told. */
LAZ_MUST_CHECK bool laz_http_send(struct laz_http *http, const struct laz_http_request *request);
/* In `failed`: because the peer is somebody whom we do not trust? */
bool laz_http_is_untrusted(const struct laz_http *http);
/* Nobody is told, and the connection is closed. */
void laz_http_cancel(struct laz_http *http);

#endif
