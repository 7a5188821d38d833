/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls of AWS's JSON services: signed, and repeated as lib/net/call.h says. A wrong clock and a
 * key that has expired are corrected once for each call. Calls share their credentials and the
 * service's time.
 */
#ifndef LAZ_NET_AWS_CALL_H
#define LAZ_NET_AWS_CALL_H

#include "net/aws_credentials.h"
#include "net/call.h"

/* The code is "" where the answer had none: then it may be somebody else's who stands between. */
enum laz_call_verdict laz_aws_judge(unsigned status, const char *code);
/* Is it one of those that mean something of their own? */
bool laz_aws_is_judged(const char *code);

/* ---- what calls share ---- */

struct laz_aws;

LAZ_MUST_CHECK int laz_aws_new(struct event_base *base, const struct laz_aws_credentials_plan *plan,
        struct laz_aws **ret, struct laz_err *err);
/* After its calls, and whoever waits for a key. */
void laz_aws_free(struct laz_aws *aws);

/* ---- who needs a key ---- */

/* Owned by whoever waits, all zero but for its callbacks until laz_aws_wait_begin. */
struct laz_aws_wait {
    void (*ready)(void *context); /* ask again: laz_aws_wait_key */
    void (*failed)(void *context, const char *why);
    void *context;
    bool is_waiting;
    struct laz_aws_wait *next;
};

void laz_aws_wait_begin(struct laz_aws *aws, struct laz_aws_wait *wait);
void laz_aws_wait_end(struct laz_aws *aws, struct laz_aws_wait *wait);
/* Borrowed until the event loop goes on; NULL: `ready` or `failed` will be called, once. */
const struct laz_aws_key *laz_aws_wait_key(struct laz_aws *aws, struct laz_aws_wait *wait);
/* Of the service: what a signature has to have. */
void laz_aws_date(const struct laz_aws *aws, char ret[LAZ_SIGV4_DATE_SIZE]);
/* By how many seconds its clock is ahead of ours, where that had to be corrected; else 0. */
int64_t laz_aws_skew_s(const struct laz_aws *aws);

/* ---- one call ---- */

struct laz_aws_call_plan {
    const char *host; /* all borrowed */
    uint16_t port;
    const struct laz_tls *tls;
    struct laz_resolver *resolver; /* as of struct laz_dial_plan */
    const char *region;
    const char *service; /* of the signature's scope */
    const char *target;
    size_t answer_max; /* bytes */
};

/* One of the two, from the event loop, in which nothing may be freed; from within `answered` the
 * next may be sent. */
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
const struct laz_call_said *laz_aws_call_said(const struct laz_aws_call *call);

#endif
