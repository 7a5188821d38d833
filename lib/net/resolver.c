/* SPDX-License-Identifier: Apache-2.0
 *
 * A question is asked of the servers once, however many wait for its answer, and cannot be taken
 * back: one that nobody waits for any more is answered to nobody.
 */
#include "net/resolver.h"

#include <event2/dns.h>
#include <event2/util.h>
#include <stdlib.h>
#include <string.h>

#define LOOKUP_TIMEOUT  "2" /* seconds for each question */
#define LOOKUP_ATTEMPTS "3"

/* `resolver` is NULL when it has gone. */
struct laz_resolver_question {
    struct laz_resolver *resolver;
    struct laz_resolver_question *next;
    struct laz_resolver_waiter *waiters;
    char *host;
};

struct laz_resolver {
    struct evdns_base *dns;
    struct laz_resolver_question *questions; /* under way */
};

static const char *failure(int failed)
{
    switch (failed) {
    case 0:
    case EVUTIL_EAI_NONAME:
    case EVUTIL_EAI_NODATA:
        return "no such name";
    case EVUTIL_EAI_AGAIN:
    case EVUTIL_EAI_FAIL:
        return "no answer from the name servers";
    default:
        return evutil_gai_strerror(failed); /* static */
    }
}

static void free_question(struct laz_resolver_question *question)
{
    free(question->host);
    free(question);
}

static void take_out(struct laz_resolver_question *question)
{
    struct laz_resolver_question **at = &question->resolver->questions;
    while (*at != question) {
        at = &(*at)->next;
    }
    *at = question->next;
}

static void on_answer(int failed, struct evutil_addrinfo *found, void *context)
{
    struct laz_resolver_question *question = context;
    struct laz_resolver_answer answer = {0};
    for (const struct evutil_addrinfo *a = found; a != NULL; a = a->ai_next) {
        struct laz_resolver_address *address = &answer.addresses[answer.n_addresses];
        if (answer.n_addresses < LAZ_RESOLVER_ADDRESSES_MAX &&
                a->ai_addrlen <= sizeof(address->at)) {
            (void)memcpy(&address->at, a->ai_addr, a->ai_addrlen);
            address->length = (socklen_t)a->ai_addrlen;
            answer.n_addresses++;
        } else {
            answer.is_cut = true;
        }
    }
    if (found != NULL) {
        evutil_freeaddrinfo(found);
    }
    answer.why = failed != 0 || answer.n_addresses == 0 ? failure(failed) : NULL;
    if (question->resolver != NULL) {
        take_out(question); /* whoever asks from now on asks anew */
    }
    while (question->waiters != NULL) {
        struct laz_resolver_waiter *waiter = question->waiters;
        laz_resolver_forget(waiter);
        waiter->answered(waiter->context, &answer);
    }
    free_question(question);
}

bool laz_resolver_ask(
        struct laz_resolver *resolver, const char *host, struct laz_resolver_waiter *waiter)
{
    const struct evutil_addrinfo hints = {
            .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = EVUTIL_AI_NUMERICSERV};
    for (struct laz_resolver_question *q = resolver->questions; q != NULL; q = q->next) {
        if (strcmp(q->host, host) == 0) {
            waiter->question = q;
            waiter->next = q->waiters;
            q->waiters = waiter;
            return true;
        }
    }
    struct laz_resolver_question *question = calloc(1, sizeof(*question));
    char *copy = strdup(host);
    if (question == NULL || copy == NULL) {
        free(question);
        free(copy);
        return false;
    }
    *question = (struct laz_resolver_question){
            .resolver = resolver, .next = resolver->questions, .waiters = waiter, .host = copy};
    resolver->questions = question;
    waiter->question = question;
    waiter->next = NULL;
    (void)evdns_getaddrinfo(resolver->dns, copy, NULL, &hints, on_answer, question);
    return true;
}

void laz_resolver_forget(struct laz_resolver_waiter *waiter)
{
    if (waiter->question == NULL) {
        return;
    }
    struct laz_resolver_waiter **at = &waiter->question->waiters;
    while (*at != waiter) {
        at = &(*at)->next;
    }
    *at = waiter->next;
    waiter->question = NULL;
}

/* What it would write to stderr of servers that do not answer is in whose name was not looked up.
 */
static void say_nothing(int severity, const char *text)
{
    (void)severity;
    (void)text;
}

int laz_resolver_new(struct event_base *base, struct laz_resolver **ret, struct laz_err *err)
{
    struct laz_resolver *resolver = calloc(1, sizeof(*resolver));
    struct evdns_base *dns = evdns_base_new(base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (resolver == NULL || dns == NULL) {
        free(resolver);
        if (dns != NULL) {
            evdns_base_free(dns, 0);
        }
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory to look names up");
    }
    resolver->dns = dns;
    event_set_log_callback(say_nothing);
    /* Without the file it asks 127.0.0.1, as others do. */
    laz_ignore(evdns_base_resolv_conf_parse(dns, DNS_OPTIONS_ALL, "/etc/resolv.conf"));
    laz_ignore(evdns_base_set_option(dns, "timeout:", LOOKUP_TIMEOUT));
    laz_ignore(evdns_base_set_option(dns, "attempts:", LOOKUP_ATTEMPTS));
    *ret = resolver;
    return 0;
}

void laz_resolver_free(struct laz_resolver *resolver)
{
    if (resolver == NULL) {
        return;
    }
    for (struct laz_resolver_question *q = resolver->questions; q != NULL; q = q->next) {
        q->resolver = NULL;
    }
    evdns_base_free(resolver->dns, 1); /* answers what was asked, to nobody */
    free(resolver);
}
