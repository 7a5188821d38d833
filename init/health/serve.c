/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP: libevent's server behind two doors, TCP with or without TLS, and init's unix socket. Each
 * connection carries one answer. Reads no body, and changes nothing for anybody who asks.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "core/fd.h"
#include "init/health/health.h"

#define BACKLOG     128
#define HEADERS_MAX 8192 /* bytes of a request's head */
#define OK          200
#define NOT_FOUND   404
#define NOT_ALLOWED 405
#define UNAVAILABLE 503
#define BALANCER    "ELB-HealthChecker/"
#define ALL_METHODS 0xffff
#define JSON        "application/json"
#define PROMETHEUS  "text/plain; version=0.0.4; charset=utf-8"

union any {
    struct sockaddr base;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
};

/* ---- its socket and its certificate ---- */

static socklen_t address_of(const struct laz_health_config *config, union any *ret)
{
    *ret = (union any){0};
    if (inet_pton(AF_INET, config->host, &ret->four.sin_addr) == 1) {
        ret->four.sin_family = AF_INET;
        ret->four.sin_port = htons(config->port);
        return sizeof(ret->four);
    }
    if (inet_pton(AF_INET6, config->host, &ret->six.sin6_addr) == 1) {
        ret->six.sin6_family = AF_INET6;
        ret->six.sin6_port = htons(config->port);
        return sizeof(ret->six);
    }
    return 0;
}

int laz_health_listen(struct laz_health_role *role, struct laz_err *err)
{
    union any address;
    int yes = 1;
    int *listener = &role->listeners[LAZ_HEALTH_SOCKET_TCP];
    if (role->config.port == 0 || *listener >= 0) {
        return 0;
    }
    socklen_t size = address_of(&role->config, &address);
    errno = EINVAL;
    *listener = size == 0
            ? -1
            : socket(address.base.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*listener < 0 || setsockopt(*listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0 ||
            bind(*listener, &address.base, size) < 0 || listen(*listener, BACKLOG) < 0) {
        int cause = errno;
        return laz_err_set(err, LAZ_E_HEALTH, cause, "health.listen: %s:%u: %s", role->config.host,
                role->config.port, strerror(cause));
    }
    return 0;
}

static int new_tls(const struct laz_health_role *role, struct laz_tls **ret, struct laz_err *err)
{
    struct laz_err why = {0};
    struct laz_tls_files files = {.ca = -1, .cert = role->chain, .key = role->key};
    const struct laz_tls_plan plan = {.ca = "",
            .cert = "health.tls",
            .key = "health.tls",
            .peer = "",
            .serves = true,
            .profile = role->config.profile,
            .files = &files};
    if (role->chain < 0 || role->key < 0) {
        return laz_err_set(err, LAZ_E_HEALTH, 0, "health.tls: there is no certificate");
    }
    if (laz_tls_new(&plan, ret, &why) < 0) {
        return laz_err_set(err, LAZ_E_HEALTH, 0, "health.tls: %s", why.message);
    }
    return 0;
}

static void forget_identity(struct laz_health_role *role)
{
    laz_fd_close(&role->chain);
    laz_fd_close(&role->key);
}

int laz_health_make_tls(struct laz_health_role *role, struct laz_err *err)
{
    if (!role->config.has_identity || role->config.port == 0) {
        return 0;
    }
    int result = new_tls(role, &role->tls, err);
    forget_identity(role);
    return result;
}

/* One that does not work changes nothing. Connections that are open keep theirs. */
void laz_health_renew_tls(struct laz_health_role *role)
{
    struct laz_tls *made = NULL;
    struct laz_err err = {0};
    if (new_tls(role, &made, &err) == 0) {
        laz_tls_free(role->tls);
        role->tls = made;
    }
    forget_identity(role);
    laz_health_tell_renewed(role, err.message);
}

/* ---- one request ---- */

static bool may_see_all(const struct laz_health_door *door, struct evhttp_connection *connection)
{
    struct ucred peer = {0};
    socklen_t size = sizeof(peer);
    int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(connection));
    if (door->is_tcp) {
        return door->role->config.expose_full;
    }
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && size == sizeof(peer) &&
            (peer.uid == 0 || peer.uid == door->role->owner);
}

/* Its nodes, each by its address, are told apart from other clients by what they call themselves.
 */
static void see_balancer(const struct laz_health_door *door, struct evhttp_request *request,
        const struct laz_health_view *view, bool was_refused)
{
    const char *agent = evhttp_find_header(evhttp_request_get_input_headers(request), "User-Agent");
    char *from = NULL;
    uint16_t port = 0;
    uint8_t address[16] = {[10] = 0xff, [11] = 0xff};
    if (!door->is_tcp || agent == NULL || strncmp(agent, BALANCER, sizeof(BALANCER) - 1) != 0) {
        return;
    }
    evhttp_connection_get_peer(evhttp_request_get_connection(request), &from, &port);
    if (from != NULL &&
            (inet_pton(AF_INET, from, address + 12) == 1 ||
                    inet_pton(AF_INET6, from, address) == 1)) {
        laz_health_drain_see(
                &door->role->health.drain, &door->role->config, address, view->now.ns, was_refused);
    }
}

static void add_header(struct evhttp_request *request, const char *name, const char *value)
{
    laz_ignore(evhttp_add_header(evhttp_request_get_output_headers(request), name, value));
}

static void reply(
        struct evhttp_request *request, int code, const char *reason, const struct laz_buf *body)
{
    struct evbuffer *bytes = evbuffer_new();
    add_header(request, "Connection", "close");
    add_header(request, "Cache-Control", "no-store");
    if (bytes != NULL && body != NULL) {
        laz_ignore(evbuffer_add(bytes, body->data, body->len));
    }
    evhttp_send_reply(request, code, reason, bytes);
    if (bytes != NULL) {
        evbuffer_free(bytes);
    }
}

static void answer(struct laz_health_door *door, struct evhttp_request *request,
        enum laz_health_question question)
{
    struct laz_health_role *role = door->role;
    struct laz_health_view view;
    laz_cleanup_buf struct laz_buf body;
    laz_buf_init_heap(&body, LAZ_HEALTH_DOCUMENT_MAX);
    bool is_full = may_see_all(door, evhttp_request_get_connection(request));
    if (question == LAZ_HEALTH_ASK_WHOLE || question == LAZ_HEALTH_ASK_METRICS) {
        laz_health_look_around(role, &view);
    } else {
        laz_health_view_now(role, &view);
    }
    bool is_fine = laz_health_is_fine(&role->health, question);
    laz_health_write_answer(&view, question, is_full, &body);
    if (body.overflow) {
        reply(request, UNAVAILABLE, "No memory", NULL);
        return;
    }
    if (question == LAZ_HEALTH_ASK_READY) {
        see_balancer(door, request, &view, !is_fine);
    }
    if (!is_fine) {
        char seconds[16];
        (void)snprintf(seconds, sizeof(seconds), "%u", laz_health_retry_after(&view));
        add_header(request, "Retry-After", seconds);
    }
    add_header(request, "Content-Type", question == LAZ_HEALTH_ASK_METRICS ? PROMETHEUS : JSON);
    reply(request, is_fine ? OK : UNAVAILABLE, is_fine ? "OK" : "Service Unavailable", &body);
}

static void on_request(struct evhttp_request *request, void *context)
{
    struct laz_health_door *door = context;
    enum evhttp_cmd_type command = evhttp_request_get_command(request);
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
    const char *path = uri == NULL ? NULL : evhttp_uri_get_path(uri);
    enum laz_health_question question = laz_health_question_of_path(path == NULL ? "" : path);
    if (command != EVHTTP_REQ_GET && command != EVHTTP_REQ_HEAD) {
        add_header(request, "Allow", "GET, HEAD");
        reply(request, NOT_ALLOWED, "Method Not Allowed", NULL);
    } else if (question == LAZ_HEALTH_QUESTION_COUNT) {
        reply(request, NOT_FOUND, "Not Found", NULL);
    } else {
        answer(door, request, question);
    }
}

/* ---- doors ---- */

static _Noreturn void fail_for_memory(const struct laz_health_role *role)
{
    struct laz_err err = {0};
    (void)laz_err_set(&err, LAZ_E_MEMORY, 0, "no memory for a connection");
    laz_role_fail(role->ear.chan, &err);
}

/* For each who comes. Without one of ours libevent would make its own, without TLS and unseen: that
 * ends this process first. */
static struct bufferevent *on_newcomer(struct event_base *base, void *context)
{
    struct laz_health_door *door = context;
    struct laz_health_role *role = door->role;
    struct bufferevent *made = NULL;
    if (door->is_tcp) {
        role->our_own++;
    }
    if (door->is_tcp && role->config.has_identity) {
        SSL *session = laz_tls_session(role->tls);
        made = session == NULL ? NULL
                               : bufferevent_openssl_socket_new(base, -1, session,
                                         BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    } else {
        made = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    }
    if (made == NULL) {
        fail_for_memory(role);
    }
    laz_health_take_seat(door, made);
    return made;
}

static int open_door(struct laz_health_role *role, struct laz_health_door *door, int listener,
        struct laz_err *err)
{
    struct evhttp_bound_socket *bound = NULL;
    door->http = evhttp_new(role->base);
    if (door->http != NULL) {
        evhttp_set_allowed_methods(door->http, ALL_METHODS); /* ours is the refusal */
        evhttp_set_max_headers_size(door->http, HEADERS_MAX);
        evhttp_set_max_body_size(door->http, 0);
        evhttp_set_timeout(door->http, LAZ_HEALTH_IDLE_MS / 1000);
        evhttp_set_gencb(door->http, on_request, door);
        evhttp_set_bevcb(door->http, on_newcomer, door);
        bound = evhttp_accept_socket_with_handle(door->http, listener);
    }
    if (bound == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a server");
    }
    door->listener = evhttp_bound_socket_get_listener(bound);
    return 0;
}

int laz_health_open_doors(struct laz_health_role *role, struct laz_err *err)
{
    static const enum laz_health_socket sockets[] = {LAZ_HEALTH_SOCKET_TCP, LAZ_HEALTH_SOCKET_HTTP};
    for (unsigned i = 0; i < 2; i++) {
        struct laz_health_door *door = &role->doors[i];
        int *listener = &role->listeners[sockets[i]];
        *door = (struct laz_health_door){
                .role = role, .is_tcp = sockets[i] == LAZ_HEALTH_SOCKET_TCP};
        if (*listener >= 0 && open_door(role, door, *listener, err) < 0) {
            return -1;
        }
        *listener = -1; /* libevent's now */
    }
    return 0;
}
