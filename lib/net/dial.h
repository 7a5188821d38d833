/* SPDX-License-Identifier: Apache-2.0
 *
 * A connected socket, from a name or an address, without ever waiting: names are looked up by
 * net/resolver.h. Knows nothing of what is spoken.
 */
#ifndef LAZ_NET_DIAL_H
#define LAZ_NET_DIAL_H

#include <event2/event.h>

#include "core/err.h"
#include "net/resolver.h"

struct laz_dial_plan {
    const char *host; /* a name, or an IPv4 or IPv6 address without brackets; borrowed */
    uint16_t port;
    bool datagram;
    uint32_t wait_ms;   /* for the lookup, and for each address */
    uint32_t unsent_ms; /* streams: how long the kernel keeps what the peer's does not confirm */
    struct laz_resolver *resolver; /* looks names up with others; borrowed; NULL: by itself */
};

/* One of the two for each start, from the event loop. */
struct laz_dial_owner {
    void (*connected)(void *context, int fd); /* owned by who is told */
    void (*failed)(void *context, const char *why);
    void *context;
};

struct laz_dial;

/* Where there is a name to look up by itself, as laz_resolver_new. */
LAZ_MUST_CHECK int laz_dial_new(struct event_base *base, const struct laz_dial_plan *plan,
        const struct laz_dial_owner *owner, struct laz_dial **ret, struct laz_err *err);
void laz_dial_free(struct laz_dial *dial);

void laz_dial_start(struct laz_dial *dial);  /* the last one has ended */
void laz_dial_cancel(struct laz_dial *dial); /* nobody is told */

#endif
