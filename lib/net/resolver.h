/* SPDX-License-Identifier: Apache-2.0
 *
 * Names looked up by libevent's resolver, for whoever connects: so that a static program in an
 * empty image can. Those who ask for the same name at once get one answer, which was asked for
 * once. No answer is kept for later: whoever tries again asks again.
 */
#ifndef LAZ_NET_RESOLVER_H
#define LAZ_NET_RESOLVER_H

#include <event2/event.h>
#include <sys/socket.h>

#include "core/err.h"

#define LAZ_RESOLVER_ADDRESSES_MAX 16

struct laz_resolver_address {
    struct sockaddr_storage at; /* its port is 0 */
    socklen_t length;
};

struct laz_resolver_answer {
    const char *why; /* NULL: there are addresses; static */
    struct laz_resolver_address addresses[LAZ_RESOLVER_ADDRESSES_MAX];
    size_t n_addresses;
    bool is_cut; /* the name has more */
};

/* Who waits for one answer; embedded, and its owner's. Zeros but for the first two: nobody waits.
 */
struct laz_resolver_waiter {
    void (*answered)(void *context, const struct laz_resolver_answer *answer);
    void *context;
    struct laz_resolver_question *question; /* NULL: it waits for none */
    struct laz_resolver_waiter *next;
};

struct laz_resolver;

/* Reads /etc/resolv.conf and /etc/hosts. LAZ_E_MEMORY. */
LAZ_MUST_CHECK int laz_resolver_new(
        struct event_base *base, struct laz_resolver **ret, struct laz_err *err);
/* After all who wait. */
void laz_resolver_free(struct laz_resolver *resolver);

/* The answer comes once, perhaps before this returns. false: no memory, and nobody is told. */
LAZ_MUST_CHECK bool laz_resolver_ask(
        struct laz_resolver *resolver, const char *host, struct laz_resolver_waiter *waiter);
/* It is not told; nothing where it does not wait. */
void laz_resolver_forget(struct laz_resolver_waiter *waiter);

#endif
