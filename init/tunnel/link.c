/* SPDX-License-Identifier: Apache-2.0
 *
 * A connection, from its first byte to the handshake that makes it one. What comes in, or goes out,
 * without a verified TLS on the other side ends here, by name.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "core/fd.h"
#include "init/tunnel/tunnel.h"
#include "net/proxy.h"
#include "net/tls_profile.h"

#define NS_PER_MS UINT64_C(1000000)
#define AGAIN_MS  10U /* before a full queue is tried again, and then twice as long */
#define DOUBLINGS 5U

/* ---- its sides ---- */

static void on_plain_readable(evutil_socket_t fd, short what, void *context)
{
    struct laz_tunnel_link *link = context;
    (void)fd;
    (void)what;
    if (link->phase == LAZ_TUNNEL_OPEN) {
        laz_tunnel_move_up(link);
    } else {
        laz_tunnel_advance(link);
    }
}

static void on_plain_writable(evutil_socket_t fd, short what, void *context)
{
    struct laz_tunnel_link *link = context;
    (void)fd;
    (void)what;
    if (link->phase == LAZ_TUNNEL_OPEN) {
        laz_tunnel_move_down(link);
    } else {
        laz_tunnel_advance(link);
    }
}

static void on_wire_readable(evutil_socket_t fd, short what, void *context)
{
    struct laz_tunnel_link *link = context;
    (void)fd;
    (void)what;
    if (link->phase != LAZ_TUNNEL_OPEN) {
        laz_tunnel_advance(link);
    } else if (link->up_wants_read) {
        laz_tunnel_move_up(link);
    } else {
        laz_tunnel_move_down(link);
    }
}

static void on_wire_writable(evutil_socket_t fd, short what, void *context)
{
    struct laz_tunnel_link *link = context;
    (void)fd;
    (void)what;
    if (link->phase != LAZ_TUNNEL_OPEN) {
        laz_tunnel_advance(link);
    } else if (link->down_wants_write) {
        laz_tunnel_move_down(link);
    } else {
        laz_tunnel_move_up(link);
    }
}

static void attach(struct laz_tunnel_link *link, struct laz_tunnel_side *side, int fd)
{
    struct event_base *base = link->port->tunnel->base;
    bool is_plain = side == &link->plain;
    side->fd = fd;
    side->has_events = true;
    side->reads = side->writes = false;
    (void)event_assign(&side->readable, base, fd, EV_READ | EV_PERSIST,
            is_plain ? on_plain_readable : on_wire_readable, link);
    (void)event_assign(&side->writable, base, fd, EV_WRITE | EV_PERSIST,
            is_plain ? on_plain_writable : on_wire_writable, link);
}

static void arm(struct event *event, bool wanted, bool *is_armed)
{
    if (wanted && !*is_armed) {
        *is_armed = event_add(event, NULL) == 0;
    } else if (!wanted && *is_armed) {
        (void)event_del(event);
        *is_armed = false;
    }
}

void laz_tunnel_want(
        struct laz_tunnel_link *link, struct laz_tunnel_side *side, bool reads, bool writes)
{
    (void)link;
    if (side->has_events) {
        arm(&side->readable, reads, &side->reads);
        arm(&side->writable, writes, &side->writes);
    }
}

static void detach(struct laz_tunnel_side *side)
{
    if (side->has_events) {
        (void)event_del(&side->readable);
        (void)event_del(&side->writable);
        side->has_events = false;
    }
    laz_fd_close(&side->fd);
}

/* ---- its end ---- */

static void release_dial(struct laz_tunnel_link *link)
{
    struct laz_tunnel_dial *dial = link->dial;
    if (dial == NULL) {
        return;
    }
    struct laz_tunnel_port *port = link->port;
    link->dial = NULL;
    dial->link = NULL;
    laz_dial_cancel(dial->dial);
    dial->next = port->free_dials;
    port->free_dials = dial;
    port->n_free_dials++;
}

static void free_rest(struct laz_tunnel_rest *rest)
{
    if (rest->bytes != NULL) {
        explicit_bzero(rest->bytes, rest->n);
        free(rest->bytes);
    }
}

void laz_tunnel_forget_answers(struct laz_tunnel_link *link)
{
    if (link->answers != NULL) {
        explicit_bzero(link->answers, sizeof(*link->answers));
        free(link->answers);
        link->answers = NULL;
    }
}

void laz_tunnel_end_link(struct laz_tunnel_link *link)
{
    struct laz_tunnel_port *port = link->port;
    release_dial(link);
    SSL_free(link->session);
    detach(&link->plain);
    detach(&link->wire);
    free_rest(&link->up);
    free_rest(&link->down);
    laz_tunnel_forget_answers(link);
    if (link->next != NULL) {
        link->next->previous = link->previous;
    }
    if (link->previous != NULL) {
        link->previous->next = link->next;
    } else {
        port->links = link->next;
    }
    port->n_links--;
    laz_tunnel_is_known(link);
    free(link);
}

/* Whoever is on the plain side sees a reset and no end: what came may not be all. */
void laz_tunnel_refuse_link(
        struct laz_tunnel_link *link, enum laz_tunnel_reason reason, const char *why)
{
    const struct linger none = {.l_onoff = 1};
    if (link->plain.fd >= 0) {
        laz_ignore(setsockopt(link->plain.fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none)));
    }
    laz_tunnel_tell_refused(link->port, reason, link->peer, why);
    laz_tunnel_end_link(link);
}

/* ---- the handshake ---- */

static bool is_client_allowed(const struct laz_tunnel_link *link)
{
    const struct laz_tunnel_entry *entry = link->port->entry;
    for (uint32_t i = 0; i < entry->n_allow; i++) {
        if (laz_tls_has_name(link->session, entry->allow[i])) {
            return true;
        }
    }
    return entry->n_allow == 0;
}

static void open_link(struct laz_tunnel_link *link)
{
    link->phase = LAZ_TUNNEL_OPEN;
    link->deadline_ns = 0;
    link->moved_ns = laz_tunnel_now_ns();
    link->port->counts.opened++;
    laz_tunnel_want(link, &link->plain, true, false);
    laz_tunnel_want(link, &link->wire, true, false);
    if (link->up.n > 0) {
        laz_tunnel_move_up(link);
    } else {
        laz_tunnel_move_down(link); /* records may have come with the handshake */
    }
}

/* A unix socket whose queue is full has no way to say when it is not. Nothing is there to wait for
 * but the time. */
static void try_again(struct laz_tunnel_link *link)
{
    unsigned wait_ms = AGAIN_MS << (link->n_tried < DOUBLINGS ? link->n_tried : DOUBLINGS);
    const struct timeval wait = {.tv_usec = (suseconds_t)wait_ms * 1000};
    link->n_tried++;
    attach(link, &link->plain, -1);
    laz_tunnel_want(link, &link->wire, false, false);
    if (event_add(&link->plain.writable, &wait) != 0) {
        laz_tunnel_refuse_link(link, LAZ_TUNNEL_IS_MEMORY, "no memory for a connection");
    }
}

static void connect_plain(struct laz_tunnel_link *link)
{
    const struct laz_tunnel_end *to = &link->port->entry->to;
    int fd = laz_tunnel_connect_plain(to);
    link->phase = LAZ_TUNNEL_CONNECTING;
    if (fd < 0 && errno == EAGAIN && to->port == 0) {
        try_again(link);
        return;
    }
    if (fd < 0) {
        char why[LAZ_TUNNEL_WHY_MAX];
        (void)snprintf(why, sizeof(why), "the workload: %s", strerror(errno));
        laz_tunnel_refuse_link(link, LAZ_TUNNEL_IS_UNREACHABLE, why);
        return;
    }
    attach(link, &link->plain, fd);
    laz_tunnel_want(link, &link->wire, false, false);
    laz_tunnel_want(link, &link->plain, false, true);
}

/* Who has come, for the workload, which sees us alone. */
static bool hold_proxy_header(struct laz_tunnel_link *link)
{
    struct sockaddr_storage from = {0};
    struct sockaddr_storage to = {0};
    socklen_t from_size = sizeof(from);
    socklen_t to_size = sizeof(to);
    uint8_t header[LAZ_PROXY_HEADER_MAX];
    if (getpeername(link->wire.fd, (struct sockaddr *)&from, &from_size) < 0 ||
            getsockname(link->wire.fd, (struct sockaddr *)&to, &to_size) < 0) {
        from.ss_family = to.ss_family = AF_UNSPEC; /* it has gone already */
    }
    size_t size = laz_proxy_header(&from, &to, header);
    return laz_tunnel_hold(&link->down, header, size);
}

static void finish_plain(struct laz_tunnel_link *link)
{
    int failed = 0;
    socklen_t size = sizeof(failed);
    if (link->plain.fd < 0) {
        detach(&link->plain);
        connect_plain(link);
        return;
    }
    if (getsockopt(link->plain.fd, SOL_SOCKET, SO_ERROR, &failed, &size) != 0) {
        failed = errno;
    }
    if (failed != 0) {
        char why[LAZ_TUNNEL_WHY_MAX];
        (void)snprintf(why, sizeof(why), "the workload: %s", strerror(failed));
        laz_tunnel_refuse_link(link, LAZ_TUNNEL_IS_UNREACHABLE, why);
        return;
    }
    if (link->port->entry->to.port != 0) {
        laz_tunnel_tune(link->plain.fd);
    }
    if (link->port->entry->sends_proxy && !hold_proxy_header(link)) {
        laz_tunnel_refuse_link(link, LAZ_TUNNEL_IS_MEMORY, "no memory for a connection");
        return;
    }
    open_link(link);
}

static void refuse_handshake(struct laz_tunnel_link *link, int kind, int cause)
{
    char why[LAZ_TUNNEL_WHY_MAX] = "";
    bool is_unverified = SSL_get_verify_result(link->session) != X509_V_OK;
    laz_tls_why(link->session, ERR_peek_error(), why, sizeof(why));
    ERR_clear_error();
    if (why[0] == '\0' && kind == SSL_ERROR_SYSCALL && cause != 0) {
        (void)snprintf(why, sizeof(why), "%s", strerror(cause));
    }
    laz_tunnel_refuse_link(link, is_unverified ? LAZ_TUNNEL_IS_UNVERIFIED : LAZ_TUNNEL_IS_HANDSHAKE,
            why[0] == '\0' ? "the peer closed the connection" : why);
}

static void shake(struct laz_tunnel_link *link)
{
    const struct laz_tunnel_entry *entry = link->port->entry;
    ERR_clear_error(); /* SSL_get_error looks at both, whoever left something there */
    errno = 0;
    int result = SSL_do_handshake(link->session);
    int cause = errno;
    if (result != 1) {
        int kind = SSL_get_error(link->session, result);
        if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) {
            laz_tunnel_want(
                    link, &link->wire, kind == SSL_ERROR_WANT_READ, kind == SSL_ERROR_WANT_WRITE);
        } else {
            refuse_handshake(link, kind, cause);
        }
        return;
    }
    if (!laz_tls_is_bound(link->session)) {
        refuse_handshake(link, SSL_ERROR_SSL, 0);
        return;
    }
    if (entry->listens) {
        if (entry->requires_client && !laz_tls_is_verified(link->session)) {
            laz_tunnel_refuse_link(link, LAZ_TUNNEL_IS_UNVERIFIED, "the client is not verified");
            return;
        }
        if (!is_client_allowed(link)) {
            laz_tunnel_refuse_link(link, LAZ_TUNNEL_IS_UNVERIFIED,
                    "the client's certificate has none of the names that are allowed");
            return;
        }
        laz_tunnel_is_known(link);
        connect_plain(link);
    } else if (!laz_tls_is_verified(link->session)) {
        laz_tunnel_refuse_link(link, LAZ_TUNNEL_IS_UNVERIFIED, "the peer is not verified");
    } else {
        open_link(link);
    }
}

/* The wire is connected, and nothing but TLS follows on it. */
static void begin_handshake(struct laz_tunnel_link *link)
{
    link->session = link->port->tls == NULL ? NULL : laz_tls_session(link->port->tls);
    if (link->session == NULL || SSL_set_fd(link->session, link->wire.fd) != 1) {
        ERR_clear_error();
        laz_tunnel_refuse_link(link, LAZ_TUNNEL_IS_MEMORY, "no memory for TLS");
        return;
    }
    SSL_set_read_ahead(link->session, 1);
    (void)SSL_set_mode(link->session,
            SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                    SSL_MODE_RELEASE_BUFFERS);
    /* Or a client that changes its keys without end keeps us in one call, and everybody waiting. */
    (void)SSL_clear_mode(link->session, SSL_MODE_AUTO_RETRY);
    if (link->port->entry->listens) {
        SSL_set_accept_state(link->session);
    } else {
        SSL_set_connect_state(link->session);
    }
    link->phase = LAZ_TUNNEL_SHAKING;
    shake(link);
}

/* ---- PostgreSQL ---- */

static void ask_server(struct laz_tunnel_link *link)
{
    ssize_t n = send(link->wire.fd, laz_postgres_ssl_request, LAZ_POSTGRES_HEAD, MSG_NOSIGNAL);
    if (n != LAZ_POSTGRES_HEAD) {
        laz_tunnel_refuse_link(link, LAZ_TUNNEL_IS_NO_TLS,
                n < 0 ? strerror(errno) : "the server takes not even the question for TLS");
        return;
    }
    link->phase = LAZ_TUNNEL_OFFERED;
    laz_tunnel_want(link, &link->wire, true, false);
}

static const char *why_not(ssize_t n, uint8_t answer)
{
    return n == 0   ? "the server closed the connection when it was asked for TLS"
            : n > 1 ? "the server sent more than its answer before TLS began"
            : answer == LAZ_POSTGRES_DENIED
            ? "the server does not offer TLS"
            : "the server answered in plain text when it was asked for TLS";
}

/* One byte, and not one more: what came with it would be taken for something that came by TLS. */
static void hear_server(struct laz_tunnel_link *link)
{
    uint8_t bytes[2] = {0};
    ssize_t n = recv(link->wire.fd, bytes, sizeof(bytes), MSG_PEEK);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n == 1 && bytes[0] == LAZ_POSTGRES_GRANTED) {
        n = recv(link->wire.fd, bytes, 1, 0);
    }
    bool is_granted = n == 1 && bytes[0] == LAZ_POSTGRES_GRANTED;
    if (n < 0) {
        laz_tunnel_refuse_link(link, LAZ_TUNNEL_IS_NO_TLS, strerror(errno));
    } else if (is_granted) {
        begin_handshake(link);
    } else {
        laz_tunnel_refuse_link(link, LAZ_TUNNEL_IS_NO_TLS, why_not(n, bytes[0]));
    }
}

static void on_connected(void *context, int fd)
{
    const struct laz_tunnel_dial *dial = context;
    struct laz_tunnel_link *link = dial->link;
    release_dial(link);
    laz_tunnel_tune(fd);
    attach(link, &link->wire, fd);
    if (link->port->entry->protocol == LAZ_TUNNEL_POSTGRES) {
        ask_server(link);
    } else {
        begin_handshake(link);
    }
}

static void on_failed(void *context, const char *why)
{
    const struct laz_tunnel_dial *dial = context;
    laz_tunnel_refuse_link(dial->link, LAZ_TUNNEL_IS_UNREACHABLE, why);
}

static struct laz_tunnel_dial *new_dial(struct laz_tunnel_port *port)
{
    const struct laz_dial_plan plan = {.host = port->entry->to.host,
            .port = port->entry->to.port,
            .wait_ms = port->entry->handshake_ms,
            .unsent_ms = LAZ_TUNNEL_UNSENT_MS,
            .resolver = port->tunnel->resolver};
    struct laz_err ignored = {0};
    struct laz_tunnel_dial *dial = calloc(1, sizeof(*dial));
    const struct laz_dial_owner owner = {
            .connected = on_connected, .failed = on_failed, .context = dial};
    if (dial == NULL ||
            laz_dial_new(port->tunnel->base, &plan, &owner, &dial->dial, &ignored) < 0) {
        free(dial);
        return NULL;
    }
    dial->port = port;
    return dial;
}

static void dial_server(struct laz_tunnel_link *link)
{
    struct laz_tunnel_port *port = link->port;
    struct laz_tunnel_dial *dial = port->free_dials;
    if (dial != NULL) {
        port->free_dials = dial->next;
        port->n_free_dials--;
    } else {
        dial = new_dial(port);
    }
    if (dial == NULL) {
        laz_tunnel_refuse_link(link, LAZ_TUNNEL_IS_MEMORY, "no memory for a connection");
        return;
    }
    dial->next = NULL;
    dial->link = link;
    link->dial = dial;
    link->phase = LAZ_TUNNEL_DIALLED;
    laz_tunnel_want(link, &link->plain, false, false);
    laz_dial_start(dial->dial);
}

/* False: more has to come, or the link is gone. */
static bool hear_client(struct laz_tunnel_link *link)
{
    ssize_t n = read(link->plain.fd, link->head + link->n_head, LAZ_POSTGRES_HEAD - link->n_head);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return false;
    }
    if (n <= 0) {
        laz_tunnel_end_link(link); /* it asked for nothing */
        return false;
    }
    link->n_head += (size_t)n;
    return true;
}

static void answer_client(struct laz_tunnel_link *link)
{
    static const char denied = LAZ_POSTGRES_DENIED;
    if (!hear_client(link)) {
        return;
    }
    switch (laz_postgres_look(link->head, link->n_head)) {
    case LAZ_POSTGRES_MORE:
        return;
    case LAZ_POSTGRES_ASKS:
        link->n_head = 0;
        if (++link->n_asked > LAZ_POSTGRES_ASKED_MAX) {
            laz_tunnel_refuse_link(
                    link, LAZ_TUNNEL_IS_PROTOCOL, "the client asks for encryption again and again");
        } else if (send(link->plain.fd, &denied, 1, MSG_NOSIGNAL) != 1) {
            laz_tunnel_end_link(link); /* it has gone, and asked for nothing */
        }
        return;
    case LAZ_POSTGRES_BEGINS:
        laz_tunnel_is_known(link);
        link->answers = calloc(1, sizeof(*link->answers));
        if (link->answers == NULL || !laz_tunnel_hold(&link->up, link->head, link->n_head)) {
            laz_tunnel_refuse_link(link, LAZ_TUNNEL_IS_MEMORY, "no memory for a connection");
            return;
        }
        dial_server(link);
        return;
    case LAZ_POSTGRES_IS_TLS:
        laz_tunnel_refuse_link(link, LAZ_TUNNEL_IS_PROTOCOL,
                "the client begins TLS itself: sslmode=disable or prefer belongs in its settings");
        return;
    case LAZ_POSTGRES_UNKNOWN:
        laz_tunnel_refuse_link(
                link, LAZ_TUNNEL_IS_PROTOCOL, "the client does not speak PostgreSQL");
        return;
    }
}

/* ---- its way ---- */

void laz_tunnel_begin_link(
        struct laz_tunnel_port *port, int fd, const struct sockaddr_storage *from, const char *peer)
{
    const struct laz_tunnel_entry *entry = port->entry;
    struct laz_tunnel_link *link = calloc(1, sizeof(*link));
    if (link == NULL) {
        (void)close(fd);
        laz_tunnel_tell_refused(port, LAZ_TUNNEL_IS_MEMORY, peer, "no memory for a connection");
        return;
    }
    link->port = port;
    link->plain.fd = link->wire.fd = -1;
    (void)snprintf(link->peer, sizeof(link->peer), "%s", peer);
    link->deadline_ns = laz_tunnel_now_ns() + entry->handshake_ms * NS_PER_MS;
    link->next = port->links;
    if (link->next != NULL) {
        link->next->previous = link;
    }
    port->links = link;
    port->n_links++;
    attach(link, entry->listens ? &link->wire : &link->plain, fd);
    if (entry->listens) {
        laz_tunnel_newcomer(link, from);
        begin_handshake(link);
    } else if (entry->protocol == LAZ_TUNNEL_POSTGRES) {
        laz_tunnel_newcomer(link, from);
        link->phase = LAZ_TUNNEL_ASKED;
        laz_tunnel_want(link, &link->plain, true, false);
    } else {
        dial_server(link);
    }
}

void laz_tunnel_advance(struct laz_tunnel_link *link)
{
    switch (link->phase) {
    case LAZ_TUNNEL_ASKED:
        answer_client(link);
        break;
    case LAZ_TUNNEL_OFFERED:
        hear_server(link);
        break;
    case LAZ_TUNNEL_SHAKING:
        shake(link);
        break;
    case LAZ_TUNNEL_CONNECTING:
        finish_plain(link);
        break;
    case LAZ_TUNNEL_DIALLED:
    case LAZ_TUNNEL_OPEN:
        break;
    }
}
