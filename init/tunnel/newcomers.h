/* SPDX-License-Identifier: Apache-2.0
 *
 * Who has come to an entry of the tunnel and has shown nothing yet: kept apart by where they come
 * from, so that a flood costs those who sent it.
 */
#ifndef LAZ_INIT_TUNNEL_NEWCOMERS_H
#define LAZ_INIT_TUNNEL_NEWCOMERS_H

#include <stdint.h>
#include <sys/socket.h>

#define LAZ_TUNNEL_CROWDS 256 /* of each entry: a flood seldom shares one with who is good */

struct laz_tunnel_port;
struct laz_tunnel_link;

/* Newcomers from one place, in the order in which they came. */
struct laz_tunnel_crowd {
    struct laz_tunnel_link *oldest;
    struct laz_tunnel_link *latest;
    uint32_t n;
};

void laz_tunnel_newcomer(struct laz_tunnel_link *link, const struct sockaddr_storage *from);
/* It has shown what was asked for, or is going. Nothing where it is no newcomer. */
void laz_tunnel_is_known(struct laz_tunnel_link *link);
uint32_t laz_tunnel_newcomers_max(const struct laz_tunnel_port *port);
/* The oldest newcomer from wherever most are; NULL: there are none. */
struct laz_tunnel_link *laz_tunnel_least_welcome(const struct laz_tunnel_port *port);

#endif
