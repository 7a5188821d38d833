/* SPDX-License-Identifier: Apache-2.0
 *
 * Fetching the role's credentials, one request after the other, and when to do so again.
 */
#include "net/aws_credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "core/fd.h"
#include "core/url.h"
#include "net/http.h"

#define AGENT      "169.254.170.2" /* of ECS */
#define INSTANCE   "169.254.169.254"
#define CONNECT_MS 2000
#define ANSWER_MS  2000
#define BODY_MAX   16384
#define ROLE_MAX   64
#define IMDS_TOKEN 512
#define FRESH_S    900 /* before their end they are fetched anew, and */
#define JITTER_S   120 /* up to so long before that */
#define LEAST_S    60  /* of life, to be used */
#define PATIENCE_S 30  /* between tries while the old ones serve */
#define ROLES      "/latest/meta-data/iam/security-credentials/"

enum step {
    IDLE,
    KEY, /* the last one */
    IMDS_TOKEN_STEP,
    IMDS_ROLE,
};

struct laz_aws_credentials {
    struct laz_aws_credentials_owner owner;
    struct laz_tls *tls;
    struct laz_http *http;
    struct event *soon; /* a failure that is told later */
    const char *token;
    const char *token_file;
    const char *token_why;
    char host[LAZ_URL_HOST_MAX + 1];
    char host_header[LAZ_URL_HOST_MAX + 16];
    char path[LAZ_URL_MAX + 1];
    char imds_token[IMDS_TOKEN + 1];
    char authorization[LAZ_AWS_VARIABLE_MAX + 1];
    char why[LAZ_ERR_MESSAGE_MAX];
    struct laz_aws_key key;
    int64_t refresh; /* seconds since 1970 */
    bool has_key;
    bool is_instance;
    bool is_awaited; /* the owner is to be told */
    enum step step;
};

static int64_t now_s(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec;
}

static void tell(evutil_socket_t fd, short what, void *context)
{
    struct laz_aws_credentials *credentials = context;
    (void)fd;
    (void)what;
    if (credentials->is_awaited && credentials->step == IDLE) {
        credentials->is_awaited = false;
        credentials->owner.failed(credentials->owner.context, credentials->why);
    }
}

static void fail(struct laz_aws_credentials *credentials, const char *why)
{
    static const struct timeval now = {0};
    credentials->step = IDLE;
    credentials->refresh = now_s() + PATIENCE_S;
    OPENSSL_cleanse(credentials->imds_token, sizeof(credentials->imds_token));
    (void)snprintf(credentials->why, sizeof(credentials->why), "credentials from %s: %.200s%s",
            credentials->is_instance ? "the instance (IMDSv2)" : "the container agent", why,
            credentials->is_instance && strncmp(why, "no answer", 9) == 0
                    ? "; is the instance's hop limit 2?"
                    : "");
    (void)evtimer_add(credentials->soon, &now);
}

/* ---- asking ---- */

/* Read each time: whoever keeps it replaces it. */
static bool read_token_file(struct laz_aws_credentials *credentials)
{
    struct laz_err ignored = {0};
    size_t length = 0;
    laz_cleanup_fd int fd =
            open(credentials->token_file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 ||
            laz_fd_read_all(fd, credentials->authorization, sizeof(credentials->authorization) - 1,
                    &length, &ignored) != 0) {
        return false;
    }
    while (length > 0 &&
            (credentials->authorization[length - 1] == '\n' ||
                    credentials->authorization[length - 1] == '\r')) {
        length--;
    }
    credentials->authorization[length] = '\0';
    return strlen(credentials->authorization) == length && length > 0;
}

static bool read_token(struct laz_aws_credentials *credentials)
{
    if (credentials->token_file[0] != '\0') {
        return read_token_file(credentials);
    }
    (void)snprintf(credentials->authorization, sizeof(credentials->authorization), "%s",
            credentials->token);
    return true;
}

static void send_request(struct laz_aws_credentials *credentials, const char *method,
        const char *path, const struct laz_header *extra)
{
    struct laz_header headers[3] = {
            {"host", credentials->host_header}, {"accept", "application/json"}};
    const struct laz_http_request request = {
            .method = method, .path = path, .headers = headers, .n_headers = extra == NULL ? 2 : 3};
    if (extra != NULL) {
        headers[2] = *extra;
    }
    if (!laz_http_send(credentials->http, &request)) {
        fail(credentials, "the request cannot be made: is there a line feed in the token?");
    }
}

static void ask_agent(struct laz_aws_credentials *credentials)
{
    const struct laz_header header = {"authorization", credentials->authorization};
    credentials->step = KEY;
    if (credentials->token_why[0] != '\0') {
        char why[LAZ_ERR_MESSAGE_MAX];
        (void)snprintf(why, sizeof(why), "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: %.400s",
                credentials->token_why);
        fail(credentials, why);
        return;
    }
    if (!read_token(credentials)) {
        fail(credentials, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE cannot be read");
        return;
    }
    send_request(credentials, "GET", credentials->path,
            credentials->authorization[0] == '\0' ? NULL : &header);
    OPENSSL_cleanse(credentials->authorization, sizeof(credentials->authorization));
}

static void ask(struct laz_aws_credentials *credentials)
{
    const struct laz_header lifetime = {"x-aws-ec2-metadata-token-ttl-seconds", "300"};
    if (!credentials->is_instance) {
        ask_agent(credentials);
        return;
    }
    credentials->step = IMDS_TOKEN_STEP;
    send_request(credentials, "PUT", "/latest/api/token", &lifetime);
}

/* ---- answers ---- */

static bool copy_body(
        const struct laz_http_reply *reply, const char *letters, char *ret, size_t size)
{
    size_t length = reply->body.len;
    if (length == 0 || length >= size) {
        return false;
    }
    (void)memcpy(ret, reply->body.data, length);
    ret[length] = '\0';
    return strspn(ret, letters) == length;
}

static void ask_instance(struct laz_aws_credentials *credentials, enum step step, const char *path)
{
    const struct laz_header token = {"x-aws-ec2-metadata-token", credentials->imds_token};
    credentials->step = step;
    send_request(credentials, "GET", path, &token);
}

static void take_key(struct laz_aws_credentials *credentials, const struct laz_http_reply *reply)
{
    struct laz_err err = {0};
    struct laz_aws_key key = {0};
    uint32_t random = 0;
    const char *text = reply->body.len == 0 ? "" : reply->body.data;
    if (laz_aws_parse_key(text, reply->body.len, &key, &err) != 0) {
        fail(credentials, err.message);
    } else if (key.expires <= now_s() + LEAST_S) {
        fail(credentials, "they have expired; is the clock right?");
    } else {
        laz_ignore((int)getrandom(&random, sizeof(random), GRND_NONBLOCK));
        credentials->key = key;
        credentials->has_key = true;
        credentials->refresh = key.expires - FRESH_S - random % JITTER_S;
        if (credentials->refresh < now_s() + PATIENCE_S) {
            credentials->refresh = now_s() + PATIENCE_S;
        }
        credentials->step = IDLE;
        if (credentials->is_awaited) {
            credentials->is_awaited = false;
            credentials->owner.ready(credentials->owner.context);
        }
    }
    OPENSSL_cleanse(&key, sizeof(key));
}

static void refuse(struct laz_aws_credentials *credentials, const struct laz_http_reply *reply)
{
    char code[LAZ_AWS_CODE_MAX];
    char why[LAZ_AWS_CODE_MAX + 64];
    laz_aws_parse_code(
            reply->body.len == 0 ? "" : reply->body.data, reply->body.len, code, sizeof(code));
    (void)snprintf(
            why, sizeof(why), "it answers %u%s%s", reply->status, code[0] == '\0' ? "" : " ", code);
    fail(credentials, why);
}

static void on_answered(void *context, const struct laz_http_reply *reply)
{
    struct laz_aws_credentials *credentials = context;
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  "+=,.@_-/";
    char role[ROLE_MAX + 1];
    char path[sizeof(ROLES) + ROLE_MAX];
    if (reply->status != 200) {
        refuse(credentials, reply);
        return;
    }
    switch (credentials->step) {
    case KEY:
        take_key(credentials, reply);
        break;
    case IMDS_TOKEN_STEP:
        if (copy_body(reply, letters, credentials->imds_token, sizeof(credentials->imds_token))) {
            ask_instance(credentials, IMDS_ROLE, ROLES);
        } else {
            fail(credentials, "its answer is no token");
        }
        break;
    case IMDS_ROLE:
        if (copy_body(reply, letters, role, sizeof(role)) && strchr(role, '/') == NULL &&
                role[0] != '.') {
            (void)snprintf(path, sizeof(path), "%s%s", ROLES, role);
            ask_instance(credentials, KEY, path);
            OPENSSL_cleanse(credentials->imds_token, sizeof(credentials->imds_token));
        } else {
            fail(credentials, "its answer is no name of a role");
        }
        break;
    case IDLE:
        break;
    }
}

static void on_failed(void *context, const char *why)
{
    fail(context, why);
}

bool laz_aws_credentials_untrusted(const struct laz_aws_credentials *credentials)
{
    return laz_http_is_untrusted(credentials->http);
}

const struct laz_aws_key *laz_aws_credentials_get(struct laz_aws_credentials *credentials)
{
    int64_t now = now_s();
    bool is_good = credentials->has_key && credentials->key.expires > now + LEAST_S;
    credentials->is_awaited = credentials->is_awaited || !is_good;
    if (credentials->step == IDLE && (!is_good || now >= credentials->refresh)) {
        ask(credentials);
    }
    return is_good ? &credentials->key : NULL;
}

void laz_aws_credentials_refused(struct laz_aws_credentials *credentials)
{
    OPENSSL_cleanse(&credentials->key, sizeof(credentials->key));
    credentials->has_key = false;
}

/* ---- its life ---- */

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static void set_host(struct laz_aws_credentials *credentials, const struct laz_url *url)
{
    bool is_bracketed = memchr(url->host, ':', url->host_length) != NULL;
    (void)snprintf(
            credentials->host, sizeof(credentials->host), "%.*s", (int)url->host_length, url->host);
    bool is_usual = url->port == (url->is_https ? 443 : 80);
    (void)snprintf(credentials->host_header, sizeof(credentials->host_header),
            is_usual ? "%s%s%s" : "%s%s%s:%u", is_bracketed ? "[" : "", credentials->host,
            is_bracketed ? "]" : "", url->port);
}

/* Whom to ask. */
static int choose(struct laz_aws_credentials *credentials,
        const struct laz_aws_credentials_plan *plan, struct laz_url *ret, struct laz_err *err)
{
    const struct laz_aws_environment *environment = plan->environment;
    char text[LAZ_URL_MAX + 1];
    bool no_imds = environment != NULL && is_set(environment->no_imds) &&
            strcasecmp(environment->no_imds, "true") == 0;
    if (environment != NULL && is_set(environment->relative_uri)) {
        int n = snprintf(text, sizeof(text), "http://" AGENT "%s", environment->relative_uri);
        if (environment->relative_uri[0] != '/' || n >= (int)sizeof(text) ||
                !laz_url_split(text, ret)) {
            return laz_err_set(
                    err, LAZ_E_SINK, 0, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is no path");
        }
    } else if (environment != NULL && is_set(environment->full_uri)) {
        if (!laz_aws_may_ask(environment->full_uri)) {
            return laz_err_set(err, LAZ_E_SINK, 0,
                    "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor an address of this "
                    "host or of a container agent: the key would travel unencrypted");
        }
        (void)snprintf(text, sizeof(text), "%s", environment->full_uri);
        laz_ignore(laz_url_split(text, ret));
    } else if (plan->may_use_imds && !no_imds) {
        credentials->is_instance = true;
        (void)snprintf(text, sizeof(text), "http://" INSTANCE "/");
        laz_ignore(laz_url_split(text, ret));
    } else {
        return laz_err_set(err, LAZ_E_SINK, 0,
                "no credentials: the task has no role (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, "
                "..._FULL_URI), and the instance's %s",
                no_imds ? "are disabled (AWS_EC2_METADATA_DISABLED)"
                        : "may not be used (imds: permitted)");
    }
    (void)snprintf(credentials->path, sizeof(credentials->path), "%s",
            ret->path[0] == '\0' ? "/" : ret->path);
    set_host(credentials, ret);
    return 0;
}

static int connect_to(struct laz_aws_credentials *credentials, struct event_base *base,
        const struct laz_url *url, const struct laz_aws_credentials_plan *plan, struct laz_err *err)
{
    const struct laz_tls_plan tls = {.ca = plan->ca,
            .cert = "",
            .key = "",
            .peer = credentials->host,
            .profile = plan->profile,
            .files = plan->files};
    const struct laz_http_owner owner = {
            .answered = on_answered, .failed = on_failed, .context = credentials};
    if (url->is_https && laz_tls_new(&tls, &credentials->tls, err) != 0) {
        return -1;
    }
    const struct laz_http_plan http = {.host = credentials->host,
            .port = url->port,
            .tls = credentials->tls,
            .connect_ms = CONNECT_MS,
            .answer_ms = ANSWER_MS,
            .body_max = BODY_MAX};
    return laz_http_new(base, &http, &owner, &credentials->http, err);
}

int laz_aws_credentials_new(struct event_base *base, const struct laz_aws_credentials_plan *plan,
        const struct laz_aws_credentials_owner *owner, struct laz_aws_credentials **ret,
        struct laz_err *err)
{
    struct laz_url url = {0};
    struct laz_aws_credentials *credentials = calloc(1, sizeof(*credentials));
    if (credentials == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for credentials");
    }
    credentials->owner = *owner;
    credentials->token = plan->environment != NULL && is_set(plan->environment->token)
            ? plan->environment->token
            : "";
    credentials->token_file = plan->environment != NULL && is_set(plan->environment->token_file)
            ? plan->environment->token_file
            : "";
    credentials->token_why = plan->environment != NULL && is_set(plan->environment->token_why)
            ? plan->environment->token_why
            : "";
    credentials->soon = evtimer_new(base, tell, credentials);
    if (credentials->soon == NULL) {
        (void)laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for credentials");
    }
    if (credentials->soon == NULL || choose(credentials, plan, &url, err) != 0 ||
            connect_to(credentials, base, &url, plan, err) != 0) {
        laz_aws_credentials_free(credentials);
        return -1;
    }
    *ret = credentials;
    return 0;
}

void laz_aws_credentials_free(struct laz_aws_credentials *credentials)
{
    if (credentials == NULL) {
        return;
    }
    laz_http_free(credentials->http);
    laz_tls_free(credentials->tls);
    if (credentials->soon != NULL) {
        event_free(credentials->soon);
    }
    OPENSSL_cleanse(credentials, sizeof(*credentials));
    free(credentials);
}

uint16_t laz_aws_credentials_port(const struct laz_aws_environment *environment)
{
    struct laz_url url;
    bool is_full = !is_set(environment->relative_uri) && is_set(environment->full_uri);
    return is_full && laz_url_split(environment->full_uri, &url) ? url.port : 80;
}
