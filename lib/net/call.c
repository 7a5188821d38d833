/* SPDX-License-Identifier: Apache-2.0
 *
 * Tries, waits, and what is said of the last one.
 */
#include "net/call.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "core/url.h"

#define CONNECT_MS 5000
#define ANSWER_MS  10000
#define AGAIN_MS   50U
#define SLOWER_MS  1000U
#define MOST_MS    20000U
#define ASKED_MS   5000U

struct laz_call {
    struct laz_call_service service;
    const char *host;
    struct laz_http *http;
    struct event *retry;
    char host_header[LAZ_URL_HOST_MAX + 16];
    struct laz_call_said said;
    unsigned tries;
    bool is_corrected;
};

uint32_t laz_call_wait_ms(
        enum laz_call_verdict verdict, unsigned tries, uint32_t random, uint64_t asked_ms)
{
    uint64_t ceiling = verdict == LAZ_CALL_SLOWER ? SLOWER_MS : AGAIN_MS;
    for (unsigned i = 1; i < tries && ceiling < MOST_MS; i++) {
        ceiling *= 2;
    }
    ceiling = ceiling < MOST_MS ? ceiling : MOST_MS;
    uint64_t asked = asked_ms < ASKED_MS ? asked_ms : ASKED_MS;
    return (uint32_t)((((ceiling + 1) * random) >> 32) + asked);
}

/* ---- what is said ---- */

const struct laz_call_said *laz_call_said(const struct laz_call *call)
{
    return &call->said;
}

const char *laz_call_host(const struct laz_call *call)
{
    return call->host_header;
}

bool laz_call_is_corrected(const struct laz_call *call)
{
    return call->is_corrected;
}

void laz_call_say(struct laz_call *call, enum laz_call_verdict verdict, const char *why)
{
    call->said.verdict = verdict;
    call->said.request_id[0] = '\0';
    (void)snprintf(call->said.why, sizeof(call->said.why), "%s: %.240s", call->host, why);
}

void laz_call_set_id(struct laz_call *call, const char *id)
{
    (void)snprintf(call->said.request_id, sizeof(call->said.request_id), "%s", id);
}

/* 8-4-4-4-12 digits of hex. */
static bool is_uuid(const char *text, size_t length)
{
    static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    for (size_t i = 0; i < length && length == sizeof(form) - 1; i++) {
        if (form[i] == '-' ? text[i] != '-' : isxdigit((unsigned char)text[i]) == 0) {
            return false;
        }
    }
    return length == sizeof(form) - 1;
}

void laz_call_name(struct laz_call *call, const struct laz_http_reply *reply, const char *header)
{
    size_t length = 0;
    const char *id = laz_http_reply_header(reply, header, &length);
    bool is_good = id != NULL && is_uuid(id, length);
    (void)snprintf(call->said.request_id, sizeof(call->said.request_id), "%.*s",
            is_good ? (int)length : 0, is_good ? id : "");
}

/* ---- tries ---- */

static void again_later(struct laz_call *call, uint64_t asked_ms)
{
    uint32_t random = UINT32_MAX;
    laz_ignore((int)getrandom(&random, sizeof(random), GRND_NONBLOCK));
    uint32_t ms = laz_call_wait_ms(call->said.verdict, ++call->tries, random, asked_ms);
    const struct timeval wait = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
    (void)evtimer_add(call->retry, &wait);
}

void laz_call_try(struct laz_call *call)
{
    call->service.prepare(call->service.context);
}

void laz_call_begin(struct laz_call *call)
{
    call->tries = 0;
    call->is_corrected = false;
    call->said = (struct laz_call_said){.verdict = LAZ_CALL_AGAIN};
    laz_call_try(call);
}

void laz_call_refuse(struct laz_call *call, enum laz_call_verdict verdict, const char *why)
{
    laz_call_say(call, verdict, why);
    call->service.refused(call->service.context);
}

void laz_call_refuse_as(struct laz_call *call, const struct laz_call_said *said)
{
    call->said = *said;
    call->service.refused(call->service.context);
}

void laz_call_post(struct laz_call *call, const struct laz_http_request *request)
{
    if (!laz_http_send(call->http, request)) {
        laz_call_refuse(call, LAZ_CALL_REFUSED, "no memory for a request");
    }
}

void laz_call_postpone(struct laz_call *call, enum laz_call_verdict verdict, const char *why)
{
    call->said.verdict = verdict;
    call->said.request_id[0] = '\0';
    (void)snprintf(call->said.why, sizeof(call->said.why), "%.300s", why);
    again_later(call, 0);
}

/* ---- answers ---- */

static void correct(struct laz_call *call, const struct laz_http_reply *reply)
{
    if (call->is_corrected) {
        call->service.refused(call->service.context);
        return;
    }
    call->is_corrected = true;
    call->service.correct(call->service.context, reply);
    laz_call_try(call);
}

static void on_answered(void *context, const struct laz_http_reply *reply)
{
    struct laz_call *call = context;
    uint64_t asked_ms = call->service.judge(call->service.context, reply);
    switch (call->said.verdict) {
    case LAZ_CALL_TAKEN:
        call->service.answered(call->service.context, reply);
        break;
    case LAZ_CALL_AGAIN:
    case LAZ_CALL_SLOWER:
        again_later(call, asked_ms);
        break;
    case LAZ_CALL_CREDENTIALS:
    case LAZ_CALL_CLOCK:
        correct(call, reply);
        break;
    case LAZ_CALL_ABSENT:
    case LAZ_CALL_DENIED:
    case LAZ_CALL_REFUSED:
    case LAZ_CALL_UNTRUSTED:
        call->service.refused(call->service.context);
        break;
    }
}

static void on_failed(void *context, const char *why)
{
    struct laz_call *call = context;
    if (laz_http_is_untrusted(call->http)) {
        laz_call_refuse(call, LAZ_CALL_UNTRUSTED, why);
        return;
    }
    laz_call_say(call, LAZ_CALL_AGAIN, why);
    again_later(call, 0);
}

static void on_retry(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    laz_call_try(context);
}

/* ---- its life ---- */

int laz_call_new(struct event_base *base, const struct laz_call_plan *plan,
        const struct laz_call_service *service, struct laz_call **ret, struct laz_err *err)
{
    struct laz_call *call = calloc(1, sizeof(*call));
    if (call == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a call");
    }
    const struct laz_http_owner http_owner = {
            .answered = on_answered, .failed = on_failed, .context = call};
    const struct laz_http_plan http = {.host = plan->host,
            .port = plan->port,
            .tls = plan->tls,
            .resolver = plan->resolver,
            .connect_ms = CONNECT_MS,
            .answer_ms = ANSWER_MS,
            .body_max = plan->answer_max};
    bool is_six = strchr(plan->host, ':') != NULL;
    call->service = *service;
    call->host = plan->host;
    (void)snprintf(call->host_header, sizeof(call->host_header),
            plan->port == 443 ? "%s%s%s" : "%s%s%s:%u", is_six ? "[" : "", plan->host,
            is_six ? "]" : "", plan->port);
    call->retry = evtimer_new(base, on_retry, call);
    if (call->retry == NULL) {
        laz_call_free(call);
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a call");
    }
    if (laz_http_new(base, &http, &http_owner, &call->http, err) != 0) {
        laz_call_free(call);
        return -1;
    }
    *ret = call;
    return 0;
}

void laz_call_free(struct laz_call *call)
{
    if (call == NULL) {
        return;
    }
    laz_http_free(call->http);
    if (call->retry != NULL) {
        event_free(call->retry);
    }
    free(call);
}
