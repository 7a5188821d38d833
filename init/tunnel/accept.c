/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections as they come, up to the ceilings. Above them one is closed, and that is said: one
 * that has shown nothing yet rather than the one that comes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/fd.h"
#include "init/tunnel/tunnel.h"

#define AT_ONCE 32 /* of one port, before others have their turn */

static void name_peer(const struct sockaddr_storage *from, char *ret, size_t size)
{
    const void *at = NULL;
    if (from->ss_family == AF_INET) {
        at = &((const struct sockaddr_in *)from)->sin_addr;
    } else if (from->ss_family == AF_INET6) {
        at = &((const struct sockaddr_in6 *)from)->sin6_addr;
    }
    if (at == NULL || inet_ntop(from->ss_family, at, ret, (socklen_t)size) == NULL) {
        (void)snprintf(ret, size, "local");
    }
}

/* Nothing can be taken for a while: the loop would turn without end. */
static void pause_all(struct laz_tunnel *tunnel)
{
    tunnel->is_tired = true;
    for (uint32_t i = 0; i < tunnel->config.n_entries; i++) {
        if (tunnel->ports[i].event != NULL) {
            (void)event_del(tunnel->ports[i].event);
        }
    }
}

/* False: all who are there have shown who they are. */
static bool make_way(const struct laz_tunnel_port *port)
{
    struct laz_tunnel_link *one = laz_tunnel_least_welcome(port);
    if (one == NULL) {
        return false;
    }
    laz_tunnel_refuse_link(one, LAZ_TUNNEL_IS_CEILING,
            "too many have come and begun nothing: the oldest from where most came from gave way");
    return true;
}

static bool is_full(const struct laz_tunnel_port *port)
{
    return port->n_links >= port->max_links || port->n_new >= laz_tunnel_newcomers_max(port);
}

/* False: there is no other for now. */
static bool accept_one(struct laz_tunnel_port *port)
{
    struct laz_tunnel *tunnel = port->tunnel;
    struct sockaddr_storage from = {0};
    socklen_t size = sizeof(from);
    char peer[LAZ_TUNNEL_PEER] = "";
    int fd = accept4(port->listener, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            pause_all(tunnel);
            laz_tunnel_tell_refused(port, LAZ_TUNNEL_IS_CEILING, "", strerror(errno));
        }
        return errno == ECONNABORTED || errno == EINTR;
    }
    name_peer(&from, peer, sizeof(peer));
    if (is_full(port) && !make_way(port)) {
        (void)close(fd);
        laz_tunnel_tell_refused(port, LAZ_TUNNEL_IS_CEILING, peer,
                port->max_links == port->entry->max_connections
                        ? "as many connections are open as max-connections allows"
                        : "as many connections are open as the limit of open files allows");
        return true;
    }
    if (from.ss_family != AF_UNIX) {
        laz_tunnel_tune(fd);
    }
    laz_tunnel_begin_link(port, fd, &from, peer);
    return true;
}

static void on_connection(evutil_socket_t fd, short what, void *context)
{
    struct laz_tunnel_port *port = context;
    (void)fd;
    (void)what;
    for (unsigned i = 0; i < AT_ONCE && accept_one(port); i++) {
    }
}

int laz_tunnel_open_port(struct laz_tunnel_port *port, struct laz_err *err)
{
    port->event = event_new(
            port->tunnel->base, port->listener, EV_READ | EV_PERSIST, on_connection, port);
    if (port->event == NULL || event_add(port->event, NULL) != 0) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for events");
    }
    return 0;
}

void laz_tunnel_close_port(struct laz_tunnel_port *port)
{
    if (port->event != NULL) {
        event_free(port->event);
        port->event = NULL;
    }
    laz_fd_close(&port->listener);
}
