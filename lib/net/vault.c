/* SPDX-License-Identifier: Apache-2.0
 *
 * The login, and the calls that wait for it.
 */
#include "net/vault.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include <openssl/crypto.h>

#include "core/num.h"

#define LOGIN_MAX  32768 /* bytes of a login's request */
#define ANSWER_MAX 65536 /* of its answer */
#define PATH_BYTES 256
#define ID_BYTES   16
#define JSON       "application/json"

/* Invariant: has_token and is_asking are never both true. */
struct laz_vault {
    struct event_base *base;
    struct laz_vault_plan plan;
    struct laz_vault_call *calls;
    struct laz_call *login; /* NULL: the token was given */
    struct laz_aws_wait wait;
    struct laz_buf request; /* of the login */
    char path[PATH_BYTES];
    char token[LAZ_VAULT_TOKEN_MAX + 1];
    bool has_token;
    bool is_asking;
    unsigned n_tokens; /* that were given up: which one a call has used */
};

struct laz_vault_call {
    struct laz_vault *vault;
    struct laz_vault_call *next;
    struct laz_vault_call_owner owner;
    struct laz_vault_request request;
    struct laz_call *call;
    unsigned token;
    bool awaits_token;
    char id[2 * ID_BYTES + 1];
};

const struct laz_call_said *laz_vault_call_said(const struct laz_vault_call *call)
{
    return laz_call_said(call->awaits_token ? call->vault->login : call->call);
}

/* ---- requests ---- */

/* What both kinds have; those without a value are left out. */
static void post(struct laz_vault *vault, struct laz_call *call,
        const struct laz_vault_request *request, const char *token, const char *id)
{
    const struct laz_header all[] = {
            {"host", laz_call_host(call)},
            {"x-vault-request", "true"},
            {"x-correlation-id", id},
            {"content-type", request->body == NULL ? "" : JSON},
            {"x-vault-namespace", vault->plan.name_space},
            {"x-vault-token", token},
    };
    struct laz_header headers[sizeof(all) / sizeof(all[0])];
    size_t n = 0;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (all[i].value[0] != '\0') {
            headers[n++] = all[i];
        }
    }
    const struct laz_http_request sent = {
            request->method, request->path, headers, n, request->body, request->length};
    laz_call_post(call, &sent);
}

static void make_id(char ret[2 * ID_BYTES + 1])
{
    uint8_t bytes[ID_BYTES] = {0};
    laz_ignore((int)getrandom(bytes, sizeof(bytes), GRND_NONBLOCK));
    laz_format_hex(bytes, sizeof(bytes), ret);
}

/* How many seconds it asks us to wait, as milliseconds. */
static uint64_t asked_ms(const struct laz_http_reply *reply)
{
    size_t length = 0;
    uint64_t seconds = 0;
    const char *text = laz_http_reply_header(reply, "retry-after", &length);
    return text != NULL && laz_parse_u64(text, length, 3600, &seconds) ? seconds * 1000 : 0;
}

/* ---- the login ---- */

static void prepare_login(void *context)
{
    struct laz_vault *vault = context;
    char date[LAZ_SIGV4_DATE_SIZE];
    struct laz_err err = {0};
    const struct laz_aws_key *key = laz_aws_wait_key(vault->plan.aws, &vault->wait);
    if (key == NULL) {
        return;
    }
    laz_aws_date(vault->plan.aws, date);
    const struct laz_vault_identity identity = {.role = vault->plan.role,
            .server_id = vault->plan.server_id,
            .region = vault->plan.region,
            .key = key,
            .date = date};
    laz_buf_done(&vault->request);
    laz_buf_init_wiped(&vault->request, LOGIN_MAX);
    if (laz_vault_ask_login(&identity, &vault->request, &err) != 0) {
        laz_call_refuse(vault->login, LAZ_CALL_REFUSED, err.message);
        return;
    }
    const struct laz_vault_request request = {
            "POST", vault->path, vault->request.data, vault->request.len};
    post(vault, vault->login, &request, "", "");
}

static uint64_t judge_login(void *context, const struct laz_http_reply *reply)
{
    const struct laz_vault *vault = context;
    char words[LAZ_VAULT_WORDS_MAX];
    char why[LAZ_VAULT_WORDS_MAX + 16];
    enum laz_call_verdict verdict = laz_vault_judge(reply->status,
            reply->body.len == 0 ? "" : reply->body.data, reply->body.len, words, sizeof(words));
    (void)snprintf(why, sizeof(why), "the login: %s", words);
    laz_call_say(vault->login, verdict, why);
    return asked_ms(reply);
}

/* Nothing of a login is corrected: judge_login says no such thing. */
static void correct_login(void *context, const struct laz_http_reply *reply)
{
    (void)context;
    (void)reply;
}

static void on_login_refused(void *context)
{
    struct laz_vault *vault = context;
    struct laz_call_said said = *laz_call_said(vault->login);
    vault->is_asking = false;
    if (said.verdict != LAZ_CALL_UNTRUSTED) {
        said.verdict = LAZ_CALL_CREDENTIALS;
    }
    for (struct laz_vault_call *call = vault->calls; call != NULL; call = call->next) {
        if (call->awaits_token) {
            call->awaits_token = false;
            laz_call_refuse_as(call->call, &said);
        }
    }
}

static void on_login_answered(void *context, const struct laz_http_reply *reply)
{
    struct laz_vault *vault = context;
    struct laz_err err = {0};
    if (laz_vault_parse_login(reply->body.len == 0 ? "" : reply->body.data, reply->body.len,
                vault->token, &err) != 0) {
        char why[LAZ_ERR_MESSAGE_MAX];
        (void)snprintf(why, sizeof(why), "the login: %.240s", err.message);
        laz_call_refuse(vault->login, LAZ_CALL_REFUSED, why);
        return;
    }
    vault->is_asking = false;
    vault->has_token = true;
    for (struct laz_vault_call *call = vault->calls; call != NULL; call = call->next) {
        if (call->awaits_token) {
            call->awaits_token = false;
            laz_call_try(call->call);
        }
    }
}

static void on_key(void *context)
{
    const struct laz_vault *vault = context;
    laz_call_try(vault->login);
}

static void on_no_key(void *context, const char *why)
{
    const struct laz_vault *vault = context;
    laz_call_postpone(vault->login, LAZ_CALL_CREDENTIALS, why);
}

/* ---- calls ---- */

static void prepare(void *context)
{
    struct laz_vault_call *call = context;
    struct laz_vault *vault = call->vault;
    if (vault->has_token) {
        call->token = vault->n_tokens;
        make_id(call->id);
        post(vault, call->call, &call->request, vault->token, call->id);
        return;
    }
    call->awaits_token = true;
    if (!vault->is_asking) {
        vault->is_asking = true;
        laz_call_begin(vault->login);
    }
}

static uint64_t judge(void *context, const struct laz_http_reply *reply)
{
    const struct laz_vault_call *call = context;
    char words[LAZ_VAULT_WORDS_MAX];
    enum laz_call_verdict verdict = laz_vault_judge(reply->status,
            reply->body.len == 0 ? "" : reply->body.data, reply->body.len, words, sizeof(words));
    bool may_be_token = verdict == LAZ_CALL_DENIED && call->vault->login != NULL &&
            !laz_call_is_corrected(call->call);
    laz_call_say(call->call, may_be_token ? LAZ_CALL_CREDENTIALS : verdict, words);
    laz_call_set_id(call->call, call->id);
    return asked_ms(reply);
}

/* A token that others have replaced meanwhile is not given up again. */
static void correct(void *context, const struct laz_http_reply *reply)
{
    const struct laz_vault_call *call = context;
    struct laz_vault *vault = call->vault;
    (void)reply;
    if (call->token == vault->n_tokens) {
        OPENSSL_cleanse(vault->token, sizeof(vault->token));
        vault->has_token = false;
        vault->n_tokens++;
    }
}

static void on_answered(void *context, const struct laz_http_reply *reply)
{
    const struct laz_vault_call *call = context;
    call->owner.answered(call->owner.context, reply);
}

static void on_refused(void *context)
{
    const struct laz_vault_call *call = context;
    call->owner.refused(call->owner.context);
}

void laz_vault_call_send(struct laz_vault_call *call, const struct laz_vault_request *request)
{
    call->request = *request;
    laz_call_begin(call->call);
}

/* ---- its life ---- */

static int take_token(struct laz_vault *vault, const char *token, struct laz_err *err)
{
    size_t n = 0;
    while (token[n] > ' ' && token[n] <= '~') {
        n++;
    }
    if (n == 0 || n > LAZ_VAULT_TOKEN_MAX || token[n] != '\0') {
        return laz_err_set(err, LAZ_E_SECRET, 0, "the token is not 1 to %d printable characters",
                LAZ_VAULT_TOKEN_MAX);
    }
    (void)memcpy(vault->token, token, n + 1);
    vault->has_token = true;
    return 0;
}

static int prepare_for_login(struct laz_vault *vault, struct laz_err *err)
{
    const struct laz_call_service service = {.prepare = prepare_login,
            .judge = judge_login,
            .correct = correct_login,
            .answered = on_login_answered,
            .refused = on_login_refused,
            .context = vault};
    const struct laz_call_plan where = {.host = vault->plan.host,
            .port = vault->plan.port,
            .tls = vault->plan.tls,
            .resolver = vault->plan.resolver,
            .answer_max = ANSWER_MAX};
    (void)snprintf(vault->path, sizeof(vault->path), "/v1/auth/%.200s/login", vault->plan.mount);
    vault->wait = (struct laz_aws_wait){.ready = on_key, .failed = on_no_key, .context = vault};
    laz_aws_wait_begin(vault->plan.aws, &vault->wait);
    return laz_call_new(vault->base, &where, &service, &vault->login, err);
}

int laz_vault_new(struct event_base *base, const struct laz_vault_plan *plan,
        struct laz_vault **ret, struct laz_err *err)
{
    struct laz_vault *vault = calloc(1, sizeof(*vault));
    if (vault == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for calls");
    }
    vault->base = base;
    vault->plan = *plan;
    vault->plan.token = NULL;
    laz_buf_init_wiped(&vault->request, LOGIN_MAX);
    if ((plan->token != NULL ? take_token(vault, plan->token, err)
                             : prepare_for_login(vault, err)) != 0) {
        laz_vault_free(vault);
        return -1;
    }
    *ret = vault;
    return 0;
}

void laz_vault_free(struct laz_vault *vault)
{
    if (vault == NULL) {
        return;
    }
    if (vault->wait.context != NULL) {
        laz_aws_wait_end(vault->plan.aws, &vault->wait);
    }
    laz_call_free(vault->login);
    laz_buf_done(&vault->request);
    OPENSSL_cleanse(vault->token, sizeof(vault->token));
    free(vault);
}

int laz_vault_call_new(struct laz_vault *vault, size_t answer_max,
        const struct laz_vault_call_owner *owner, struct laz_vault_call **ret, struct laz_err *err)
{
    struct laz_vault_call *call = calloc(1, sizeof(*call));
    if (call == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a call");
    }
    const struct laz_call_plan where = {.host = vault->plan.host,
            .port = vault->plan.port,
            .tls = vault->plan.tls,
            .resolver = vault->plan.resolver,
            .answer_max = answer_max};
    const struct laz_call_service service = {.prepare = prepare,
            .judge = judge,
            .correct = correct,
            .answered = on_answered,
            .refused = on_refused,
            .context = call};
    call->vault = vault;
    call->owner = *owner;
    call->next = vault->calls;
    vault->calls = call;
    if (laz_call_new(vault->base, &where, &service, &call->call, err) != 0) {
        laz_vault_call_free(call);
        return -1;
    }
    *ret = call;
    return 0;
}

void laz_vault_call_free(struct laz_vault_call *call)
{
    if (call == NULL) {
        return;
    }
    for (struct laz_vault_call **at = &call->vault->calls; *at != NULL; at = &(*at)->next) {
        if (*at == call) {
            *at = call->next;
            break;
        }
    }
    laz_call_free(call->call);
    free(call);
}
