/* SPDX-License-Identifier: Apache-2.0
 *
 * The open connection: bytes both ways, at most a record of each on its way here, so that a side
 * that does not read holds the other up. An end goes over as an end, and a break as a break.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "core/buf.h"
#include "init/tunnel/tunnel.h"

#define ROUNDS 8 /* of one connection, before others have their turn */

/* What came of one step. */
enum step {
    STEP_MOVED, /* and there may be more */
    STEP_WAITS,
    STEP_GONE, /* the link is */
};

bool laz_tunnel_hold(struct laz_tunnel_rest *rest, const uint8_t *bytes, size_t length)
{
    size_t waiting = rest->n - rest->at;
    uint8_t *grown = malloc(waiting + length);
    if (grown == NULL) {
        return false;
    }
    if (waiting > 0) {
        (void)memcpy(grown, rest->bytes + rest->at, waiting);
    }
    (void)memcpy(grown + waiting, bytes, length);
    if (rest->bytes != NULL) {
        explicit_bzero(rest->bytes, rest->n);
        free(rest->bytes);
    }
    *rest = (struct laz_tunnel_rest){.bytes = grown, .n = waiting + length};
    return true;
}

static void took(struct laz_tunnel_rest *rest, size_t n)
{
    rest->at += n;
    if (rest->at == rest->n) {
        explicit_bzero(rest->bytes, rest->n);
        free(rest->bytes);
        *rest = (struct laz_tunnel_rest){0};
    }
}

static void count_moved(struct laz_tunnel_link *link, uint64_t *ret_counter, size_t n)
{
    *ret_counter += n;
    if (n > 0 && link->port->entry->idle_ms != 0) {
        link->moved_ns = laz_tunnel_now_ns();
    }
}

static enum step out_of_memory(struct laz_tunnel_link *link)
{
    laz_tunnel_refuse_link(link, LAZ_TUNNEL_IS_MEMORY, "no memory for what it waits with");
    return STEP_GONE;
}

/* Looks at what is still open on each side. False: nothing is, and the link is gone. */
static bool settle(struct laz_tunnel_link *link)
{
    bool up_waits = link->up.n > 0;
    bool down_waits = link->down.n > 0;
    if (link->said_end && link->passed_end) {
        laz_tunnel_end_link(link);
        return false;
    }
    bool up_stuck = up_waits || (link->plain_ended && !link->said_end);
    laz_tunnel_want(link, &link->plain, !up_waits && !link->plain_ended, down_waits);
    laz_tunnel_want(link, &link->wire,
            (!down_waits && !link->wire_ended && !link->down_wants_write) ||
                    (up_stuck && link->up_wants_read),
            (up_stuck && !link->up_wants_read) || link->down_wants_write);
    return true;
}

static enum step broken_plain(struct laz_tunnel_link *link, int cause)
{
    char why[LAZ_TUNNEL_WHY_MAX];
    (void)snprintf(why, sizeof(why), "the plain side: %s", strerror(cause));
    laz_tunnel_refuse_link(link, LAZ_TUNNEL_IS_BROKEN, why);
    return STEP_GONE;
}

static enum step broken_wire(struct laz_tunnel_link *link, int kind, int cause)
{
    char why[LAZ_TUNNEL_WHY_MAX] = "";
    laz_tls_why(link->session, ERR_peek_error(), why, sizeof(why));
    ERR_clear_error();
    if (why[0] == '\0' && kind == SSL_ERROR_SYSCALL && cause != 0) {
        (void)snprintf(why, sizeof(why), "%s", strerror(cause));
    }
    laz_tunnel_refuse_link(link, LAZ_TUNNEL_IS_BROKEN,
            why[0] == '\0' ? "the peer closed the connection without saying so" : why);
    return STEP_GONE;
}

/* SSL_get_error looks at both, whoever left something there. */
static void begin_call(void)
{
    ERR_clear_error();
    errno = 0;
}

/* ---- towards the wire ---- */

/* Takes what of it TLS takes; *ret_taken is how much. */
static enum step write_wire(
        struct laz_tunnel_link *link, const uint8_t *bytes, size_t length, size_t *ret_taken)
{
    link->up_wants_read = false;
    *ret_taken = 0;
    begin_call();
    int n = SSL_write(link->session, bytes, (int)length);
    int cause = errno;
    if (n > 0) {
        *ret_taken = (size_t)n;
        count_moved(link, &link->port->counts.bytes_up, (size_t)n);
        return STEP_MOVED;
    }
    int kind = SSL_get_error(link->session, n);
    if (kind == SSL_ERROR_WANT_WRITE || kind == SSL_ERROR_WANT_READ) {
        link->up_wants_read = kind == SSL_ERROR_WANT_READ;
        return STEP_WAITS;
    }
    return broken_wire(link, kind, cause);
}

static enum step say_end(struct laz_tunnel_link *link)
{
    begin_call();
    int result = SSL_shutdown(link->session);
    int cause = errno;
    link->up_wants_read = false;
    if (result >= 0) {
        link->said_end = true;
        return STEP_WAITS;
    }
    int kind = SSL_get_error(link->session, result);
    if (kind == SSL_ERROR_WANT_WRITE || kind == SSL_ERROR_WANT_READ) {
        link->up_wants_read = kind == SSL_ERROR_WANT_READ;
        return STEP_WAITS;
    }
    return broken_wire(link, kind, cause);
}

static enum step pass_up(struct laz_tunnel_link *link, const uint8_t *bytes, size_t n)
{
    size_t taken = 0;
    enum step step = write_wire(link, bytes, n, &taken);
    if (step == STEP_GONE) {
        return step;
    }
    if (taken < n && !laz_tunnel_hold(&link->up, bytes + taken, n - taken)) {
        return out_of_memory(link);
    }
    return step == STEP_MOVED && n == LAZ_TUNNEL_CHUNK ? STEP_MOVED : STEP_WAITS;
}

static enum step step_up(struct laz_tunnel_link *link)
{
    uint8_t *scratch = link->port->tunnel->scratch;
    if (link->up.n > 0) {
        size_t taken = 0;
        enum step step =
                write_wire(link, link->up.bytes + link->up.at, link->up.n - link->up.at, &taken);
        if (step == STEP_MOVED) {
            took(&link->up, taken);
        }
        return step;
    }
    if (link->plain_ended) {
        return link->said_end ? STEP_WAITS : say_end(link);
    }
    ssize_t n = read(link->plain.fd, scratch, LAZ_TUNNEL_CHUNK);
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR ? STEP_WAITS : broken_plain(link, errno);
    }
    if (n == 0) {
        link->plain_ended = true;
        return STEP_MOVED;
    }
    enum step step = pass_up(link, scratch, (size_t)n);
    explicit_bzero(scratch, (size_t)n); /* all connections share it */
    return step;
}

void laz_tunnel_move_up(struct laz_tunnel_link *link)
{
    enum step step = STEP_MOVED;
    for (unsigned i = 0; i < ROUNDS && step == STEP_MOVED; i++) {
        step = step_up(link);
    }
    if (step != STEP_GONE) {
        (void)settle(link);
    }
}

/* ---- towards the plain side ---- */

static enum step write_plain(struct laz_tunnel_link *link, const uint8_t *bytes, size_t length)
{
    ssize_t n = send(link->plain.fd, bytes, length, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        return broken_plain(link, errno);
    }
    size_t taken = n < 0 ? 0 : (size_t)n;
    count_moved(link, &link->port->counts.bytes_down, taken);
    if (taken < length && !laz_tunnel_hold(&link->down, bytes + taken, length - taken)) {
        return out_of_memory(link);
    }
    return taken < length ? STEP_WAITS : STEP_MOVED;
}

static enum step write_rest(struct laz_tunnel_link *link)
{
    struct laz_tunnel_rest *rest = &link->down;
    ssize_t n = send(link->plain.fd, rest->bytes + rest->at, rest->n - rest->at, MSG_NOSIGNAL);
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR ? STEP_WAITS : broken_plain(link, errno);
    }
    count_moved(link, &link->port->counts.bytes_down, (size_t)n);
    took(rest, (size_t)n);
    return rest->n > 0 ? STEP_WAITS : STEP_MOVED;
}

/* What a PostgreSQL server says before it has let the client in. */
static enum step filter(struct laz_tunnel_link *link, size_t length)
{
    struct laz_tunnel *tunnel = link->port->tunnel;
    struct laz_buf kept;
    struct laz_err err = {0};
    laz_buf_init_fixed(&kept, (char *)tunnel->kept, sizeof(tunnel->kept));
    if (laz_postgres_filter(link->answers, tunnel->scratch, length, &kept, &err) < 0) {
        laz_tunnel_refuse_link(link, LAZ_TUNNEL_IS_PROTOCOL, err.message);
        return STEP_GONE;
    }
    if (link->answers->is_over) {
        laz_tunnel_forget_answers(link);
    }
    enum step step = kept.len == 0 ? STEP_MOVED : write_plain(link, tunnel->kept, kept.len);
    explicit_bzero(tunnel->kept, kept.len);
    return step;
}

static enum step pass_end(struct laz_tunnel_link *link)
{
    if (!link->passed_end) {
        link->passed_end = true;
        (void)shutdown(link->plain.fd, SHUT_WR); /* who has gone already knows */
    }
    return STEP_WAITS;
}

static enum step step_down(struct laz_tunnel_link *link)
{
    uint8_t *scratch = link->port->tunnel->scratch;
    if (link->down.n > 0) {
        return write_rest(link);
    }
    if (link->wire_ended) {
        return pass_end(link);
    }
    link->down_wants_write = false;
    begin_call();
    int n = SSL_read(link->session, scratch, LAZ_TUNNEL_CHUNK);
    int cause = errno;
    if (n > 0) {
        enum step step = link->answers != NULL ? filter(link, (size_t)n)
                                               : write_plain(link, scratch, (size_t)n);
        explicit_bzero(scratch, (size_t)n);
        if (step != STEP_MOVED) {
            return step;
        }
        /* What TLS holds wakes nobody. */
        return n == LAZ_TUNNEL_CHUNK || SSL_has_pending(link->session) == 1 ? STEP_MOVED
                                                                            : STEP_WAITS;
    }
    int kind = SSL_get_error(link->session, n);
    if (kind == SSL_ERROR_ZERO_RETURN) {
        link->wire_ended = true;
        return STEP_MOVED;
    }
    if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) {
        link->down_wants_write = kind == SSL_ERROR_WANT_WRITE;
        return STEP_WAITS;
    }
    return broken_wire(link, kind, cause);
}

void laz_tunnel_move_down(struct laz_tunnel_link *link)
{
    enum step step = STEP_MOVED;
    for (unsigned i = 0; i < ROUNDS && step == STEP_MOVED; i++) {
        step = step_down(link);
    }
    if (step == STEP_GONE) {
        return;
    }
    bool has_end = link->wire_ended && !link->passed_end && link->down.n == 0;
    bool has_more = step == STEP_MOVED && (has_end || SSL_has_pending(link->session) == 1);
    /* In this order: event_add does not have an event watched that is active already. */
    if (settle(link) && has_more) {
        event_active(&link->wire.readable, EV_READ, 0);
    }
}

/* ---- what wakes nobody ---- */

/* 0: nothing is wrong there. */
static int failure_of(const struct laz_tunnel_side *side)
{
    int failed = 0;
    socklen_t size = sizeof(failed);
    return getsockopt(side->fd, SOL_SOCKET, SO_ERROR, &failed, &size) == 0 ? failed : errno;
}

void laz_tunnel_look_after(struct laz_tunnel_link *link)
{
    int cause = 0;
    if (link->passed_end && (cause = failure_of(&link->wire)) != 0) {
        (void)broken_wire(link, SSL_ERROR_SYSCALL, cause);
    } else if (link->said_end && (cause = failure_of(&link->plain)) != 0) {
        (void)broken_plain(link, cause);
    }
}
