/* SPDX-License-Identifier: Apache-2.0
 *
 * Asking the agent: about the container, about the task, each up to three times, and all of it
 * within a few seconds. All tasks of an instance share 40 requests a second.
 */
#include "net/ecs.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "core/num.h"
#include "core/url.h"
#include "net/http.h"

#define CONNECT_MS 1000
#define ANSWER_MS  1000
#define AGAIN_MS   100 /* before the second try, and twice that before the third */
#define SLOWER_MS  500 /* where there are too many requests */
#define WAIT_MAX_S 3   /* of what it asks us to wait */

enum question {
    CONTAINER,
    TASK,
    QUESTIONS,
};

static const char *const paths[QUESTIONS] = {[CONTAINER] = "", [TASK] = "/task"};
static const char *const names[QUESTIONS] = {[CONTAINER] = "container", [TASK] = "task"};

struct laz_ecs {
    struct laz_ecs_owner owner;
    struct laz_http *http;
    struct event *retry;
    struct event *deadline;
    char host[LAZ_URL_HOST_MAX + 1];
    char host_header[LAZ_URL_HOST_MAX + 16];
    char path[LAZ_URL_MAX + 1];
    char why[LAZ_ERR_MESSAGE_MAX]; /* the first thing that went wrong for good */
    struct laz_ecs_facts facts;
    enum question question;
    unsigned tries;
    bool is_done;
};

static void finish(struct laz_ecs *ecs)
{
    if (!ecs->is_done) {
        ecs->is_done = true;
        laz_http_cancel(ecs->http);
        (void)event_del(ecs->retry);
        (void)event_del(ecs->deadline);
        ecs->owner.done(ecs->owner.context, &ecs->facts, ecs->why);
    }
}

static void in_ms(struct event *event, uint32_t ms)
{
    const struct timeval wait = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
    (void)evtimer_add(event, &wait); /* fails for want of memory, which timers do not need */
}

/* ---- questions ---- */

static void say(struct laz_ecs *ecs, const char *why)
{
    if (ecs->why[0] == '\0') {
        (void)snprintf(ecs->why, sizeof(ecs->why), "%s: %.240s", names[ecs->question], why);
    }
}

/* What this one had to say is heard, or will not be. */
static void ask_next(struct laz_ecs *ecs)
{
    ecs->question++;
    ecs->tries = 0;
    if (ecs->question == QUESTIONS) {
        finish(ecs);
    } else {
        event_active(ecs->retry, 0, 0); /* not from within an answer */
    }
}

static void ask(struct laz_ecs *ecs)
{
    char path[LAZ_URL_MAX + sizeof("/task")];
    const struct laz_header headers[] = {
            {"host", ecs->host_header}, {"accept", "application/json"}};
    const struct laz_http_request request = {.method = "GET",
            .path = path,
            .headers = headers,
            .n_headers = sizeof(headers) / sizeof(headers[0])};
    (void)snprintf(path, sizeof(path), "%s%s", ecs->path, paths[ecs->question]);
    ecs->tries++;
    if (!laz_http_send(ecs->http, &request)) {
        say(ecs, "no memory for a request");
        ask_next(ecs);
    }
}

static void on_retry(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    ask(context);
}

static void on_deadline(evutil_socket_t fd, short what, void *context)
{
    struct laz_ecs *ecs = context;
    char why[64];
    (void)fd;
    (void)what;
    (void)snprintf(why, sizeof(why), "not within %d ms", LAZ_ECS_WHOLE_MS);
    say(ecs, why);
    finish(ecs);
}

/* A part of the wait is drawn: the tasks of an instance often start together. False: this was the
 * last try. */
static bool again(struct laz_ecs *ecs, uint32_t ms, const char *why)
{
    uint32_t random = 0;
    if (ecs->tries >= LAZ_ECS_TRIES) {
        say(ecs, why);
        return false;
    }
    laz_ignore((int)getrandom(&random, sizeof(random), GRND_NONBLOCK));
    ms <<= ecs->tries - 1;
    in_ms(ecs->retry, ms / 2 + random % (ms / 2 + 1));
    return true;
}

/* Whoever does not answer, or has too many questions, is not asked the other one too. */
static void again_or_finish(struct laz_ecs *ecs, uint32_t ms, const char *why)
{
    if (!again(ecs, ms, why)) {
        finish(ecs);
    }
}

/* ---- answers ---- */

static void take(struct laz_ecs *ecs, const struct laz_http_reply *reply)
{
    struct laz_err err = {0};
    const char *text = reply->body.len == 0 ? "" : reply->body.data;
    int result = ecs->question == CONTAINER
            ? laz_ecs_parse_container(text, reply->body.len, &ecs->facts, &err)
            : laz_ecs_parse_task(text, reply->body.len, &ecs->facts, &err);
    if (result != 0) {
        say(ecs, err.message);
    }
    ask_next(ecs);
}

static uint32_t asked_ms(const struct laz_http_reply *reply)
{
    size_t length = 0;
    uint64_t seconds = 0;
    const char *text = laz_http_reply_header(reply, "retry-after", &length);
    return text != NULL && laz_parse_u64(text, length, WAIT_MAX_S, &seconds)
            ? (uint32_t)seconds * 1000
            : 0;
}

static void on_answered(void *context, const struct laz_http_reply *reply)
{
    struct laz_ecs *ecs = context;
    char why[32];
    if (ecs->is_done) {
        return;
    }
    (void)snprintf(why, sizeof(why), "it answers %u", reply->status);
    if (reply->status == 200) {
        take(ecs, reply);
    } else if (reply->status == 429) {
        uint32_t asked = asked_ms(reply);
        again_or_finish(ecs, asked > SLOWER_MS ? asked : SLOWER_MS, why);
    } else if (reply->status < 500) {
        say(ecs, why);
        ask_next(ecs);
    } else if (!again(ecs, AGAIN_MS, why)) {
        ask_next(ecs);
    }
}

static void on_failed(void *context, const char *why)
{
    struct laz_ecs *ecs = context;
    if (!ecs->is_done) {
        again_or_finish(ecs, AGAIN_MS, why);
    }
}

/* ---- its life ---- */

static int choose(
        struct laz_ecs *ecs, const char *name, const char *uri, uint16_t *ret, struct laz_err *err)
{
    struct laz_url url;
    if (!laz_ecs_may_ask(uri) || !laz_url_split(uri, &url)) {
        return laz_err_set(err, LAZ_E_SINK, 0,
                "%s is neither the container agent's address (169.254.170.2) nor one of this host",
                name);
    }
    size_t length = strlen(url.path);
    while (length > 0 && url.path[length - 1] == '/') {
        length--;
    }
    bool is_six = memchr(url.host, ':', url.host_length) != NULL;
    (void)snprintf(ecs->path, sizeof(ecs->path), "%.*s", (int)length, url.path);
    (void)snprintf(ecs->host, sizeof(ecs->host), "%.*s", (int)url.host_length, url.host);
    (void)snprintf(ecs->host_header, sizeof(ecs->host_header),
            url.port == 80 ? "%s%s%s" : "%s%s%s:%u", is_six ? "[" : "", ecs->host,
            is_six ? "]" : "", url.port);
    *ret = url.port;
    return 0;
}

static int begin(struct laz_ecs *ecs, struct event_base *base,
        const struct laz_ecs_environment *environment, struct laz_err *err)
{
    bool is_four = environment->uri[0] != '\0';
    const struct laz_http_owner owner = {
            .answered = on_answered, .failed = on_failed, .context = ecs};
    struct laz_http_plan plan = {.host = ecs->host,
            .connect_ms = CONNECT_MS,
            .answer_ms = ANSWER_MS,
            .body_max = LAZ_ECS_BODY_MAX};
    if (choose(ecs, is_four ? "ECS_CONTAINER_METADATA_URI_V4" : "ECS_CONTAINER_METADATA_URI",
                is_four ? environment->uri : environment->uri_v3, &plan.port, err) != 0) {
        return -1;
    }
    ecs->retry = evtimer_new(base, on_retry, ecs);
    ecs->deadline = evtimer_new(base, on_deadline, ecs);
    if (ecs->retry == NULL || ecs->deadline == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory to ask the agent");
    }
    return laz_http_new(base, &plan, &owner, &ecs->http, err);
}

int laz_ecs_new(struct event_base *base, const struct laz_ecs_environment *environment,
        const struct laz_ecs_owner *owner, struct laz_ecs **ret, struct laz_err *err)
{
    struct laz_ecs *ecs = calloc(1, sizeof(*ecs));
    if (ecs == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory to ask the agent");
    }
    ecs->owner = *owner;
    if (begin(ecs, base, environment, err) != 0) {
        laz_ecs_free(ecs);
        return -1;
    }
    in_ms(ecs->deadline, LAZ_ECS_WHOLE_MS);
    event_active(ecs->retry, 0, 0);
    *ret = ecs;
    return 0;
}

void laz_ecs_free(struct laz_ecs *ecs)
{
    if (ecs == NULL) {
        return;
    }
    laz_http_free(ecs->http);
    if (ecs->retry != NULL) {
        event_free(ecs->retry);
    }
    if (ecs->deadline != NULL) {
        event_free(ecs->deadline);
    }
    explicit_bzero(ecs, sizeof(*ecs));
    free(ecs);
}
