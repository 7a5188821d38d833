/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking up and connecting. All addresses of a name are tried, beginning with another one each
 * time, because the first may be a server that accepts and then does not serve.
 */
#include "net/dial.h"

#include <errno.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/fd.h"

#define WHY_MAX 160 /* an address and strerror */

/* Invariant: fd >= 0 while it connects, `waiter` waits while it looks up, never both. */
struct laz_dial {
    struct event_base *base;
    struct laz_dial_plan plan;
    struct laz_dial_owner owner;
    struct laz_resolver *resolver; /* NULL for an address */
    bool has_own_resolver;
    struct laz_resolver_waiter waiter;
    struct laz_resolver_address addresses[LAZ_RESOLVER_ADDRESSES_MAX];
    size_t n_addresses;
    size_t turn;  /* which address comes first */
    size_t tried; /* of this start */
    int fd;
    struct event *timer;
    struct event *writable;
    char why[WHY_MAX];
};

static void connect_next(struct laz_dial *dial);

static void stop(struct laz_dial *dial)
{
    (void)event_del(dial->timer);
    if (dial->writable != NULL) {
        event_free(dial->writable);
        dial->writable = NULL;
    }
    laz_fd_close(&dial->fd);
    laz_resolver_forget(&dial->waiter);
}

static void fail(struct laz_dial *dial)
{
    stop(dial);
    dial->owner.failed(dial->owner.context, dial->why);
}

static void wait_at_most(struct laz_dial *dial, uint32_t ms)
{
    const struct timeval wait = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
    (void)evtimer_add(dial->timer, &wait); /* replaces the one before */
}

/* This address will not do; the next one, or the end, from the loop. Of all failures the first
 * address' is kept, so that the same trouble has the same words each time. */
static void give_up_address(struct laz_dial *dial, int sys_errno)
{
    char text[64] = "?";
    size_t index = (dial->turn + dial->tried) % dial->n_addresses;
    const struct sockaddr_storage *storage = &dial->addresses[index].at;
    const void *at = &((const struct sockaddr_in *)storage)->sin_addr;
    if (storage->ss_family == AF_INET6) {
        at = &((const struct sockaddr_in6 *)storage)->sin6_addr;
    }
    (void)evutil_inet_ntop(storage->ss_family, at, text, sizeof(text));
    if (index == 0) {
        (void)snprintf(dial->why, sizeof(dial->why), "%s%s%s", dial->resolver == NULL ? "" : text,
                dial->resolver == NULL ? "" : ": ", strerror(sys_errno));
    }
    stop(dial);
    dial->tried++;
    wait_at_most(dial, 0);
}

static void on_writable(evutil_socket_t fd, short what, void *context)
{
    struct laz_dial *dial = context;
    int failed = 0;
    socklen_t length = sizeof(failed);
    (void)what;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &length) != 0) {
        failed = errno;
    }
    if (failed != 0) {
        give_up_address(dial, failed);
        return;
    }
    dial->fd = -1;
    stop(dial);
    dial->owner.connected(dial->owner.context, fd);
}

static void set_options(const struct laz_dial *dial)
{
    int yes = 1;
    unsigned unsent_ms = dial->plan.unsent_ms;
    if (!dial->plan.datagram) {
        /* Neither is worth failing for: without the first it is slower, without the second a peer
         * that vanished is noticed later. */
        laz_ignore(setsockopt(dial->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)));
        laz_ignore(
                setsockopt(dial->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unsent_ms, sizeof(unsent_ms)));
    }
}

static void connect_next(struct laz_dial *dial)
{
    if (dial->tried == dial->n_addresses) {
        fail(dial);
        return;
    }
    const struct laz_resolver_address *address =
            &dial->addresses[(dial->turn + dial->tried) % dial->n_addresses];
    int type = dial->plan.datagram ? SOCK_DGRAM : SOCK_STREAM;
    dial->fd = socket(address->at.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (dial->fd < 0) {
        give_up_address(dial, errno);
        return;
    }
    set_options(dial);
    if (connect(dial->fd, (const struct sockaddr *)&address->at, address->length) != 0 &&
            errno != EINPROGRESS) {
        give_up_address(dial, errno);
        return;
    }
    dial->writable = event_new(dial->base, dial->fd, EV_WRITE, on_writable, dial);
    if (dial->writable == NULL || event_add(dial->writable, NULL) != 0) {
        give_up_address(dial, ENOMEM);
        return;
    }
    wait_at_most(dial, dial->plan.wait_ms);
}

static void add_address(struct laz_dial *dial, const struct sockaddr *at, socklen_t length)
{
    if (dial->n_addresses < LAZ_RESOLVER_ADDRESSES_MAX && length <= sizeof(dial->addresses[0].at)) {
        struct laz_resolver_address *address = &dial->addresses[dial->n_addresses++];
        (void)memcpy(&address->at, at, length);
        address->length = length;
    }
}

static void set_port(struct laz_resolver_address *address, uint16_t port)
{
    if (address->at.ss_family == AF_INET) {
        ((struct sockaddr_in *)&address->at)->sin_port = htons(port);
    } else {
        ((struct sockaddr_in6 *)&address->at)->sin6_port = htons(port);
    }
}

static void on_answer(void *context, const struct laz_resolver_answer *answer)
{
    struct laz_dial *dial = context;
    for (size_t i = 0; i < answer->n_addresses; i++) {
        dial->addresses[i] = answer->addresses[i];
        set_port(&dial->addresses[i], dial->plan.port);
    }
    dial->n_addresses = answer->n_addresses;
    if (answer->why != NULL) {
        (void)snprintf(dial->why, sizeof(dial->why), "it cannot be looked up: %s", answer->why);
    }
    wait_at_most(dial, 0);
}

static void look_up(struct laz_dial *dial)
{
    dial->n_addresses = 0;
    wait_at_most(dial, dial->plan.wait_ms);
    if (!laz_resolver_ask(dial->resolver, dial->plan.host, &dial->waiter)) {
        (void)snprintf(dial->why, sizeof(dial->why), "no memory to look a name up");
        wait_at_most(dial, 0);
    }
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    struct laz_dial *dial = context;
    (void)fd;
    (void)what;
    if (dial->waiter.question != NULL) {
        (void)snprintf(dial->why, sizeof(dial->why), "it cannot be looked up: no answer in %u ms",
                dial->plan.wait_ms);
        fail(dial);
    } else if (dial->fd >= 0) {
        give_up_address(dial, ETIMEDOUT);
    } else {
        connect_next(dial);
    }
}

void laz_dial_start(struct laz_dial *dial)
{
    dial->tried = 0;
    dial->turn++;
    if (dial->resolver != NULL) {
        look_up(dial);
    } else {
        wait_at_most(dial, 0);
    }
}

void laz_dial_cancel(struct laz_dial *dial)
{
    stop(dial);
}

/* The address that the plan's host is, if it is one. */
static void take_address(struct laz_dial *dial)
{
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(dial->plan.port)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(dial->plan.port)};
    if (evutil_inet_pton(AF_INET, dial->plan.host, &four.sin_addr) == 1) {
        add_address(dial, (const struct sockaddr *)&four, sizeof(four));
    } else if (evutil_inet_pton(AF_INET6, dial->plan.host, &six.sin6_addr) == 1) {
        add_address(dial, (const struct sockaddr *)&six, sizeof(six));
    }
}

int laz_dial_new(struct event_base *base, const struct laz_dial_plan *plan,
        const struct laz_dial_owner *owner, struct laz_dial **ret, struct laz_err *err)
{
    struct laz_dial *dial = calloc(1, sizeof(*dial));
    if (dial == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a connection");
    }
    dial->base = base;
    dial->plan = *plan;
    dial->owner = *owner;
    dial->fd = -1;
    dial->waiter = (struct laz_resolver_waiter){.answered = on_answer, .context = dial};
    take_address(dial);
    dial->timer = evtimer_new(base, on_timer, dial);
    if (dial->timer == NULL) {
        laz_dial_free(dial);
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a connection");
    }
    if (dial->n_addresses == 0) {
        dial->resolver = plan->resolver;
        dial->has_own_resolver = plan->resolver == NULL;
    }
    if (dial->has_own_resolver && laz_resolver_new(base, &dial->resolver, err) < 0) {
        laz_dial_free(dial);
        return -1;
    }
    *ret = dial;
    return 0;
}

void laz_dial_free(struct laz_dial *dial)
{
    if (dial == NULL) {
        return;
    }
    if (dial->timer != NULL) {
        stop(dial);
        event_free(dial->timer);
    }
    if (dial->has_own_resolver) {
        laz_resolver_free(dial->resolver);
    }
    free(dial);
}
