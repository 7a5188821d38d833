/* SPDX-License-Identifier: Apache-2.0
 *
 * Signatures, and what is corrected. Nothing of a request's body, and nothing of an answer but its
 * status, its error code and its id, is ever in a message.
 */
#include "net/aws_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SKEW_LEAST_S 240 /* less is not what a signature fails for */

/* Invariant: whoever waits is in the list from laz_aws_wait_begin to laz_aws_wait_end. */
struct laz_aws {
    struct event_base *base;
    struct laz_aws_credentials *credentials;
    struct laz_aws_wait *waits;
    int64_t skew_s;  /* of the service's clock */
    unsigned n_keys; /* that were given up: which one a call has used */
};

struct laz_aws_call {
    struct laz_aws *aws;
    struct laz_aws_wait wait;
    struct laz_aws_call_owner owner;
    struct laz_aws_call_plan plan;
    struct laz_call *call;
    const void *body;
    size_t length;
    unsigned key; /* it was signed with, and */
    int64_t skew_s;
};

static int64_t now_s(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec;
}

void laz_aws_date(const struct laz_aws *aws, char ret[LAZ_SIGV4_DATE_SIZE])
{
    laz_sigv4_date(now_s() + aws->skew_s, ret);
}

int64_t laz_aws_skew_s(const struct laz_aws *aws)
{
    return aws->skew_s;
}

const struct laz_call_said *laz_aws_call_said(const struct laz_aws_call *call)
{
    return laz_call_said(call->call);
}

/* ---- who needs a key ---- */

void laz_aws_wait_begin(struct laz_aws *aws, struct laz_aws_wait *wait)
{
    wait->next = aws->waits;
    aws->waits = wait;
}

void laz_aws_wait_end(struct laz_aws *aws, struct laz_aws_wait *wait)
{
    for (struct laz_aws_wait **at = &aws->waits; *at != NULL; at = &(*at)->next) {
        if (*at == wait) {
            *at = wait->next;
            break;
        }
    }
}

const struct laz_aws_key *laz_aws_wait_key(struct laz_aws *aws, struct laz_aws_wait *wait)
{
    const struct laz_aws_key *key = laz_aws_credentials_get(aws->credentials);
    wait->is_waiting = key == NULL;
    return key;
}

static void on_key(void *context)
{
    struct laz_aws *aws = context;
    for (struct laz_aws_wait *wait = aws->waits; wait != NULL; wait = wait->next) {
        if (wait->is_waiting) {
            wait->ready(wait->context);
        }
    }
}

static void on_no_key(void *context, const char *why)
{
    struct laz_aws *aws = context;
    for (struct laz_aws_wait *wait = aws->waits; wait != NULL; wait = wait->next) {
        if (wait->is_waiting) {
            wait->is_waiting = false;
            wait->failed(wait->context, why);
        }
    }
}

/* ---- sending ---- */

static void send_signed(struct laz_aws_call *call, const struct laz_aws_key *key)
{
    char date[LAZ_SIGV4_DATE_SIZE];
    char memory[LAZ_SIGV4_MAX];
    struct laz_buf authorization;
    struct laz_err err = {0};
    laz_aws_date(call->aws, date);
    const struct laz_header headers[] = {
            {"host", laz_call_host(call->call)},
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
        laz_call_refuse(call->call, LAZ_CALL_REFUSED, err.message);
    } else {
        laz_call_post(call->call, &request);
    }
}

static void prepare(void *context)
{
    struct laz_aws_call *call = context;
    const struct laz_aws_key *key = laz_aws_wait_key(call->aws, &call->wait);
    if (key != NULL) {
        send_signed(call, key);
    }
}

static void on_ready(void *context)
{
    const struct laz_aws_call *call = context;
    laz_call_try(call->call);
}

static void on_no_credentials(void *context, const char *why)
{
    const struct laz_aws_call *call = context;
    if (laz_aws_credentials_untrusted(call->aws->credentials)) {
        laz_call_refuse(call->call, LAZ_CALL_UNTRUSTED, why);
        return;
    }
    laz_call_postpone(call->call, LAZ_CALL_CREDENTIALS, why);
}

void laz_aws_call_send(struct laz_aws_call *call, const void *body, size_t length)
{
    call->body = body;
    call->length = length;
    laz_call_begin(call->call);
}

/* ---- answers ---- */

static uint64_t judge(void *context, const struct laz_http_reply *reply)
{
    const struct laz_aws_call *call = context;
    char code[LAZ_AWS_CODE_MAX];
    char why[LAZ_AWS_CODE_MAX + 64];
    laz_aws_reply_code(reply, code, sizeof(code));
    (void)snprintf(
            why, sizeof(why), "it answers %u%s%s", reply->status, code[0] == '\0' ? "" : " ", code);
    laz_call_say(call->call, laz_aws_judge(reply->status, code), why);
    laz_call_name(call->call, reply, "x-amzn-RequestId");
    return laz_aws_reply_wait_ms(reply);
}

/* Of what others have corrected meanwhile nothing is given up. */
static void correct(void *context, const struct laz_http_reply *reply)
{
    const struct laz_aws_call *call = context;
    struct laz_aws *aws = call->aws;
    int64_t date = 0;
    bool knows_time = laz_call_said(call->call)->verdict == LAZ_CALL_CLOCK &&
            laz_http_reply_date(reply, &date);
    int64_t skew_s = knows_time ? date - now_s() : 0;
    if (knows_time && llabs(skew_s - call->skew_s) >= SKEW_LEAST_S) {
        aws->skew_s = skew_s;
    } else if (call->key == aws->n_keys) {
        laz_aws_credentials_refused(aws->credentials);
        aws->n_keys++;
    }
}

static void on_answered(void *context, const struct laz_http_reply *reply)
{
    const struct laz_aws_call *call = context;
    call->owner.answered(call->owner.context, reply);
}

static void on_refused(void *context)
{
    const struct laz_aws_call *call = context;
    call->owner.refused(call->owner.context);
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
    const struct laz_call_plan where = {.host = plan->host,
            .port = plan->port,
            .tls = plan->tls,
            .resolver = plan->resolver,
            .answer_max = plan->answer_max};
    const struct laz_call_service service = {.prepare = prepare,
            .judge = judge,
            .correct = correct,
            .answered = on_answered,
            .refused = on_refused,
            .context = call};
    call->aws = aws;
    call->plan = *plan;
    call->owner = *owner;
    call->wait =
            (struct laz_aws_wait){.ready = on_ready, .failed = on_no_credentials, .context = call};
    laz_aws_wait_begin(aws, &call->wait);
    if (laz_call_new(aws->base, &where, &service, &call->call, err) != 0) {
        laz_aws_call_free(call);
        return -1;
    }
    *ret = call;
    return 0;
}

void laz_aws_call_free(struct laz_aws_call *call)
{
    if (call != NULL) {
        laz_aws_wait_end(call->aws, &call->wait);
        laz_call_free(call->call);
        free(call);
    }
}
