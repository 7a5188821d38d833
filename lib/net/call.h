/* SPDX-License-Identifier: Apache-2.0
 *
 * One call of a service over HTTP: sent, and sent again for whatever passes by itself (a server or
 * a network that is down, a rate that is too high), after a wait, for as long as the owner waits.
 * How a request is made and what an answer means is the service's. Nothing of a request or of an
 * answer's body is in a message, but what the service puts there.
 */
#ifndef LAZ_NET_CALL_H
#define LAZ_NET_CALL_H

#include "net/http.h"

#define LAZ_CALL_ID_MAX 64 /* bytes of what a service calls a request */

/* What an answer means. */
enum laz_call_verdict {
    LAZ_CALL_TAKEN,
    LAZ_CALL_AGAIN,       /* after a while */
    LAZ_CALL_SLOWER,      /* after a longer while */
    LAZ_CALL_CREDENTIALS, /* with new ones */
    LAZ_CALL_CLOCK,       /* with the service's time, if ours is wrong, or with new credentials */
    LAZ_CALL_ABSENT,      /* what was asked for does not exist */
    LAZ_CALL_DENIED,
    LAZ_CALL_REFUSED,   /* the same again would be, too */
    LAZ_CALL_UNTRUSTED, /* whoever is there is not whom we trust */
};

/* How long to wait before try number `tries` (from 1): a random part of a ceiling that doubles up
 * to 20 s, and what the service asked for, up to 5 s. */
uint32_t laz_call_wait_ms(
        enum laz_call_verdict verdict, unsigned tries, uint32_t random, uint64_t asked_ms);

/* What there is to say of the last try. The request's id is the service's own, "" where it gave
 * none. */
struct laz_call_said {
    enum laz_call_verdict verdict;
    char why[LAZ_ERR_MESSAGE_MAX]; /* "": there was no answer yet */
    char request_id[LAZ_CALL_ID_MAX + 1];
};

struct laz_call_plan {
    const char *host; /* borrowed */
    uint16_t port;
    const struct laz_tls *tls;     /* borrowed */
    struct laz_resolver *resolver; /* as of struct laz_dial_plan */
    size_t answer_max;             /* bytes */
};

/* What the service does; from the event loop, in which nothing may be freed. */
struct laz_call_service {
    /* The request, by laz_call_post: at once, or, where something is missing for it, later by
     * laz_call_try. */
    void (*prepare)(void *context);
    /* Says what an answer means, by laz_call_say. How many milliseconds the service wants us to
     * wait, or 0. */
    uint64_t (*judge)(void *context, const struct laz_http_reply *reply);
    /* Once for each request, for CREDENTIALS and CLOCK: gives up what was refused. The next of them
     * refuses the call. */
    void (*correct)(void *context, const struct laz_http_reply *reply);
    /* One of the two ends it. */
    void (*answered)(void *context, const struct laz_http_reply *reply);
    void (*refused)(void *context); /* for good; laz_call_said has why */
    void *context;
};

struct laz_call;

LAZ_MUST_CHECK int laz_call_new(struct event_base *base, const struct laz_call_plan *plan,
        const struct laz_call_service *service, struct laz_call **ret, struct laz_err *err);
void laz_call_free(struct laz_call *call);

/* A new request: nothing is said of it yet. */
void laz_call_begin(struct laz_call *call);
/* Now: prepares it anew. */
void laz_call_try(struct laz_call *call);

const struct laz_call_said *laz_call_said(const struct laz_call *call);

/* ---- for the service ---- */

const char *laz_call_host(const struct laz_call *call); /* the header `host` */
/* What is posted is borrowed until the answer. */
void laz_call_post(struct laz_call *call, const struct laz_http_request *request);
/* With the host in front. */
void laz_call_say(struct laz_call *call, enum laz_call_verdict verdict, const char *why);
/* The id in a header of the answer. Nothing unless it is a UUID, which AWS's are: what else stands
 * there could be anything that the sender knows, also a value. */
void laz_call_name(struct laz_call *call, const struct laz_http_reply *reply, const char *header);
/* An id that we gave it. */
void laz_call_set_id(struct laz_call *call, const char *id);
/* Nothing can be sent yet, for this reason (of another host): again after a wait. */
void laz_call_postpone(struct laz_call *call, enum laz_call_verdict verdict, const char *why);
/* Nothing can be sent at all. */
void laz_call_refuse(struct laz_call *call, enum laz_call_verdict verdict, const char *why);
/* The same, as it was said of another call that this one waits for. */
void laz_call_refuse_as(struct laz_call *call, const struct laz_call_said *said);
/* Has it been corrected? */
bool laz_call_is_corrected(const struct laz_call *call);

#endif
