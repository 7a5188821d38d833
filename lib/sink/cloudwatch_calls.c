/* SPDX-License-Identifier: Apache-2.0
 *
 * What is sent to CloudWatch Logs, and how. AWS Signature Version 4; Logs_20140328, JSON 1.1.
 */
#include "sink/cloudwatch_calls.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/json.h"
#include "sink/cloudwatch.h"

#define TARGET     "Logs_20140328."
#define ANSWER_MAX 65536

static int64_t now_s(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec;
}

/* ---- calls ---- */

static const char *target_of(enum laz_cloudwatch_operation operation)
{
    switch (operation) {
    case LAZ_CLOUDWATCH_CREATE_GROUP:
        return TARGET "CreateLogGroup";
    case LAZ_CLOUDWATCH_CREATE_STREAM:
        return TARGET "CreateLogStream";
    case LAZ_CLOUDWATCH_PUT:
        break;
    }
    return TARGET "PutLogEvents";
}

const char *laz_cloudwatch_operation_name(enum laz_cloudwatch_operation operation)
{
    return target_of(operation) + sizeof(TARGET) - 1;
}

bool laz_cloudwatch_has_key(const struct laz_cloudwatch_calls *calls)
{
    return laz_aws_credentials_get(calls->credentials) != NULL;
}

static int call(struct laz_cloudwatch_calls *calls, enum laz_cloudwatch_operation operation,
        const void *body, size_t length, struct laz_err *err)
{
    char date[LAZ_SIGV4_DATE_SIZE];
    char memory[LAZ_SIGV4_MAX];
    struct laz_buf authorization;
    const struct laz_aws_key *key = laz_aws_credentials_get(calls->credentials);
    if (key == NULL) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "a call without a key");
    }
    laz_sigv4_date(now_s() + calls->skew_s, date);
    struct laz_header headers[] = {
            {"host", calls->host_header},
            {"content-type", "application/x-amz-json-1.1"},
            {"x-amz-date", date},
            {"x-amz-security-token", key->token},
            {"x-amz-target", target_of(operation)},
            {"authorization", memory},
            {"x-amzn-logs-format", "json/emf"},
    };
    /* The service then reads metrics from the lines; it need not be signed. */
    bool is_emf = calls->config->interval_ms != 0 && operation == LAZ_CLOUDWATCH_PUT;
    const size_t n_signed = sizeof(headers) / sizeof(headers[0]) - 2;
    const struct laz_sigv4_request to_sign = {"POST", "/", headers, n_signed, body, length};
    const struct laz_sigv4_key signing = {
            key->access_key, key->secret_key, calls->region, "logs", date};
    const struct laz_http_request request = {
            "POST", "/", headers, n_signed + (is_emf ? 2 : 1), body, length};
    laz_buf_init_fixed(&authorization, memory, sizeof(memory));
    if (laz_sigv4_sign(&to_sign, &signing, &authorization, err) != 0) {
        return -1;
    }
    return laz_http_send(calls->http, &request)
            ? 0
            : laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a request");
}

int laz_cloudwatch_put(
        struct laz_cloudwatch_calls *calls, const struct laz_buf *body, struct laz_err *err)
{
    return call(calls, LAZ_CLOUDWATCH_PUT, body->data, body->len, err);
}

int laz_cloudwatch_create(struct laz_cloudwatch_calls *calls,
        enum laz_cloudwatch_operation operation, struct laz_err *err)
{
    struct laz_buf buf;
    struct laz_json json;
    laz_buf_init_fixed(&buf, calls->request, sizeof(calls->request));
    laz_json_init(&json, &buf);
    laz_json_object(&json, NULL);
    laz_json_string(&json, "logGroupName", calls->config->group);
    if (operation == LAZ_CLOUDWATCH_CREATE_STREAM) {
        laz_json_string(&json, "logStreamName", calls->stream);
    }
    laz_json_object_end(&json);
    return call(calls, operation, calls->request, strlen(calls->request), err);
}

/* ---- answers ---- */

bool laz_cloudwatch_skew_of(const struct laz_http_reply *reply, int64_t *ret_s)
{
    int64_t date = 0;
    if (!laz_http_reply_date(reply, &date)) {
        return false;
    }
    *ret_s = date - now_s();
    return true;
}

/* ---- who is called ---- */

static int name_all(
        struct laz_cloudwatch_calls *calls, const struct laz_sink_means *means, struct laz_err *err)
{
    const struct laz_ship_sink *config = calls->config;
    const struct laz_cloudwatch_names names = {.config = config,
            .aws = means->aws,
            .policy = means->policy,
            .host = means->host,
            .task = means->task};
    struct laz_buf stream;
    struct laz_buf host;
    laz_buf_init_fixed(&stream, calls->stream, sizeof(calls->stream));
    laz_buf_init_fixed(&host, calls->host, sizeof(calls->host));
    const char *region = laz_cloudwatch_region(&names);
    if (region == NULL) {
        return laz_err_set(err, LAZ_E_SINK, 0,
                "sink %s: the region is not known: say \"region\", or set AWS_REGION",
                config->name);
    }
    laz_cloudwatch_put_stream(&stream, &names);
    laz_cloudwatch_put_host(&host, &names);
    if (stream.overflow || host.overflow) {
        return laz_err_set(err, LAZ_E_SINK, 0,
                "sink %s: the name of the log stream is longer than %d characters", config->name,
                LAZ_SHIP_GROUP_MAX);
    }
    (void)snprintf(calls->region, sizeof(calls->region), "%s", region);
    bool is_usual = config->port == (config->has_tls ? 443 : 80);
    bool is_six = strchr(calls->host, ':') != NULL;
    (void)snprintf(calls->host_header, sizeof(calls->host_header),
            is_usual ? "%s%s%s" : "%s%s%s:%u", is_six ? "[" : "", calls->host, is_six ? "]" : "",
            config->port);
    return 0;
}

static int connect_all(struct laz_cloudwatch_calls *calls, const struct laz_sink *sink,
        const struct laz_http_owner *http_owner, const struct laz_aws_credentials_owner *key_owner,
        struct laz_err *err)
{
    const struct laz_ship_sink *config = calls->config;
    const struct laz_sink_means *means = &sink->means;
    /* Behind a filter no path can be looked at. */
    const char *ca = means->tls_files == NULL ? laz_cloudwatch_ca(config)
            : config->tls_ca[0] == '\0'       ? "the system's CAs"
                                              : config->tls_ca;
    const struct laz_tls_plan tls = {.ca = ca,
            .cert = "",
            .key = "",
            .peer = calls->host,
            .profile = means->tls_profile,
            .files = means->tls_files};
    const struct laz_aws_credentials_plan key_plan = {.environment = means->aws,
            .may_use_imds = config->imds,
            .ca = ca,
            .profile = means->tls_profile,
            .files = means->tls_files};
    if (config->has_tls && laz_tls_new(&tls, &calls->tls, err) != 0) {
        return laz_err_context(err, "sink %s", config->name);
    }
    const struct laz_http_plan plan = {.host = calls->host,
            .port = config->port,
            .tls = calls->tls,
            .connect_ms = sink->pace.connect_ms,
            .answer_ms = sink->pace.answer_ms,
            .body_max = ANSWER_MAX};
    if (laz_http_new(means->base, &plan, http_owner, &calls->http, err) != 0 ||
            laz_aws_credentials_new(means->base, &key_plan, key_owner, &calls->credentials, err) !=
                    0) {
        return laz_err_context(err, "sink %s", config->name);
    }
    return 0;
}

int laz_cloudwatch_calls_open(struct laz_cloudwatch_calls *calls, const struct laz_sink *sink,
        const struct laz_http_owner *http_owner, const struct laz_aws_credentials_owner *key_owner,
        struct laz_err *err)
{
    calls->config = sink->config;
    if (name_all(calls, &sink->means, err) != 0) {
        return -1;
    }
    return connect_all(calls, sink, http_owner, key_owner, err);
}

void laz_cloudwatch_calls_done(struct laz_cloudwatch_calls *calls)
{
    laz_http_free(calls->http);
    laz_aws_credentials_free(calls->credentials);
    laz_tls_free(calls->tls);
}
