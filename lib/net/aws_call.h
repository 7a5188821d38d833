/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls of AWS's JSON services: signed, sent, and sent again for whatever passes by itself (a
 * server or a network that is down, a rate that is too high), after a wait, for as long as the
 * owner waits. A wrong clock and a key that has expired are corrected once for each call. Calls
 * share their credentials and the service's time.
 */
#ifndef LAZ_NET_AWS_CALL_H
#define LAZ_NET_AWS_CALL_H

#include "net/aws_credentials.h"
#include "net/http.h"

#define LAZ_AWS_REQUEST_ID_MAX 64

/* What an answer means. */
enum laz_aws_verdict {
    LAZ_AWS_TAKEN,
    LAZ_AWS_AGAIN,       /* after a while */
    LAZ_AWS_SLOWER,      /* after a longer while */
    LAZ_AWS_CREDENTIALS, /* with new ones */
    LAZ_AWS_CLOCK,       /* with the service's time, if ours is wrong, or with new credentials */
    LAZ_AWS_ABSENT,      /* what was asked for does not exist */
    LAZ_AWS_DENIED,
    LAZ_AWS_REFUSED, /* the same again would be, too */
};

/* The code is "" where the answer had none: then it may be somebody else's who stands between. */
enum laz_aws_verdict laz_aws_judge(unsigned status, const char *code);

/* How long to wait before try number `tries` (from 1): a random part of a ceiling that doubles up
 * to 20 s, and what the service asked for, up to 5 s. */
uint32_t laz_aws_wait_ms(
        enum laz_aws_verdict verdict, unsigned tries, uint32_t random, uint64_t asked_ms);

/* ---- what calls share ---- */

struct laz_aws;

LAZ_MUST_CHECK int laz_aws_new(struct event_base *base, const struct laz_aws_credentials_plan *plan,
        struct laz_aws **ret, struct laz_err *err);
/* After its calls. */
void laz_aws_free(struct laz_aws *aws);

/* ---- one call ---- */

struct laz_aws_call_plan {
    const char *host; /* all borrowed */
    uint16_t port;
    const struct laz_tls *tls;
    const char *region;
    const char *service; /* of the signature's scope */
    const char *target;
    size_t answer_max; /* bytes */
};

/* What there is to say of the last try. The request's id is the service's own, "" where it gave
 * none. */
struct laz_aws_said {
    enum laz_aws_verdict verdict;
    char why[LAZ_ERR_MESSAGE_MAX];
    char request_id[LAZ_AWS_REQUEST_ID_MAX + 1];
};

/* One of the two, from the event loop, in which nothing may be freed. */
struct laz_aws_call_owner {
    void (*answered)(void *context, const struct laz_http_reply *reply); /* with 200 */
    void (*refused)(void *context); /* for good; laz_aws_call_said has why */
    void *context;
};

struct laz_aws_call;

LAZ_MUST_CHECK int laz_aws_call_new(struct laz_aws *aws, const struct laz_aws_call_plan *plan,
        const struct laz_aws_call_owner *owner, struct laz_aws_call **ret, struct laz_err *err);
void laz_aws_call_free(struct laz_aws_call *call);

/* The body is borrowed until the answer. */
void laz_aws_call_send(struct laz_aws_call *call, const void *body, size_t length);
const struct laz_aws_said *laz_aws_call_said(const struct laz_aws_call *call);

#endif
