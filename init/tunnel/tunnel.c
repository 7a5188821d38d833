/* SPDX-License-Identifier: Apache-2.0
 *
 * The role `tunnel`: takes its orders, makes or takes over the sockets that listen, narrows itself,
 * reads certificates, and serves until init closes the channel.
 */
#include "init/tunnel/tunnel.h"

#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/fd.h"
#include "init/role/crypto.h"
#include "secret/memory.h"

#define NS_PER_MS UINT64_C(1000000)
#define TICK_MS   500

/* ---- orders ---- */

static int take_config(
        struct laz_tunnel *tunnel, const struct laz_message *message, struct laz_err *err)
{
    if (message->length > sizeof(tunnel->section) || tunnel->has_config) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "a section of %zu bytes", message->length);
    }
    (void)memcpy(tunnel->section, message->fields, message->length);
    if (laz_tunnel_decode(tunnel->section, message->length, &tunnel->config, err) < 0) {
        return -1;
    }
    tunnel->has_config = true;
    for (uint32_t i = 0; i < tunnel->config.n_entries; i++) {
        struct laz_tunnel_port *port = &tunnel->ports[i];
        *port = (struct laz_tunnel_port){.tunnel = tunnel, .number = i, .listener = -1};
        port->entry = &tunnel->config.entries[i];
    }
    return 0;
}

static void close_all(const struct laz_message *message)
{
    for (size_t i = 0; i < message->n_fds; i++) {
        (void)close(message->fds[i]);
    }
}

/* The socket of a predecessor. */
static int take_listener(
        struct laz_tunnel *tunnel, const struct laz_message *message, struct laz_err *err)
{
    struct laz_fields fields;
    laz_fields_begin(&fields, message);
    uint32_t number = laz_fields_u32(&fields);
    if (!laz_fields_done(&fields) || number >= tunnel->config.n_entries || tunnel->has_begun ||
            tunnel->ports[number].listener >= 0) {
        close_all(message);
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "no such listener: %u", number);
    }
    tunnel->ports[number].listener = message->fds[0];
    return 0;
}

static int take_identity(
        struct laz_tunnel *tunnel, const struct laz_message *message, struct laz_err *err)
{
    struct laz_fields fields;
    laz_fields_begin(&fields, message);
    uint32_t number = laz_fields_u32(&fields);
    if (!laz_fields_done(&fields) || number >= tunnel->config.n_identities) {
        close_all(message);
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "no such identity: %u", number);
    }
    laz_tunnel_take_identity(tunnel, number, message->fds[0], message->fds[1]);
    return 0;
}

/* What comes in has to end before the workload; what it sends while it ends goes on. */
static void drain(struct laz_tunnel *tunnel)
{
    tunnel->drains = true;
    for (uint32_t i = 0; i < tunnel->config.n_entries; i++) {
        if (tunnel->ports[i].entry->listens) {
            laz_tunnel_close_port(&tunnel->ports[i]);
        }
    }
}

static int take_order(void *context, struct laz_message *message, struct laz_err *err)
{
    struct laz_tunnel *tunnel = context;
    if (message->type == LAZ_MESSAGE_CONFIG) {
        return take_config(tunnel, message, err);
    }
    if (message->type == LAZ_MESSAGE_LISTEN) {
        return take_listener(tunnel, message, err);
    }
    if (message->type == LAZ_MESSAGE_IDENTITY) {
        return take_identity(tunnel, message, err);
    }
    if (message->type == LAZ_MESSAGE_DRAIN) {
        drain(tunnel);
    }
    if (message->type == LAZ_MESSAGE_LEAVE) {
        laz_tunnel_tell_counts(tunnel, true);
        _exit(0);
    }
    tunnel->has_begun = tunnel->has_begun || message->type == LAZ_MESSAGE_BEGIN;
    return 0;
}

/* ---- the loop ---- */

static void on_orders(evutil_socket_t fd, short what, void *context)
{
    struct laz_tunnel *tunnel = context;
    (void)fd;
    (void)what;
    if (!laz_role_read_orders(&tunnel->ear)) {
        _exit(0); /* init has gone */
    }
}

static const char *why_late(const struct laz_tunnel_link *link)
{
    return link->n_tried > 0 ? "the workload takes no connection: the queue of its socket is full"
                             : "no connection and no handshake within handshake-timeout";
}

static void sweep(struct laz_tunnel_port *port, uint64_t now_ns)
{
    uint64_t idle_ns = port->entry->idle_ms * NS_PER_MS;
    struct laz_tunnel_link *next = NULL;
    for (struct laz_tunnel_link *link = port->links; link != NULL; link = next) {
        next = link->next;
        if (link->deadline_ns != 0 && now_ns >= link->deadline_ns) {
            laz_tunnel_refuse_link(link, LAZ_TUNNEL_IS_TIMEOUT, why_late(link));
        } else if (link->deadline_ns == 0 && idle_ns != 0 && now_ns >= link->moved_ns + idle_ns) {
            laz_tunnel_refuse_link(link, LAZ_TUNNEL_IS_IDLE, "nothing went through for so long");
        } else {
            laz_tunnel_look_after(link);
        }
    }
    while (port->n_free_dials > LAZ_TUNNEL_DIALS) {
        struct laz_tunnel_dial *dial = port->free_dials;
        port->free_dials = dial->next;
        port->n_free_dials--;
        laz_dial_free(dial->dial);
        free(dial);
    }
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
    struct laz_tunnel *tunnel = context;
    uint64_t now_ns = laz_tunnel_now_ns();
    (void)fd;
    (void)what;
    for (uint32_t i = 0; i < tunnel->config.n_entries; i++) {
        struct laz_tunnel_port *port = &tunnel->ports[i];
        sweep(port, now_ns);
        if (tunnel->is_tired && port->event != NULL) {
            laz_ignore(event_add(port->event, NULL)); /* or at the next tick */
        }
    }
    tunnel->is_tired = false;
    laz_tunnel_try_identities(tunnel, now_ns);
    laz_tunnel_tell_counts(tunnel, false);
}

/* ---- its life ---- */

/* Init keeps it for who comes after us. */
static int hand_over(
        struct laz_tunnel *tunnel, const struct laz_tunnel_port *port, struct laz_err *err)
{
    char memory[64];
    struct laz_buf message;
    laz_buf_init_fixed(&message, memory, sizeof(memory));
    laz_message_begin(&message, LAZ_MESSAGE_LISTENER);
    laz_message_u32(&message, port->number);
    if (!laz_message_end(&message)) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "a message does not fit");
    }
    return laz_chan_send(tunnel->ear.chan, &message, &port->listener, 1, err);
}

static int open_ports(struct laz_tunnel *tunnel, struct laz_err *err)
{
    for (uint32_t i = 0; i < tunnel->config.n_entries; i++) {
        struct laz_tunnel_port *port = &tunnel->ports[i];
        bool is_new = port->listener < 0;
        if (tunnel->drains && port->entry->listens) {
            continue;
        }
        if (laz_tunnel_listen(&tunnel->config, port, err) < 0 ||
                (is_new && hand_over(tunnel, port, err) < 0)) {
            return -1;
        }
    }
    return 0;
}

static int begin_loop(struct laz_tunnel *tunnel, struct laz_err *err)
{
    const struct timeval tick = {.tv_usec = (suseconds_t)TICK_MS * 1000};
    tunnel->orders_event =
            event_new(tunnel->base, tunnel->ear.chan, EV_READ | EV_PERSIST, on_orders, tunnel);
    tunnel->timer = event_new(tunnel->base, -1, EV_PERSIST, on_tick, tunnel);
    if (tunnel->orders_event == NULL || tunnel->timer == NULL ||
            event_add(tunnel->orders_event, NULL) != 0 || event_add(tunnel->timer, &tick) != 0) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for events");
    }
    return 0;
}

static int begin(struct laz_tunnel *tunnel, struct laz_err *err)
{
    if (!tunnel->has_config) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "orders are missing");
    }
    size_t links = laz_tunnel_make_room(tunnel);
    if (!laz_secret_lock_keys(links)) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for keys");
    }
    if (getrandom(&tunnel->salt, sizeof(tunnel->salt), 0) != (ssize_t)sizeof(tunnel->salt)) {
        return laz_err_set(err, LAZ_E_INTERNAL, errno, "getrandom: %s", strerror(errno));
    }
    if (open_ports(tunnel, err) < 0 || laz_tunnel_open_trust(tunnel, err) < 0 ||
            laz_tunnel_narrow(tunnel, err) < 0) {
        return -1;
    }
    /* One for all: each has a socket to every name server, and who asks at once shares an answer.
     */
    if (laz_tunnel_needs_names(&tunnel->config) &&
            laz_resolver_new(tunnel->base, &tunnel->resolver, err) < 0) {
        return -1;
    }
    if (laz_tunnel_make_tls(tunnel, err) < 0) {
        return -1;
    }
    for (uint32_t i = 0; i < tunnel->config.n_entries; i++) {
        bool is_open = tunnel->ports[i].listener >= 0;
        if (is_open && laz_tunnel_open_port(&tunnel->ports[i], err) < 0) {
            return -1;
        }
    }
    laz_tunnel_forget_identities(tunnel);
    tunnel->works = true;
    tunnel->stat_ns = laz_tunnel_now_ns();
    return begin_loop(tunnel, err);
}

_Noreturn void laz_role_tunnel(int chan)
{
    struct laz_err err = {0};
    enum laz_fips_state fips = LAZ_FIPS_UNASKED;
    struct laz_tunnel *tunnel = calloc(1, sizeof(*tunnel));
    if (tunnel == NULL) {
        _exit(1);
    }
    tunnel->ear = (struct laz_role_ear){
            .chan = chan, .role = LAZ_ROLE_TUNNEL, .take = take_order, .context = tunnel};
    for (uint32_t i = 0; i < LAZ_TUNNEL_TRUST_MAX; i++) {
        tunnel->trust[i] = -1;
    }
    for (uint32_t i = 0; i < LAZ_TUNNEL_IDENTITIES_MAX; i++) {
        tunnel->identities[i] = (struct laz_tunnel_identity){.chain = -1, .key = -1};
    }
    if (!laz_secret_wipe_libraries()) {
        (void)laz_err_set(&err, LAZ_E_INTERNAL, 0, "libcrypto has begun already");
        laz_role_fail(chan, &err);
    }
    laz_role_await_orders(&tunnel->ear, &tunnel->has_begun);
    tunnel->base = event_base_new();
    if (tunnel->base == NULL) {
        (void)laz_err_set(&err, LAZ_E_MEMORY, 0, "no event loop");
        laz_role_fail(chan, &err);
    }
    if (laz_role_begin_crypto(tunnel->config.fips, &fips, &err) < 0 || begin(tunnel, &err) < 0) {
        laz_role_fail(chan, &err);
    }
    laz_role_say_ready(chan, fips);
    (void)event_base_dispatch(tunnel->base);
    (void)laz_err_set(&err, LAZ_E_INTERNAL, 0, "the event loop ended");
    laz_role_fail(chan, &err);
}
