/* SPDX-License-Identifier: Apache-2.0
 *
 * One question to the agent, which passes it on to ECS with the task's role. It answers 200 also
 * where ECS refuses, and takes no member in a request that it does not know.
 */
#include "net/ecs_protection.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/json_read.h"
#include "core/url.h"
#include "net/ecs.h"

#define PATH       "/task-protection/v1/state"
#define ANSWER_MAX 16384
#define NODES      128
#define BODY_MAX   64
#define NO_PLACE                                                                                   \
    "ECS_AGENT_URI is neither the container agent's address (169.254.170.2) nor one of this host"

struct laz_ecs_asking {
    struct laz_ecs_protection_owner owner;
    enum laz_ecs_question question;
    struct laz_call *call;
    struct event *deadline;
    uint32_t wait_ms;
    char host[LAZ_URL_HOST_MAX + 1];
    char path[LAZ_URL_MAX + sizeof(PATH)];
    char body[BODY_MAX];
    struct laz_ecs_protection said;
};

/* ---- answers ---- */

/* Letters, digits and low lines: what else stands there is not shown. */
static bool is_name(const char *text)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    return text[0] != '\0' && strspn(text, letters) == strlen(text);
}

static void copy_name(const struct laz_json_doc *doc, const struct laz_json_node *object,
        const char *key, char ret[LAZ_ECS_REASON_MAX])
{
    char text[LAZ_ECS_REASON_MAX];
    bool is_good = laz_json_copy(doc, laz_json_member(doc, object, key), text, sizeof(text)) &&
            is_name(text);
    (void)snprintf(ret, LAZ_ECS_REASON_MAX, "%s", is_good ? text : "");
}

static enum laz_call_verdict judge_done(const struct laz_json_doc *doc,
        struct laz_ecs_protection *ret, char why[LAZ_ERR_MESSAGE_MAX])
{
    char reason[LAZ_ECS_REASON_MAX];
    const struct laz_json_node *root = laz_json_root(doc);
    const struct laz_json_node *protection = laz_json_member(doc, root, "protection");
    const struct laz_json_node *failure = laz_json_member(doc, root, "failure");
    const struct laz_json_node *enabled = laz_json_member(doc, protection, "ProtectionEnabled");
    if (failure != NULL && failure->type == LAZ_JSON_OBJECT) {
        copy_name(doc, failure, "Reason", reason);
        (void)snprintf(
                why, LAZ_ERR_MESSAGE_MAX, "ECS refuses%s%s", reason[0] == '\0' ? "" : ": ", reason);
        return LAZ_CALL_REFUSED;
    }
    if (enabled == NULL || (enabled->type != LAZ_JSON_TRUE && enabled->type != LAZ_JSON_FALSE)) {
        (void)snprintf(why, LAZ_ERR_MESSAGE_MAX, "its answer says nothing about protection");
        return LAZ_CALL_REFUSED;
    }
    ret->is_on = enabled->type == LAZ_JSON_TRUE;
    const struct laz_json_node *until = laz_json_member(doc, protection, "ExpirationDate");
    if (!laz_json_copy(doc, until, ret->until, sizeof(ret->until)) ||
            strspn(ret->until, "0123456789TZ:.+-") != strlen(ret->until)) {
        ret->until[0] = '\0';
    }
    return LAZ_CALL_TAKEN;
}

static enum laz_call_verdict judge_code(unsigned status, const char *code)
{
    if (status == 429 || strcmp(code, "ThrottlingException") == 0) {
        return LAZ_CALL_SLOWER;
    }
    if (status == 401 || status == 403 || strcmp(code, "AccessDeniedException") == 0) {
        return LAZ_CALL_DENIED;
    }
    if (status == 404 || strcmp(code, "ResourceNotFoundException") == 0) {
        return LAZ_CALL_ABSENT;
    }
    return status >= 500 ? LAZ_CALL_AGAIN : LAZ_CALL_REFUSED;
}

enum laz_call_verdict laz_ecs_judge_protection(unsigned status, const char *text, size_t length,
        struct laz_ecs_protection *ret, char why[LAZ_ERR_MESSAGE_MAX])
{
    struct laz_json_node nodes[NODES];
    const struct laz_json_room room = {.nodes = nodes, .max = NODES, .kind = LAZ_E_SINK};
    struct laz_json_doc doc;
    struct laz_err err = {0};
    char code[LAZ_ECS_REASON_MAX] = "";
    bool is_json = laz_json_read(text, length, &room, &doc, &err) == 0;
    *ret = (struct laz_ecs_protection){0};
    why[0] = '\0';
    if (status == 200 && !is_json) {
        (void)snprintf(why, LAZ_ERR_MESSAGE_MAX, "its answer is %.200s", err.message);
        return LAZ_CALL_REFUSED;
    }
    if (status == 200) {
        return judge_done(&doc, ret, why);
    }
    if (is_json) {
        copy_name(&doc, laz_json_member(&doc, laz_json_root(&doc), "error"), "Code", code);
    }
    (void)snprintf(why, LAZ_ERR_MESSAGE_MAX, "it answers %u%s%s", status,
            code[0] == '\0' ? "" : " ", code);
    return judge_code(status, code);
}

static const char *body_of(const struct laz_http_reply *reply)
{
    return reply->body.len == 0 ? "" : reply->body.data;
}

/* Done, and of the other kind than was asked for, is not done. */
static uint64_t judge(void *context, const struct laz_http_reply *reply)
{
    struct laz_ecs_asking *asking = context;
    char why[LAZ_ERR_MESSAGE_MAX];
    enum laz_call_verdict verdict = laz_ecs_judge_protection(
            reply->status, body_of(reply), reply->body.len, &asking->said, why);
    bool is_other = asking->question != LAZ_ECS_PROTECTED &&
            asking->said.is_on != (asking->question == LAZ_ECS_PROTECT);
    if (verdict == LAZ_CALL_TAKEN && is_other) {
        verdict = LAZ_CALL_REFUSED;
        (void)snprintf(why, sizeof(why), "its answer says that the task is %s",
                asking->said.is_on ? "protected" : "not protected");
    }
    laz_call_say(asking->call, verdict, why);
    return 0;
}

static void correct(void *context, const struct laz_http_reply *reply)
{
    (void)context;
    (void)reply;
}

static void answered(void *context, const struct laz_http_reply *reply)
{
    const struct laz_ecs_asking *asking = context;
    (void)reply;
    (void)event_del(asking->deadline);
    asking->owner.done(asking->owner.context, &asking->said);
}

static void refused(void *context)
{
    const struct laz_ecs_asking *asking = context;
    const struct laz_call_said *said = laz_call_said(asking->call);
    (void)event_del(asking->deadline);
    asking->owner.refused(asking->owner.context, said->verdict, said->why);
}

static void on_deadline(evutil_socket_t fd, short what, void *context)
{
    const struct laz_ecs_asking *asking = context;
    const struct laz_call_said *said = laz_call_said(asking->call);
    char why[LAZ_ERR_MESSAGE_MAX];
    (void)fd;
    (void)what;
    (void)snprintf(why, sizeof(why), "%s: no answer within %u ms", asking->host, asking->wait_ms);
    asking->owner.refused(
            asking->owner.context, said->verdict, said->why[0] == '\0' ? why : said->why);
}

/* ---- asking ---- */

static void prepare(void *context)
{
    struct laz_ecs_asking *asking = context;
    bool is_question = asking->question == LAZ_ECS_PROTECTED;
    const struct laz_header headers[] = {{"host", laz_call_host(asking->call)},
            {"accept", "application/json"}, {"content-type", "application/json"}};
    const struct laz_http_request request = {.method = is_question ? "GET" : "PUT",
            .path = asking->path,
            .headers = headers,
            .n_headers = is_question ? 2 : 3,
            .body = is_question ? NULL : asking->body,
            .body_length = is_question ? 0 : strlen(asking->body)};
    laz_call_post(asking->call, &request);
}

static void put_body(struct laz_ecs_asking *asking, unsigned minutes)
{
    if (asking->question == LAZ_ECS_PROTECT) {
        (void)snprintf(asking->body, sizeof(asking->body),
                "{\"ProtectionEnabled\":true,\"ExpiresInMinutes\":%u}", minutes);
    } else {
        (void)snprintf(asking->body, sizeof(asking->body), "{\"ProtectionEnabled\":false}");
    }
}

static int begin(struct laz_ecs_asking *asking, struct event_base *base,
        const struct laz_ecs_protection_plan *plan, struct laz_err *err)
{
    struct laz_url url;
    const struct laz_call_service service = {.prepare = prepare,
            .judge = judge,
            .correct = correct,
            .answered = answered,
            .refused = refused,
            .context = asking};
    if (!laz_ecs_may_ask(plan->uri) || !laz_url_split(plan->uri, &url)) {
        return laz_err_set(err, LAZ_E_SINK, 0, NO_PLACE);
    }
    (void)snprintf(asking->host, sizeof(asking->host), "%.*s", (int)url.host_length, url.host);
    (void)snprintf(asking->path, sizeof(asking->path), "%s" PATH, url.path);
    put_body(asking, plan->minutes);
    asking->deadline = evtimer_new(base, on_deadline, asking);
    const struct timeval wait = {
            .tv_sec = plan->wait_ms / 1000, .tv_usec = (suseconds_t)(plan->wait_ms % 1000) * 1000};
    if (asking->deadline == NULL || evtimer_add(asking->deadline, &wait) != 0) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory to ask the agent");
    }
    const struct laz_call_plan call = {
            .host = asking->host, .port = url.port, .answer_max = ANSWER_MAX};
    return laz_call_new(base, &call, &service, &asking->call, err);
}

int laz_ecs_protection_new(struct event_base *base, const struct laz_ecs_protection_plan *plan,
        const struct laz_ecs_protection_owner *owner, struct laz_ecs_asking **ret,
        struct laz_err *err)
{
    struct laz_ecs_asking *asking = calloc(1, sizeof(*asking));
    if (asking == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory to ask the agent");
    }
    asking->owner = *owner;
    asking->question = plan->question;
    asking->wait_ms = plan->wait_ms;
    if (begin(asking, base, plan, err) != 0) {
        laz_ecs_protection_free(asking);
        return -1;
    }
    *ret = asking;
    laz_call_begin(asking->call);
    return 0;
}

void laz_ecs_protection_free(struct laz_ecs_asking *asking)
{
    if (asking == NULL) {
        return;
    }
    laz_call_free(asking->call);
    if (asking->deadline != NULL) {
        event_free(asking->deadline);
    }
    explicit_bzero(asking, sizeof(*asking));
    free(asking);
}
