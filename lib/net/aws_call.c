/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls over HTTP. Nothing of a request's body, and nothing of an answer but its status, its error
 * code and its id, is ever in a message.
 */
#include "net/aws_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "core/url.h"

#define CONNECT_MS   5000
#define ANSWER_MS    10000
#define SKEW_LEAST_S 240 /* less is not what a signature fails for */

/* Invariant: a call is in the list from laz_aws_call_new to laz_aws_call_free. */
struct laz_aws {
    struct event_base *base;
    struct laz_aws_credentials *credentials;
    struct laz_aws_call *calls;
    int64_t skew_s;  /* of the service's clock */
    unsigned n_keys; /* that were given up: which one a call has used */
};

struct laz_aws_call {
    struct laz_aws *aws;
    struct laz_aws_call *next;
    struct laz_aws_call_owner owner;
    struct laz_aws_call_plan plan;
    struct laz_http *http;
    struct event *retry;
    const void *body;
    size_t length;
    char host_header[LAZ_URL_HOST_MAX + 16];
    struct laz_aws_said said;
    unsigned tries;
    unsigned key; /* it was signed with, and */
    int64_t skew_s;
    bool awaits_key;
    bool is_corrected;
};

static int64_t now_s(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec;
}

const struct laz_aws_said *laz_aws_call_said(const struct laz_aws_call *call)
{
    return &call->said;
}

static void refuse(struct laz_aws_call *call)
{
    call->owner.refused(call->owner.context);
}

static void again_later(struct laz_aws_call *call, uint64_t asked_ms)
{
    uint32_t random = UINT32_MAX;
    laz_ignore((int)getrandom(&random, sizeof(random), GRND_NONBLOCK));
    uint32_t ms = laz_aws_wait_ms(call->said.verdict, ++call->tries, random, asked_ms);
    const struct timeval wait = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
    (void)evtimer_add(call->retry, &wait);
}

static void say(struct laz_aws_call *call, enum laz_aws_verdict verdict, const char *why)
{
    call->said.verdict = verdict;
    call->said.request_id[0] = '\0';
    (void)snprintf(call->said.why, sizeof(call->said.why), "%s: %.240s", call->plan.host, why);
}

/* ---- sending ---- */

static void send_signed(struct laz_aws_call *call, const struct laz_aws_key *key)
{
    char date[LAZ_SIGV4_DATE_SIZE];
    char memory[LAZ_SIGV4_MAX];
    struct laz_buf authorization;
    struct laz_err err = {0};
    laz_sigv4_date(now_s() + call->aws->skew_s, date);
    const struct laz_header headers[] = {
            {"host", call->host_header},
            {"content-type", "application/x-amz-json-1.1"},
            {"x-amz-date", date},
            {"x-amz-security-token", key->token},
            {"x-amz-target", call->plan.target},
            {"authorization", memory},
    };
    const size_t n = sizeof(headers) / sizeof(headers[0]);
    const struct laz_sigv4_request to_sign = {
            "POST", "/", headers, n - 1, call->body, call->length};
    const struct laz_sigv4_key signing = {
            key->access_key, key->secret_key, call->plan.region, call->plan.service, date};
    const struct laz_http_request request = {"POST", "/", headers, n, call->body, call->length};
    laz_buf_init_fixed(&authorization, memory, sizeof(memory));
    call->key = call->aws->n_keys;
    call->skew_s = call->aws->skew_s;
    if (laz_sigv4_sign(&to_sign, &signing, &authorization, &err) != 0) {
        say(call, LAZ_AWS_REFUSED, err.message);
        refuse(call);
    } else if (!laz_http_send(call->http, &request)) {
        say(call, LAZ_AWS_REFUSED, "no memory for a request");
        refuse(call);
    }
}

static void try_again(struct laz_aws_call *call)
{
    const struct laz_aws_key *key = laz_aws_credentials_get(call->aws->credentials);
    call->awaits_key = key == NULL;
    if (key != NULL) {
        send_signed(call, key);
    }
}

static void on_retry(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    try_again(context);
}

void laz_aws_call_send(struct laz_aws_call *call, const void *body, size_t length)
{
    call->body = body;
    call->length = length;
    call->tries = 0;
    call->is_corrected = false;
    call->said = (struct laz_aws_said){.verdict = LAZ_AWS_AGAIN};
    try_again(call);
}

/* ---- answers ---- */

/* Of what others have corrected meanwhile nothing is given up. */
static void correct(struct laz_aws_call *call, const struct laz_http_reply *reply)
{
    struct laz_aws *aws = call->aws;
    int64_t date = 0;
    if (call->is_corrected) {
        refuse(call);
        return;
    }
    call->is_corrected = true;
    bool knows_time = call->said.verdict == LAZ_AWS_CLOCK && laz_http_reply_date(reply, &date);
    int64_t skew_s = knows_time ? date - now_s() : 0;
    if (knows_time && llabs(skew_s - call->skew_s) >= SKEW_LEAST_S) {
        aws->skew_s = skew_s;
    } else if (call->key == aws->n_keys) {
        laz_aws_credentials_refused(aws->credentials);
        aws->n_keys++;
    }
    try_again(call);
}

/* In a message, so of letters, digits and hyphens alone. */
static void copy_id(const struct laz_http_reply *reply, char *ret, size_t size)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-";
    size_t length = 0;
    const char *id = laz_http_reply_header(reply, "x-amzn-RequestId", &length);
    bool is_good = id != NULL && length < size && strspn(id, letters) >= length;
    (void)snprintf(ret, size, "%.*s", is_good ? (int)length : 0, is_good ? id : "");
}

static void on_answered(void *context, const struct laz_http_reply *reply)
{
    struct laz_aws_call *call = context;
    char code[LAZ_AWS_CODE_MAX];
    char why[LAZ_AWS_CODE_MAX + 64];
    laz_aws_reply_code(reply, code, sizeof(code));
    (void)snprintf(
            why, sizeof(why), "it answers %u%s%s", reply->status, code[0] == '\0' ? "" : " ", code);
    say(call, laz_aws_judge(reply->status, code), why);
    copy_id(reply, call->said.request_id, sizeof(call->said.request_id));
    switch (call->said.verdict) {
    case LAZ_AWS_TAKEN:
        call->owner.answered(call->owner.context, reply);
        break;
    case LAZ_AWS_AGAIN:
    case LAZ_AWS_SLOWER:
        again_later(call, laz_aws_reply_wait_ms(reply));
        break;
    case LAZ_AWS_CREDENTIALS:
    case LAZ_AWS_CLOCK:
        correct(call, reply);
        break;
    case LAZ_AWS_ABSENT:
    case LAZ_AWS_DENIED:
    case LAZ_AWS_REFUSED:
        refuse(call);
        break;
    }
}

static void on_failed(void *context, const char *why)
{
    struct laz_aws_call *call = context;
    say(call, LAZ_AWS_AGAIN, why);
    again_later(call, 0);
}

static void on_key(void *context)
{
    struct laz_aws *aws = context;
    for (struct laz_aws_call *call = aws->calls; call != NULL; call = call->next) {
        if (call->awaits_key) {
            try_again(call);
        }
    }
}

static void on_no_key(void *context, const char *why)
{
    struct laz_aws *aws = context;
    for (struct laz_aws_call *call = aws->calls; call != NULL; call = call->next) {
        if (call->awaits_key) {
            call->awaits_key = false;
            say(call, LAZ_AWS_CREDENTIALS, "");
            (void)snprintf(call->said.why, sizeof(call->said.why), "%.300s", why);
            again_later(call, 0);
        }
    }
}

/* ---- its life ---- */

int laz_aws_new(struct event_base *base, const struct laz_aws_credentials_plan *plan,
        struct laz_aws **ret, struct laz_err *err)
{
    struct laz_aws *aws = calloc(1, sizeof(*aws));
    if (aws == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for calls");
    }
    const struct laz_aws_credentials_owner owner = {
            .ready = on_key, .failed = on_no_key, .context = aws};
    aws->base = base;
    if (laz_aws_credentials_new(base, plan, &owner, &aws->credentials, err) != 0) {
        laz_aws_free(aws);
        return -1;
    }
    *ret = aws;
    return 0;
}

void laz_aws_free(struct laz_aws *aws)
{
    if (aws != NULL) {
        laz_aws_credentials_free(aws->credentials);
        free(aws);
    }
}

int laz_aws_call_new(struct laz_aws *aws, const struct laz_aws_call_plan *plan,
        const struct laz_aws_call_owner *owner, struct laz_aws_call **ret, struct laz_err *err)
{
    struct laz_aws_call *call = calloc(1, sizeof(*call));
    if (call == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a call");
    }
    const struct laz_http_owner http_owner = {
            .answered = on_answered, .failed = on_failed, .context = call};
    const struct laz_http_plan http = {.host = plan->host,
            .port = plan->port,
            .tls = plan->tls,
            .connect_ms = CONNECT_MS,
            .answer_ms = ANSWER_MS,
            .body_max = plan->answer_max};
    bool is_six = strchr(plan->host, ':') != NULL;
    call->aws = aws;
    call->plan = *plan;
    call->owner = *owner;
    (void)snprintf(call->host_header, sizeof(call->host_header),
            plan->port == 443 ? "%s%s%s" : "%s%s%s:%u", is_six ? "[" : "", plan->host,
            is_six ? "]" : "", plan->port);
    call->next = aws->calls;
    aws->calls = call;
    call->retry = evtimer_new(aws->base, on_retry, call);
    if (call->retry == NULL) {
        laz_aws_call_free(call);
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a call");
    }
    if (laz_http_new(aws->base, &http, &http_owner, &call->http, err) != 0) {
        laz_aws_call_free(call);
        return -1;
    }
    *ret = call;
    return 0;
}

void laz_aws_call_free(struct laz_aws_call *call)
{
    if (call == NULL) {
        return;
    }
    for (struct laz_aws_call **at = &call->aws->calls; *at != NULL; at = &(*at)->next) {
        if (*at == call) {
            *at = call->next;
            break;
        }
    }
    laz_http_free(call->http);
    if (call->retry != NULL) {
        event_free(call->retry);
    }
    free(call);
}
