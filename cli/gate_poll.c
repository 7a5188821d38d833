/* SPDX-License-Identifier: Apache-2.0
 *
 * Asks targets for /healthz, all at once and again and again. What they answer becomes samples;
 * who does not answer becomes one too.
 */
#include <arpa/inet.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "cli/gate.h"
#include "core/format.h"
#include "net/http.h"
#include "net/resolver.h"

#define CONNECT_MS 3000 /* for each address */
#define ANSWER_MS  3000

struct poller;

struct target {
    struct poller *poller;
    struct laz_http *http;
    struct laz_tls *tls;
    const char *name;
    struct laz_gate_place place;
};

struct poller {
    const struct laz_gate_poll *poll;
    struct event_base *base;
    struct event *round;
    struct laz_resolver *resolver;
    struct laz_resolver_waiter waiter;
    struct target *targets; /* owned */
    size_t n;
    size_t n_open; /* which have not answered in this round */
    int64_t began_ms;
    struct laz_err *err;
    bool has_failed;
    bool is_over;
};

static void stop(struct poller *poller)
{
    poller->is_over = true; /* the loop may not have begun */
    (void)event_base_loopbreak(poller->base);
}

static void fail(struct poller *poller)
{
    poller->has_failed = true;
    stop(poller);
}

static void in_ms(struct event *event, int64_t ms)
{
    const struct timeval wait = {
            .tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000) * 1000};
    (void)evtimer_add(event, &wait); /* fails for want of memory, which timers do not need */
}

/* ---- A round ---- */

static void end_round(struct poller *poller)
{
    if (poller->poll->is_over(poller->poll->context)) {
        stop(poller);
        return;
    }
    int64_t left = poller->began_ms + (int64_t)poller->poll->every_ms - laz_gate_now_ms();
    int64_t most = (int64_t)poller->poll->every_ms; /* whatever the clock did */
    in_ms(poller->round, left < 1 ? 1 : left > most ? most : left);
}

static void end_one(struct poller *poller)
{
    poller->n_open--;
    if (poller->n_open == 0) {
        end_round(poller);
    }
}

static struct laz_gate_sample *add_sample(struct target *target)
{
    struct laz_gate_sample *sample =
            laz_gate_samples_add(target->poller->poll->samples, target->name);
    if (sample != NULL) {
        sample->at_ms = laz_gate_now_ms();
    }
    return sample;
}

static void on_answered(void *context, const struct laz_http_reply *reply)
{
    struct target *target = context;
    struct laz_gate_sample *sample = add_sample(target);
    int64_t date = 0;
    if (sample != NULL && laz_http_reply_date(reply, &date)) {
        sample->date_ms = date * 1000;
    }
    if (sample != NULL && reply->status == 200) {
        laz_gate_health_take(
                reply->body.data == NULL ? "" : reply->body.data, reply->body.len, sample);
    } else if (sample != NULL) {
        (void)laz_format(sample->why, sizeof(sample->why), "/healthz answers %u", reply->status);
    }
    end_one(target->poller);
}

static void on_failed(void *context, const char *why)
{
    struct target *target = context;
    struct laz_gate_sample *sample = add_sample(target);
    if (sample != NULL) {
        (void)laz_format(sample->why, sizeof(sample->why), "unreachable: %s", why);
    }
    end_one(target->poller);
}

static void begin_round(evutil_socket_t fd, short events, void *context)
{
    struct poller *poller = context;
    (void)fd;
    (void)events;
    poller->began_ms = laz_gate_now_ms();
    poller->n_open = poller->n + 1; /* not over before all have been asked */
    for (size_t i = 0; i < poller->n; i++) {
        struct target *target = &poller->targets[i];
        const struct laz_header headers[] = {{.name = "host", .value = target->name},
                {.name = "accept", .value = "application/json"},
                {.name = "user-agent", .value = "lazaret-gate/" LAZARET_VERSION}};
        const struct laz_http_request request = {.method = "GET",
                .path = "/healthz",
                .headers = headers,
                .n_headers = sizeof(headers) / sizeof(headers[0])};
        if (!laz_http_send(target->http, &request)) {
            on_failed(target, "no memory for a request");
        }
    }
    end_one(poller);
}

/* ---- The beginning ---- */

static int open_target(struct poller *poller, struct target *target, struct laz_err *err)
{
    const struct laz_gate_plan *plan = poller->poll->plan;
    if (laz_gate_place_parse(target->name, &target->place, err) < 0) {
        return -1;
    }
    const struct laz_tls_plan tls = {.ca = plan->ca,
            .cert = "",
            .key = "",
            .peer = plan->server_name != NULL ? plan->server_name : target->place.host};
    if (plan->ca != NULL && laz_tls_new(&tls, &target->tls, err) < 0) {
        struct laz_err why = *err;
        *err = (struct laz_err){0};
        return laz_err_set(err, LAZ_E_USAGE, 0, "--ca: %.256s", why.message);
    }
    const struct laz_http_plan http = {.host = target->place.host,
            .port = target->place.port,
            .tls = target->tls,
            .resolver = poller->resolver,
            .connect_ms = CONNECT_MS,
            .answer_ms = ANSWER_MS,
            .body_max = LAZ_GATE_DOCUMENT_MAX};
    const struct laz_http_owner owner = {
            .answered = on_answered, .failed = on_failed, .context = target};
    target->poller = poller;
    return laz_http_new(poller->base, &http, &owner, &target->http, err);
}

static void open_targets(struct poller *poller)
{
    const struct laz_gate_targets *list = poller->poll->targets;
    poller->targets = calloc(list->n + 1, sizeof(*poller->targets));
    if (poller->targets == NULL) {
        (void)laz_err_set(poller->err, LAZ_E_MEMORY, 0, "no memory for the targets");
        fail(poller);
        return;
    }
    for (size_t i = 0; i < list->n; i++) {
        struct target *target = &poller->targets[poller->n++];
        target->name = list->list[i];
        if (open_target(poller, target, poller->err) < 0) {
            fail(poller);
            return;
        }
    }
    begin_round(-1, 0, poller);
}

/* "10.0.2.100:9100" of an address and the port of --dns. */
static bool put_address(
        const struct laz_resolver_address *address, uint16_t port, char ret[LAZ_GATE_NAME_MAX])
{
    char text[INET6_ADDRSTRLEN];
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    bool is_v6 = address->at.ss_family == AF_INET6;
    (void)memcpy(&v4, &address->at, sizeof(v4));
    (void)memcpy(&v6, &address->at, sizeof(v6));
    const void *at = is_v6 ? (const void *)&v6.sin6_addr : (const void *)&v4.sin_addr;
    if (inet_ntop(is_v6 ? AF_INET6 : AF_INET, at, text, sizeof(text)) == NULL) {
        return false;
    }
    (void)laz_format(ret, LAZ_GATE_NAME_MAX, is_v6 ? "[%s]:%u" : "%s:%u", text, (unsigned)port);
    return true;
}

static size_t count_family(const struct laz_resolver_answer *answer, sa_family_t family)
{
    size_t n = 0;
    for (size_t i = 0; i < answer->n_addresses; i++) {
        n += answer->addresses[i].at.ss_family == family ? 1 : 0;
    }
    return n;
}

/* A host with an address of each family is one target, asked at the first of them. Where there are
 * more of the one than of the other, which host has which nobody can know. */
static int add_addresses(struct poller *poller, const struct laz_resolver_answer *answer,
        uint16_t port, struct laz_err *err)
{
    struct laz_gate_targets *targets = poller->poll->targets;
    size_t n4 = count_family(answer, AF_INET);
    size_t n6 = count_family(answer, AF_INET6);
    for (size_t i = 0; i < answer->n_addresses; i++) {
        char name[LAZ_GATE_NAME_MAX];
        bool is_another = n4 != n6 || answer->addresses[i].at.ss_family == AF_INET;
        if (is_another && put_address(&answer->addresses[i], port, name) &&
                laz_gate_targets_add(targets, name, err) < 0) {
            return -1;
        }
    }
    if (answer->is_cut) {
        (void)laz_format(targets->unclear, sizeof(targets->unclear),
                "the name has more than %d addresses: say all of them by --targets",
                LAZ_RESOLVER_ADDRESSES_MAX);
    } else if (n4 > 0 && n6 > 0 && n4 != n6) {
        (void)laz_format(targets->unclear, sizeof(targets->unclear),
                "the name has %zu addresses of IPv4 and %zu of IPv6, and some may be of one host: "
                "say one of each by --targets",
                n4, n6);
    }
    return 0;
}

static void on_resolved(void *context, const struct laz_resolver_answer *answer)
{
    struct poller *poller = context;
    struct laz_gate_place place;
    if (laz_gate_place_parse(poller->poll->plan->dns, &place, poller->err) < 0) {
        fail(poller);
        return;
    }
    if (answer->why == NULL && add_addresses(poller, answer, place.port, poller->err) < 0) {
        fail(poller);
        return;
    }
    if (answer->why != NULL) { /* nobody to ask: that is for the judge to say */
        stop(poller);
        return;
    }
    open_targets(poller);
}

static int begin(struct poller *poller)
{
    struct laz_gate_place place;
    struct laz_err *err = poller->err;
    const char *dns = poller->poll->plan->dns;
    poller->base = event_base_new();
    poller->round = poller->base == NULL ? NULL : evtimer_new(poller->base, begin_round, poller);
    if (poller->round == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for an event loop");
    }
    if (laz_resolver_new(poller->base, &poller->resolver, err) < 0) {
        return -1;
    }
    const struct timeval longest = {.tv_sec = (time_t)(poller->poll->plan->timeout_ms / 1000),
            .tv_usec = (suseconds_t)(poller->poll->plan->timeout_ms % 1000) * 1000};
    (void)event_base_loopexit(poller->base, &longest);
    if (dns == NULL) {
        open_targets(poller);
        return 0;
    }
    if (laz_gate_place_parse(dns, &place, err) < 0) {
        return laz_err_context(err, "--dns");
    }
    poller->waiter = (struct laz_resolver_waiter){.answered = on_resolved, .context = poller};
    return laz_resolver_ask(poller->resolver, place.host, &poller->waiter)
            ? 0
            : laz_err_set(err, LAZ_E_MEMORY, 0, "no memory to look a name up");
}

static void end(struct poller *poller)
{
    laz_resolver_forget(&poller->waiter);
    for (size_t i = 0; i < poller->n; i++) {
        laz_http_free(poller->targets[i].http);
        laz_tls_free(poller->targets[i].tls);
    }
    free(poller->targets);
    laz_resolver_free(poller->resolver);
    if (poller->round != NULL) {
        event_free(poller->round);
    }
    if (poller->base != NULL) {
        event_base_free(poller->base);
    }
}

int laz_gate_poll(const struct laz_gate_poll *poll, struct laz_err *err)
{
    struct poller poller = {.poll = poll, .err = err};
    int result = begin(&poller);
    if (result == 0 && !poller.is_over) {
        (void)event_base_dispatch(poller.base);
    }
    end(&poller);
    return result == 0 && !poller.has_failed ? 0 : -1;
}
