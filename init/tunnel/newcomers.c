/* SPDX-License-Identifier: Apache-2.0
 *
 * Those who have come and have shown nothing yet. They cost a peer next to nothing, so that they
 * have a part of an entry's connections alone, and whoever has most of them loses one first: silent
 * ones never keep somebody out. Closes nothing itself.
 */
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "init/tunnel/tunnel.h"

#define FEW 16U /* as many may always be unfinished, where the entry takes so many */

uint32_t laz_tunnel_newcomers_max(const struct laz_tunnel_port *port)
{
    uint32_t half = port->max_links / 2;
    if (half >= FEW) {
        return half;
    }
    return port->max_links < FEW ? port->max_links : FEW;
}

/* One for each address, or network of 64 bits, as far as they do not collide; which do, nobody
 * outside can know. */
static struct laz_tunnel_crowd *crowd_of(
        struct laz_tunnel_port *port, const struct sockaddr_storage *from)
{
    uint64_t mixed = port->tunnel->salt;
    uint64_t address = 0;
    if (from->ss_family == AF_INET) {
        address = ((const struct sockaddr_in *)from)->sin_addr.s_addr;
    } else if (from->ss_family == AF_INET6) {
        (void)memcpy(&address, &((const struct sockaddr_in6 *)from)->sin6_addr, sizeof(address));
    }
    for (unsigned round = 0; round < 3; round++) {
        mixed = (mixed ^ address) * UINT64_C(0x9e3779b97f4a7c15);
        mixed ^= mixed >> 29;
    }
    return &port->crowds[mixed % LAZ_TUNNEL_CROWDS];
}

void laz_tunnel_newcomer(struct laz_tunnel_link *link, const struct sockaddr_storage *from)
{
    struct laz_tunnel_crowd *crowd = crowd_of(link->port, from);
    link->crowd = crowd;
    link->older = crowd->latest;
    if (crowd->latest != NULL) {
        crowd->latest->newer = link;
    } else {
        crowd->oldest = link;
    }
    crowd->latest = link;
    crowd->n++;
    link->port->n_new++;
}

void laz_tunnel_is_known(struct laz_tunnel_link *link)
{
    struct laz_tunnel_crowd *crowd = link->crowd;
    if (crowd == NULL) {
        return;
    }
    if (link->older != NULL) {
        link->older->newer = link->newer;
    } else {
        crowd->oldest = link->newer;
    }
    if (link->newer != NULL) {
        link->newer->older = link->older;
    } else {
        crowd->latest = link->older;
    }
    crowd->n--;
    link->port->n_new--;
    link->crowd = NULL;
    link->older = link->newer = NULL;
}

struct laz_tunnel_link *laz_tunnel_least_welcome(const struct laz_tunnel_port *port)
{
    const struct laz_tunnel_crowd *largest = &port->crowds[0];
    for (size_t i = 1; i < LAZ_TUNNEL_CROWDS; i++) {
        if (port->crowds[i].n > largest->n) {
            largest = &port->crowds[i];
        }
    }
    return largest->oldest;
}
